import { Cause, type Duration, Effect, Schedule } from "effect"
import * as Log from "./Log.ts"

/** Logs a defect of work that runs beside everything else: a fiber that is not joined dies without a word. */
export const reported = <A, E, R>(name: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapCause(work, (cause) => (Cause.hasDies(cause) ? report(name, cause) : Effect.void))

/** Runs `work` now and again `pause` after each end, for ever: one that ends in a defect is logged, and the next one runs. */
export const repeated = <R>(
  name: string,
  pause: Duration.Input,
  work: Effect.Effect<unknown, never, R>
): Effect.Effect<unknown, never, R> =>
  Effect.repeat(
    Effect.catchCause(work, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : report(name, cause)
    ),
    Schedule.spaced(pause)
  )

/** Once a minute: what is repeated may end so every time. */
const report = (name: string, cause: Cause.Cause<unknown>) =>
  Log.errorOnce(`defect:${name}`, `🚨 ${name} ended in a defect`, { cause })
