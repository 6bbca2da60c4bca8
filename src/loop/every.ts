import { Cause, type Duration, Effect, Ref, Schedule } from "effect"
import * as Log from "../ops/Log.ts"

/** So many ticks in a row that end in a defect are a broken program, and no passing trouble: it must be seen. */
const DEFECTS_IN_A_ROW_MAX = 10

/**
 * Runs `tick` now and then again `interval` after each end. A tick that fails is logged and the loop goes on; only a
 * row of defects ends it, and with it the process: up and doing nothing is the worst failure.
 */
export const every = <E extends { readonly message: string }, R>(
  name: string,
  interval: Duration.Duration,
  tick: Effect.Effect<unknown, E, R>
): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const defects = yield* Ref.make(0)
    const guarded = tick.pipe(
      Effect.catch((error) => Log.warnOnce(`${name}:${error.message}`, `⚠️ ${name} skipped: ${error.message}`)),
      Effect.andThen(Ref.set(defects, 0)),
      Effect.catchCause((cause) => surviveDefect(name, defects, cause))
    )
    yield* Effect.repeat(guarded, Schedule.spaced(interval))
    return yield* Effect.die(new Error(`the ${name} loop ended`))
  })

const surviveDefect = Effect.fnUntraced(function* (name: string, defects: Ref.Ref<number>, cause: Cause.Cause<never>) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause)
  yield* Log.error(`🚨 ${name} ended in a defect`, { cause })
  const inARow = yield* Ref.updateAndGet(defects, (n) => n + 1)
  if (inARow >= DEFECTS_IN_A_ROW_MAX) return yield* Effect.failCause(cause)
})
