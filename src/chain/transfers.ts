import { Array as Arr, Effect } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { Deposit } from "../domain/Deposit.ts"
import { sum, type Usdc } from "../domain/Usdc.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import type { Log as EventLog } from "./answers.ts"
import type { ChainClient, ChainError, Spending, TransferQuery } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { byPosition, findLogs, TOPICS_PER_FILTER, withTimes } from "./logs.ts"
import { pairUses, type Use } from "./pairing.ts"
import { blockAt } from "./rpcCalls.ts"
import { DOUBT_LASTS_MS, type Rpc } from "./rpc.ts"
import { AUTHORIZATION_USED, decodeTransfer, topicOf, type Transfer, TRANSFER } from "./usdc.ts"

export const makeFindDeposits = (rpc: Rpc, { usdc }: NetworkShape): ChainClient["Service"]["findDeposits"] => {
  const operation = "find deposits"
  const search: Search<LoggedTransfer> = Effect.fnUntraced(function* (rpc, wallets, range) {
    const found = yield* findByWallet(wallets, (topics) => {
      const anyOf = [[TRANSFER, null, topics]]
      return findLogs(rpc, operation, { address: usdc.address, anyOf, ...range }, toTransfer)
    })
    return found.filter(isMoving).map((transfer) => ({ ...transfer, wallet: transfer.to, amount: transfer.value }))
  })
  return Effect.fn("ChainClient.findDeposits")(function* (query) {
    const transfers = yield* searchAll(rpc, operation, search, query)
    const timed = yield* withTimes(rpc, operation, transfers)
    return timed.map(toDeposit)
  })
}

export const makeFindSpending = (rpc: Rpc, { usdc }: NetworkShape): ChainClient["Service"]["findSpending"] => {
  const operation = "find spending"
  const search: Search<Spending> = Effect.fnUntraced(function* (rpc, wallets, range) {
    const logs = yield* findByWallet(wallets, (topics) => {
      const anyOf = [[[TRANSFER, AUTHORIZATION_USED], topics]]
      return findLogs(rpc, operation, { address: usdc.address, anyOf, ...range }, (log) => log)
    })
    return withNonces(logs)
  })
  return Effect.fn("ChainClient.findSpending")((query) => searchAll(rpc, operation, search, query))
}

/** As many wallets as a filter may name are asked for; where there are more, all transfers of these blocks. */
export const makeFindPaid = (rpc: Rpc, { usdc }: NetworkShape): ChainClient["Service"]["findPaid"] =>
  Effect.fn("ChainClient.findPaid")(function* ({ wallets, fromBlock, toBlock }) {
    const to = wallets !== undefined && wallets.length <= TOPICS_PER_FILTER ? wallets.map(topicOf) : null
    const filter = { address: usdc.address, anyOf: [[TRANSFER, null, to]], fromBlock, toBlock }
    const found = yield* findLogs(rpc, "look for payments in new blocks", filter, toTransfer)
    return new Set(found.filter(isMoving).map((transfer) => transfer.to))
  })

type LoggedTransfer = ReturnType<typeof toTransfer> & Moved

/** USDC that moved into or out of a wallet. */
interface Moved {
  readonly wallet: Address
  readonly amount: Usdc
  readonly block: bigint
  readonly logIndex: number
}

type Search<A> = (
  rpc: Rpc,
  wallets: ReadonlyArray<Address>,
  range: Pick<TransferQuery, "fromBlock" | "toBlock">
) => Effect.Effect<ReadonlyArray<A>, ChainError>

/** A filter for each part of the wallets that fits into one. */
const findByWallet = <A>(
  wallets: ReadonlyArray<Address>,
  find: (topics: ReadonlyArray<Bytes32>) => Effect.Effect<ReadonlyArray<A>, ChainError>
): Effect.Effect<ReadonlyArray<A>, ChainError> =>
  Effect.map(
    Effect.forEach(Arr.chunksOf(Arr.dedupe(wallets), TOPICS_PER_FILTER), (chunk) => find(chunk.map(topicOf))),
    (found) => found.flat()
  )

/** Anyone can make USDC log a transfer of zero, and a transfer to oneself changes nothing. */
const isMoving = ({ from, to, value }: Transfer): boolean => value > 0n && from !== to

/** Oldest first. Where the logs of a wallet come to less than must have moved, every other node is asked for it. */
const searchAll = Effect.fnUntraced(function* <A extends Moved>(
  rpc: Rpc,
  operation: string,
  search: Search<A>,
  { wallets, atLeast = NOTHING_EXPECTED, ...range }: TransferQuery
): Effect.fn.Return<ReadonlyArray<A>, ChainError> {
  let found = yield* search(rpc, wallets, range)
  const lacking = () => wallets.filter((wallet) => movedOf(found, wallet) < (atLeast.get(wallet) ?? 0n))
  const nodes = lacking().length === 0 ? [] : yield* rpc.apart
  for (const { host, rpc: node } of nodes.length > 1 ? nodes : []) {
    const short = lacking()
    if (short.length === 0) break
    const other = yield* Effect.orElseSucceed(search(node, short, range), (): ReadonlyArray<A> => [])
    const fuller = short.filter((wallet) => movedOf(other, wallet) > movedOf(found, wallet))
    found = [...without(found, fuller), ...other.filter(({ wallet }) => fuller.includes(wallet))]
    if (lacking().length > 0) yield* warnOfMissingTransfers(host, operation)
  }
  yield* noteUnexplained(operation, atLeast, lacking())
  return Arr.sort(found, byPosition)
})

const NOTHING_EXPECTED: ReadonlyMap<Address, Usdc> = new Map()

const movedOf = (found: ReadonlyArray<Moved>, wallet: Address): Usdc =>
  sum(found.filter((moved) => moved.wallet === wallet).map(({ amount }) => amount))

const without = <A extends Moved>(found: ReadonlyArray<A>, wallets: ReadonlyArray<Address>): ReadonlyArray<A> =>
  found.filter(({ wallet }) => !wallets.includes(wallet))

const warnOfMissingTransfers = (host: string, operation: string) =>
  Log.warnOnce(
    `short ${host} ${operation}`,
    `⚠️ ${host} lacks logs of transfers that its balances show: the next is asked`,
    {
      host
    }
  )

const noteUnexplained = Effect.fnUntraced(function* (
  operation: string,
  expected: ReadonlyMap<Address, Usdc>,
  lacking: ReadonlyArray<Address>
) {
  for (const wallet of expected.keys()) {
    const key = `transfers-unexplained ${operation} ${wallet}`
    const words =
      `No RPC URL gives the logs of all USDC that moved, by the balance of wallet ${wallet} (${operation}). ` +
      "What is decided by them waits. Put a node with full logs first in the list of RPC URLs."
    yield* lacking.includes(wallet) ? Incidents.raise(key, words, DOUBT_LASTS_MS) : Incidents.close(key)
  }
})

/** Each transfer with the nonce that it was paid with: both events come in the same answer. */
const withNonces = (logs: ReadonlyArray<EventLog>): ReadonlyArray<Spending> =>
  [...Map.groupBy(logs, ({ tx, topics }) => `${tx}${topics[1]}`).values()].flatMap((ofOnePayer) => {
    const transfers = ofOnePayer.filter(({ topics }) => topics[0] === TRANSFER).map(toTransfer)
    const nonces = new Map([...pairUses(ofOnePayer.flatMap(toUse), transfers)].map(([nonce, paid]) => [paid, nonce]))
    return transfers.filter(isMoving).map((transfer): Spending => {
      const { from, to, value, tx, logIndex, block } = transfer
      return { wallet: from, to, amount: value, tx, logIndex, block, nonce: nonces.get(transfer) }
    })
  })

export const makePaidSince = (
  rpc: Rpc,
  confirmed: Confirmed,
  { usdc, blockSeconds }: NetworkShape
): ChainClient["Service"]["paidSince"] => {
  const operation = "sum payments"
  return Effect.fn("ChainClient.paidSince")(({ payer, payTo, sinceMs }) =>
    confirmed.at(
      operation,
      Effect.fnUntraced(function* (toBlock) {
        const fromBlock = yield* findBlockBefore(rpc, operation, { timeMs: sinceMs, newest: toBlock, blockSeconds })
        const anyOf = [[TRANSFER, topicOf(payer), topicOf(payTo)]]
        const search = { address: usdc.address, anyOf, fromBlock, toBlock }
        const payments = yield* withTimes(rpc, operation, yield* findLogs(rpc, operation, search, toTransfer))
        return sum(payments.filter(({ timeMs }) => timeMs >= sinceMs).map(({ value }) => value))
      })
    )
  )
}

/**
 * A block that is older than `timeMs`, though not by much, or block 0. The network's block time gives the first guess;
 * while a guess is too young the distance doubles. Two or three calls are enough; a chain of any age takes 64 at most.
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

const toTransfer = (log: EventLog) => ({ ...log, ...decodeTransfer(log) })

const toUse = ({ topics: [event, , nonce], logIndex }: EventLog): ReadonlyArray<Use> =>
  event === AUTHORIZATION_USED && nonce !== undefined ? [{ nonce, logIndex }] : []

const toDeposit = (transfer: LoggedTransfer & { readonly timeMs: number }): Deposit => ({
  wallet: transfer.to,
  from: transfer.from,
  amount: transfer.value,
  tx: transfer.tx,
  logIndex: transfer.logIndex,
  block: { number: transfer.block, timeMs: transfer.timeMs }
})
