import {
  Duration,
  Effect,
  type Layer,
  type LogLevel,
  Redacted,
  Schema,
  SchemaIssue,
  SchemaTransformation
} from "effect"
import { type Address, parse as parseAddress } from "../domain/Address.ts"
import { words } from "../domain/time.ts"
import { type Network, networks } from "./Network.ts"
import type { CheckTrigger, LogFormat, MintProtocol, RunnersMode } from "./Settings.ts"

/** How the text of one setting becomes its value. The text has no space around it and is never empty. */
export type Field<A> = Schema.Codec<A, string>

/**
 * A field that `parse` reads; it answers `undefined` to what it cannot use. The message then names what was
 * `expected` and never the text itself: it may be a secret, or a secret under the wrong key.
 */
const field = <A>(expected: string, parse: (text: string) => A | undefined): Field<A> =>
  Schema.String.pipe(
    Schema.decodeTo(
      Schema.declare((value): value is A => value !== undefined),
      SchemaTransformation.transformEffect<A, string>({
        decode: (text) => {
          const value = parse(text)
          return value === undefined
            ? Effect.fail(new SchemaIssue.InvalidValue({ message: `expected ${expected}` }))
            : Effect.succeed(value)
        },
        encode: () => Effect.fail(new SchemaIssue.InvalidValue({ message: "settings are only read" }))
      })
    )
  )

/** What a table holds under a name, and nothing that every object has besides (`constructor`). */
const lookUp = <A>(table: Readonly<Record<string, A>>, name: string): A | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

const oneOf = <A>(choices: Readonly<Record<string, A>>, form: (text: string) => string): Field<A> => {
  const names = Object.keys(choices)
  return field(`${names.slice(0, -1).join(", ")} or ${names.at(-1)}`, (text) => lookUp(choices, form(text)))
}

const asIs = (text: string): string => text
const lower = (text: string): string => text.toLowerCase()
const upper = (text: string): string => text.toUpperCase()

export const anyText: Field<string> = field("text", asIs)

export const network: Field<Layer.Layer<Network>> = oneOf(networks, asIs)

const LEVELS: Record<string, LogLevel.LogLevel> = {
  DEBUG: "Debug",
  INFO: "Info",
  WARN: "Warn",
  ERROR: "Error",
  SILENT: "None"
}
export const logLevel: Field<LogLevel.LogLevel> = oneOf(LEVELS, upper)

const FORMATS: Record<LogFormat, LogFormat> = { pretty: "pretty", text: "text", json: "json", logfmt: "logfmt" }
export const logFormat: Field<LogFormat> = oneOf(FORMATS, lower)

const PROTOCOLS: Record<MintProtocol, MintProtocol> = { x402: "x402", v1: "v1" }
export const mintProtocol: Field<MintProtocol> = oneOf(PROTOCOLS, lower)

const RUNNERS: Record<RunnersMode, RunnersMode> = { single: "single", cluster: "cluster" }
export const runners: Field<RunnersMode> = oneOf(RUNNERS, lower)

const TRIGGERS: Record<CheckTrigger, CheckTrigger> = { block: "block", interval: "interval" }
export const checkTrigger: Field<CheckTrigger> = oneOf(TRIGGERS, lower)

const FLAGS = new Map([
  ...["true", "yes", "on", "1"].map((name) => [name, true] as const),
  ...["false", "no", "off", "0"].map((name) => [name, false] as const)
])
export const flag: Field<boolean> = field("true or false", (text) => FLAGS.get(lower(text)))

/** A whole number, both bounds included. */
export const countField = (range: { readonly min: number; readonly max: number }): Field<number> =>
  field(`a whole number from ${range.min} to ${range.max}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
    return value >= range.min && value <= range.max ? value : undefined
  })

/** Milliseconds in each unit that a duration may be given in. Plain numbers are milliseconds, as in v1.1. */
const UNIT_MS: Record<string, number> = {
  "": 1,
  ms: 1,
  millisecond: 1,
  s: 1_000,
  sec: 1_000,
  second: 1_000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000
}

const parseMs = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(lower(text))
  const unit = match?.[2] ?? ""
  const name = unit.length > 2 && unit.endsWith("s") ? unit.slice(0, -1) : unit
  const unitMs = lookUp(UNIT_MS, name)
  return match === null || unitMs === undefined ? undefined : Math.round(Number(match[1]) * unitMs)
}

/** `10s`, `10 seconds`, `1.5 minutes`, `500ms`, or `10000` (milliseconds); both bounds included. */
export const duration = (range: {
  readonly min: Duration.Input
  readonly max: Duration.Input
}): Field<Duration.Duration> => {
  const [minMs, maxMs] = [Duration.toMillis(range.min), Duration.toMillis(range.max)]
  const expected = `a duration from ${words(minMs)} to ${words(maxMs)}, such as \`10 seconds\`, \`10s\` or \`10000\` (milliseconds)`
  return field(expected, (text) => {
    const ms = parseMs(text)
    return ms !== undefined && ms >= minMs && ms <= maxMs ? Duration.millis(ms) : undefined
  })
}

const parseUrl = (text: string, ...protocols: ReadonlyArray<string>): URL | undefined => {
  const url = URL.parse(text)
  return url !== null && protocols.includes(url.protocol) ? url : undefined
}

/** Items of a comma-separated list. Spaces, line ends and empty items mean nothing; an item may not hold a space. */
const items = (text: string): ReadonlyArray<string> => [...new Set(text.split(/[\s,]+/).filter((item) => item !== ""))]

/** How many RPC URLs there may be: each one more makes a total failure of the list slower to find out. */
const RPC_URLS_MAX = 10

/** Nodes are asked over HTTP. Those of WebSocket URLs announce new blocks, and nothing else is asked of them. */
export interface NodeUrls {
  readonly rpcUrls: ReadonlyArray<Redacted.Redacted>
  readonly wsUrls: ReadonlyArray<Redacted.Redacted>
}

export const nodeUrls: Field<NodeUrls> = field(
  `1 to ${RPC_URLS_MAX} URLs with commas between them, that start with http:// or https:// (at least one), or with ws:// or wss://`,
  (text) => {
    const urls = items(text)
    const of = (...protocols: ReadonlyArray<string>) =>
      urls.filter((url) => parseUrl(url, ...protocols) !== undefined).map((url) => Redacted.make(url))
    const [rpcUrls, wsUrls] = [of("http:", "https:"), of("ws:", "wss:")]
    const isSound = rpcUrls.length + wsUrls.length === urls.length && urls.length <= RPC_URLS_MAX
    return isSound && rpcUrls.length > 0 ? { rpcUrls, wsUrls } : undefined
  }
)

/** `fetch` refuses a URL with a password in it, and a path is put behind this one. */
export const serverUrl: Field<string> = field(
  "a URL that starts with http:// or https://, without user, password, `?` and `#`",
  (text) => {
    const url = parseUrl(text, "http:", "https:")
    if (url === undefined || url.username !== "" || url.password !== "" || /[?#]/.test(text)) return undefined
    return url.href.replace(/\/+$/, "")
  }
)

/** What a socket can listen on. A name is looked up when it does. */
export const host: Field<string> = field("a host name or an IP address, without a port", (text) =>
  /^(?:[a-z0-9.-]{1,253}|[0-9a-f:.]{2,45})$/i.test(text) ? lower(text) : undefined
)

/** Shorter ones can be guessed; others than these characters would have to be escaped in a header. */
const TOKEN_CHARS_MIN = 16

/** The form of RFC 6750, section 2.1. */
export const token: Field<Redacted.Redacted> = field(
  `${TOKEN_CHARS_MIN} to 256 characters out of A-Z a-z 0-9 - . _ ~ + / and = at the end, such as openssl rand -hex 32 makes`,
  (text) =>
    text.length >= TOKEN_CHARS_MIN && text.length <= 256 && /^[A-Za-z0-9\-._~+/]+=*$/.test(text)
      ? Redacted.make(text)
      : undefined
)

/** The values that `@effect/sql-pg` knows; it refuses others only when it connects. */
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

const readable = (part: string): boolean => {
  try {
    return decodeURIComponent(part) !== undefined
  } catch {
    return false
  }
}

/** A bare `#`, `/` or `@` in the password ends the host too early: the rest of it then stands where none belongs. */
const isWhole = (url: URL): boolean =>
  url.hash === "" && !url.pathname.includes("@") && [url.username, url.password, url.pathname].every(readable)

export const databaseUrl: Field<Redacted.Redacted> = field(
  "a URL such as postgres://user:password@host:5432/name, special characters of the password percent-encoded, " +
    `sslmode (if any) one of ${SSL_MODES.join(", ")}`,
  (text) => {
    const url = parseUrl(text, "postgres:", "postgresql:")
    const sslMode = url?.searchParams.get("sslmode") ?? "prefer"
    return url !== undefined && isWhole(url) && SSL_MODES.includes(sslMode) ? Redacted.make(text) : undefined
  }
)

/** 32 bytes, for AES-256. */
export const encryptionKey: Field<Redacted.Redacted> = field("64 hex digits", (text) =>
  /^[0-9a-f]{64}$/i.test(text) ? Redacted.make(lower(text)) : undefined
)

/** The order of secp256k1: a private key is more than zero and less than this. Source: SEC 2, section 2.4.1. */
const SECP256K1_ORDER = 0xffffffff_ffffffff_ffffffff_fffffffe_baaedce6_af48a03b_bfd25e8c_d0364141n

export const privateKey: Field<Redacted.Redacted<`0x${string}`>> = field(
  "the private key of an account: 64 hex digits, with or without 0x",
  (text) => {
    const digits = lower(text).replace(/^0x/, "")
    if (!/^[0-9a-f]{64}$/.test(digits)) return undefined
    const scalar = BigInt(`0x${digits}`)
    return scalar > 0n && scalar < SECP256K1_ORDER ? Redacted.make(`0x${digits}` as const) : undefined
  }
)

const ADDRESSES_MAX = 100

export const addresses: Field<ReadonlyArray<Address>> = field(
  `1 to ${ADDRESSES_MAX} addresses (0x and 40 hex digits), with commas between them`,
  (text) => {
    const parsed = items(text).map(parseAddress)
    const sound = parsed.filter((item) => item !== undefined)
    return sound.length === parsed.length && sound.length > 0 && sound.length <= ADDRESSES_MAX
      ? [...new Set(sound)]
      : undefined
  }
)

const TOKENS_MAX = 100

/** Items of the form `<token>:<value>`, each with its token; `undefined` where one of them is not of that form. */
const byToken = <A>(
  text: string,
  parse: (value: string) => A | undefined
): ReadonlyArray<readonly [Address, A]> | undefined => {
  const pairs = items(text).map((item) => {
    const [token = "", value = "", ...rest] = item.split(":")
    const [key, parsed] = [parseAddress(token), parse(value)]
    return key === undefined || parsed === undefined || rest.length > 0 ? undefined : ([key, parsed] as const)
  })
  const sound = pairs.filter((pair) => pair !== undefined)
  return sound.length === pairs.length && sound.length > 0 && sound.length <= TOKENS_MAX ? sound : undefined
}

/** What a `uint256` holds, and not zero. */
const parsePortion = (text: string): bigint | undefined => {
  const portion = /^\d{1,78}$/.test(text) ? BigInt(text) : 0n
  return portion > 0n && portion < 2n ** 256n ? portion : undefined
}

/** One portion for a token: with two of them it is not clear which one counts. */
export const portions: Field<ReadonlyMap<Address, bigint>> = field(
  `1 to ${TOKENS_MAX} items of the form token:baseUnits (0x and 40 hex digits, a whole number), with commas between them`,
  (text) => {
    const pairs = byToken(text, parsePortion)
    const map = new Map(pairs)
    return pairs === undefined || map.size < pairs.length ? undefined : map
  }
)

/** A token may have several. */
export const stock: Field<ReadonlyMap<Address, ReadonlyArray<Address>>> = field(
  `1 to ${TOKENS_MAX} items of the form token:seller (0x and 40 hex digits each), with commas between them`,
  (text) => {
    const pairs = byToken(text, parseAddress)
    if (pairs === undefined) return undefined
    const sellers = Map.groupBy(pairs, ([token]) => token)
    return new Map([...sellers].map(([token, own]) => [token, [...new Set(own.map(([, seller]) => seller))]]))
  }
)

/** An offset such as `+08:00` is refused: Postgres reads its sign the other way round. */
export const timezone: Field<string> = field("the IANA name of a time zone, such as Europe/Berlin or UTC", (text) => {
  if (!/^[a-z]/i.test(text)) return undefined
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone === "" ? undefined : text
  } catch {
    return undefined
  }
})
