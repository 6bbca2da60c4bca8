import { Array as Arr, Effect } from "effect"
import type { UsdcContract } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import { counted } from "../domain/text.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { DoubtfulAnswer, type Log as EventLog } from "./answers.ts"
import type { AuthorizationQuery, ChainClient, ChainError } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { type RpcCall, REQUESTS_PER_BATCH } from "./endpoint.ts"
import { gather } from "./gather.ts"
import { BLOCKS_SEARCHED_MAX, findLogs, searchKey, TOPICS_PER_FILTER } from "./logs.ts"
import { CONCURRENT_CALLS, read, readAllAt } from "./multicall.ts"
import { pairUses, type Use } from "./pairing.ts"
import { receiptOf } from "./rpcCalls.ts"
import { DOUBT_LASTS_MS, type Rpc } from "./rpc.ts"
import {
  AUTHORIZATION_CANCELED,
  AUTHORIZATION_USED,
  decodeTransfer,
  topicOf,
  TRANSFER,
  type Transfer,
  usdcAbi
} from "./usdc.ts"
import { stateOf, stateReads } from "./usdcState.ts"

const OPERATION = "look up authorizations"

/**
 * What became of nonces. The contract's state tells unused from spent; how a nonce was spent is in the logs, and what it
 * paid in the receipt of the transaction that spent it. A node that lacks the logs of a spent nonce
 * proves nothing: each of the others is asked, and a nonce of which none has the logs is `Unexplained`.
 */
export const makeReadAuthorizations = (
  rpc: Rpc,
  confirmed: Confirmed,
  usdc: UsdcContract
): ChainClient["Service"]["readAuthorizations"] => {
  const explain = makeExplainNonces(rpc, usdc)
  const readInBlock = Effect.fnUntraced(function* (
    queries: ReadonlyArray<AuthorizationQuery>,
    parties: ReadonlyArray<Address>,
    number: bigint
  ) {
    const reads = nonceReads(usdc, queries)
    const { block, answers, beside } = yield* readAllAt(rpc, OPERATION, reads, number, stateReads(usdc, parties))
    const outcomes = yield* explain(OPERATION, queries, answers, number)
    return { block, outcomes, usdc: stateOf(parties, beside) }
  })

  return Effect.fn("ChainClient.readAuthorizations")((queries, parties = []) =>
    confirmed.at(OPERATION, (number) => readInBlock(queries, Arr.dedupe(parties), number))
  )
}

/** Whether each nonce is spent. */
export const nonceReads = ({ address }: UsdcContract, queries: ReadonlyArray<AuthorizationQuery>) =>
  queries.map(({ payer, nonce }) => read(address, usdcAbi, "authorizationState", [payer, nonce]))

/** What became of nonces of which the state in a block says whether they are spent, in the order asked. */
export const makeExplainNonces = (rpc: Rpc, usdc: UsdcContract) => {
  const findOutcomesOfAll = makeFindOutcomes(rpc, usdc)
  return Effect.fnUntraced(function* (
    operation: string,
    queries: ReadonlyArray<AuthorizationQuery>,
    isSpent: ReadonlyArray<boolean>,
    number: bigint
  ) {
    const spent = queries.filter((_, index) => isSpent[index])
    const explained = spent.length === 0 ? NO_OUTCOMES : yield* findOutcomesOfAll(operation, { spent, toBlock: number })
    const outcomes = queries.map((query, index): AuthorizationOutcome => {
      if (!isSpent[index]) return { _tag: "Unused" }
      return explained.get(nonceKey(query)) ?? { _tag: "Unexplained" }
    })
    yield* Effect.forEach(Arr.zip(queries, outcomes), noteUnexplained, { discard: true })
    return outcomes
  })
}

/** How nonces were spent, by `keyOf`. */
type Outcomes = ReadonlyMap<string, AuthorizationOutcome>

const NO_OUTCOMES: Outcomes = new Map()

interface SpentNonces {
  readonly spent: ReadonlyArray<AuthorizationQuery>
  readonly toBlock: bigint
}

/** The outcomes of all nonces that are asked for in a moment are one search. */
const makeFindOutcomes = (rpc: Rpc, usdc: UsdcContract) =>
  gather<SpentNonces, Outcomes>({
    keyOf: ({ spent, toBlock }) => searchKey(oldestOf(spent, toBlock), toBlock),
    askAll: Effect.fnUntraced(function* (_, all) {
      // Of two that ask for one nonce, the one that knows what it signed finds more.
      const byKnowledge = all
        .flatMap(({ spent }) => spent)
        .toSorted((a, b) => Number(!!a.expected) - Number(!!b.expected))
      const queries = new Map(byKnowledge.map((query) => [nonceKey(query), query]))
      const outcomes = yield* findAllOutcomes(rpc, usdc, [...queries.values()], all[0].toBlock)
      return all.map(() => outcomes)
    })
  })

const oldestOf = (queries: ReadonlyArray<AuthorizationQuery>, toBlock: bigint): bigint =>
  queries.reduce((lowest, { fromBlock }) => (fromBlock < lowest ? fromBlock : lowest), toBlock)

const findAllOutcomes = Effect.fnUntraced(function* (
  rpc: Rpc,
  usdc: UsdcContract,
  spent: ReadonlyArray<AuthorizationQuery>,
  toBlock: bigint
): Effect.fn.Return<Outcomes, ChainError> {
  // Doubtful logs explain nothing. Unused nonces need no logs, and are answered anyway.
  let explained = yield* findOutcomes(rpc, usdc, spent, toBlock).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "Doubtful",
      () => Effect.succeed<Outcomes>(new Map())
    )
  )
  const open = () => spent.filter((query) => !explained.has(nonceKey(query)))
  const nodes = open().length === 0 ? [] : yield* rpc.apart
  for (const { host, rpc: node } of nodes.length > 1 ? nodes : []) {
    const asked = open()
    if (asked.length === 0) break
    const more = yield* Effect.orElseSucceed(findOutcomes(node, usdc, asked, toBlock), (): Outcomes => new Map())
    explained = new Map([...explained, ...more])
    if (more.size < asked.length) yield* warnOfMissingEvents(host, asked.length - more.size)
  }
  return explained
})

const warnOfMissingEvents = (host: string, count: number) =>
  Log.warnOnce(
    `unexplained ${host}`,
    `⚠️ ${host} has no log of how ${counted(count, "spent nonce was", "spent nonces were")} spent`,
    { host }
  )

const noteUnexplained = ([{ payer, nonce }, { _tag }]: readonly [AuthorizationQuery, AuthorizationOutcome]) => {
  const key = `nonce-unexplained ${payer} ${nonce}`
  const words =
    `No RPC URL explains how nonce ${nonce} of wallet ${payer} was spent: the state of USDC says that it is, and no log ` +
    "says how. Its payment stays open, and nothing is paid anew. Put a node with full logs first in the list of RPC URLs."
  return _tag === "Unexplained" ? Incidents.raise(key, words, DOUBT_LASTS_MS) : Incidents.close(key)
}

/** The outcomes in the logs of one node, or of the list as one. A nonce without logs is left out. */
const findOutcomes = Effect.fnUntraced(function* (
  rpc: Rpc,
  usdc: UsdcContract,
  spent: ReadonlyArray<AuthorizationQuery>,
  toBlock: bigint
): Effect.fn.Return<Outcomes, ChainError> {
  const events = yield* findSpendingEvents(rpc, usdc, spent, toBlock)
  const found = spent.flatMap((query) => {
    const event = events.get(nonceKey(query))
    return event === undefined ? [] : [{ query, event }]
  })
  const isUse = ({ event }: SpentNonce) => event.topics[0] === AUTHORIZATION_USED
  const paid = yield* findPayments(rpc, usdc, found.filter(isUse))
  const canceled = found.filter((one) => !isUse(one))
  const outcomes = canceled.map(({ query, event: { tx, block } }): [string, AuthorizationOutcome] => {
    return [nonceKey(query), { _tag: "Canceled", tx, block }]
  })
  return new Map([...outcomes, ...paid])
})

/** A spent nonce and its event. */
interface SpentNonce {
  readonly query: AuthorizationQuery
  readonly event: EventLog
}

/**
 * The event that spent each nonce, where the node has it. Payer and nonce are indexed: the filter hits nothing else.
 * One nonce that is too old to search for stays unexplained, and does not hinder the search for others. A nonce is spent
 * once: two events that contradict each other prove nothing.
 */
const findSpendingEvents = Effect.fnUntraced(function* (
  rpc: Rpc,
  usdc: UsdcContract,
  spent: ReadonlyArray<AuthorizationQuery>,
  toBlock: bigint
): Effect.fn.Return<ReadonlyMap<string, EventLog>, ChainError> {
  const logs = yield* Effect.forEach(Arr.chunksOf(spent, TOPICS_PER_FILTER), (queries) => {
    const payers = Arr.dedupe(queries.map(({ payer }) => topicOf(payer)))
    const nonces = queries.map(({ nonce }) => nonce)
    const oldest = toBlock - BLOCKS_SEARCHED_MAX + 1n
    const lowest = oldestOf(queries, toBlock)
    const fromBlock = lowest > oldest ? lowest : oldest
    const anyOf = [[[AUTHORIZATION_USED, AUTHORIZATION_CANCELED], payers, nonces]]
    return findLogs(rpc, OPERATION, { address: usdc.address, anyOf, fromBlock, toBlock }, (log) => log)
  })
  const byNonce = Map.groupBy(logs.flat(), ({ topics }) => `${topics[1]}${topics[2]}`)
  return new Map(
    [...byNonce].flatMap(([key, [first, ...more]]) => {
      const isOne = more.every(({ topics, tx }) => topics[0] === first?.topics[0] && tx === first?.tx)
      return first !== undefined && isOne ? [[key, first] as const] : []
    })
  )
})

type NonceOfPayer = Omit<AuthorizationQuery, "fromBlock">

/** As the topics of the event spell payer and nonce. */
const nonceKey = ({ payer, nonce }: NonceOfPayer): string => `${topicOf(payer)}${nonce.toLowerCase()}`

/** What each used nonce paid. Three receipts travel together; where one of them cannot be believed, each by itself. */
const findPayments = Effect.fnUntraced(function* (
  rpc: Rpc,
  usdc: UsdcContract,
  used: ReadonlyArray<SpentNonce>
): Effect.fn.Return<Outcomes, ChainError> {
  const byTx = [...Map.groupBy(used, ({ event }) => event.tx).values()]
  const ask = (chunk: typeof byTx) =>
    rpc.ask(OPERATION, (node) => Promise.all(chunk.map((spent) => paymentsIn(usdc, spent)(node))))
  const askApart = (chunk: typeof byTx) =>
    Effect.forEach(chunk, (spent) => Effect.catchIf(ask([spent]), isAboutOne, () => Effect.succeed([])))
  const found = yield* Effect.forEach(
    Arr.chunksOf(byTx, REQUESTS_PER_BATCH),
    (chunk) => Effect.catchIf(ask(chunk), isAboutOne, () => Effect.map(askApart(chunk), Arr.flatten)),
    { concurrency: CONCURRENT_CALLS }
  )
  return new Map(found.flat(2))
})

/** No node has a sound log or receipt: nothing about this nonce is known, and others go on. */
const isAboutOne = ({ reason }: ChainError): boolean => reason === "Doubtful" || reason === "Lagging"

/**
 * What nonces paid in the one transaction that used them. The events are read again from the receipt: another answer
 * may number logs differently. A receipt that lacks one of them, or its transfer, contradicts the log.
 */
const paymentsIn =
  (usdc: UsdcContract, spent: ReadonlyArray<SpentNonce>): RpcCall<ReadonlyArray<[string, AuthorizationOutcome]>> =>
  async (node) => {
    const tx = Arr.getUnsafe(spent, 0).event.tx
    const { succeeded, block, logs } = await receiptOf(tx)(node)
    if (!succeeded) throw new DoubtfulAnswer(`there is a log of ${tx}, and its receipt says that it reverted`)
    const events = logs.filter(({ address }) => address === usdc.address)
    return spent.map(({ query, event }): [string, AuthorizationOutcome] => {
      if (block !== event.block) throw new DoubtfulAnswer(`${tx} is in block ${event.block} and in block ${block}`)
      const payment = paymentOf(query, spent, events)
      if (payment === undefined)
        throw new DoubtfulAnswer(`the receipt of ${tx} does not say what nonce ${query.nonce} paid`)
      const hash = event.blockHash && { blockHash: event.blockHash }
      return [nonceKey(query), { _tag: "Used", tx, block, ...hash, to: payment.to, value: payment.value }]
    })
  }

/** What one of these nonces paid, by the events of USDC in the transaction that used them all; `undefined` where it used none. */
export const paymentOf = (
  { payer, nonce }: NonceOfPayer,
  spent: ReadonlyArray<{ readonly query: NonceOfPayer }>,
  events: ReadonlyArray<EventLog>
): Transfer | undefined => {
  const expected = new Map(spent.map(({ query }) => [nonceKey(query), query.expected]))
  const own = events.filter(({ topics }) => topics[1] === topicOf(payer))
  const uses = own.flatMap(({ topics: [event, , used], logIndex }): ReadonlyArray<Use> => {
    if (event !== AUTHORIZATION_USED || used === undefined) return []
    return [{ nonce: used, logIndex, expected: expected.get(`${topicOf(payer)}${used}`) }]
  })
  const transfers = own
    .filter(({ topics }) => topics[0] === TRANSFER)
    .map((log) => ({ ...decodeTransfer(log), logIndex: log.logIndex }))
  return [...pairUses(uses, transfers)].find(([used]) => used === nonce.toLowerCase())?.[1]
}
