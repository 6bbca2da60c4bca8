import { Effect, Schema } from "effect"

/** A command that was understood and is not carried out. Nothing has changed; the message says why and what to do. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  /** What was named is not there. */
  isMissing: Schema.optionalKey(Schema.Boolean)
}) {}

export const missing = (message: string) => new Refused({ message, isMissing: true })

/** Writes a decision down, or refuses it where somebody else moved the order or the money meanwhile. */
export const commit = <E, R>(what: string, write: Effect.Effect<boolean, E, R>): Effect.Effect<void, E | Refused, R> =>
  Effect.flatMap(write, (done) =>
    done
      ? Effect.void
      : Effect.fail(new Refused({ message: `${what} changed meanwhile, and nothing was done: try again.` }))
  )
