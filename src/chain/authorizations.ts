import { Array as Arr, Effect } from "effect"
import type { UsdcContract } from "../config/Network.ts"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import type { AuthorizationQuery, ChainClient, ChainError } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { type Question, REQUESTS_PER_BATCH } from "./endpoint.ts"
import { BLOCKS_SEARCHED_MAX, findLogs, TOPICS_PER_FILTER } from "./logs.ts"
import { CONCURRENT_CALLS, read, readAllAt } from "./multicall.ts"
import type { Log } from "./answers.ts"
import { receiptOf } from "./questions.ts"
import type { Rpc } from "./rpc.ts"
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
 * paid in the receipt of the transaction that spent it.
 */
export const makeReadAuthorizations = (
  rpc: Rpc,
  confirmed: Confirmed,
  usdc: UsdcContract
): ChainClient["Service"]["readAuthorizations"] => {
  const readInBlock = Effect.fnUntraced(function* (
    queries: ReadonlyArray<AuthorizationQuery>,
    parties: ReadonlyArray<Address>,
    number: bigint
  ) {
    const reads = queries.map(({ payer, nonce }) => read(usdc.address, usdcAbi, "authorizationState", [payer, nonce]))
    const { block, answers, beside } = yield* readAllAt(rpc, OPERATION, reads, number, stateReads(usdc, parties))
    const spent = queries.filter((_, index) => answers[index])
    const logs = yield* findSpending(rpc, usdc, spent, number)
    const transfers = yield* findTransfers(rpc, usdc, logs)
    const outcomes = queries.map((query, index): AuthorizationOutcome =>
      answers[index] ? explain(logs.get(keyOf(query)), transfers) : { _tag: "Unused" }
    )
    return { block, outcomes, usdc: stateOf(parties, beside) }
  })

  return Effect.fn("ChainClient.readAuthorizations")((queries, parties = []) =>
    confirmed.at(OPERATION, (number) => readInBlock(queries, Arr.dedupe(parties), number))
  )
}

/**
 * The event that spent each nonce, where the node has it. Payer and nonce are indexed: the filter hits nothing else.
 * One nonce that is too old to search for stays unexplained, and keeps no other from being found.
 */
const findSpending = Effect.fnUntraced(function* (
  rpc: Rpc,
  usdc: UsdcContract,
  spent: ReadonlyArray<AuthorizationQuery>,
  toBlock: bigint
): Effect.fn.Return<ReadonlyMap<string, Log>, ChainError> {
  const logs = yield* Effect.forEach(Arr.chunksOf(spent, TOPICS_PER_FILTER), (queries) => {
    const payers = Arr.dedupe(queries.map(({ payer }) => topicOf(payer)))
    const nonces = queries.map(({ nonce }) => nonce)
    const oldest = toBlock - BLOCKS_SEARCHED_MAX + 1n
    const lowest = queries.reduce((lowest, { fromBlock }) => (fromBlock < lowest ? fromBlock : lowest), toBlock)
    const fromBlock = lowest > oldest ? lowest : oldest
    const topics = [[AUTHORIZATION_USED, AUTHORIZATION_CANCELED], payers, nonces]
    return findLogs(rpc, OPERATION, { address: usdc.address, topics, fromBlock, toBlock }, (log) => log)
  })
  return new Map(logs.flat().map((log) => [`${log.topics[1]}${log.topics[2]}`, log]))
})

/** As the topics of the event spell payer and nonce. */
const keyOf = ({ payer, nonce }: AuthorizationQuery): string => `${topicOf(payer)}${nonce.toLowerCase()}`

interface LoggedTransfer extends Transfer {
  readonly logIndex: number
}

/** USDC transfers of each transaction that used a nonce. A reverted one used nothing and has none. */
const findTransfers = Effect.fnUntraced(function* (
  rpc: Rpc,
  usdc: UsdcContract,
  logs: ReadonlyMap<string, Log>
): Effect.fn.Return<ReadonlyMap<Bytes32, ReadonlyArray<LoggedTransfer>>, ChainError> {
  const used = [...logs.values()].filter(({ topics }) => topics[0] === AUTHORIZATION_USED)
  const txs = Arr.dedupe(used.map(({ tx }) => tx))
  const transfers = yield* Effect.forEach(
    Arr.chunksOf(txs, REQUESTS_PER_BATCH),
    (chunk) => rpc.ask(OPERATION, (node) => Promise.all(chunk.map((tx) => transfersOf(tx, usdc)(node)))),
    { concurrency: CONCURRENT_CALLS }
  )
  return new Map(Arr.zip(txs, transfers.flat()))
})

const transfersOf =
  (tx: Bytes32, usdc: UsdcContract): Question<ReadonlyArray<LoggedTransfer>> =>
  async (node) => {
    const { succeeded, logs } = await receiptOf(tx)(node)
    if (!succeeded) return []
    return logs
      .filter(({ address, topics }) => address === usdc.address && topics[0] === TRANSFER)
      .map((log) => ({ ...decodeTransfer(log), logIndex: log.logIndex }))
  }

/** USDC logs `AuthorizationUsed` and right after it the `Transfer`. Source: EIP3009.sol, `_transferWithAuthorization`. */
const explain = (
  spending: Log | undefined,
  transfers: ReadonlyMap<Bytes32, ReadonlyArray<LoggedTransfer>>
): AuthorizationOutcome => {
  if (spending === undefined) return { _tag: "Unexplained" }
  const { tx, block, topics, logIndex } = spending
  if (topics[0] === AUTHORIZATION_CANCELED) return { _tag: "Canceled", tx, block }
  const isPayment = (transfer: LoggedTransfer) => transfer.logIndex > logIndex && topicOf(transfer.from) === topics[1]
  const payment = transfers.get(tx)?.find(isPayment)
  return payment === undefined
    ? { _tag: "Unexplained" }
    : { _tag: "Used", tx, block, to: payment.to, value: payment.value }
}
