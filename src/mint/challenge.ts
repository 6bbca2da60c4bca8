import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from "@x402/core/http"
import type { PaymentPayload } from "@x402/core/types"
import { Equal, Result, Schema } from "effect"
import { networks } from "../config/Network.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import type { Offer } from "../domain/Offer.ts"
import type { MintQuote } from "./Minter.ts"
import { bodyJson, plain, readHeader, type Reply } from "./reply.ts"

/** A scheme is a word, an address on any chain not much longer: a refusal that quotes them stays a short line. */
const Word = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,32}$/))
const Name = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,100}$/))
/** Base units in decimal digits; 78 of them hold every uint256. */
const BaseUnits = Schema.String.check(Schema.isPattern(/^\d{1,78}$/))

const terms = {
  scheme: Word,
  network: Name,
  asset: Name,
  payTo: Name,
  maxTimeoutSeconds: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
  extra: Schema.optionalKey(Schema.NullOr(Schema.Struct({ assetTransferMethod: Schema.optionalKey(Word) })))
}
const EntryV1 = Schema.Struct({ ...terms, maxAmountRequired: BaseUnits })
const EntryV2 = Schema.Struct({ ...terms, amount: BaseUnits })

/**
 * The 402 challenge. An entry of `accepts` is read on its own: one of a kind that is not known here must not hide the
 * others. What a payment has to repeat stays as the server wrote it.
 * Source: x402 specification, versions 1 and 2, `PaymentRequired`.
 */
const ChallengeV1 = Schema.Struct({ x402Version: Schema.Literal(1), accepts: Schema.Array(Schema.Unknown) })
const ChallengeV2 = Schema.Struct({
  x402Version: Schema.Literal(2),
  accepts: Schema.Array(Schema.Unknown),
  resource: Schema.optionalKey(Schema.Unknown),
  extensions: Schema.optionalKey(Schema.Unknown)
})
const Challenge = Schema.Union([ChallengeV1, ChallengeV2])
type Challenge = typeof Challenge.Type

const decodeChallenge = Schema.decodeUnknownResult(Challenge)
const decodeV1 = Schema.decodeUnknownResult(EntryV1)
const decodeV2 = Schema.decodeUnknownResult(EntryV2)

/** v2 sends the challenge in a header, v1 in the body. */
const rawChallenge = (reply: Reply): unknown =>
  readHeader(reply, ["payment-required"], decodePaymentRequiredHeader) ?? bodyJson(reply)

/** The quote in a 402; `undefined` where it holds no offer that can be read. */
export const readQuote = (reply: Reply): MintQuote | undefined => {
  const raw = rawChallenge(reply)
  const challenge = Result.getOrUndefined(decodeChallenge(raw))
  if (challenge === undefined) return undefined
  const offers = readEntries(challenge).map(({ offer }) => offer)
  return offers.length === 0 ? undefined : { offers, challenge: raw }
}

/** Why the server challenges: `Payment required` at first, and the fault of a payment that it will not take. */
export const challengeWords = (reply: Reply): string | undefined => {
  const raw = rawChallenge(reply)
  const error = Schema.is(Schema.Struct({ error: Schema.String }))(raw) ? plain(raw.error) : ""
  return error === "" ? undefined : error
}

interface Entry {
  readonly offer: Offer
  /** Word for word. */
  readonly raw: unknown
}

const readEntries = (challenge: Challenge): ReadonlyArray<Entry> =>
  challenge.accepts.flatMap((raw) => {
    const offer = challenge.x402Version === 1 ? readV1(raw) : readV2(raw)
    return offer === undefined ? [] : [{ offer, raw }]
  })

const readV1 = (raw: unknown): Offer | undefined => {
  const entry = Result.getOrUndefined(decodeV1(raw))
  return entry && { ...shared(entry), network: caip2(entry.network), amount: BigInt(entry.maxAmountRequired) }
}

const readV2 = (raw: unknown): Offer | undefined => {
  const entry = Result.getOrUndefined(decodeV2(raw))
  return entry && { ...shared(entry), network: entry.network, amount: BigInt(entry.amount) }
}

const shared = (entry: typeof EntryV1.Type | typeof EntryV2.Type) => {
  // Left out, it is EIP-3009. With Permit2 the same scheme wants a signature that we do not make.
  const method = entry.extra?.assetTransferMethod ?? "eip3009"
  return {
    scheme: method === "eip3009" ? entry.scheme : `${entry.scheme} (${method})`,
    asset: entry.asset,
    payTo: entry.payTo,
    maxTimeoutSeconds: entry.maxTimeoutSeconds
  }
}

/** v1 calls networks by name. One that is not ours keeps its name, and no rule will take it for ours. */
const caip2 = (network: string): string => {
  const known = Object.values(networks).find(({ name }) => name === network)
  return known === undefined ? network : `eip155:${known.chainId}`
}

/** One header of a request. */
export interface Header {
  readonly name: string
  readonly value: string
}

/**
 * The header that pays `offer`. The same arguments give the same bytes. `undefined` where the quote has no such offer.
 *
 * The server takes the payment only if `accepted` is what it offers now, so that is its own entry and not our reading
 * of it. Source: x402 specification, `PaymentPayload`, scheme `exact` on EVM.
 */
export const paymentHeader = (quote: MintQuote, offer: Offer, payment: SignedAuthorization): Header | undefined => {
  const challenge = Result.getOrUndefined(decodeChallenge(quote.challenge))
  const entry = challenge && readEntries(challenge).find((candidate) => Equal.equals(candidate.offer, offer))
  if (challenge === undefined || entry === undefined) return undefined
  const payload = exactPayload(payment)
  if (challenge.x402Version === 1) {
    const { scheme, network } = entry.raw as typeof EntryV1.Type
    return { name: "x-payment", value: encode({ x402Version: 1, scheme, network, payload }) }
  }
  const { resource, extensions } = challenge
  const accepted = entry.raw
  return { name: "payment-signature", value: encode({ x402Version: 2, resource, accepted, payload, extensions }) }
}

const exactPayload = ({ signature, from, to, value, validAfter, validBefore, nonce }: SignedAuthorization) => ({
  signature,
  authorization: {
    from,
    to,
    value: String(value),
    validAfter: String(validAfter),
    validBefore: String(validBefore),
    nonce
  }
})

/** Keys that are `undefined` are left out. The cast: what is repeated word for word has no type of ours. */
const encode = (payload: object): string => encodePaymentSignatureHeader(payload as PaymentPayload)
