import { Clock, Duration, Effect } from "effect"
import { makeState } from "./state.ts"

/** How a tick ended: well, in an error that the next tick may be spared, or in a defect. */
export type TickOutcome = "done" | "failed" | "defect"

/** A loop and when it last moved. */
export interface LoopState {
  readonly name: string
  readonly intervalMs: number
  /** When it last began a tick, got a step further in it, or ended it. Milliseconds since 1970. */
  readonly movedAtMs: number
  /** When a tick last ended; `undefined` before the first end. */
  readonly endedAtMs: number | undefined
  readonly outcome: TickOutcome | undefined
  /** Why the last tick did not end well. As it was raised: it is redacted where it is shown. */
  readonly problem: string | undefined
}

/** The last sweep that went through. */
export interface Sweep {
  readonly checked: number
  readonly funded: number
  readonly cancelled: number
  /** When it ended, in milliseconds since 1970. */
  readonly atMs: number
  readonly tookMs: number
}

/** What this process has done, for those who monitor it. */
interface Progress {
  /** By name. */
  readonly loops: ReadonlyMap<string, LoopState>
  readonly sweep: Sweep | undefined
  /** When the process began, in milliseconds since 1970. */
  readonly startedAtMs: number
}

const progress = makeState(
  "Progress",
  Effect.map(Clock.currentTimeMillis, (startedAtMs): Progress => ({ loops: new Map(), sweep: undefined, startedAtMs }))
)

export const layer = progress.layer

/** So many intervals without a move, and the loop is taken for dead. */
const INTERVALS_MAX = 3

/**
 * And never sooner than this. A move is the start or the end of a tick or a step in it, so between two of them lies a
 * handful of requests at most, each of which fails by itself within `RPC_TIMEOUT` (10 s) or `DATABASE_TIMEOUT` (15 s):
 * with the database or all nodes down the loops still move. A restart would mend nothing then, and would come again and
 * again.
 */
const STILL_MS_MAX = 60_000

/** Where operators have allowed more for a single request than the defaults, a loop may stand still for longer. */
const REQUESTS_MAX = 4

/** For how long a loop may stand still, given the longest that one request may take. */
const stillMsMax = ({ intervalMs }: LoopState, requestMs: number): number =>
  Math.max(INTERVALS_MAX * intervalMs, STILL_MS_MAX, REQUESTS_MAX * requestMs)

/** Whether the loop moved recently enough. `requestMs`: the longer of `RPC_TIMEOUT` and `DATABASE_TIMEOUT`. */
export const isAlive = (loop: LoopState, nowMs: number, requestMs = 0): boolean =>
  nowMs - loop.movedAtMs <= stillMsMax(loop, requestMs)

/** All of it, as it is now. */
export const state = Effect.map(progress.get, ({ loops, ...rest }) => ({ loops: [...loops.values()], ...rest }))

/** A loop begins. From now on it is expected to move. */
export const began = (name: string, interval: Duration.Duration): Effect.Effect<void> =>
  change((state, movedAtMs) => {
    const intervalMs = Duration.toMillis(interval)
    const loop = { name, intervalMs, movedAtMs, endedAtMs: undefined, outcome: undefined, problem: undefined }
    return { ...state, loops: new Map(state.loops).set(name, loop) }
  })

/** The loop got a step further: a tick began, or a stage of it ended. An unknown loop is ignored. */
export const moved = (name: string): Effect.Effect<void> => changeLoop(name, (movedAtMs) => ({ movedAtMs }))

/** A tick of the loop ended. */
export const ticked = (name: string, outcome: TickOutcome, problem?: string): Effect.Effect<void> =>
  changeLoop(name, (atMs) => ({ movedAtMs: atMs, endedAtMs: atMs, outcome, problem }))

/** A sweep went through. */
export const sweepEnded = (sweep: Omit<Sweep, "atMs">): Effect.Effect<void> =>
  change((state, atMs) => ({ ...state, sweep: { ...sweep, atMs } }))

const change = (how: (state: Progress, nowMs: number) => Progress): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) => progress.update((state) => how(state, nowMs)))

const changeLoop = (name: string, how: (nowMs: number) => Partial<LoopState>): Effect.Effect<void> =>
  change((state, nowMs) => {
    const loop = state.loops.get(name)
    return loop === undefined ? state : { ...state, loops: new Map(state.loops).set(name, { ...loop, ...how(nowMs) }) }
  })
