import { DateTime, Option, Result, Schema } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import type { Strain } from "../domain/RequestLimit.ts"
import type { PaymentAnswer } from "./Minter.ts"

/** An HTTP answer as far as it is read. Nothing in it is trusted. */
export interface Reply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** `undefined` where it broke off or was larger than the client reads. */
  readonly body: string | undefined
}

/**
 * What a status says before anything else is read.
 *
 * - `Done`: 2xx.
 * - `No`: 4xx, a definite answer to this request. 402 too: what else it means depends on what was asked.
 * - `Later`: the rest. 408, 425, 429 and 5xx say nothing about the request; a redirect is not followed.
 */
export const classifyStatus = (status: number): "Done" | "No" | "Later" => {
  if (status >= 200 && status < 300) return "Done"
  if (status === 408 || status === 425 || status === 429) return "Later"
  return status >= 400 && status < 500 ? "No" : "Later"
}

/**
 * Statuses that say that there is too much to do, or that a gateway does not get through to the server. Source: RFC 9110
 * (502, 503, 504), RFC 6585 (429); 529 is in use for an overloaded site, 520 to 524 are Cloudflare's for a server
 * that it does not reach. A 500 may be about one order alone.
 */
const isOverload = (status: number): boolean =>
  [429, 502, 503, 504, 529].includes(status) || (status >= 520 && status <= 524)

/** Whether an answer says that the server has too much to do, and how long it wants to be left alone. */
export const strainOf = (reply: Reply, nowMs: number): Strain => {
  if (!isOverload(reply.status)) return {}
  const retryAfterMs = retryAfterIn(reply, nowMs)
  return { trouble: "Overloaded", ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/**
 * `Retry-After` is in seconds, or a date, which is of the server's own clock where it tells that too. Source: RFC 9110,
 * section 10.2.3.
 */
const retryAfterIn = ({ headers }: Reply, nowMs: number): number | undefined => {
  const text = headers["retry-after"]?.trim() ?? ""
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const atMs = dateMs(text)
  return atMs === undefined ? undefined : Math.max(0, atMs - (dateMs(headers["date"] ?? "") ?? nowMs))
}

/** All three forms of HTTP begin with the day of the week; without it numbers are read as dates too. */
const dateMs = (text: string): number | undefined =>
  /^[a-z]{3,9},? /i.test(text) ? Option.getOrUndefined(DateTime.make(text))?.epochMilliseconds : undefined

/** The body as JSON; `undefined` where it is none. */
export const bodyJson = (reply: Reply): unknown =>
  Result.getOrUndefined(Result.try((): unknown => JSON.parse(reply.body ?? "")))

/** 32 bytes, in the case in which the chain's own logs are read. */
const Hash = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{64}$/i))
const isHash = Schema.is(Hash)
/** The hashes among `values`, each once. */
export const hashesIn = (...values: ReadonlyArray<unknown>): ReadonlyArray<Bytes32> => [
  ...new Set(
    values
      .flat()
      .filter(isHash)
      .map((hash) => hash.toLowerCase() as Bytes32)
  )
]

/** The first of `names` that is there and that `decode` (which may throw) can read. */
export const readHeader = (reply: Reply, names: ReadonlyArray<string>, decode: (value: string) => unknown): unknown => {
  for (const name of names) {
    const value = reply.headers[name]
    const read = value === undefined ? Result.fail(undefined) : Result.try(() => decode(value))
    if (Result.isSuccess(read)) return read.success
  }
  return undefined
}

/** In characters (UTF-16). A reason lands in a log line and in `error_message`. */
export const REASON_LENGTH_MAX = 200

/** A reason as it is kept: never longer than `REASON_LENGTH_MAX`, and no character cut in two. */
export const cutReason = (text: string): string =>
  text.length <= REASON_LENGTH_MAX ? text : `${text.slice(0, REASON_LENGTH_MAX - 1).replace(/[\uD800-\uDBFF]$/, "")}…`

/**
 * Text of another program as one harmless line: no control, format or bidirectional characters, nothing that a
 * terminal or Postgres would choke on. A server may echo what it was sent, so every run that could be a payment goes: a
 * signature is 130 hex digits (or two halves of 64), a payment header a long base64 text.
 */
export const plain = (text: string): string =>
  text
    .replace(/[\p{C}\p{Z}\s]+/gu, " ")
    .replace(/[A-Za-z0-9+/=_-]{64,}/g, "…")
    .trim()

/** What the body gives as its reason: the texts under the names in use, or a body that is plain text. */
export const bodyWords = (reply: Reply): string | undefined => {
  const json = bodyJson(reply)
  if (json !== undefined) return wordsIn(json)
  // A page of a proxy is no reason.
  return /^\s*</.test(reply.body ?? "") ? undefined : plain(reply.body ?? "") || undefined
}

/** Where servers put the fault: its name first, and what it is in this case after it. */
const NAMES = ["error", "errors", "errorReason", "invalidReason", "reason"]
const DETAILS = ["errorMessage", "invalidMessage", "detail", "details", "message", "msg"]

/** `Settlement failed: fetch failed`. A fault may be an object or a list of its own; deeper than that is not read. */
export const wordsIn = (value: unknown, depth = 0): string | undefined => {
  if (typeof value === "string") return plain(value) || undefined
  if (Array.isArray(value)) return depth === 0 ? undefined : wordsIn(value[0], depth)
  if (typeof value !== "object" || value === null || depth > 1) return undefined
  const first = (names: ReadonlyArray<string>) => {
    for (const name of names) {
      const words = wordsIn(Object.getOwnPropertyDescriptor(value, name)?.value, depth + 1)
      if (words !== undefined) return words
    }
    return undefined
  }
  const [name, detail] = [first(NAMES), first(DETAILS)]
  if (name === undefined || detail === undefined || name.includes(detail)) return name ?? detail
  return detail.includes(name) ? detail : `${name}: ${detail}`
}

/** An answer, as both protocols report it: `mint server answered 402 with payment 0x…: insufficient_funds`. */
export const answerMessage = (reply: Reply, words: string | undefined, payment?: string): string => {
  const named = payment === undefined ? "" : ` with payment ${payment}`
  return cutReason(`mint server answered ${reply.status}${named}${words === undefined ? "" : `: ${words}`}`)
}

export const redirectNote = ({ status }: Reply): string | undefined =>
  status >= 300 && status < 400 ? "redirects are not followed, check SERVER_URL" : undefined

/** Reported where there is no body (`Reply`). */
export const BROKEN_OFF = "the answer broke off or is too large"

/** `whose` is left out for a fault of the environment, and where the outcome of the payment is open. */
export const unclear = (reason: string, whose?: Unclear["whose"]): Unclear => ({
  _tag: "Unclear",
  reason: cutReason(reason),
  ...(whose && { whose })
})

type Unclear = Extract<PaymentAnswer, { readonly _tag: "Unclear" }>
