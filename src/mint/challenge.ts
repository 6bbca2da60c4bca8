import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from "@x402/core/http"
import type { PaymentPayload } from "@x402/core/types"
import { Equal, Result, Schema } from "effect"
import { base, baseSepolia, local } from "../config/Network.ts"
import { ZERO } from "../domain/Address.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import { chainName, type Offer } from "../domain/Offer.ts"
import { usdc } from "../domain/Usdc.ts"
import type { MintQuote } from "./Minter.ts"
import { mayBeOwn } from "./ownAnswer.ts"
import { bodyJson, plain, readHeader, type Reply, wordsIn } from "./reply.ts"

/** A scheme is a word, an address on any chain not much longer: a refusal that quotes them stays a short line. */
const Word = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,32}$/))
const Name = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,100}$/))
/** Base units in decimal digits; 78 of them hold every uint256. */
const BaseUnits = Schema.String.check(Schema.isPattern(/^\d{1,78}$/))
const Seconds = Schema.Finite.check(Schema.isGreaterThan(0))

const anything = Schema.optionalKey(Schema.Unknown)

/** What a payment is to be signed for. Said in part, or not at all. Source: x402, scheme `exact` on EVM; thirdweb. */
const Extra = Schema.Struct({
  name: anything,
  version: anything,
  verifyingContract: anything,
  assetTransferMethod: anything,
  primaryType: anything
})

/** What an entry of `accepts` has to have; `amount` is called `maxAmountRequired` in version 1. */
const FIELDS = {
  scheme: Schema.is(Word),
  network: Schema.is(Name),
  asset: Schema.is(Name),
  payTo: Schema.is(Name),
  amount: Schema.is(BaseUnits)
}

/**
 * The 402 challenge. An entry of `accepts` is read on its own: one of a kind that is not known here must not hide the
 * others. What a payment has to repeat stays as the server wrote it.
 * Source: x402 specification, versions 1 and 2, `PaymentRequired`.
 */
const Challenge = Schema.Struct({
  x402Version: Schema.Literals([1, 2]),
  accepts: Schema.Array(Schema.Unknown),
  resource: Schema.optionalKey(Schema.Unknown),
  extensions: Schema.optionalKey(Schema.Unknown)
})
type Challenge = typeof Challenge.Type

const decodeChallenge = Schema.decodeUnknownResult(Challenge)
const decodeExtra = Schema.decodeUnknownResult(Extra)

/** More levels than this are no challenge: what has them cannot be relied on to be written down again. */
const DEPTH_MAX = 32

/** Node refuses a request whose headers are larger than 16 KiB, and the other headers need some of it. */
const HEADER_LENGTH_MAX = 15 * 1024

const HEADER = "payment-required"

/** v2 sends the challenge in a header, v1 in the body. The other place counts where one holds none that can be read. */
const challengesIn = (reply: Reply): ReadonlyArray<unknown> =>
  [readHeader(reply, [HEADER], decodePaymentRequiredHeader), bodyJson(reply)].filter(isChallenge)

const isChallenge = (raw: unknown): boolean =>
  typeof raw === "object" && raw !== null && ("x402Version" in raw || "accepts" in raw)

/** Whether the answer holds a challenge of any kind. */
export const isChallenged = (reply: Reply): boolean => challengesIn(reply).length > 0

/** The quote in a 402; `undefined` where it holds no offer that can be read and paid. */
export const readQuote = (reply: Reply): MintQuote | undefined => {
  for (const raw of challengesIn(reply)) {
    const read = readChallenge(raw)
    if (Result.isSuccess(read)) return { offers: read.success.map(({ offer }) => offer), challenge: raw }
  }
  return undefined
}

/** Why a 402 holds no offer, where the server itself is at fault; `undefined` where it is not the server's answer. */
export const challengeFault = (reply: Reply): string | undefined => {
  for (const raw of challengesIn(reply)) {
    const read = readChallenge(raw)
    if (Result.isFailure(read)) return `no offer in it can be read: ${read.failure}`
  }
  if (reply.headers[HEADER] !== undefined) return "its PAYMENT-REQUIRED header cannot be read"
  return mayBeOwn(reply) ? "it has no PAYMENT-REQUIRED header, and no accepts in its body" : undefined
}

/**
 * Why the server challenges: `Payment required` at first, and the fault of a payment that it will not take. Servers of
 * `x402-express` 0.7 put an error that was thrown there, of which nothing is left in JSON.
 */
export const challengeWords = (reply: Reply): string | undefined => {
  const [raw] = challengesIn(reply)
  if (raw === undefined) return undefined
  return wordsIn(raw) ?? (isThrown(raw) ? "an error without words" : undefined)
}

const isThrown = Schema.is(Schema.Struct({ error: Schema.Record(Schema.String, Schema.Unknown) }))

interface Entry {
  readonly offer: Offer
  /** Word for word. */
  readonly raw: object
}

/** The entries that can be paid. Where there is none, what is wrong with the first. */
const readChallenge = (raw: unknown): Result.Result<ReadonlyArray<Entry>, string> => {
  if (isDeeperThan(raw, DEPTH_MAX)) return Result.fail(`it is nested more than ${DEPTH_MAX} levels deep`)
  const challenge = Result.getOrUndefined(decodeChallenge(raw))
  if (challenge === undefined) return Result.fail(faultOfChallenge(raw as object))
  const entries = challenge.accepts.map((entry, index) =>
    Result.mapError(readEntry(challenge, entry), (fault) => `accepts[${index}]${fault}`)
  )
  const readable = entries.filter(Result.isSuccess).map(({ success }) => success)
  if (readable.length > 0) return Result.succeed(readable)
  return Result.fail(entries.find(Result.isFailure)?.failure ?? "accepts is empty")
}

/** Without a recursion that such a value could exhaust. */
const isDeeperThan = (value: unknown, limit: number): boolean => {
  let level: ReadonlyArray<unknown> = [value]
  for (let depth = 0; depth <= limit; depth++) {
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []))
    if (level.length === 0) return false
  }
  return true
}

const faultOfChallenge = (raw: object): string => {
  const { x402Version, accepts } = raw as { readonly x402Version?: unknown; readonly accepts?: unknown }
  if (x402Version === undefined) return "x402Version is missing"
  if (x402Version !== 1 && x402Version !== 2) return `x402Version is ${shown(x402Version)}, 1 and 2 are known`
  return accepts === undefined ? "accepts is missing" : "accepts is no list"
}

const readEntry = (challenge: Challenge, raw: unknown): Result.Result<Entry, string> => {
  if (typeof raw !== "object" || raw === null) return Result.fail(" is no object")
  const entry = raw as Readonly<Record<string, unknown>>
  const { amount = entry["maxAmountRequired"], maxAmountRequired = amount } = entry
  if (amount !== maxAmountRequired) return Result.fail(".amount and maxAmountRequired differ")
  const fields = { ...entry, amount } as Readonly<Record<string, unknown>>
  for (const [name, isSound] of Object.entries(FIELDS)) {
    if (!isSound(fields[name])) return Result.fail(`.${name} ${faultOf(fields[name])}`)
  }
  const seconds = entry["maxTimeoutSeconds"] ?? undefined
  if (seconds !== undefined && !Schema.is(Seconds)(seconds))
    return Result.fail(`.maxTimeoutSeconds ${faultOf(seconds)}`)
  const offer = { ...termsOf(fields as Fields), maxTimeoutSeconds: seconds }
  const { length } = headerFor(challenge, { offer, raw }, LONGEST).value
  if (length > HEADER_LENGTH_MAX) return Result.fail(` makes a payment header of ${length} characters`)
  return Result.succeed({ offer, raw })
}

/** What was checked to be there. */
type Fields = Readonly<Record<keyof typeof FIELDS, string>> & { readonly extra?: unknown }

const faultOf = (value: unknown): string =>
  value === undefined || value === null ? "is missing" : `is ${shown(value)}`

/** Another program's value, short. Not a string, it is named by its kind. */
const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(plain(value.slice(0, 40)))
  return typeof value === "number" ? String(value) : Array.isArray(value) ? "a list" : `of type ${typeof value}`
}

const termsOf = ({ scheme, network, asset, payTo, amount, extra }: Fields): Omit<Offer, "maxTimeoutSeconds"> => {
  const { assetTransferMethod, primaryType, ...rest } = Result.getOrElse(
    decodeExtra(extra),
    (): typeof Extra.Type => ({})
  )
  // Left out, it is EIP-3009. With Permit2 or EIP-2612 the same scheme wants a signature that we do not make.
  const method = [assetTransferMethod, primaryType].find((one) => one != null && !EIP_3009.includes(String(one)))
  const domain = Object.entries(rest).flatMap(([key, value]) =>
    value == null ? [] : [[key, plain(String(value)).slice(0, 64)] as const]
  )
  return {
    scheme: method === undefined ? scheme : `${scheme} (${plain(String(method)).slice(0, 32)})`,
    network: caip2(network),
    asset,
    payTo,
    amount: BigInt(amount),
    ...(domain.length > 0 && { domain: Object.fromEntries(domain) })
  }
}

const EIP_3009 = ["eip3009", "TransferWithAuthorization"]

/** Version 1 calls networks by name. One that is not ours keeps its name, and no rule will take it for ours. */
const caip2 = (network: string): string => {
  const known = [local, baseSepolia, base].find(({ name }) => name === network)
  return known === undefined ? network : chainName(known.chainId)
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
  const entries = Result.getOrElse(readChallenge(quote.challenge), (): ReadonlyArray<Entry> => [])
  const entry = entries.find((candidate) => Equal.equals(candidate.offer, offer))
  return challenge === undefined || entry === undefined ? undefined : headerFor(challenge, entry, payment)
}

const headerFor = ({ x402Version, resource, extensions }: Challenge, { raw }: Entry, payment: SignedAuthorization) => {
  const payload = exactPayload(payment)
  const { scheme, network } = raw as Fields
  if (x402Version === 1) return { name: "x-payment", value: encode({ x402Version, scheme, network, payload }) }
  // A server whose entries are in the words of version 1 finds them again by these two (`thirdweb` 5).
  const named = Object.hasOwn(raw, "maxAmountRequired") ? { scheme, network } : {}
  const value = encode({ x402Version, ...named, resource, accepted: raw, payload, extensions })
  return { name: "payment-signature", value }
}

/** No payment makes a longer header. */
const LONGEST: SignedAuthorization = {
  from: ZERO,
  to: ZERO,
  value: usdc(10n ** 77n),
  validAfter: 10 ** 10,
  validBefore: 10 ** 10,
  nonce: `0x${"0".repeat(64)}`,
  signature: `0x${"0".repeat(130)}`
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
