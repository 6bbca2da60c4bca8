import { Duration, Effect } from "effect"
import { type Executor, makeExecutor, type Place, urlOf } from "./Executor.ts"
import { type Advice, type AskError, Failed, failedOf, notAllowed } from "./Failed.ts"

/** How long an answer may take, and what else there is to do where none comes. */
export interface Terms extends Advice {
  readonly within: Duration.Input
  /** Whether something may have been done though there is no answer. */
  readonly changes: boolean
}

/** What only looks at the ledger. */
export const LOOK: Terms = { within: "15 seconds", orDirect: false, changes: false }

/** The same where it can be read without an executor. */
export const LOOK_OR_DIRECT: Terms = { ...LOOK, orDirect: true }

/** Goes through all the logs of the chain. */
export const AUDIT: Terms = { within: "2 minutes", orDirect: true, changes: false }

/** Looks at the chain before it decides, and can be decided without an executor. */
export const DECIDE: Terms = { within: "2 minutes", orDirect: true, changes: true }

/** The same for what only the executor does. */
export const CHANGE: Terms = { within: "2 minutes", orDirect: false, changes: true }

/** A question, put to whoever answers at the place. */
export type Ask = <A>(
  question: (executor: Executor) => Effect.Effect<A, AskError>,
  terms: Terms
) => Effect.Effect<A, Failed>

export const makeAsk =
  (place: Place): Ask =>
  (question, terms) =>
    Effect.suspend(() => {
      let isSent = false
      const executor = makeExecutor(place, () => {
        isSent = true
      })
      return Effect.flatMap(executor, question).pipe(
        Effect.mapError((error) =>
          // The contract is the same on both sides: what it does not allow is not even sent.
          error._tag === "SchemaError" && !isSent ? notAllowed(error) : failedOf(error, place, terms)
        ),
        Effect.timeoutOrElse({ duration: terms.within, orElse: () => Effect.fail(late(place, terms)) })
      )
    })

const late = (place: Place, { within, changes }: Terms): Failed => {
  const patience = Duration.format(Duration.fromInputUnsafe(within))
  const rest = changes ? "It may still be done: look before you repeat it." : "It is busy, or stuck: its log says more."
  return new Failed({ reason: "Late", message: `No answer from ${urlOf(place)} in ${patience}. ${rest}` })
}
