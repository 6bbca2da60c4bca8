import { Context, type Effect, Schema } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import type { Offer } from "../domain/Offer.ts"
import type { Strain } from "../domain/RequestLimit.ts"
import type { Usdc } from "../domain/Usdc.ts"

/** What a batch asks the mint server for. */
export interface MintOrder {
  readonly token: Address
  readonly recipient: Address
  readonly quantity: number
}

/** An order with what it was quoted at: a server without a price list of its own is offered that. */
export interface PricedOrder extends MintOrder {
  /** The most that all of it may cost. */
  readonly amount: Usdc
}

/**
 * The server made no offer; nothing was signed or sent.
 *
 * - `Unavailable`: no connection, timeout, redirect, 408, 425, 429, 5xx, and everything that is not recognisably the server's
 *   own answer (a proxy's page, a gateway's JSON): the environment. Costs the task nothing.
 * - `Refused`: it answered in its own words and will not sell: counts against the task.
 * - `Unreadable`: it answered itself and there is nothing in it to act on: a challenge without an offer that can be
 *   read, a 200 without payment, a fault that is not the order's. Not counted, and no reason to keep others waiting.
 *
 * The message is one short line without control characters, fit for `error_message`.
 */
export class NoOffer extends Schema.TaggedError<NoOffer>()("NoOffer", {
  reason: Schema.Literals(["Unavailable", "Refused", "Unreadable"]),
  message: Schema.String,
  /** Left out, it is not known. */
  did: Schema.optionalKey(Schema.Literals(["nothing", "unknown", "claims"])),
  /** As in `Strain`. */
  trouble: Schema.optionalKey(Schema.Literals(["Overloaded", "NoAnswer"])),
  retryAfterMs: Schema.optionalKey(Schema.Number)
}) {}

/** The server did not say what became of a payment, as it gave no answer or has too much to do. */
export class NoWord extends Schema.TaggedError<NoWord>()("NoWord", {
  reason: Schema.Literals(["Unavailable"]),
  /** As in `Strain`. */
  trouble: Schema.Literals(["Overloaded", "NoAnswer"]),
  retryAfterMs: Schema.optionalKey(Schema.Number)
}) {}

/**
 * What the server may have done although it was only asked for the price.
 *
 * - `nothing`: it asked for money, or never had the request.
 * - `claims`: it says that the work is done.
 * - `unknown`: anything else; it may have minted, even where it denies it.
 */
export type Did = NonNullable<NoOffer["did"]>

/**
 * What the server answered to a payment. Only the chain decides whether money moved; this sets what to search for and
 * how soon.
 *
 * - `Accepted`: 2xx with a successful settlement (`PAYMENT-RESPONSE`), or a 2xx that names its mint transactions; of a
 *   v1.1 server a 200 that says success. Mints may be fewer than ordered, or still to come.
 * - `Refused`: a definite no to this order, in the server's own words: counts against the task.
 * - `Unclear`: everything else. Where the answer is a definite no that is not the order's, `whose` says so: the wallet's,
 *   ours, or `unknown`, as its words are not known here. Left out, it is the environment (timeout, reset, redirect, 408,
 *   425, 429, 5xx, a proxy's page, a facilitator that cannot be asked), or the answer leaves open what became of the
 *   payment (`settlement_pending`, a nonce already used, a broken body, a receipt that says settled or sent).
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
  | (Strain & {
      readonly _tag: "Unclear"
      readonly reason: string
      readonly whose?: "wallet" | "ours" | "unknown"
      /** Under which the server can be asked about the payment (`follow`). Not every protocol has one. */
      readonly reference?: string
    })

/** Has a batch paid and minted. Knows the server's protocol and nothing of tasks, ledgers or chains. */
export class Minter extends Context.Service<
  Minter,
  {
    /**
     * Asks what the batch costs, without paying. Where `asksForPrice`, that is a request to the server, which may carry
     * it out without asking for money.
     */
    readonly quote: (order: PricedOrder) => Effect.Effect<MintQuote, NoOffer>
    /**
     * Sends the payment with the order. Never fails: every end is an answer. Sending the same authorization
     * again is safe (the USDC contract takes a nonce once). `offer` is one of the quote's.
     */
    readonly pay: (
      order: MintOrder,
      quote: MintQuote,
      offer: Offer,
      payment: SignedAuthorization
    ) => Effect.Effect<PaymentAnswer>
    readonly asksForPrice: boolean
    /** Whether a payment whose outcome is unknown may be sent again. Never to a server that breaks on a repeat. */
    readonly takesAgain: boolean
    /**
     * What the server reports of a payment that it gave this reference for: one line for the operator, which decides
     * nothing. `undefined` where it reports nothing.
     */
    readonly follow: (reference: string) => Effect.Effect<string | undefined, NoWord>
    /**
     * Whether the server answers within 3 s; `problem` says why not, in one line. Nothing is ordered
     * or paid.
     */
    readonly ping: Effect.Effect<{ readonly tookMs: number; readonly problem: string | undefined }>
  }
>()("ai-mint-executor/mint/Minter") {}

export interface MintQuote {
  /** In the server's order; never empty. */
  readonly offers: ReadonlyArray<Offer>
  /** The challenge as the server sent it: a payment must repeat the accepted entry word for word. */
  readonly challenge: unknown
}
