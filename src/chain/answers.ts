import { Array as Arr } from "effect"
import type { Hex } from "viem"
import type { Address, Bytes32 } from "../domain/Address.ts"

// Whether an answer belongs to its call. Nodes, and the proxies and caches before them, have been seen
// to give logs twice, logs of blocks that are no more, of other ranges and other filters, and another call's answer.

/** The answer holds what was not asked for, or contradicts itself: it decides nothing, and another node is asked. */
export class DoubtfulAnswer extends Error {
  override readonly name = "DoubtfulAnswer"
}

/** An event that a contract emitted. */
export interface Log {
  readonly address: Address
  readonly topics: ReadonlyArray<Bytes32>
  readonly data: Hex
  readonly tx: Bytes32
  /** Position among all logs of the block, as this node counts: another may count within the transaction. */
  readonly logIndex: number
  readonly block: bigint
  /** `undefined` where the node left it out. */
  readonly blockHash: Bytes32 | undefined
  /** Time of the block, where the node gave it. */
  readonly timeMs: number | undefined
}

/** The logs of a transaction that is in a block. */
export interface Receipt {
  readonly succeeded: boolean
  readonly block: bigint
  readonly logs: ReadonlyArray<Log>
}

/** Position by position: a topic, any of several, or anything. Source: `eth_getLogs`. */
export type Topics = ReadonlyArray<Hex | ReadonlyArray<Hex> | null>

export interface LogFilter {
  readonly address: Address
  readonly topics: Topics
  /** Inclusive. */
  readonly fromBlock: bigint
  /** Inclusive. */
  readonly toBlock: bigint
}

/** A log as it came: `removed` where the block that it was in is no longer part of the chain. */
export interface SentLog extends Log {
  readonly removed: boolean
}

/**
 * The logs that `filter` asked for, each once. Throws `DoubtfulAnswer` where there is one among them that it did not
 * ask for, and where two of them cannot be true of one chain. Source: github.com/ethereum/execution-apis, `eth_getLogs`.
 */
export const logsFor = (filter: LogFilter, sent: ReadonlyArray<SentLog>): ReadonlyArray<Log> => {
  const logs = withoutRepeats(sent)
  const stray = logs.find((log) => !isAskedFor(filter, log))
  if (stray !== undefined) throw new DoubtfulAnswer(`a log that was not asked for: ${placeOf(stray)}`)
  return logs
}

/** Whether `eth_getLogs` with this filter gives this log. */
export const isAskedFor = ({ address, topics, fromBlock, toBlock }: LogFilter, log: Log): boolean =>
  log.address === address &&
  log.block >= fromBlock &&
  log.block <= toBlock &&
  topics.every((wanted, position) => {
    const own = log.topics[position]
    return own !== undefined && (wanted === null || Arr.ensure(wanted).some((topic) => isSame(topic, own)))
  })

/** The receipt of `tx`. Throws `DoubtfulAnswer` where it is another's, or holds another's logs. */
export const receiptFor = (
  tx: Bytes32,
  sent: Omit<Receipt, "logs"> & { readonly tx: Bytes32; readonly logs: ReadonlyArray<SentLog> }
): Receipt => {
  if (!isSame(sent.tx, tx)) throw new DoubtfulAnswer(`asked for the receipt of ${tx} and given that of ${sent.tx}`)
  const logs = withoutRepeats(sent.logs)
  const stray = logs.find((log) => !isSame(log.tx, tx) || log.block !== sent.block)
  if (stray !== undefined) throw new DoubtfulAnswer(`the receipt of ${tx} holds a log of ${placeOf(stray)}`)
  return { succeeded: sent.succeeded, block: sent.block, logs }
}

/** A log that comes twice is one log: a transaction has one log at each index. Removed ones are none. */
const withoutRepeats = (sent: ReadonlyArray<SentLog>): ReadonlyArray<Log> => {
  const byPlace = new Map<string, Log>()
  const hashes = new Map<bigint, Bytes32>()
  for (const { removed, ...log } of sent) {
    if (removed) continue
    const hash = hashes.get(log.block) ?? log.blockHash
    if (log.blockHash !== hash) throw new DoubtfulAnswer(`logs of two blocks number ${log.block}`)
    if (hash !== undefined) hashes.set(log.block, hash)
    const place = placeOf(log)
    const first = byPlace.get(place)
    if (first !== undefined && logContent(first) !== logContent(log)) throw new DoubtfulAnswer(`two logs at ${place}`)
    byPlace.set(place, first ?? log)
  }
  return [...byPlace.values()]
}

const placeOf = ({ block, tx, logIndex }: Log): string => `block ${block}, transaction ${tx}, index ${logIndex}`

const logContent = ({ address, topics, data }: Log): string => [address, ...topics, data].join()

const isSame = (one: Hex, other: Hex): boolean => one.toLowerCase() === other.toLowerCase()
