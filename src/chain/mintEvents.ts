import { Option } from "effect"
import { decodeAbiParameters, type Hex, hexToBigInt, parseAbiParameters, size, slice, toEventSelector } from "viem"
import { type Address, type Bytes32, ZERO } from "../domain/Address.ts"
import type { Mint, MintEvent } from "./ChainClient.ts"
import type { Log, Topics } from "./answers.ts"
import { topicOf, TRANSFER } from "./usdc.ts"

// Which events of a token are mints, and how many mints each of them is. Sources: EIP-20, EIP-721, EIP-1155, EIP-2309.

/** The event of v1.1's token family: `TokensMinted(address indexed to, uint256 amount, bytes32 id)`. */
const TOKENS_MINTED = toEventSelector("TokensMinted(address,uint256,bytes32)")
const TRANSFER_SINGLE = toEventSelector("TransferSingle(address,address,address,uint256,uint256)")
const TRANSFER_BATCH = toEventSelector("TransferBatch(address,address,address,uint256[],uint256[])")
const CONSECUTIVE_TRANSFER = toEventSelector("ConsecutiveTransfer(uint256,uint256,address,address)")

const EVENT_NAMES: ReadonlyMap<Bytes32, MintEvent> = new Map([
  [TOKENS_MINTED, "TokensMinted"],
  [TRANSFER, "Transfer"],
  [TRANSFER_SINGLE, "TransferSingle"],
  [TRANSFER_BATCH, "TransferBatch"],
  [CONSECUTIVE_TRANSFER, "ConsecutiveTransfer"]
])

/** More mints than one order can have. An event may say any number, and each mint takes memory. */
const UNITS_PER_EVENT_MAX = 1_000

/** Of one answer, for the same reason. Every event beyond that is one mint at the most. */
const UNITS_MAX = 100_000

/** Mints of a token to these people. `stock` are addresses that sell what was minted to them before. */
interface Wanted {
  readonly recipients: ReadonlyArray<Address>
  readonly stock: ReadonlyArray<Address>
}

/** The filters that find mints, and nothing else: the events differ in where they have sender and recipient. */
export const mintFilters = ({ recipients, stock }: Wanted): ReadonlyArray<Topics> => {
  const [to, from] = [recipients.map(topicOf), [...sellersOf(stock)]]
  return [
    [TOKENS_MINTED, to],
    [TRANSFER, from, to],
    [[TRANSFER_SINGLE, TRANSFER_BATCH, CONSECUTIVE_TRANSFER], null, from, to]
  ]
}

/**
 * Two filters that find the same, and more: a `Transfer` has its recipient where other events have their sender, so that
 * transfers to these people and burns come too, and what an ERC-1155 mints to others. Few in a short range of blocks.
 */
export const wideMintFilters = ({ recipients, stock }: Wanted): ReadonlyArray<Topics> => {
  const to = recipients.map(topicOf)
  const events = [TRANSFER, TRANSFER_SINGLE, TRANSFER_BATCH, CONSECUTIVE_TRANSFER]
  return [
    [TOKENS_MINTED, to],
    [events, null, [...to, ...sellersOf(stock)]]
  ]
}

/** Whom a mint comes from, as topics. */
export const sellersOf = (stock: ReadonlyArray<Address>): ReadonlySet<Bytes32> => new Set([ZERO, ...stock].map(topicOf))

/** Whether an event that one of these filters found is about mints to this person. */
export const isMintTo = (recipient: Address, sellers: ReadonlySet<Bytes32>, { topics }: Log): boolean => {
  const [event] = topics
  if (event === TOKENS_MINTED) return topics[1] === topicOf(recipient)
  const [from, to] = event === TRANSFER ? [topics[1], topics[2]] : [topics[2], topics[3]]
  return from !== undefined && sellers.has(from) && to === topicOf(recipient)
}

/** Kinds of events for the same mints: a token may log each of its mints in several of them. */
type Family = "announced" | "numbered" | "multi" | "plain"

/** The order in which families count where several have as many mints. */
const FAMILIES: ReadonlyArray<Family> = ["announced", "numbered", "multi", "plain"]

interface Counted {
  readonly family: Family
  readonly log: Log
  readonly units: bigint
}

/**
 * The mints in the logs of one token to one person, oldest first, one entry for each mint. Within a transaction the
 * family with the most mints counts: a token that logs `TokensMinted` logs a `Transfer` beside it. So a log that a node
 * leaves out can only make it fewer mints, never other ones: the mints of a transaction are numbered, and the event
 * that logged them is no part of their name.
 */
export const mintsIn = (logs: ReadonlyArray<Log>, portion: bigint | undefined): ReadonlyArray<Mint> => {
  const blocks = [...Map.groupBy(logs, ({ tx, block }) => `${tx} ${block}`).values()]
  const fullest = new Map<Bytes32, ReadonlyArray<Counted>>()
  for (const block of blocks) {
    const counted = fullestFamily(block, portion)
    const [tx] = block.map((log) => log.tx)
    // A transaction is in one block only, even where two nodes answered differently while it moved to another.
    if (tx !== undefined && unitsIn(counted) > unitsIn(fullest.get(tx) ?? [])) fullest.set(tx, counted)
  }
  return numbered([...fullest.values()])
}

const unitsIn = (events: ReadonlyArray<Counted>): bigint => events.reduce((sum, { units }) => sum + units, 0n)

const fullestFamily = (logs: ReadonlyArray<Log>, portion: bigint | undefined): ReadonlyArray<Counted> => {
  const counted = countedOnce(logs.map((log) => countMints(log, portion)))
  return FAMILIES.map((family) => counted.filter((event) => event.family === family)).reduce((most, events) =>
    unitsIn(events) > unitsIn(most) ? events : most
  )
}

/** Each mint gets its number within its transaction, in the order of the events. */
const numbered = (transactions: ReadonlyArray<ReadonlyArray<Counted>>): ReadonlyArray<Mint> => {
  const mints: Array<Mint> = []
  const inOrder = transactions.toSorted(([a], [b]) => (a && b ? byPlace(a, b) : 0))
  for (const events of inOrder) {
    let part = 0
    for (const { log, units } of events.toSorted(byPlace)) {
      const { tx, logIndex, block, blockHash } = log
      const event = EVENT_NAMES.get(log.topics[0] ?? "0x")
      const most = mints.length < UNITS_MAX ? UNITS_PER_EVENT_MAX : 1
      const last = part + (units < BigInt(most) ? Number(units) : most)
      for (; part < last; part++)
        mints.push({ tx, logIndex, block, part, ...(event && { event }), ...(blockHash && { blockHash }) })
    }
  }
  return mints
}

const byPlace = (a: Counted, b: Counted): number => Number(a.log.block - b.log.block) || a.log.logIndex - b.log.logIndex

const countMints = (log: Log, portion: bigint | undefined): Counted => {
  switch (log.topics[0]) {
    case TOKENS_MINTED:
      return { log, family: "announced", units: portion === undefined ? 1n : portions(log, portion) }
    case TRANSFER:
      // The number of an ERC-721 piece is indexed, the value of an ERC-20 transfer is not.
      return log.topics.length === 4
        ? { log, family: "numbered", units: 1n }
        : { log, family: "plain", units: portion === undefined ? atMostOne(log) : portions(log, portion) }
    case CONSECUTIVE_TRANSFER:
      return { log, family: "numbered", units: consecutive(log) }
    case TRANSFER_SINGLE:
      return { log, family: "multi", units: wordOf(log.data, 1) ?? 0n }
    default:
      return { log, family: "multi", units: valuesOf(log.data) }
  }
}

const portions = ({ data }: Log, portion: bigint): bigint => (wordOf(data, 0) ?? 0n) / portion

/** Where no portion is known a transfer is one mint, unless it moved nothing. */
const atMostOne = ({ data }: Log): bigint => (wordOf(data, 0) === 0n ? 0n : 1n)

const consecutive = ({ topics, data }: Log): bigint => {
  const [first, last] = [numberOf(topics[1]), wordOf(data, 0)]
  return last === undefined || last < first ? 0n : last - first + 1n
}

/** Sum of the values of a `TransferBatch`; nothing where they cannot be read. */
const valuesOf = (data: Hex): bigint =>
  Option.match(readBatch(data), {
    onNone: () => 0n,
    onSome: ([, values]) => values.reduce((sum, value) => sum + value, 0n)
  })

const BATCH = parseAbiParameters("uint256[] ids, uint256[] values")
const readBatch = Option.liftThrowable((data: Hex) => decodeAbiParameters(BATCH, data))

const wordOf = (data: Hex, index: number): bigint | undefined =>
  size(data) < (index + 1) * 32 ? undefined : hexToBigInt(slice(data, index * 32, (index + 1) * 32))

const numberOf = (topic: Bytes32 | undefined): bigint => (topic === undefined ? 0n : hexToBigInt(topic))

/** A numbered piece is minted once, even where both a range of numbers and its own event log it. */
const countedOnce = (events: ReadonlyArray<Counted>): ReadonlyArray<Counted> => {
  const ranges = events.filter(({ log }) => log.topics[0] === CONSECUTIVE_TRANSFER)
  const seen = new Set<bigint>()
  return events.filter(({ family, log }) => {
    if (family !== "numbered" || log.topics[0] === CONSECUTIVE_TRANSFER) return true
    const piece = numberOf(log.topics[3])
    const isKnown = seen.has(piece) || ranges.some(({ log: range }) => isWithin(piece, range))
    seen.add(piece)
    return !isKnown
  })
}

const isWithin = (piece: bigint, { topics, data }: Log): boolean =>
  numberOf(topics[1]) <= piece && piece <= (wordOf(data, 0) ?? -1n)
