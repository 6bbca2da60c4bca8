import { Schema } from "effect"
import { type Address, Uuid } from "./Address.ts"
import type { Scope } from "./Scope.ts"

/** `ai_agent_keys.id`. */
export const KeyId = Uuid.pipe(Schema.brand("KeyId"))
export type KeyId = typeof KeyId.Type

/** A key as it is known after it was made: its secret is known to its holder alone. */
export interface Key {
  readonly id: KeyId
  /** What people call it. No two keys that are not revoked have one name. */
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  /** It sees and orders for this person only; `undefined` where it is bound to none. */
  readonly user: Address | undefined
  readonly createdAtMs: number
  /** Who made it, in words. */
  readonly createdBy: string
  readonly expiresAtMs: number | undefined
  readonly revokedAtMs: number | undefined
}

/** Why a key opens nothing any more; `undefined` where it does. */
export const endOfKey = ({ revokedAtMs, expiresAtMs }: Key, nowMs: number): "revoked" | "expired" | undefined => {
  if (revokedAtMs !== undefined) return "revoked"
  return expiresAtMs !== undefined && nowMs >= expiresAtMs ? "expired" : undefined
}
