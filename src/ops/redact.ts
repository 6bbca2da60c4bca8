import { Redacted } from "effect"
import type { SettingsShape } from "../config/Settings.ts"

export const REDACTED = "<redacted>"

/** Puts `<redacted>` in place of every secret in a text. */
export type Redact = (text: string) => string

/** A shorter password is taken out only where it stands as one: elsewhere it would be part of words and numbers. */
const PASSWORD_CHARS_MIN = 4

/** Providers' API keys are longer, and so are no chain id, version or name of a network. */
const API_KEY_CHARS_MIN = 8

/** Names of networks in the path of a URL are shorter than this, and keys without any digit longer. */
const WORD_CHARS_MAX = 20

/** `rpc`, `base-sepolia`: a part of a URL that names something and gives nothing away. */
const isWord = (part: string): boolean => part.length <= WORD_CHARS_MAX && /^[a-z]+([-_.][a-z]+)*$/.test(part)

const isApiKey = (part: string): boolean => part.length >= API_KEY_CHARS_MIN && !isWord(part)

/** Host and port: all of a URL that may be shown, as user, path and query may be an API key. */
export const hostOf = (url: string): string => URL.parse(url)?.host || "(not a URL)"

/** The source of a regular expression for exactly this text. */
const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")

/** The same for a text as it is, as it stands in a URL, and as it stands in JSON. */
const spellings = (text: string): ReadonlyArray<string> =>
  [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)].map(literal)

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The password of a URL, also as it is sent in an HTTP header. */
const inUserInfo = (url: URL): ReadonlyArray<string> => {
  if (url.username === "" && url.password === "") return []
  const password = decoded(url.password)
  const basic = literal(Buffer.from(`${decoded(url.username)}:${password}`).toString("base64"))
  const inPlace = password === "" ? [] : [literal(`:${url.password}@`)]
  const anywhere = password.length < PASSWORD_CHARS_MIN ? [] : [literal(url.password), ...spellings(password)]
  return [basic, ...inPlace, ...anywhere]
}

const inDatabaseUrl = (text: string): ReadonlyArray<string> => {
  const url = URL.parse(text)
  if (url === null) return [literal(text)]
  const parameters = ["password", "sslpassword"].flatMap((name) => url.searchParams.getAll(name))
  return [...inUserInfo(url), ...parameters.filter((value) => value !== "").flatMap(spellings)]
}

/** Every part that may be an API key, at any place in a text; and all that follows the host, behind that host. */
const inRpcUrl = (text: string): ReadonlyArray<string> => {
  const url = URL.parse(text)
  if (url === null) return [literal(text)]
  const parts = [decoded(url.username), ...url.pathname.split("/").map(decoded), ...url.searchParams.values()]
  const rest = `${url.pathname.slice(1)}${url.search}`.replace(/\/+$/, "")
  const behindHost = rest === "" ? [] : [`(?<=${literal(`${url.host}/`)})${literal(rest)}`]
  return [...inUserInfo(url), ...parts.filter(isApiKey).flatMap(spellings), ...behindHost]
}

const inEitherCase = (digits: string): string =>
  digits.replace(/[a-f]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`)

/** 32 bytes of key in hex of either case, and as the number that a library may have made of them. */
const inKey = (hex: string): ReadonlyArray<string> => {
  const digits = hex.replace(/^0x/, "")
  return [`(?:0[xX])?${inEitherCase(digits)}`, BigInt(`0x${digits}`).toString()]
}

const values = (...secrets: ReadonlyArray<Redacted.Redacted | undefined>): ReadonlyArray<string> =>
  secrets.flatMap((secret) => (secret === undefined ? [] : [Redacted.value(secret)]))

const patternsOf = (settings: SettingsShape): ReadonlyArray<string> => [
  ...values(settings.databaseUrl).flatMap(inDatabaseUrl),
  ...values(...settings.rpcUrls, ...settings.wsUrls).flatMap(inRpcUrl),
  ...values(settings.aiAgentPrivateKey, settings.agentEncryptionKey).flatMap(inKey),
  ...values(settings.opsToken, settings.v1Token).flatMap(spellings)
]

/** The error that a RegExp throws for a bad pattern quotes the pattern, with every secret in it. */
const compile = (patterns: ReadonlyArray<string>): RegExp => {
  try {
    return new RegExp(patterns.join("|"), "g")
  } catch {
    throw new Error("the secrets of the settings cannot be searched for, so nothing is printed")
  }
}

/**
 * Takes the secrets of these settings out of a text, in the spellings in which a library is likely to show them. The
 * second line of defence: the first is that secrets are `Redacted` and are never unwrapped to be printed.
 */
export const makeRedact = (settings: SettingsShape): Redact => {
  const patterns = [...new Set(patternsOf(settings))].toSorted((a, b) => b.length - a.length)
  if (patterns.length === 0) return (text) => text
  const secret = compile(patterns)
  return (text) => text.replace(secret, REDACTED)
}
