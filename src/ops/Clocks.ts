import { Clock, Context, Effect } from "effect"
import { clockDifference } from "../domain/requirements.ts"
import * as Incidents from "./Incidents.ts"
import * as Log from "./Log.ts"
import { makeState } from "./state.ts"

/** A difference between two clocks, in milliseconds, and when it was measured. */
interface Difference {
  readonly ms: number
  readonly atMs: number
}

/**
 * The times of other clocks: the database's, those of the servers that answer us (`Date`, RFC 9110), and the chain's.
 * None is taken for the right one. They may be minutes apart, and no order may suffer from it.
 */
interface Readings {
  /** By source: its time less the system clock's at the same moment. */
  readonly offsets: ReadonlyMap<string, Difference>
  /** Our time less that of the chain's newest block, each time that the chain was seen to move. */
  readonly lags: ReadonlyArray<Difference>
  readonly head: bigint
  /** The second-latest of the nodes' newest blocks, as an offset: at least two nodes have a block of that time. */
  readonly heads: Difference | undefined
}

const none: Readings = { offsets: new Map(), lags: [], head: -1n, heads: undefined }

const readings = makeState("Clocks", Effect.succeed(none))

export const layer = readings.layer

/** The clock of this machine, against which the others are read: the loops' own may be a test's. */
export const SystemClock = Context.Reference<() => number>("ai-mint-executor/ops/Clocks/SystemClock", {
  defaultValue: () => Date.now
})

/** Older readings no longer count. */
const KEPT_MS = 60 * 60_000

/** The chain is behind us by its lag and by how long its block has been there: the least of some readings is its lag. */
const READINGS_MIN = 2

/** Less is the pace of blocks and of sweeps, and no difference of clocks. */
export const CLOCKS_AGREE_MS = 10_000

/** A block that is later than every clock by more than this is not believed. */
const FUTURE_MS_MAX = 2 * 60_000

/** A clock that is further from the chain's than this is broken: no facilitator settles payments by it. */
const DIFFERENCE_MS_MAX = 10 * 60_000

export const DATABASE = "the database"

/** Notes the time that another clock shows now. */
export const note = Effect.fnUntraced(function* (source: string, readingMs: number) {
  const system = (yield* SystemClock)()
  if (!Number.isFinite(readingMs)) return
  const offset = { ms: readingMs - system, atMs: system }
  yield* readings.update((state) => ({ ...state, offsets: new Map(state.offsets).set(source, offset) }))
})

/** The same for the `Date` of an HTTP answer, where it has one. */
export const noteDate = (source: string, date: string | null | undefined): Effect.Effect<void> =>
  date ? note(source, Date.parse(date)) : Effect.void

/** Notes the times of the newest blocks that several nodes gave at this moment. One node alone confirms nothing. */
export const noteHeads = Effect.fnUntraced(function* (timesMs: ReadonlyArray<number>) {
  const system = (yield* SystemClock)()
  const second = timesMs.toSorted((one, other) => other - one)[1]
  if (second === undefined) return
  yield* readings.update((state) => ({ ...state, heads: { ms: second - system, atMs: system } }))
})

/** Notes how old the chain's newest block is by our clock. Only a block that is new to us counts. */
export const noteHead = Effect.fnUntraced(function* (head: { readonly number: bigint; readonly timeMs: number }) {
  const nowMs = yield* Clock.currentTimeMillis
  yield* readings.update((state) => {
    if (head.number <= state.head) return state
    const first = state.lags.findIndex(({ atMs }) => nowMs - atMs <= KEPT_MS)
    const kept = first === -1 ? [] : state.lags.slice(first)
    return { ...state, head: head.number, lags: [...kept, { ms: nowMs - head.timeMs, atMs: nowMs }] }
  })
})

const isFresh = Effect.map(
  SystemClock,
  (now) =>
    ({ atMs }: { readonly atMs: number }) =>
      Math.abs(now() - atMs) <= KEPT_MS
)

const freshOffsets = Effect.gen(function* () {
  const fresh = yield* isFresh
  return [...(yield* readings.get).offsets].filter(([, offset]) => fresh(offset))
})

const agreeing = (ms: number): number => (Math.abs(ms) <= CLOCKS_AGREE_MS ? 0 : ms)

/** How far each clock is ahead of the chain's, in milliseconds; empty until the chain was seen to move often enough. */
const aheadAfter = Effect.fnUntraced(function* (readingsMin: number) {
  const { lags } = yield* readings.get
  if (lags.length < readingsMin) return new Map<string, number>()
  const ours = lags.reduce((least, { ms }) => Math.min(least, ms), Number.POSITIVE_INFINITY)
  const ahead = new Map<string, number>([["this machine", agreeing(ours)]])
  for (const [source, { ms }] of yield* freshOffsets) ahead.set(source, agreeing(ours + ms))
  return ahead
})

const aheadOfChain = aheadAfter(READINGS_MIN)

/**
 * What to add to the time of a block to have it as the database would write it, in milliseconds: orders get their time
 * there. Zero while either clock is not known.
 */
export const ledgerAheadMs = Effect.map(aheadOfChain, (ahead) => ahead.get(DATABASE) ?? 0)

/** How far this machine's clock is ahead of the chain's, in milliseconds. */
export const oursAheadMs = Effect.map(aheadOfChain, (ahead) => ahead.get("this machine") ?? 0)

/**
 * How far the slowest and the fastest clock are from the chain's (`earliest` at most 0, `latest` at least), broken ones
 * left out. One reading is enough: a window that is too wide costs a little time, one that is too narrow a payment.
 */
export const spread = Effect.map(aheadAfter(1), (ahead) => {
  const within = [...ahead.values()].filter((ms) => Math.abs(ms) <= DIFFERENCE_MS_MAX)
  return { earliestMs: Math.min(0, ...within), latestMs: Math.max(0, ...within) }
})

/** A block may not be later than this, in milliseconds since 1970: it would be minutes ahead of every clock there is. */
export const latestBelievableMs = Effect.gen(function* () {
  const system = (yield* SystemClock)()
  const { heads } = yield* readings.get
  const fresh = yield* isFresh
  const offsets = (yield* freshOffsets).map(([, { ms }]) => ms)
  if (heads !== undefined && fresh(heads)) offsets.push(heads.ms)
  return system + Math.max(0, ...offsets) + FUTURE_MS_MAX
})

const KEY = "clocks"

/** An incident while clocks differ by more than 30 seconds. */
export const reportDifferences = Effect.gen(function* () {
  const differences = [...(yield* aheadOfChain)].flatMap(([source, aheadMs]) => {
    const difference = clockDifference(aheadMs)
    return difference === undefined ? [] : [`${source} is ${difference} it`]
  })
  if (differences.length === 0) return void (yield* Incidents.close(KEY))
  const words = `Clocks differ from the chain's: ${differences.join(", ")}. Nothing is lost by it; set the clock that is wrong.`
  yield* Incidents.raise(KEY, words)
  yield* Log.warnOnce(KEY, `⚠️ ${words}`)
})
