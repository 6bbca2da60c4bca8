import { Arbitrary, Effect, Schema } from "effect"
import { HttpApi } from "effect/http-api"
import { request } from "node:http"
import { isDeepStrictEqual } from "node:util"
import { Api } from "../../src/api/contract/Api.ts"
import { Authorization } from "../../src/api/contract/Authorization.ts"
import { PROBLEM_CODES, PROBLEMS } from "../../src/domain/ProblemCode.ts"
import { makeRandom, type Random } from "../simulation/random.ts"

/** All chance of these tests. What fails names the number of the case under it: the same seed sends the same again. */
export const SEED = "2026-11-28"

/** Requests to each endpoint: half of them sound in their form, and each of the others with a few faults. */
const CASES = 40

export interface Route {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly isProtected: boolean
  /** v1.1's routes have an error form of their own. */
  readonly isV1: boolean
  readonly params: Schema.Top | undefined
  readonly query: Schema.Top | undefined
  readonly headers: Schema.Top | undefined
  readonly body: Schema.Top | undefined
}

/** Every endpoint that the contract has, and whatever is added to it. */
export const routes = (): ReadonlyArray<Route> => {
  const found: Array<Route> = []
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ group, endpoint, middleware }) => {
      const { method, path, params, query, headers, payload } = endpoint
      const name = `${group.identifier}.${endpoint.identifier}`
      const isProtected = [...middleware].some((one) => one.key === Authorization.key)
      const body = [...payload.values()][0]?.schemas[0] as Schema.Top | undefined
      found.push({ name, method, path, isProtected, isV1: path.includes("/ai-agent/"), params, query, headers, body })
    }
  })
  return found
}

/** A request as it goes over the wire. */
interface Wire {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
}

type Values = ReadonlyArray<unknown>

/** Values of a schema as they are sent; the same ones for the same name. */
const samplesOf = (schema: Schema.Top | undefined, name: string) =>
  schema === undefined
    ? Effect.succeed<Values>([])
    : Effect.map(
        Arbitrary.sampleEffect(Arbitrary.schema(schema), { count: CASES, seed: `${SEED} ${name}` }),
        (values) => values.map((value) => Schema.encodeUnknownSync(schema as Schema.Encoder<unknown>)(value))
      )

const UUID = "ffffffff-ffff-4fff-8fff-ffffffffffff"

const NASTY: ReadonlyArray<string> = [
  "",
  " ",
  "\0",
  "abc\0def",
  "00000000\0",
  "__proto__",
  "constructor",
  "toString",
  "\u{1d54f}\u202e\ufeff\u200b",
  "\ud800",
  "٣٣٣٣٣٣٣٣",
  "../../../../etc/passwd",
  "'; DROP TABLE ai_agent_tasks; --",
  "%s%n{{7*7}}${7*7}",
  "x".repeat(9_000),
  "\r\nx-injected: yes",
  "null",
  "-1",
  "0",
  "1e400",
  "NaN",
  "9007199254740993",
  "9223372036854775808",
  "9".repeat(400),
  `0x${"0".repeat(40)}`,
  `0x${"F".repeat(40)}`,
  UUID,
  `9999999999999999_${UUID}`,
  `8640000000000001.999999_${UUID}`,
  `0_${UUID}`,
  "abcdef01",
  "abcdef01-----------------",
  "pending_payment,pending_payment,nothing"
]

const WRONG: Values = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  2 ** 31,
  -(2 ** 31) - 1,
  [],
  {},
  [[]],
  ["why"],
  { why: "x" }
]

/** The value with one thing about it that is not as it was. */
const mutated = (value: unknown, random: Random): unknown => {
  const isDeep = typeof value === "object" && value !== null && random.chance(0.8)
  if (!isDeep) return random.chance(0.5) ? random.pick(NASTY) : random.pick(WRONG)
  const entries = Object.entries(value)
  const at = random.int(0, entries.length)
  const [key, old] = entries[at] ?? [random.pick(NASTY), "extra"]
  const rest = Object.fromEntries(entries.filter((_, index) => index !== at))
  return random.chance(0.2) ? rest : { ...rest, [key]: mutated(old, random) }
}

/** Bodies that are no JSON, or none that `JSON.stringify` makes. */
const BODIES: ReadonlyArray<string> = [
  "",
  "{",
  "nul",
  '"why"',
  "\0\u0001\u0002",
  '{"why":"a","why":"b"}',
  '{"__proto__":{"why":"x"},"constructor":{"prototype":{"why":"x"}}}',
  '{"why":"\\u0000"}',
  '{"why":"\\ud800"}',
  `{"why":${"9".repeat(5_000)}}`,
  `${"[".repeat(8_000)}${"]".repeat(8_000)}`,
  `${'{"why":'.repeat(2_000)}1${"}".repeat(2_000)}`,
  `{"why":"${"x".repeat(40_000)}"}`
]

const TYPES: ReadonlyArray<string> = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "multipart/form-data",
  "application/json; charset=utf-16",
  "application/octet-stream",
  "image/png",
  ";;;",
  "__proto__"
]

const QUERIES: ReadonlyArray<string> = [
  "&=&&==",
  "%",
  "%zz",
  "limit=1&limit=2",
  "limit[]=1",
  "__proto__[limit]=1&constructor=1",
  "cursor=%00",
  "wallet=%00",
  "user=%c0%af",
  `x=${"y".repeat(9_000)}`,
  Array.from({ length: 500 }, (_, n) => `k${n}=1`).join("&")
]

/** Ends of a path that no encoder makes. Node's own client sends all of them. */
const PATHS: ReadonlyArray<string> = [
  "%",
  "%zz",
  "%00",
  "%c0%af",
  "%ff%fe",
  "/",
  "//",
  "/..",
  ";a=b",
  "#a",
  "\xff",
  "%2f%2e%2e"
]

export interface Known {
  readonly ids: ReadonlyArray<string>
}

interface Parts {
  readonly params: Record<string, string>
  readonly query: Record<string, string>
  readonly headers: Record<string, string>
  readonly body: unknown
}

/** The parts of one sound request, with things in it that are really there. */
const soundParts = ({ ids }: Known, values: Record<keyof Parts, Values>, n: number, random: Random): Parts => {
  const record = (kind: keyof Parts) => (values[kind][n] ?? {}) as Record<string, string>
  const really = (all: Record<string, string>, probability: number) =>
    Object.fromEntries(Object.entries(all).map(([key, v]) => [key, random.chance(probability) ? random.pick(ids) : v]))
  const body = values.body[n]
  const isOrder = typeof body === "object" && body !== null && "userAddress" in body
  return {
    params: really(record("params"), 0.7),
    query: record("query"),
    headers: record("headers"),
    body: isOrder && random.chance(0.7) ? { ...body, userAddress: ids[3] } : body
  }
}

const PARTS = ["params", "query", "headers", "body"] as const

/** Whatever keys one of them has. */
const keysOf = (values: Values): ReadonlyArray<string> => [
  ...new Set(values.flatMap((value) => (typeof value === "object" && value !== null ? Object.keys(value) : [])))
]

const faulty = (parts: Parts, values: Record<keyof Parts, Values>, random: Random): Parts => {
  const kind = random.pick(PARTS)
  const keys = kind === "body" ? [] : keysOf(values[kind])
  if (kind === "body" || keys.length === 0) return { ...parts, body: mutated(parts.body, random) }
  return { ...parts, [kind]: { ...parts[kind], [random.pick(keys)]: random.pick(NASTY) } }
}

/** What a header may hold at all, as Node sends it. */
const headerOf = (text: string): string => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "?")

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll(".", "%2E")

const wireOf = (route: Route, { params, query, headers, body }: Parts, random: Random | undefined): Wire => {
  const filled = route.path.replaceAll(/:(\w+)/g, (_, name: string) => encoded(params[name] ?? ""))
  const wild = (choices: ReadonlyArray<string>) => (random?.chance(0.1) === true ? random.pick(choices) : undefined)
  const asked = wild(QUERIES) ?? String(new URLSearchParams(query))
  const text = body === undefined ? undefined : JSON.stringify(body)
  const sent = route.method === "POST" ? (wild(BODIES) ?? text) : wild(BODIES)
  return {
    method: route.method,
    path: `${filled}${wild(PATHS) ?? ""}${asked === "" ? "" : `?${asked}`}`,
    headers: {
      ...(sent === undefined ? {} : { "content-type": wild(TYPES) ?? "application/json" }),
      ...Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, headerOf(value)]))
    },
    body: sent
  }
}

/** Some that are drawn, and one for each place that a value can have and each nasty value for it. */
export const requestsTo = Effect.fnUntraced(function* (route: Route, known: Known) {
  const values = {
    params: yield* samplesOf(route.params, `${route.name} params`),
    query: yield* samplesOf(route.query, `${route.name} query`),
    headers: yield* samplesOf(route.headers, `${route.name} headers`),
    body: yield* samplesOf(route.body, `${route.name} body`)
  }
  const chance = (n: number) => makeRandom(`${SEED} ${route.name} ${n}`)
  const drawn = Array.from({ length: CASES }, (_, n) => {
    const random = chance(n)
    let parts = soundParts(known, values, n, random)
    if (n % 2 === 0) return wireOf(route, parts, undefined)
    for (let faults = random.int(1, 3); faults > 0; faults--) parts = faulty(parts, values, random)
    return wireOf(route, parts, random)
  })
  const each = PARTS.flatMap((kind) =>
    keysOf(values[kind]).flatMap((key) =>
      (kind === "body" ? [...NASTY, ...WRONG] : NASTY).map((value, n) => {
        const parts = soundParts(known, values, n % CASES, chance(n))
        // What is asked for besides would be missed first, and hide what is wrong with this.
        const others = kind === "query" ? {} : Object(parts[kind])
        return wireOf(route, { ...parts, [kind]: { ...others, [key]: value } }, undefined)
      })
    )
  )
  return { drawn, each }
})

export interface Reply {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Sends it as it is, where `fetch` would make it better first. Of a stream only the beginning is awaited. */
export const send = (url: string, { method, path, headers, body }: Wire, token: string | undefined) =>
  Effect.promise(
    () =>
      new Promise<Reply>((resolve, reject) => {
        const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` }
        const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }
        const { hostname, port } = new URL(url)
        const options = { hostname, port, path, method, agent: false, headers: { ...headers, ...length, ...bearer } }
        const sent = request(options, (response) => {
          const [status, type] = [response.statusCode ?? 0, response.headers["content-type"] ?? ""]
          let text = ""
          response.setEncoding("utf8").on("data", (chunk) => (text += chunk))
          response.on("end", () => resolve({ status, type, text }))
          if (type.startsWith("text/event-stream")) {
            resolve({ status, type, text })
            sent.destroy()
          }
        })
        sent.on("error", reject)
        sent.end(body)
      })
  )

const jsonOf = (text: string): Record<string, unknown> => {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

/** Every problem says to a program what it is, what to do next, and whether money may have moved. */
const wordsFault = (problem: Record<string, unknown>): string | undefined => {
  const code = PROBLEM_CODES.find((one) => one === problem["code"])
  const said = { nextAction: problem["nextAction"], moneyMayHaveMoved: problem["moneyMayHaveMoved"] }
  if (code !== undefined && isDeepStrictEqual(said, PROBLEMS[code]) && !said.moneyMayHaveMoved) return undefined
  return `a problem that says ${JSON.stringify({ code: problem["code"], ...said })}`
}

/** What is wrong with an answer, whatever it was an answer to. */
export const faultOf = (
  { status, type, text }: Reply,
  { isV1, name }: Pick<Route, "isV1" | "name">
): string | undefined => {
  const json = jsonOf(text)
  // No loop runs here: that is said, and it is no failure of the server.
  if (name === "system.readyz" && status === 503 && json["ready"] === false) return undefined
  if (status < 200 || status >= 500) return `status ${status}`
  if (status < 400) return undefined
  if (isV1 && (status === 400 || status === 404) && typeof json["error"] === "string") return undefined
  if (type.startsWith("application/problem+json") && json["status"] === status) return wordsFault(json)
  return `an error of type "${type}": ${text.slice(0, 200)}`
}
