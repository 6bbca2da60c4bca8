import { Array as Arr, Duration, Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import type { Receipt } from "../chain/answers.ts"
import type { ChainError } from "../chain/ChainClient.ts"
import { type Endpoint, makeEndpoint, REQUESTS_PER_BATCH } from "../chain/endpoint.ts"
import { readReceipts } from "../chain/lookups.ts"
import { CONCURRENT_CALLS } from "../chain/multicall.ts"
import { makeRpc, type Rpc, RETRY, withTimeout } from "../chain/rpc.ts"
import { blockContent, chainId, headNumber } from "../chain/rpcCalls.ts"
import type { Bytes32 } from "../domain/Address.ts"
import type { Claims } from "./Proof.ts"

/** How long a node may take for one answer. */
const PATIENCE = Duration.seconds(10)

/** A block as a node has it. */
type BlockContent = { readonly hash: Bytes32; readonly transactions: ReadonlyArray<Bytes32> }

/** What the nodes say about the transactions and blocks of a proof. */
export interface Evidence {
  /** The newest block. */
  readonly head: bigint
  /** `undefined`: the nodes know of no such transaction. What is not here was not answered. */
  readonly receipts: ReadonlyMap<Bytes32, Receipt | undefined>
  /** By number, where a receipt does not give the hash; `undefined`: the nodes have no such block. */
  readonly blocks: ReadonlyMap<bigint, BlockContent | undefined>
  /** Why something was not answered. */
  readonly silence: ReadonlyArray<string>
}

/** A node that answers, and what it leads to. */
interface Found {
  readonly endpoint: Endpoint
  readonly chainId: number
  readonly head: bigint
}

/** The nodes behind these URLs: of which chain they are, and which do not answer. One HTTP request for each. */
export const findNodes = Effect.fn("proof.findNodes")(function* (urls: ReadonlyArray<string>) {
  const fetch = yield* FetchHttpClient.Fetch
  const [found, silent] = yield* Effect.partition(
    urls.map((url) => makeEndpoint(Redacted.make(url), fetch)),
    (endpoint) =>
      endpoint
        .ask(async (node) => {
          const [id, head] = await Promise.all([chainId(node), headNumber(node)])
          return { endpoint, chainId: id, head } satisfies Found as Found
        })
        .pipe(
          Effect.retry(RETRY),
          withTimeout(PATIENCE),
          Effect.mapError(({ reason, detail }) => `${endpoint.host}: ${reason} (${detail})`)
        ),
    { concurrency: "unbounded" }
  )
  return { found, silent }
})

/** All that is needed of the chain to judge these claims, three receipts in one HTTP request. */
export const gatherEvidence = Effect.fn("proof.gatherEvidence")(function* (
  claims: Claims,
  nodes: Arr.NonEmptyReadonlyArray<Found>
) {
  const endpoints = Arr.map(nodes, ({ endpoint }) => endpoint)
  const rpc = yield* makeRpc({ endpoints, verifyEndpoint: () => Effect.void, rpcTimeout: PATIENCE })
  const transfers = [...claims.deposits, ...claims.payments, ...claims.mints, ...claims.refunds]
  const txs = Arr.dedupe(transfers.map(({ tx }) => tx))
  const found = yield* findReceipts(rpc, txs)
  const receipts = yield* askOthers(rpc, found.receipts)
  const hashed = new Set([...receipts.values()].flatMap((receipt) => receipt?.logs ?? []).flatMap(withHash))
  const missing = transfers.flatMap(({ tx, block }) => (block !== null && receipts.get(tx) === undefined ? block : []))
  const unhashed = claims.blocks.map(({ number }) => number).filter((number) => !hashed.has(number))
  const content = yield* readBlocks(rpc, Arr.dedupe([...missing, ...unhashed]))
  return {
    head: nodes.reduce((highest, { head }) => (head > highest ? head : highest), 0n),
    receipts,
    blocks: content.blocks,
    silence: [...found.silence, ...content.silence]
  } satisfies Evidence as Evidence
})

const withHash = ({ block, blockHash }: Receipt["logs"][number]): ReadonlyArray<bigint> =>
  blockHash === undefined ? [] : [block]

/** A part that no node answers leaves the others as they are. */
const inParts = Effect.fnUntraced(function* <Q, A>(
  questions: ReadonlyArray<Q>,
  ask: (chunk: ReadonlyArray<Q>) => Effect.Effect<ReadonlyMap<Q, A>, ChainError>
) {
  const [parts, silent] = yield* Effect.partition(Arr.chunksOf(questions, REQUESTS_PER_BATCH), ask, {
    concurrency: CONCURRENT_CALLS
  })
  return { answers: new Map(parts.flatMap((part) => [...part])), silence: silent.map(({ message }) => message) }
})

const findReceipts = Effect.fnUntraced(function* (rpc: Pick<Rpc, "ask">, txs: ReadonlyArray<Bytes32>) {
  const { answers, silence } = yield* inParts(txs, (chunk) => readReceipts(rpc, chunk))
  return { receipts: answers, silence }
})

/** A node without a receipt may have pruned it: the others of the list are asked for what is missing. */
const askOthers = Effect.fnUntraced(function* (rpc: Rpc, first: ReadonlyMap<Bytes32, Receipt | undefined>) {
  const receipts = new Map(first)
  const lacking = () => [...receipts].flatMap(([tx, receipt]) => (receipt === undefined ? [tx] : []))
  const nodes = lacking().length === 0 ? [] : yield* rpc.apart
  for (const { rpc: node } of nodes.length > 1 ? nodes : []) {
    const more = yield* findReceipts(node, lacking())
    for (const [tx, receipt] of more.receipts) if (receipt !== undefined) receipts.set(tx, receipt)
  }
  return receipts
})

const readBlocks = Effect.fnUntraced(function* (rpc: Rpc, numbers: ReadonlyArray<bigint>) {
  const { answers, silence } = yield* inParts(numbers, (chunk) =>
    rpc
      .ask("read blocks", (node) => Promise.all(chunk.map((number) => blockContent(number)(node))))
      .pipe(Effect.map((blocks) => new Map(Arr.zip(chunk, blocks))))
  )
  return { blocks: answers, silence }
})
