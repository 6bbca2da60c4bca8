import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { request } from "node:http"
import { doorOf } from "../../src/api/doors.ts"
import { baseSepolia } from "../../src/config/Network.ts"
import { defaults } from "../support/settings.ts"
import * as Postgres from "../support/Postgres.ts"
import { LogLines } from "../support/executor.ts"
import { order, person } from "../support/orders.ts"
import { serving, TOKEN, withToken } from "./served.ts"
import { stories } from "../operator/given.ts"

const V1_TOKEN = "another-token-of-more-than-16-chars"

const withV1Token = { v1Token: Redacted.make(V1_TOKEN) }

/** How many tokens were refused since the process began. */
const refusedTokens = (metrics: string): number => Number(/^ai_mint_refused_tokens_total (\d+)$/m.exec(metrics)?.[1])

const grep = (lines: ReadonlyArray<string>, text: string) => lines.filter((line) => line.includes(text))

/** Every route of the API that is not for everybody, with something in place of its parameters. */
const protectedRoutes = Effect.fnUntraced(function* (ask: Effect.Success<ReturnType<typeof serving>>["ask"]) {
  const { json } = yield* ask("/openapi.json")
  return Object.entries<Record<string, unknown>>(json.paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter(() => path.startsWith("/api/"))
      .map((method) => ({ path: path.replaceAll(/\{\w+\}/g, "abcdef01"), method: method.toUpperCase() }))
  )
})

/** A request with headers that `fetch` does not let through. */
const askAs = (url: string, headers: Record<string, string>, path = "/api/tasks") =>
  Effect.promise(
    () =>
      new Promise<number>((resolve, reject) => {
        const { hostname, port } = new URL(url)
        request({ hostname, port, path, headers }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
          .on("error", reject)
          .end()
      })
  )

layer(Postgres.session())("who may come in", (it) => {
  const { onSql } = stories(it)
  onSql("to every route but health, metrics and documents: only who has the token", function* () {
    const { ask } = yield* serving(withToken)
    const routes = yield* protectedRoutes(ask)
    assert.isAbove(routes.length, 20)
    for (const { path, method } of routes) {
      const body = method === "POST" ? { why: "because" } : undefined
      const { status, json } = yield* ask(path, { method, body, token: null })
      assert.deepStrictEqual([path, status, json?.status], [path, 401, 401])
      yield* TestClock.adjust("1 second")
    }
    for (const token of ["", "wrong", TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase()]) {
      assert.strictEqual((yield* ask("/api/tasks", { token })).status, 401)
    }
  })

  onSql("and health, readiness, version, metrics and documents are there for everybody", function* () {
    const { ask } = yield* serving(withToken)
    for (const path of ["/healthz", "/version", "/metrics", "/openapi.json", "/docs", "/"]) {
      assert.strictEqual((yield* ask(path, { token: null })).status, 200, path)
    }
    assert.property((yield* ask("/readyz", { token: null })).json, "ready")
    assert.strictEqual((yield* ask("/api/tasks")).status, 200)
  })

  onSql("nobody, where there is no token and the network is real or the address is not this machine's", function* () {
    const { ask } = yield* serving({ network: baseSepolia })
    const { status, json } = yield* ask("/api/tasks")
    assert.strictEqual(status, 403)
    assert.include(json.detail, "set OPS_TOKEN")
    const doors = [
      { network: baseSepolia },
      { opsHost: "0.0.0.0" },
      { opsHost: "::" },
      { opsHost: "example.com" },
      { opsHost: "localhost.example.com" },
      { opsHost: "127.0.0.1" },
      { opsHost: "localhost" },
      { opsHost: "::1" }
    ].map((changes) => doorOf({ ...defaults, ...changes, opsToken: undefined })._tag)
    assert.deepStrictEqual(doors, [...Array(5).fill("Closed"), "Open", "Open", "Open"])
  })

  onSql("not a page of another site through the browser of this machine, where no token is asked for", function* () {
    const { url } = yield* serving()
    const host = new URL(url).host
    assert.strictEqual(yield* askAs(url, { host }), 200)
    assert.strictEqual(yield* askAs(url, { host, origin: `http://${host}` }), 200)
    assert.strictEqual(yield* askAs(url, { host, origin: "https://evil.example" }), 403)
    assert.strictEqual(yield* askAs(url, { host, origin: "null" }), 403)
    assert.strictEqual(yield* askAs(url, { host, "sec-fetch-site": "cross-site" }), 403)
    assert.strictEqual(yield* askAs(url, { host: "rebound.example" }), 403)
  })

  onSql("nobody who tries one token after the other, even with the right one, until a minute is over", function* () {
    const { ask } = yield* serving(withToken)
    assert.strictEqual((yield* ask("/api/tasks", { token: "wrong-0" })).status, 401)
    const refused = refusedTokens((yield* ask("/metrics")).text)
    const statuses: Array<number> = []
    for (let n = 0; n < 25; n++) statuses.push((yield* ask("/api/tasks", { token: `wrong-${n}` })).status)
    assert.deepStrictEqual(statuses, [...Array(20).fill(401), ...Array(5).fill(429)])
    assert.strictEqual((yield* ask("/api/tasks")).status, 429)
    assert.strictEqual((yield* ask("/healthz", { token: null })).status, 200)
    yield* TestClock.adjust("1 minute")
    assert.strictEqual((yield* ask("/api/tasks")).status, 200)
    assert.strictEqual(refusedTokens((yield* ask("/metrics")).text) - refused, 26)
    const { all: lines } = yield* LogLines
    assert.lengthOf(grep(lines, "A wrong token came from 127.0.0.1"), 1)
    assert.lengthOf(grep(lines, "20 wrong tokens came from 127.0.0.1 within a minute: it may be guessing"), 1)
    assert.isEmpty(grep(lines, "wrong-"))
  })

  onSql("nobody is shut out by one who asks again and again with the same old token", function* () {
    const { ask } = yield* serving(withToken)
    for (let n = 0; n < 50; n++) {
      assert.strictEqual((yield* ask("/api/tasks", { token: "the-token-of-last-month" })).status, 401)
    }
    assert.strictEqual((yield* ask("/api/tasks")).status, 200)
  })

  onSql("to v1.1's routes with a token of their own, which opens nothing else", function* () {
    const { ask } = yield* serving({ ...withToken, ...withV1Token })
    const task = yield* order(yield* person("ann"), 5)
    assert.strictEqual((yield* ask(`/api/ai-agent/task/${task}`, { token: V1_TOKEN })).status, 200)
    assert.strictEqual((yield* ask(`/api/ai-agent/task/${task}`)).status, 200)
    assert.strictEqual((yield* ask(`/api/ai-agent/task/${task}`, { token: null })).status, 401)
    for (const { path, method } of yield* protectedRoutes(ask)) {
      if (path.startsWith("/api/ai-agent/")) continue
      const body = method === "POST" ? { why: "because" } : undefined
      assert.deepStrictEqual([path, (yield* ask(path, { method, body, token: V1_TOKEN })).status], [path, 401])
      yield* TestClock.adjust("1 second")
    }
  })

  onSql("to v1.1's routes alone, where only they have a token", function* () {
    const { ask } = yield* serving({ network: baseSepolia, ...withV1Token })
    const task = yield* order(yield* person("ann"), 5)
    assert.strictEqual((yield* ask(`/api/ai-agent/task/${task}`, { token: V1_TOKEN })).status, 200)
    assert.strictEqual((yield* ask("/api/tasks", { token: V1_TOKEN })).status, 403)
  })

  onSql("by the path as it is written, and by no other spelling of it", function* () {
    const { url, ask } = yield* serving({ ...withToken, ...withV1Token })
    const task = yield* order(yield* person("ann"), 5)
    const spellings = [
      ["/api/overview", 200],
      [`/api/overview;/../ai-agent/task/${task}`, 400],
      [`/api/overview#/../ai-agent/task/${task}`, 400],
      ["/api/ai-agent/../overview", 400],
      ["/api/ai-agent/%2e%2e/overview", 400],
      ["/api//overview", 400],
      ["//api/overview", 400],
      ["/api\\overview", 400],
      ["/api%2foverview", 400],
      ["/%61pi/overview", 400],
      [`http://x/api/ai-agent/../overview`, 400],
      ["/API/overview", 404],
      ["/api/Overview", 404],
      [`/api/ai-agent/TASK/${task}`, 404]
    ] as const
    for (const [path, status] of spellings) {
      assert.deepStrictEqual([path, yield* askAs(url, { authorization: `Bearer ${TOKEN}` }, path)], [path, status])
    }
    assert.strictEqual((yield* ask("/API/Overview", { token: null })).status, 404)
  })
})
