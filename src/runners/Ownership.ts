import { Context, Effect, Layer } from "effect"
import { ALL_PARTS, EVERY_WALLET, type Part, type WalletRange } from "../domain/Part.ts"
import type { WalletId } from "../domain/Wallet.ts"

/** Which wallets this process works for, where several executors share one database. */
export interface OwnershipShape {
  /**
   * Whether this process works for the wallet at this moment. From memory, and so may be seconds late: an owner that is
   * wrong costs work and never money, as every write has its guard in the database.
   */
  readonly owns: (walletId: WalletId) => boolean
  readonly parts: Effect.Effect<ReadonlyArray<Part>>
  /** The same parts as ranges of ids: see `rangesOf`. */
  readonly ranges: Effect.Effect<ReadonlyArray<WalletRange>>
  /** Waits until this process owns a part that it did not own before. */
  readonly gained: Effect.Effect<void>
  /** Gives all parts up, before this process finishes what it has begun: the others go on with its wallets at once. */
  readonly leave: Effect.Effect<void>
}

export class Ownership extends Context.Service<Ownership, OwnershipShape>()("ai-mint-executor/runners/Ownership") {
  /** This process owns every wallet. */
  static readonly single = Layer.succeed(Ownership, {
    owns: () => true,
    parts: Effect.succeed(ALL_PARTS),
    ranges: Effect.succeed(EVERY_WALLET),
    gained: Effect.never,
    leave: Effect.void
  })
}
