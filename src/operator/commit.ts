import { Effect } from "effect"
import * as Log from "../ops/Log.ts"
import type { Decision } from "../ledger/DecisionRepo.ts"
import { CurrentActor } from "./Actor.ts"
import { Refused } from "./Refused.ts"

/** What is decided and why; who decides it is added where it is written down. */
export type Decided = Omit<Decision, "by">

/** Writes a decision down with who made it, and into the log where it was made. `false`: there was nothing to be decided. */
export const decide = Effect.fnUntraced(function* <E, R>(
  decided: Decided,
  write: (decision: Decision) => Effect.Effect<boolean, E, R>
) {
  const by = yield* CurrentActor
  const done = yield* write({ ...decided, by })
  const { command, said, why } = decided
  if (done) yield* Log.info(`👤 ${command}: ${said}. "${why}" (by ${by})`, { command, by })
  return done
})

/** The same, refused where somebody else moved the order or the money meanwhile. */
export const commit = <E, R>(
  what: string,
  decided: Decided,
  write: (decision: Decision) => Effect.Effect<boolean, E, R>
): Effect.Effect<void, E | Refused, R> =>
  Effect.flatMap(decide(decided, write), (done) =>
    done
      ? Effect.void
      : Effect.fail(new Refused({ message: `${what} changed meanwhile, and nothing was done: try again.` }))
  )
