import { decodePaymentResponseHeader } from "@x402/core/http"
import { Result, Schema } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import { challengeWords, readQuote } from "./challenge.ts"
import { type MintQuote, NoOffer, type PaymentAnswer } from "./Minter.ts"
import { bodyJson, bodyWords, hashesIn, plain, readHeader, type Reply, weigh } from "./reply.ts"
import { BROKEN_OFF, redirected, says, unclear } from "./says.ts"

/** What the answer to a request without payment is: an offer, or the reason why there is none. */
export const readQuoteAnswer = (reply: Reply): Result.Result<MintQuote, NoOffer> => {
  const refuse = (reason: NoOffer["reason"], message: string) => Result.fail(new NoOffer({ reason, message }))
  if (reply.status === 402) {
    const quote = readQuote(reply)
    return quote === undefined ? refuse("Unreadable", says(reply, "no offer in it can be read")) : Result.succeed(quote)
  }
  switch (weigh(reply.status)) {
    case "Done":
      return refuse("Unreadable", says(reply, "it asks for no payment"))
    case "No":
      return refuse("Refused", says(reply, bodyWords(reply)))
    case "Later":
      return refuse("Unavailable", says(reply, redirected(reply) ?? bodyWords(reply)))
  }
}

/** What the answer to a payment is. */
export const readPaymentAnswer = (reply: Reply): PaymentAnswer => {
  if (reply.body === undefined) return unclear(says(reply, BROKEN_OFF))
  const settlement = readSettlement(reply)
  const words = settlementWords(settlement) ?? challengeWords(reply) ?? bodyWords(reply)
  switch (weigh(reply.status)) {
    case "Done":
      return (
        readDelivery(reply, settlement) ??
        unclear(says(reply, words ?? "no settlement and no mint transaction", settlement?.transaction))
      )
    case "No":
      return mayHavePaid(reply, settlement) || LEAVES_OPEN.test(words ?? "")
        ? unclear(says(reply, words, settlement?.transaction))
        : { _tag: "Refused", reason: says(reply, words) }
    case "Later":
      return unclear(says(reply, redirected(reply) ?? words, settlement?.transaction))
  }
}

/**
 * A server that settles first, and then finds the token sold out, answers 4xx with a receipt. So a receipt that says
 * settled or sent, or that cannot be read, is no refusal whatever the status.
 */
const mayHavePaid = (reply: Reply, settlement: Settlement | undefined): boolean =>
  settlement === undefined
    ? RECEIPTS.some((name) => reply.headers[name] !== undefined)
    : settlement.success || settlement.transaction !== undefined

/**
 * Words that come with a 402 or 400 and leave open what became of the payment: it is on its way (`settlement_pending`),
 * its nonce is spent (perhaps by us), its transaction reverted, or the server could not ask its facilitator, and gives
 * the text of whatever was thrown. Everything else names a fault of the request.
 * Source: the error codes of `@x402/core` and `@x402/evm` 2.27, and the x402 specification, "Error Handling".
 */
const LEAVES_OPEN = new RegExp(
  [
    "pending",
    "nonce",
    "already[ _-]?(used|paid|settled|spent|processed|known)",
    "transaction_(failed|state)",
    "unexpected_(verify|settle)",
    "unknown_settlement",
    "settle(ment)?[ _-]failed",
    "verification failed",
    "facilitator",
    "fetch failed",
    "timed?[ _-]?out",
    "socket|network error|ECONN|EAI_AGAIN|ENOTFOUND"
  ].join("|"),
  "i"
)

/** The receipt's header in v2 and in v1. */
const RECEIPTS = ["payment-response", "x-payment-response"]

/** What the receipt says. Source: x402 specification, `SettlementResponse`. */
interface Settlement {
  readonly success: boolean
  readonly transaction: Bytes32 | undefined
  readonly errorReason?: unknown
  readonly errorMessage?: unknown
}

const decodeSettlement = Schema.decodeUnknownResult(
  Schema.Struct({
    success: Schema.Boolean,
    transaction: Schema.optionalKey(Schema.Unknown),
    errorReason: Schema.optionalKey(Schema.Unknown),
    errorMessage: Schema.optionalKey(Schema.Unknown)
  })
)

const readSettlement = (reply: Reply): Settlement | undefined => {
  const raw = readHeader(reply, RECEIPTS, decodePaymentResponseHeader)
  const read = Result.getOrUndefined(decodeSettlement(raw))
  return read && { ...read, transaction: hashesIn(read.transaction)[0] }
}

const settlementWords = (settlement: Settlement | undefined): string | undefined => {
  if (settlement === undefined) return undefined
  const said = [settlement.errorReason, settlement.errorMessage].filter((word) => typeof word === "string").map(plain)
  return [...new Set(said)].filter((word) => word !== "").join(": ") || undefined
}

/** More hashes than a task can have mints are not read. */
const MINT_TXS_MAX = 1000

const Delivery = Schema.Struct({
  success: Schema.optionalKey(Schema.Unknown),
  mintTxHash: Schema.optionalKey(Schema.Unknown),
  mintTxHashes: Schema.optionalKey(Schema.Unknown),
  paymentTxHash: Schema.optionalKey(Schema.Unknown)
})
const decodeDelivery = Schema.decodeUnknownResult(Delivery)

/** `Accepted`, where a 2xx has a settlement that succeeded or names what it minted, and nowhere denies it. */
const readDelivery = (reply: Reply, settlement: Settlement | undefined): PaymentAnswer | undefined => {
  const body = Result.getOrElse(decodeDelivery(bodyJson(reply)), (): typeof Delivery.Type => ({}))
  const mintTxs = hashesIn(body.mintTxHash, body.mintTxHashes).slice(0, MINT_TXS_MAX)
  if (settlement?.success === false || body.success === false) return undefined
  if (settlement === undefined && mintTxs.length === 0) return undefined
  return { _tag: "Accepted", mintTxs, paymentTx: settlement?.transaction ?? hashesIn(body.paymentTxHash)[0] }
}
