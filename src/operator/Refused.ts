import { Schema } from "effect"

/** A command that was understood and is not carried out. Nothing has changed; the message says why and what to do. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  /** What was named is not there. */
  isMissing: Schema.optionalKey(Schema.Boolean)
}) {}

export const missing = (message: string) => new Refused({ message, isMissing: true })
