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

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 }

/** Whether the text is a lifetime of a key: `90d`, `12h` or `30m`, up to four digits. */
export const isLifetime = (text: string): boolean => /^[1-9]\d{0,3}[dhm]$/.test(text)

/** Milliseconds of a lifetime. */
export const lifetimeMs = (text: string): number => Number(text.slice(0, -1)) * (UNIT_MS[text.slice(-1)] ?? 0)

/** Why a key opens nothing any more; `undefined` where it does. */
export const endOfKey = ({ revokedAtMs, expiresAtMs }: Key, nowMs: number): "revoked" | "expired" | undefined => {
  if (revokedAtMs !== undefined) return "revoked"
  return expiresAtMs !== undefined && nowMs >= expiresAtMs ? "expired" : undefined
}
