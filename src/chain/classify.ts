import { Predicate, Schema } from "effect"
import { hostOf } from "../ops/redact.ts"
import { ChainErrorReason } from "./ChainClient.ts"

/** Why a node's answer is of no use, and a text about it that is safe to log. */
export class NodeFault extends Schema.TaggedError<NodeFault>()("NodeFault", {
  reason: ChainErrorReason,
  detail: Schema.String
}) {}

/** The facts in an error that viem threw, at any depth of its causes. */
interface Symptoms {
  /** Names of the error and of its causes. */
  readonly names: ReadonlySet<string>
  /** HTTP status. */
  readonly status: number | undefined
  /** JSON-RPC error code. */
  readonly code: number | undefined
  /** The innermost text: the node's own, where it gave one. */
  readonly text: string
}

type Rule = readonly [reason: ChainErrorReason, applies: (symptoms: Symptoms) => boolean]

const named =
  (...names: ReadonlyArray<string>) =>
  (symptoms: Symptoms): boolean =>
    names.some((name) => symptoms.names.has(name))

const coded =
  (...codes: ReadonlyArray<number>) =>
  (symptoms: Symptoms): boolean =>
    symptoms.code !== undefined && codes.includes(symptoms.code)

const matches =
  (words: RegExp) =>
  (symptoms: Symptoms): boolean =>
    words.test(symptoms.text)

const status =
  (from: number, to = from) =>
  (symptoms: Symptoms): boolean =>
    symptoms.status !== undefined && symptoms.status >= from && symptoms.status <= to

/** Fewer blocks or results at a time may succeed. Texts of geth, reth, Erigon, Infura, Alchemy, dRPC and 1RPC. */
const TOO_MUCH = new RegExp(
  [
    "(?<!(invalid|bad|wrong) )block range|ranges? over|range (is )?too|max(imum)? .*range|range .*(exceed|limit)|limited to .*(range|blocks)",
    "query returned more than|query exceeds max|query timeout|response (is )?too|response size|too many (logs|results)"
  ].join("|"),
  "i"
)

const RATE_LIMIT = /rate.?limit|too many requests|request limit|compute units|capacity|throttl/i

/** The node, or the one behind it that happened to answer, has not yet got so far. */
const BEHIND = new RegExp(
  [
    "beyond current head|(block|header)( for hash)? not (found|available|yet)|unknown block|block height is|out ?of ?range",
    "missing trie node|no state available|state .*not available"
  ].join("|"),
  "i"
)

/**
 * The first rule that applies decides. Words go before codes, as providers agree on no code: -32005 is a rate limit or
 * too many results with Infura, -32000 is nearly everything with geth, and 3 is a revert or, with dRPC, a large batch.
 */
const RULES: ReadonlyArray<Rule> = [
  ["Timeout", named("TimeoutError", "AbortError")],
  ["Doubtful", named("DoubtfulAnswer")],
  ["Lagging", named("BlockNotFoundError", "TransactionReceiptNotFoundError")],
  ["TooLarge", named("ResponseBodyTooLargeError")],
  ["Lagging", matches(BEHIND)],
  ["TooLarge", matches(TOO_MUCH)],
  ["RateLimited", status(429)],
  ["RateLimited", matches(RATE_LIMIT)],
  ["RateLimited", coded(-32005, -32007, 429)],
  ["Reverted", matches(/revert|invalid opcode|out ?of ?gas/i)],
  ["Lagging", coded(-32001)],
  ["Unreadable", named("SyntaxError", "SchemaError", "AbiDecodingZeroDataError", "AbiDecodingDataSizeTooSmallError")],
  // A redirect, which is not followed: the URL of the list is not the node's.
  ["Unavailable", status(300, 399)],
  ["Unavailable", status(408)],
  ["Unavailable", status(500, 599)],
  ["Rejected", status(400, 499)],
  ["Timeout", matches(/time(d )?.?out|deadline exceeded/i)],
  ["Unavailable", matches(/no backend|can't route|temporar/i)],
  ["Unavailable", coded(-32603, -32002)],
  ["Rejected", (symptoms) => symptoms.code !== undefined],
  ["Unavailable", named("HttpRequestError")]
]

/**
 * An error that viem threw, as data. Pure. Anything that no rule knows is `Unreadable`: an answer of no expected shape.
 * `url` is the endpoint's, so that no part of it can turn up in the text.
 */
export const classify = (error: unknown, url: string): NodeFault => {
  const symptoms = symptomsOf(error)
  const reason = RULES.find(([, applies]) => applies(symptoms))?.[0] ?? "Unreadable"
  const words = withoutSecrets(symptoms.text, url)
  return new NodeFault({ reason, detail: symptoms.status === undefined ? words : `HTTP ${symptoms.status}: ${words}` })
}

/** viem nests three to five errors deep; the bound is against an error that is its own cause. */
const CAUSES_MAX = 12

const symptomsOf = (error: unknown): Symptoms => {
  const names = new Set<string>()
  let status: number | undefined
  let code: number | undefined
  let text = "no details"
  let cause = error
  for (let depth = 0; depth < CAUSES_MAX && Predicate.isObject(cause); depth++) {
    const { name, status: ownStatus, code: ownCode } = cause as Record<string, unknown>
    if (Predicate.isString(name)) names.add(name)
    if (Predicate.isNumber(ownStatus)) status ??= ownStatus
    // -1 is viem's own for "no known code".
    if (Predicate.isNumber(ownCode) && ownCode !== -1) code ??= ownCode
    text = ownText(cause) ?? text
    cause = (cause as { readonly cause?: unknown }).cause
  }
  return { names, status, code, text }
}

/**
 * viem's `message` carries the URL and the request's body; `details` and `shortMessage` do not. Other errors have only
 * their message, and a refused connection only Node's code for it (`ECONNREFUSED`).
 */
const ownText = (error: object): string | undefined => {
  const { details, shortMessage, message, code } = error as Record<string, unknown>
  const candidates = "shortMessage" in error ? [details, shortMessage] : [message, code]
  return candidates.find((words): words is string => Predicate.isString(words) && words !== "")
}

/** Enough to recognise a provider's message, and no more of an HTML page than its heading. */
const DETAIL_CHARACTERS_MAX = 200

/** A shorter piece of a path (`v2`, `rpc`) is no key, and striking it out would garble ordinary words. */
const SECRET_CHARACTERS_MIN = 6

/** One line of `text` with URLs cut down to their hosts, and every piece of `url` struck out that may be a key. */
export const withoutSecrets = (text: string, url: string): string => {
  let clean = text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>)\]}]+/gi, hostOf)
  for (const secret of secretsOf(url)) clean = clean.replaceAll(secret, "…")
  // Control characters could colour or overwrite the operator's terminal.
  return clean
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, DETAIL_CHARACTERS_MAX)
}

const secretsOf = (url: string): ReadonlyArray<string> => {
  const parsed = URL.parse(url)
  if (parsed === null) return url === "" ? [] : [url]
  const pieces = [parsed.username, parsed.password, ...parsed.pathname.split("/"), ...parsed.searchParams.values()]
  return pieces
    .flatMap((piece) => [piece, decoded(piece)])
    .filter((piece) => piece.length >= SECRET_CHARACTERS_MIN)
    .toSorted((a, b) => b.length - a.length)
}

const decoded = (piece: string): string => {
  try {
    return decodeURIComponent(piece)
  } catch {
    return piece
  }
}
