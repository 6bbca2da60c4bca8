import { Array as Arr, Effect } from "effect"
import type { Network } from "../config/Network.ts"
import type { Deposit } from "../domain/Deposit.ts"
import { sum } from "../domain/Usdc.ts"
import type { ChainClient, ChainError, Spending } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { byPosition, findLogs, TOPICS_PER_FILTER, withTimes } from "./logs.ts"
import type { Log } from "./answers.ts"
import { blockAt } from "./questions.ts"
import type { Rpc } from "./rpc.ts"
import { AUTHORIZATION_USED, decodeTransfer, topicOf, TRANSFER } from "./usdc.ts"

export const makeFindDeposits = (rpc: Rpc, { usdc }: Network): ChainClient["Service"]["findDeposits"] => {
  const operation = "find deposits"
  return Effect.fn("ChainClient.findDeposits")(function* ({ wallets, fromBlock, toBlock }) {
    const found = yield* Effect.forEach(Arr.chunksOf(Arr.dedupe(wallets), TOPICS_PER_FILTER), (chunk) => {
      const topics = [TRANSFER, null, chunk.map(topicOf)]
      return findLogs(rpc, operation, { address: usdc.address, topics, fromBlock, toBlock }, toTransfer)
    })
    // Anyone can have USDC log a transfer of nothing, and a transfer to oneself brings nothing.
    const transfers = found.flat().filter(({ from, to, value }) => value > 0n && from !== to)
    const timed = yield* withTimes(rpc, operation, Arr.sort(transfers, byPosition))
    return timed.map(toDeposit)
  })
}

export const makeFindSpending = (rpc: Rpc, { usdc }: Network): ChainClient["Service"]["findSpending"] => {
  const operation = "find spending"
  return Effect.fn("ChainClient.findSpending")(function* ({ wallets, fromBlock, toBlock }) {
    const found = yield* Effect.forEach(Arr.chunksOf(Arr.dedupe(wallets), TOPICS_PER_FILTER), (chunk) => {
      const topics = [[TRANSFER, AUTHORIZATION_USED], chunk.map(topicOf)]
      return findLogs(rpc, operation, { address: usdc.address, topics, fromBlock, toBlock }, (log) => log)
    })
    return explainTransfers(Arr.sort(found.flat(), byPosition))
  })
}

/** USDC logs `AuthorizationUsed` and right after it the `Transfer`. Source: EIP3009.sol, `_transferWithAuthorization`. */
const explainTransfers = (logs: ReadonlyArray<Log>): ReadonlyArray<Spending> =>
  logs.flatMap((log, index): ReadonlyArray<Spending> => {
    if (log.topics[0] !== TRANSFER) return []
    const { from, to, value } = decodeTransfer(log)
    if (value === 0n || from === to) return []
    const before = logs[index - 1]
    const isUse = before?.topics[0] === AUTHORIZATION_USED && before.tx === log.tx && before.topics[1] === log.topics[1]
    const { tx, logIndex, block } = log
    return [{ wallet: from, to, amount: value, tx, logIndex, block, nonce: isUse ? before.topics[2] : undefined }]
  })

export const makePaidSince = (
  rpc: Rpc,
  confirmed: Confirmed,
  { usdc, blockSeconds }: Network
): ChainClient["Service"]["paidSince"] => {
  const operation = "sum payments"
  return Effect.fn("ChainClient.paidSince")(({ payer, payTo, sinceMs }) =>
    confirmed.at(
      operation,
      Effect.fnUntraced(function* (toBlock) {
        const fromBlock = yield* findBlockBefore(rpc, operation, { timeMs: sinceMs, newest: toBlock, blockSeconds })
        const topics = [TRANSFER, topicOf(payer), topicOf(payTo)]
        const filter = { address: usdc.address, topics, fromBlock, toBlock }
        const payments = yield* withTimes(rpc, operation, yield* findLogs(rpc, operation, filter, toTransfer))
        return sum(payments.filter(({ timeMs }) => timeMs >= sinceMs).map(({ value }) => value))
      })
    )
  )
}

/**
 * A block that is older than `timeMs`, though not by much, or block 0. The network's block time gives the first guess;
 * while a guess is too young the distance doubles. Two or three questions do; a chain of any age takes 64 at most.
 */
const findBlockBefore = Effect.fnUntraced(function* (
  rpc: Rpc,
  operation: string,
  search: { readonly timeMs: number; readonly newest: bigint; readonly blockSeconds: number }
): Effect.fn.Return<bigint, ChainError> {
  const { timeMs, newest, blockSeconds } = search
  let number = newest
  let block = yield* rpc.ask(operation, blockAt(number))
  let distance = BigInt(Math.max(1, Math.ceil((block.timeMs - timeMs) / (blockSeconds * 1000)) + 1))
  while (block.timeMs >= timeMs && number > 0n) {
    number = distance < newest ? newest - distance : 0n
    block = yield* rpc.ask(operation, blockAt(number))
    distance *= 2n
  }
  return number
})

const toTransfer = (log: Log) => ({ ...log, ...decodeTransfer(log) })

const toDeposit = (transfer: ReturnType<typeof toTransfer> & { readonly timeMs: number }): Deposit => ({
  wallet: transfer.to,
  from: transfer.from,
  amount: transfer.value,
  tx: transfer.tx,
  logIndex: transfer.logIndex,
  block: { number: transfer.block, timeMs: transfer.timeMs }
})
