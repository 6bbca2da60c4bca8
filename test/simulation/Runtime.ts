import { type Clock, Duration, Effect, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { Endless, type Timeline } from "./Timeline.ts"

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

/** What a clock belongs to. */
interface Owner {
  /** What the clock shows, less the true time. */
  readonly clockOffsetMs: number
  /** Does it at that moment of the true time: later where the owner is frozen, never where it is dead. */
  readonly at: (atMs: number, action: () => void) => () => void
}

interface Surroundings {
  readonly timeline: Timeline
  readonly scheduler: Scheduler.Scheduler
}

/**
 * The clock of one process. Its sleeps are those of a `TestClock` of its own, which is moved whenever one of them ends:
 * a frozen process is not moved, and wakes with all that ended meanwhile. It shows the true time and what the process is
 * off by. A jump changes only that and is no `setTime`: a real sleep takes as long as it takes, whatever the clock shows,
 * and a process that was frozen reads the time of now and not that at which its sleep should have ended.
 */
export const clockOf = (owner: Owner, { timeline, scheduler }: Surroundings): Clock.Clock => {
  const bornMs = timeline.nowMs
  // Its scope ends at once, and with it the warnings that it gives by the real clock.
  const sleeps = Effect.runSync(Effect.scoped(TestClock.make()))
  const behindMs = (): number => timeline.nowMs - bornMs - sleeps.currentTimeMillisUnsafe()
  const move = (): void => {
    if (behindMs() > 0) Effect.runFork(sleeps.setTime(timeline.nowMs - bornMs), { scheduler })
  }
  const currentTimeMillisUnsafe = () => timeline.nowMs + owner.clockOffsetMs
  const currentTimeNanosUnsafe = () => BigInt(Math.floor(currentTimeMillisUnsafe())) * 1_000_000n
  const monotonicTimeNanosUnsafe = () => BigInt(Math.floor(timeline.nowMs)) * 1_000_000n
  return {
    currentTimeMillisUnsafe,
    currentTimeNanosUnsafe,
    monotonicTimeNanosUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
    sleep: (duration) => {
      const ms = Duration.toMillis(duration)
      if (!Number.isFinite(ms)) return Effect.never
      return Effect.suspend(() => {
        const takeBack = owner.at(timeline.nowMs + ms, move)
        return Effect.onInterrupt(sleeps.sleep(Duration.millis(behindMs() + ms)), () => Effect.sync(takeBack))
      })
    }
  }
}
