import { decodePaymentResponseHeader } from "@x402/core/http"
import { Result, Schema } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import { challengeFault, challengeWords, isChallenged, readQuote } from "./challenge.ts"
import { type Did, type MintQuote, NoOffer, type PaymentAnswer } from "./Minter.ts"
import { foreignWords, ownWords } from "./ownAnswer.ts"
import { whoseIs } from "./reasons.ts"
import {
  bodyJson,
  bodyWords,
  hashesIn,
  plain,
  readHeader,
  type Reply,
  classifyStatus,
  BROKEN_OFF,
  answerMessage,
  redirectNote,
  unclear
} from "./reply.ts"

/** Reads the answer to a request without payment: an offer, or the reason why there is none. */
export const readQuoteAnswer = (reply: Reply): Result.Result<MintQuote, NoOffer> => {
  const refuse = (reason: NoOffer["reason"], words?: string) =>
    Result.fail(new NoOffer({ reason, message: answerMessage(reply, words) }))
  if (reply.status === 402) {
    const quote = readQuote(reply)
    if (quote !== undefined) return Result.succeed(quote)
    const fault = challengeFault(reply)
    return fault === undefined ? refuse("Unavailable", foreignWords(reply)) : refuse("Unreadable", fault)
  }
  switch (classifyStatus(reply.status)) {
    case "Done":
      return refuse("Unreadable", "it asks for no payment")
    case "No": {
      const words = ownWords(reply)
      if (words === undefined) return refuse("Unavailable", foreignWords(reply))
      return refuse(NO_OFFER[whoseIs(words) ?? "order"], words)
    }
    case "Later":
      return refuse("Unavailable", redirectNote(reply) ?? bodyWords(reply))
  }
}

/** What a refusal is before anything was paid. Of the wallet and of us the server cannot know much: it is not counted. */
const NO_OFFER = { order: "Refused", wallet: "Unreadable", ours: "Unreadable", environment: "Unavailable" } as const

/** Reads the answer to a payment. */
export const readPaymentAnswer = (reply: Reply): PaymentAnswer => {
  if (reply.body === undefined) return unclear(answerMessage(reply, BROKEN_OFF))
  const settlement = readSettlement(reply)
  const words = settlementWords(settlement) ?? challengeWords(reply) ?? bodyWords(reply)
  const open = unclear(answerMessage(reply, redirectNote(reply) ?? words, settlement?.transaction))
  switch (classifyStatus(reply.status)) {
    case "Done":
      return (
        readDelivery(reply, settlement) ??
        unclear(answerMessage(reply, words ?? "no settlement and no mint transaction", settlement?.transaction))
      )
    case "No":
      return mayHavePaid(reply, settlement) ? open : refusalOf(reply, settlement, words)
    case "Later":
      return open
  }
}

/**
 * A definite answer to this request that moved no money. Only faults of the order count against it. The words of a 402 are the facilitator's: they count where they are known. On any other status they are
 * the server's, and are about the order unless they say otherwise.
 */
const refusalOf = (reply: Reply, settlement: Settlement | undefined, words: string | undefined): PaymentAnswer => {
  const isChallenge = reply.status === 402 && (settlement !== undefined || isChallenged(reply))
  const own = isChallenge ? words : ownWords(reply)
  if (own === undefined && !isChallenge) return unclear(answerMessage(reply, foreignWords(reply)))
  const reason = answerMessage(reply, own)
  const whose = whoseIs(own ?? "") ?? (reply.status === 402 ? "unknown" : "order")
  if (whose === "environment") return unclear(reason)
  // A receipt is about settling: what it refuses may have been tried.
  if (whose === "order") return settlement === undefined ? { _tag: "Refused", reason } : unclear(reason)
  return unclear(reason, whose)
}

/**
 * A server that settles first, and then finds the token sold out, answers 4xx with a receipt. So a receipt that says
 * settled or sent, or that cannot be read, is no refusal, at any status.
 */
const mayHavePaid = (reply: Reply, settlement: Settlement | undefined): boolean =>
  settlement === undefined
    ? RECEIPTS.some((name) => reply.headers[name] !== undefined)
    : settlement.success || settlement.transaction !== undefined

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

/**
 * What the server may have done with a request without payment that it answered so. Only a 402 says that it did nothing
 * before it is paid. A page in HTML is not the server's own answer: it says nothing about the work.
 */
export const didOf = (reply: Reply): Did => {
  if (reply.status === 402) return "nothing"
  const isPage = /^\s*</.test(reply.body ?? "<")
  return classifyStatus(reply.status) === "Done" && !isPage ? "claims" : "unknown"
}
