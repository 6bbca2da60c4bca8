import { assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { HttpApi } from "effect/http-api"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { request } from "node:http"
import { connect, type Socket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { CHANGES_MAX, READS_MAX } from "../../src/api/authorization.ts"
import { Api, Authorization } from "../../src/api/contract/Api.ts"
import { units } from "../operator/given.ts"
import { makeRandom, type Random } from "../simulation/random.ts"
import { order, person } from "../support/orders.ts"
import * as Pglite from "../support/Pglite.ts"
import { World } from "../support/World.ts"
import { atWorkWithToken, serving, TOKEN, withToken } from "./served.ts"

/** All chance of these tests. What fails names the number of the case under it: the same seed sends the same again. */
const SEED = "2026-11-28"

/** Requests to each endpoint: half of them sound in their form, and each of the others with a few faults. */
const CASES = 40

/** A second of the test's clock goes by after so many requests: fewer than the changes that it has room for. */
const BURST = 20

/** What a server that keeps nothing may have grown by all the same: modules, compiled code and buffers. In bytes. */
const GROWTH_MAX = 48_000_000

interface Route {
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
const routes = (): ReadonlyArray<Route> => {
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

interface Known {
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
const requestsTo = Effect.fnUntraced(function* (route: Route, known: Known) {
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
        return wireOf(route, { ...parts, [kind]: { ...Object(parts[kind]), [key]: value } }, undefined)
      })
    )
  )
  return { drawn, each }
})

interface Reply {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Sends it as it is, where `fetch` would make it better first. Of a stream only the beginning is awaited. */
const send = (url: string, { method, path, headers, body }: Wire, token: string | undefined) =>
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

/** What is wrong with an answer, whatever it was an answer to. */
const faultOf = ({ status, type, text }: Reply, { isV1, name }: Pick<Route, "isV1" | "name">): string | undefined => {
  const json = jsonOf(text)
  // No loop runs here: that is said, and it is no failure of the server.
  if (name === "system.readyz" && status === 503 && json["ready"] === false) return undefined
  if (status < 200 || status >= 500) return `status ${status}`
  if (status < 400) return undefined
  if (isV1 && (status === 400 || status === 404) && typeof json["error"] === "string") return undefined
  if (type.startsWith("application/problem+json") && json["status"] === status) return undefined
  return `an error of type "${type}": ${text.slice(0, 200)}`
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value)
  return text.length > 1_500 ? `${text.slice(0, 1_500)}… (${text.length})` : text
}

/** Somebody's orders, in several states and with money in the wallet. */
const givenLedger = Effect.gen(function* () {
  const world = yield* World
  const [ann, bob] = [yield* person("ann"), yield* person("bob")]
  const tasks = [yield* order(ann, 5), yield* order(ann, 2, { status: "failed" }), yield* order(bob, 3)]
  world.deposit(ann.agentAddress, units(5))
  yield* TestClock.adjust("10 seconds")
  const ids = [tasks[0]!, tasks[1]!, tasks[2]!, ann.userAddress, ann.agentAddress, bob.walletId, tasks[0]!.slice(0, 8)]
  return { ids } satisfies Known
})

const TABLES = [
  "ai_agent_wallets",
  "ai_agent_tasks",
  "ai_agent_mint_records",
  "ai_agent_wallet_state",
  "ai_agent_task_state",
  "ai_agent_batches",
  "ai_agent_batch_mints",
  "ai_agent_network",
  "ai_agent_deposits",
  "ai_agent_deposit_uses",
  "ai_agent_refunds",
  "ai_agent_decisions",
  "ai_agent_pauses",
  "ai_agent_events"
]

/** Every row of every table, as text. */
const everything = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* Effect.forEach(TABLES, (table) => sql`SELECT x::text AS row FROM ${sql(table)} x ORDER BY 1`)
  return JSON.stringify(tables)
})

/** What promises that nobody waited for end with while the work goes on. */
const withoutRejections = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const rejected: Array<unknown> = []
    const note = (reason: unknown) => void rejected.push(reason)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("unhandledRejection", note)),
      () => Effect.sync(() => process.off("unhandledRejection", note))
    )
    const result = yield* work
    assert.deepStrictEqual(rejected, [])
    return result
  })

/** Sends them all, one after the other, and tells of the first few answers that are not as they must be. */
const sendAll = Effect.fnUntraced(function* (
  url: string,
  {
    token,
    kinds,
    known
  }: { readonly token?: string; readonly kinds: ReadonlyArray<"drawn" | "each">; readonly known: Known },
  wrong: (reply: Reply, route: Route) => string | undefined
) {
  const faults: Array<string> = []
  let count = 0
  for (const route of routes()) {
    const requests = yield* requestsTo(route, known)
    for (const [n, wire] of kinds.flatMap((kind) => requests[kind]).entries()) {
      const reply = yield* send(url, wire, token)
      const fault = wrong(reply, route)
      if (fault !== undefined) faults.push(`${route.name} ${n} (seed ${SEED}): ${fault}\n  ${shown(wire)}`)
      if (++count % BURST === 0) yield* TestClock.adjust("1 second")
    }
  }
  assert.strictEqual(faults.slice(0, 10).join("\n"), "", `${faults.length} of ${count} answers`)
})

/** In bytes, after everything that nobody holds any more is collected. */
const heapUsed = Effect.sync(() => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
  return process.memoryUsage().heapUsed
})

layer(Pglite.layer())("requests out of the contract, sound and not", (it) => {
  it.effect("are each answered, and no error is the server's own or without a word", () =>
    Effect.gen(function* () {
      const { url, ask } = yield* serving(withToken)
      const known = yield* givenLedger
      yield* sendAll(url, { token: TOKEN, kinds: ["drawn", "each"], known }, faultOf)
      assert.strictEqual((yield* ask("/healthz", { token: null })).status, 200)
    }).pipe(withoutRejections, atWorkWithToken())
  )

  it.effect("tell nothing and change nothing without the token, or with another one", () =>
    Effect.gen(function* () {
      const { url, ask } = yield* serving(withToken)
      const known = yield* givenLedger
      const before = yield* everything
      const isTold = (reply: Reply, route: Route) =>
        faultOf(reply, route) ??
        (route.isProtected && (reply.status < 400 || known.ids.some((id) => reply.text.includes(id)))
          ? `status ${reply.status}: ${reply.text.slice(0, 200)}`
          : undefined)
      yield* sendAll(url, { kinds: ["drawn"], known }, isTold)
      const warmBytes = yield* heapUsed
      for (const token of [`${TOKEN}x`, "\xff".repeat(40)])
        yield* sendAll(url, { token, kinds: ["drawn"], known }, isTold)
      assert.isBelow((yield* heapUsed) - warmBytes, GROWTH_MAX)
      assert.strictEqual(yield* everything, before)
      assert.strictEqual((yield* ask("/healthz", { token: null })).status, 200)
    }).pipe(withoutRejections, atWorkWithToken())
  )

  it.effect("are let in so many times a second from one address, and again in the next", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      const many = (count: number, path: string, body?: unknown) =>
        Effect.forEach(Array.from({ length: count }), () => ask(path, { body }), { concurrency: 20 }).pipe(
          Effect.map((answers) => answers.map(({ status }) => status).toSorted())
        )
      const twice = Effect.fnUntraced(function* (max: number, status: number, path: string, body?: unknown) {
        for (let second = 0; second < 2; second++) {
          const statuses = yield* many(max + 5, path, body)
          assert.deepStrictEqual(statuses, [...Array(max).fill(status), ...Array(5).fill(429)].toSorted())
          yield* TestClock.adjust("1 second")
        }
      })
      yield* twice(READS_MAX, 404, "/api/tasks/ffffffff")
      yield* twice(CHANGES_MAX, 404, "/api/tasks/ffffffff/cancel", { why: "because" })
      assert.strictEqual((yield* ask("/healthz", { token: null })).status, 200)
    }).pipe(atWorkWithToken())
  )
})

const CRLF = "\r\n"

const head = (first: string, ...fields: ReadonlyArray<string>) => [first, "Host: x", ...fields, "", ""].join(CRLF)

const CLOSE = "Connection: close"
const BEARER = `Authorization: Bearer ${TOKEN}`
const HIDDEN = `GET /api/tasks HTTP/1.1${CRLF}Host: x${CRLF}${CRLF}`

interface Garbage {
  readonly name: string
  readonly bytes: string | Buffer
  /** Nothing more comes after it, and so it is no request. */
  readonly ends?: boolean
  /** The statuses that come back, in their order; empty where the socket is closed without a word. */
  readonly statuses: ReadonlyArray<number>
}

/** What no client sends. The statuses are what RFC 9110 and 9112 ask for, where they ask for one. */
const GARBAGE: ReadonlyArray<Garbage> = [
  { name: "bytes", bytes: Buffer.from(Array.from({ length: 4_096 }, (_, n) => (n * 151) % 256)), statuses: [400] },
  { name: "TLS", bytes: Buffer.from("16030100a5010000a10303", "hex"), statuses: [400] },
  { name: "HTTP/2", bytes: `PRI * HTTP/2.0${CRLF}${CRLF}SM${CRLF}${CRLF}`, statuses: [400] },
  { name: "HTTP/0.9", bytes: `GET /api/tasks${CRLF}${CRLF}`, statuses: [401] },
  { name: "HTTP/9.9", bytes: head("GET /healthz HTTP/9.9"), statuses: [400] },
  { name: "half a line", bytes: "GET /heal", ends: true, statuses: [400] },
  { name: "half a head", bytes: `GET /healthz HTTP/1.1${CRLF}Host: x${CRLF}`, ends: true, statuses: [400] },
  // The answer does not wait for the body, and what is wrong with it is found behind the answer.
  {
    name: "half a body",
    bytes: `${head("POST /api/tasks HTTP/1.1", "Content-Length: 99")}{`,
    ends: true,
    statuses: [401, 400]
  },
  {
    name: "chunks of no length",
    bytes: `${head("POST /x HTTP/1.1", "Transfer-Encoding: chunked")}zz${CRLF}`,
    statuses: [404, 400]
  },
  {
    name: "chunks by another name",
    bytes: `${head("POST /x HTTP/1.1", "Transfer-Encoding: xchunked")}0${CRLF}${CRLF}${HIDDEN}`,
    statuses: [404, 400]
  },
  { name: "no host", bytes: `GET /healthz HTTP/1.1${CRLF}${CLOSE}${CRLF}${CRLF}`, statuses: [400] },
  { name: "no host, HTTP/1.0", bytes: `GET /healthz HTTP/1.0${CRLF}${CRLF}`, statuses: [200] },
  { name: "a method of nobody", bytes: head("FROB / HTTP/1.1"), statuses: [400] },
  { name: "a method without an end", bytes: `${"A".repeat(70_000)} / HTTP/1.1${CRLF}${CRLF}`, statuses: [400] },
  { name: "TRACE", bytes: head("TRACE / HTTP/1.1", CLOSE), statuses: [404] },
  { name: "OPTIONS *", bytes: head("OPTIONS * HTTP/1.1", CLOSE), statuses: [404] },
  { name: "CONNECT", bytes: head("CONNECT 10.0.0.1:22 HTTP/1.1"), statuses: [] },
  { name: "a proxy's path", bytes: head("GET http://evil.example/api/tasks HTTP/1.1", CLOSE), statuses: [401] },
  { name: "a path that is a host", bytes: head("GET //evil.example/api/tasks HTTP/1.1", CLOSE), statuses: [404] },
  { name: "a long path", bytes: head(`GET /${"a".repeat(10_000)} HTTP/1.1`, CLOSE), statuses: [404] },
  { name: "a path too long", bytes: head(`GET /${"a".repeat(100_000)} HTTP/1.1`, CLOSE), statuses: [431] },
  { name: "a path of no text", bytes: Buffer.from(head("GET /\xff\xfe HTTP/1.1"), "latin1"), statuses: [400] },
  { name: "a path that becomes no text", bytes: head("GET /%ff%fe%00 HTTP/1.1", CLOSE), statuses: [404] },
  { name: "one header too large", bytes: head("GET /healthz HTTP/1.1", `X: ${"y".repeat(70_000)}`), statuses: [431] },
  {
    name: "headers without an end",
    bytes: head("GET /healthz HTTP/1.1", ...Array.from({ length: 20_000 }, (_, n) => `X-${n}: y`)),
    statuses: [431]
  },
  { name: "a header with NUL", bytes: head("GET /healthz HTTP/1.1", "X: a\0b"), statuses: [400] },
  { name: "a folded header", bytes: head("GET /healthz HTTP/1.1", "X: a", " b"), statuses: [400] },
  {
    name: "an upgrade",
    bytes: head("GET /api/events HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"),
    statuses: [401]
  },
  { name: "an expectation", bytes: head("GET /healthz HTTP/1.1", "Expect: the worst", CLOSE), statuses: [417] },
  {
    name: "two lengths",
    bytes: `${head("POST /healthz HTTP/1.1", "Content-Length: 0", `Content-Length: ${HIDDEN.length}`)}${HIDDEN}`,
    statuses: [400]
  },
  {
    name: "a length and chunks",
    bytes: `${head("POST /healthz HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked")}0${CRLF}${CRLF}${HIDDEN}`,
    statuses: [400]
  },
  { name: "a length below nothing", bytes: head("POST /healthz HTTP/1.1", "Content-Length: -1"), statuses: [400] },
  {
    name: "many requests at once",
    bytes: `${head("GET /healthz HTTP/1.1").repeat(50)}${head("GET /api/tasks HTTP/1.1", CLOSE)}`,
    statuses: [...Array<number>(50).fill(200), 401]
  },
  {
    name: "10 MB",
    bytes: `${head("POST /api/tasks HTTP/1.1", CLOSE, "Content-Length: 10000000")}${"x".repeat(10_000_000)}`,
    statuses: [401]
  },
  {
    name: "10 MB of JSON, with the token",
    bytes: `${head("POST /api/pause HTTP/1.1", CLOSE, BEARER, "Content-Type: application/json", "Content-Length: 10000000")}"${"x".repeat(9_999_998)}"`,
    statuses: [413]
  }
]

/** All that comes back until the server closes the socket. */
const exchange = (url: string, { bytes, ends = false }: Pick<Garbage, "bytes" | "ends">) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve) => {
        const chunks: Array<Buffer> = []
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        socket.on("data", (chunk) => void chunks.push(chunk))
        // A server that has answered need not read on: what is still being sent then fails.
        socket.on("error", () => {})
        socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")))
        if (ends) socket.end(bytes)
        else socket.write(bytes)
      })
  )

/** The answers in what came back, one behind the other. */
const repliesIn = (text: string): ReadonlyArray<Reply> => {
  const end = text.indexOf(`${CRLF}${CRLF}`)
  if (end < 0) return []
  const [first = "", ...fields] = text.slice(0, end).split(CRLF)
  const field = (name: string) =>
    fields.find((one) => one.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2)
  const length = Number(field("content-length") ?? 0)
  const body = text.slice(end + 4, end + 4 + length)
  const reply = { status: Number(first.split(" ")[1]), type: field("content-type") ?? "", text: body }
  return [reply, ...repliesIn(text.slice(end + 4 + length))]
}

layer(Pglite.layer())("bytes that no client sends", (it) => {
  it.effect("are answered like everything else, and nothing is smuggled in behind them", () =>
    Effect.gen(function* () {
      const { url, ask } = yield* serving(withToken)
      yield* givenLedger
      const before = yield* everything
      const wrong: Array<unknown> = []
      for (const garbage of GARBAGE) {
        const replies = repliesIn(yield* exchange(url, garbage))
        const faults = replies.flatMap((reply) => faultOf(reply, { name: garbage.name, isV1: false }) ?? [])
        const statuses = replies.map(({ status }) => status)
        const isAsExpected = JSON.stringify(statuses) === JSON.stringify(garbage.statuses)
        if (!isAsExpected || faults.length > 0) wrong.push([garbage.name, statuses, garbage.statuses, ...faults])
        assert.strictEqual((yield* ask("/healthz", { token: null })).status, 200)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(wrong, [])
      assert.strictEqual(yield* everything, before)
    }).pipe(withoutRejections, atWorkWithToken())
  )
})
