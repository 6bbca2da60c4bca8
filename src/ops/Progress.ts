import { Clock, Context, Duration, Effect, Layer } from "effect"

/** How a tick ended: well, in an error that the next tick may be spared, or in a defect. */
export type Outcome = "done" | "failed" | "defect"

/** A loop and when it last moved. */
export interface LoopState {
  readonly name: string
  readonly intervalMs: number
  /** When it last began a tick, got a step further in it, or ended it. Milliseconds since 1970. */
  readonly movedAtMs: number
  /** When a tick last ended; `undefined` before the first end. */
  readonly endedAtMs: number | undefined
  readonly outcome: Outcome | undefined
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

/** What this process has got done, for those who watch it. */
export interface Progress {
  /** By name. */
  readonly loops: Map<string, LoopState>
  sweep: Sweep | undefined
  /** When the process began, in milliseconds since 1970. */
  startedAtMs: number
}

const make = (startedAtMs: number): Progress => ({ loops: new Map(), sweep: undefined, startedAtMs })

/** One for the program: `layer` brings it. Without, all share one, so that a loop runs alone as well. */
export const CurrentProgress = Context.Reference<Progress>("ai-mint-executor/ops/Progress/CurrentProgress", {
  defaultValue: () => make(0)
})

export const layer = Layer.effect(CurrentProgress, Effect.map(Clock.currentTimeMillis, make))

/** So many intervals without a move, and the loop is taken for dead. */
const INTERVALS_MAX = 3

/**
 * And never sooner than this. A move is the start or the end of a tick or a step in it, so between two of them lies a
 * handful of questions at most, each of which fails by itself within `RPC_TIMEOUT` (10 s) or `DATABASE_TIMEOUT` (15 s):
 * with the database or all nodes down the loops still move. A restart would mend nothing then, and would come again and
 * again.
 */
const STILL_MS_MAX = 60_000

/** Where operators have allowed more for a single question than the defaults, a loop may stand still for longer. */
const QUESTIONS_MAX = 4

/** For how long a loop may stand still, given the longest that one question may take. */
const patienceMs = ({ intervalMs }: LoopState, questionMs: number): number =>
  Math.max(INTERVALS_MAX * intervalMs, STILL_MS_MAX, QUESTIONS_MAX * questionMs)

/** Whether the loop moved lately enough. `questionMs`: the longer of `RPC_TIMEOUT` and `DATABASE_TIMEOUT`. */
export const isAlive = (loop: LoopState, nowMs: number, questionMs = 0): boolean =>
  nowMs - loop.movedAtMs <= patienceMs(loop, questionMs)

/** All of it, as it is now. */
export const state: Effect.Effect<{
  readonly loops: ReadonlyArray<LoopState>
  readonly sweep: Sweep | undefined
  readonly startedAtMs: number
}> = Effect.map(CurrentProgress, ({ loops, sweep, startedAtMs }) => ({
  loops: [...loops.values()],
  sweep,
  startedAtMs
}))

/** A loop begins. From now on it is expected to move. */
export const began = (name: string, interval: Duration.Duration): Effect.Effect<void> =>
  change((progress, movedAtMs) => {
    const intervalMs = Duration.toMillis(interval)
    progress.loops.set(name, {
      name,
      intervalMs,
      movedAtMs,
      endedAtMs: undefined,
      outcome: undefined,
      problem: undefined
    })
  })

/** The loop got a step further: a tick began, or a stage of it ended. A loop that is not known is not noted. */
export const moved = (name: string): Effect.Effect<void> =>
  change(({ loops }, movedAtMs) => {
    const loop = loops.get(name)
    if (loop !== undefined) loops.set(name, { ...loop, movedAtMs })
  })

/** A tick of the loop ended. */
export const ticked = (name: string, outcome: Outcome, problem?: string): Effect.Effect<void> =>
  change(({ loops }, atMs) => {
    const loop = loops.get(name)
    if (loop !== undefined) loops.set(name, { ...loop, movedAtMs: atMs, endedAtMs: atMs, outcome, problem })
  })

/** A sweep went through. */
export const sweepEnded = (sweep: Omit<Sweep, "atMs">): Effect.Effect<void> =>
  change((progress, atMs) => {
    progress.sweep = { ...sweep, atMs }
  })

const change = (how: (progress: Progress, nowMs: number) => void): Effect.Effect<void> =>
  Effect.flatMap(CurrentProgress, (progress) => Effect.map(Clock.currentTimeMillis, (nowMs) => how(progress, nowMs)))
