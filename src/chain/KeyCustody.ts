import { Context, type Effect, Schema } from "effect"
import type { Authorization } from "../domain/Authorization.ts"
import type { Wallet } from "../domain/Wallet.ts"

/**
 * A wallet's key cannot be used. The message tells the operator why and never holds key material.
 *
 * - `Locked`: it does not decrypt with `AGENT_ENCRYPTION_KEY`, or none is set.
 * - `Broken`: the row holds no key, or that of another address.
 * - `Unsignable`: it opens, and does not sign this payment.
 */
export class KeyError extends Schema.TaggedError<KeyError>()("KeyError", {
  reason: Schema.Literals(["Locked", "Broken", "Unsignable"]),
  message: Schema.String
}) {}

/** Makes the keys of agent wallets, and opens them for the length of one signature. */
export class KeyCustody extends Context.Service<
  KeyCustody,
  {
    /** A new account, with its key as it is stored. `Locked` where there is nothing to seal it with. */
    readonly make: Effect.Effect<Pick<Wallet, "agentAddress" | "encryptedPrivateKey">, KeyError>
    /** Fails unless the wallet's key decrypts and belongs to its address. */
    readonly check: (wallet: Wallet) => Effect.Effect<void, KeyError>
    /** The EIP-712 signature over an authorization, for the USDC contract of the network. */
    readonly sign: (wallet: Wallet, authorization: Authorization) => Effect.Effect<`0x${string}`, KeyError>
  }
>()("ai-mint-executor/chain/KeyCustody") {}
