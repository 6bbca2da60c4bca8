import { Clock, Effect } from "effect"
import * as Log from "../ops/Log.ts"
import type { Decision } from "../ledger/DecisionRepo.ts"
import { type Outrun, wasFirst } from "../ledger/TaskRepo.ts"
import { CurrentCaller } from "./Caller.ts"
import { refuse, type Refused } from "./Operator.ts"

/** What is decided and why; who decides it is added where it is written down. */
export type Decided = Omit<Decision, "by" | "keyId">

/** Writes a decision down with who made it, and into the log once it is made. */
export const decide = Effect.fnUntraced(function* <E, R>(
  decided: Decided,
  write: (decision: Decision, nowMs: number) => Effect.Effect<void, E, R>
) {
  const { words: by, keyId } = yield* CurrentCaller
  yield* write({ ...decided, by, keyId }, yield* Clock.currentTimeMillis)
  const { command, said, why } = decided
  yield* Log.info(`👤 ${command}: ${said}. "${why}" (by ${by})`, { command, by })
})

/** The same, refused where the order or the money changed meanwhile. */
export const commit = <E, R>(
  what: string,
  decided: Decided,
  write: (decision: Decision, nowMs: number) => Effect.Effect<void, E | Outrun, R>
): Effect.Effect<void, Exclude<E, Outrun> | Refused, R> =>
  Effect.flatMap(wasFirst(decide(decided, write)), (isDone) =>
    isDone ? Effect.void : refuse(`${what} changed meanwhile, and nothing was done: try again.`, "changed_meanwhile")
  )
