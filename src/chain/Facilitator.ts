import { Context, type Effect } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import type { Authorization } from "../domain/Authorization.ts"
import type { ChainError } from "./ChainClient.ts"

/** A payment as its payer signed it. An ordinary account signs with 65 bytes, an account with code as it likes (ERC-1271). */
export interface PresentedPayment extends Authorization {
  readonly signature: `0x${string}`
}

/** Whether USDC would carry the payment out in the newest block. `reason` is a code of `@x402/evm`. */
export type Verdict = { readonly _tag: "Sound" } | { readonly _tag: "Unsound"; readonly reason: string }

const saying =
  (reason: string) =>
  (verdict: Verdict): boolean =>
    verdict._tag === "Unsound" && verdict.reason === reason

/** USDC has taken the nonce of the payment before: by this payment, by another transfer, or by its cancellation. */
export const isNonceUsed = saying("invalid_exact_evm_nonce_already_used")

/** The signature is not the payer's, so that USDC can never carry the payment out. */
export const isNotSigned = saying("invalid_exact_evm_signature")

/**
 * What the facilitator says that it did. It decides nothing about money: whether the payment was made, the chain says.
 * `Unknown` may have been made all the same.
 */
export type Settlement =
  | { readonly _tag: "Settled"; readonly tx: Bytes32 }
  | { readonly _tag: "Unknown"; readonly reason: string }

/** Takes the x402 payments of people to USDC. Source: x402 v2, scheme `exact` on EVM, with EIP-3009. */
export class Facilitator extends Context.Service<
  Facilitator,
  {
    /** Whether there is one: the AI Agent Account, or the server of `X402_FACILITATOR_URL`. */
    readonly canSettle: boolean
    /** Checks signature, window, balance and nonce as USDC does, and changes nothing. Fails where no node answers. */
    readonly verify: (payment: PresentedPayment) => Effect.Effect<Verdict, ChainError>
    /**
     * Submits the payment and waits for its block, within a time limit. To submit it again is safe: USDC takes a nonce
     * once. An interruption leaves open whether it was submitted.
     */
    readonly settle: (payment: PresentedPayment) => Effect.Effect<Settlement>
  }
>()("ai-mint-executor/chain/Facilitator") {}
