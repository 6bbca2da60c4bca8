import { Array as Arr, Effect } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import type { Receipt } from "./answers.ts"
import type { ChainClient, ChainError, Mined } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { REQUESTS_PER_BATCH } from "./endpoint.ts"
import { CONCURRENT_CALLS } from "./multicall.ts"
import { blockAt, findReceipt } from "./rpcCalls.ts"
import type { Rpc } from "./rpc.ts"

const OPERATION = "look up transactions"

/** Receipts of distinct transactions, three in one HTTP request; `undefined` where the node knows of none. */
export const readReceipts = Effect.fnUntraced(function* (
  rpc: Pick<Rpc, "ask">,
  txs: ReadonlyArray<Bytes32>
): Effect.fn.Return<ReadonlyMap<Bytes32, Receipt | undefined>, ChainError> {
  const receipts = yield* Effect.forEach(
    Arr.chunksOf(txs, REQUESTS_PER_BATCH),
    (chunk) => rpc.ask(OPERATION, (node) => Promise.all(chunk.map((tx) => findReceipt(tx)(node)))),
    { concurrency: CONCURRENT_CALLS }
  )
  return new Map(Arr.zip(txs, receipts.flat()))
})

/** Which transactions are in a block that counts. */
export const makeReadMined = (rpc: Rpc, confirmed: Confirmed): ChainClient["Service"]["readMined"] => {
  const readUpTo = Effect.fnUntraced(function* (
    txs: ReadonlyArray<Bytes32>,
    number: bigint
  ): Effect.fn.Return<ReadonlyMap<Bytes32, Mined>, ChainError> {
    const receipts = yield* readReceipts(rpc, txs)
    return new Map(
      [...receipts].flatMap(([tx, receipt]): ReadonlyArray<readonly [Bytes32, Mined]> =>
        receipt === undefined || receipt.block > number ? [] : [[tx, receipt.succeeded ? "succeeded" : "reverted"]]
      )
    )
  })

  return Effect.fn("ChainClient.readMined")((txs) =>
    confirmed.at(OPERATION, (number) => readUpTo(Arr.dedupe(txs), number))
  )
}

/** Hashes of blocks, three in one HTTP request. */
export const makeReadHashes = (rpc: Rpc): ChainClient["Service"]["readHashes"] =>
  Effect.fn("ChainClient.readHashes")(function* (blocks) {
    const parts = yield* Effect.forEach(
      Arr.chunksOf(blocks, REQUESTS_PER_BATCH),
      (chunk) => rpc.ask("read block hashes", (node) => Promise.all(chunk.map((number) => blockAt(number)(node)))),
      { concurrency: CONCURRENT_CALLS }
    )
    return parts.flat().map(({ hash }) => hash)
  })
