import { Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { SCOPES } from "../../domain/Scope.ts"
import { Instant, orNull } from "./values.ts"

/** A key of a program or agent, without its secret. */
export const KeyReport = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  scopes: Schema.Array(Schema.Literals(SCOPES)),
  /** The person whose orders alone it sees and places. `null`: those of all. */
  user: orNull(Address),
  state: Schema.Literals(["active", "expired", "revoked"]),
  createdAt: Instant,
  createdBy: Schema.String,
  expiresAt: orNull(Instant),
  revokedAt: orNull(Instant)
})
export type KeyReport = typeof KeyReport.Type

export const KeyList = Schema.Struct({ keys: Schema.Array(KeyReport) })
export type KeyList = typeof KeyList.Type

/** A key that was made. */
export const KeyMade = Schema.Struct({
  command: Schema.Literal("keys create"),
  key: KeyReport,
  /** What is sent as Bearer token. It is shown once and kept nowhere. */
  secret: Schema.String
})
export type KeyMade = typeof KeyMade.Type

export const KeyRevoked = Schema.Struct({
  command: Schema.Literal("keys revoke"),
  key: KeyReport,
  /** `false` where it was revoked before. */
  did: Schema.Boolean
})
export type KeyRevoked = typeof KeyRevoked.Type
