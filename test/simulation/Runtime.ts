import { type Clock, Duration, Effect, Scheduler } from "effect"
import { Endless, type Timeline, type Waiter } from "./Timeline.ts"

/** Fibers that go on so often in one moment never stop. */
const ROUNDS_MAX = 100_000

/**
 * Runs fibers without the event loop: what they schedule waits in a queue that the timeline empties at every moment. So
 * a run is synchronous from its first to its last moment, and the same every time.
 */
export const makeScheduler = () => {
  let ready: Array<() => void> = []
  const scheduler = new Scheduler.MixedScheduler("async", (run) => {
    let isCancelled = false
    ready.push(() => {
      if (!isCancelled) run()
    })
    return () => {
      isCancelled = true
    }
  })
  const settle = (): void => {
    for (let rounds = 0; ready.length > 0; rounds++) {
      if (rounds > ROUNDS_MAX) throw new Endless()
      const now = ready
      ready = []
      for (const run of now) run()
    }
  }
  return { scheduler, settle }
}

/** The clock of one process. It may be wrong; how long a sleep takes does not depend on it, as with a real one. */
export const clockOf = (timeline: Timeline, waiter: Waiter & { readonly clockOffsetMs: number }): Clock.Clock => {
  const currentTimeMillisUnsafe = () => timeline.nowMs + waiter.clockOffsetMs
  const currentTimeNanosUnsafe = () => BigInt(Math.floor(currentTimeMillisUnsafe())) * 1_000_000n
  const monotonicTimeNanosUnsafe = () => BigInt(Math.floor(timeline.nowMs)) * 1_000_000n
  return {
    currentTimeMillisUnsafe,
    currentTimeNanosUnsafe,
    monotonicTimeNanosUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
    sleep: (duration) => waitFor(timeline, waiter, Duration.toMillis(duration))
  }
}

/** Ends when so much true time has passed: later for a process that is frozen meanwhile, and never for a dead one. */
export const waitFor = (timeline: Timeline, waiter: Waiter, ms: number): Effect.Effect<void> =>
  Number.isFinite(ms)
    ? Effect.callback<void>((resume) => {
        const takeBack = timeline.after(ms, () => resume(Effect.void), { waiter })
        return Effect.sync(takeBack)
      })
    : Effect.never
