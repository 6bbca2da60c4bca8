import { Context, type Effect } from "effect"
import type { WalletId } from "../domain/Wallet.ts"

/**
 * The actors of the agent wallets: one for each wallet that has something to do, serial inside, parallel across.
 * A wake-up carries no truth: the actor reads the ledger. A lost one costs a tick of the mint loop, a doubled one
 * finds nothing to do. Shaped as a message to an entity, so that one machine can become several.
 */
export class Wallets extends Context.Service<
  Wallets,
  {
    readonly wake: (walletId: WalletId) => Effect.Effect<void>
  }
>()("ai-mint-executor/executor/Wallets") {}
