import { Schema } from "effect"
import { Amount, Instant, orNull } from "./values.ts"

export const LimitReport = Schema.Struct({
  /** `all`, `token:0x…`, `user:0x…` or `key:<id>`. */
  scope: Schema.String,
  /** The most that may be signed for payments in any 24 hours. */
  perDay: Amount,
  /** Signed in the 24 hours until now, and not proven void. */
  used: Amount,
  left: Amount,
  reason: Schema.String,
  since: Instant
})
export type LimitReport = typeof LimitReport.Type

/** The limits that are set now, after what was asked for was done. */
export const Limits = Schema.Struct({
  command: Schema.Literals(["limits", "limits set", "limits remove"]),
  /** What this request was about, and whether it changed anything. */
  scope: orNull(Schema.String),
  did: Schema.Boolean,
  limits: Schema.Array(LimitReport)
})
export type Limits = typeof Limits.Type
