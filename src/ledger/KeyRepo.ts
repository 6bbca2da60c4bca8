import { Context, type Effect } from "effect"
import type { Key, KeyId } from "../domain/Key.ts"
import type { Decision } from "./DecisionRepo.ts"
import type { LedgerError, Outrun } from "./TaskRepo.ts"

/** A key with what its secret is compared with. */
export interface StoredKey extends Key {
  /** SHA-256 of the secret, in hex. The secret has 256 random bits, so that nothing slower is needed. */
  readonly digest: string
}

/** Keys of programs and agents. What is written here is true for all executors at once: each asks for every request. */
export class KeyRepo extends Context.Service<
  KeyRepo,
  {
    /** `undefined` where there never was one with this id; one that is revoked or expired is still found. */
    readonly find: (id: KeyId) => Effect.Effect<StoredKey | undefined, LedgerError>
    /** Those that are not revoked first, each newest first; of the revoked ones the last hundred. */
    readonly list: Effect.Effect<ReadonlyArray<Key>, LedgerError>
    /** `Outrun` where a key that is not revoked has this name. */
    readonly create: (key: StoredKey, decision: Decision) => Effect.Effect<void, LedgerError | Outrun>
    /** `Outrun` where it is revoked already. */
    readonly revoke: (id: KeyId, decision: Decision, nowMs: number) => Effect.Effect<void, LedgerError | Outrun>
  }
>()("ai-mint-executor/ledger/KeyRepo") {}
