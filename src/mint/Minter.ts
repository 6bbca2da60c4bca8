import { Context, type Effect, Schema } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import type { Offer } from "../domain/Offer.ts"

/** What a batch asks the mint server for. */
export interface MintOrder {
  readonly token: Address
  readonly recipient: Address
  readonly quantity: number
}

/**
 * The server made no offer; nothing was signed or sent.
 *
 * - `Unavailable`: no connection, timeout, redirect, 408, 425, 429, 5xx: the environment. Costs the task nothing.
 * - `Refused`: it answered and will not sell (400, 403, 404, 409, 410, 422, …): counts against the task.
 * - `Unreadable`: it answered something that is no offer (a 402 without a readable challenge, a 200 without payment):
 *   the environment too.
 *
 * The message is one short line without control characters, fit for `error_message`.
 */
export class NoOffer extends Schema.TaggedError<NoOffer>()("NoOffer", {
  reason: Schema.Literals(["Unavailable", "Refused", "Unreadable"]),
  message: Schema.String
}) {}

/**
 * What the server answered to a payment. Only the chain decides whether money moved; this sets what to look for and
 * how soon.
 *
 * - `Accepted`: 2xx with a successful settlement (`PAYMENT-RESPONSE`), or a 2xx that names its mint transactions.
 * - `Refused`: a definite no to this request (4xx, a 402 that names a fault of the payment or a fresh challenge).
 * - `Unclear`: timeout, reset, redirect, 408, 425, 429, 5xx, `settlement_pending`, a nonce already used, a broken body,
 *   a facilitator that cannot be asked; and a 4xx whose receipt says that the payment was settled or sent.
 *
 * A reason is one short line without control characters or bytes of the payment, fit for `error_message`.
 */
export type PaymentAnswer =
  | {
      readonly _tag: "Accepted"
      readonly mintTxs: ReadonlyArray<Bytes32>
      readonly paymentTx: Bytes32 | undefined
    }
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Unclear"; readonly reason: string }

/** Has a batch paid and minted. Knows the server's protocol and nothing of tasks, ledgers or chains. */
export class Minter extends Context.Service<
  Minter,
  {
    /** Asks what the batch costs, without paying. */
    readonly quote: (order: MintOrder) => Effect.Effect<MintQuote, NoOffer>
    /**
     * Sends the payment with the order. Never fails: whatever happens is an answer. Sending the same authorization
     * again is safe (the USDC contract takes a nonce once). `offer` is one of the quote's.
     */
    readonly pay: (
      order: MintOrder,
      quote: MintQuote,
      offer: Offer,
      payment: SignedAuthorization
    ) => Effect.Effect<PaymentAnswer>
  }
>()("ai-mint-executor/mint/Minter") {}

export interface MintQuote {
  readonly x402Version: 1 | 2
  /** In the server's order; never empty. */
  readonly offers: ReadonlyArray<Offer>
  /** The challenge as the server sent it: a payment must repeat the accepted entry word for word. */
  readonly challenge: unknown
}
