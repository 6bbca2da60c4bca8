import { assert, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { request } from "node:http"
import { doorOf } from "../../src/api/authorization.ts"
import { baseSepolia } from "../../src/config/Network.ts"
import { atWork } from "../operator/given.ts"
import { defaults } from "../support/settings.ts"
import * as Pglite from "../support/Pglite.ts"
import { serving, TOKEN, withToken } from "./served.ts"

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
const askAs = (url: string, headers: Record<string, string>) =>
  Effect.promise(
    () =>
      new Promise<number>((resolve, reject) => {
        request(`${url}/api/tasks`, { headers }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
          .on("error", reject)
          .end()
      })
  )

layer(Pglite.layer())("who may come in", (it) => {
  it.effect("to every route but health, metrics and documents: only who has the token", () =>
    Effect.gen(function* () {
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
    }).pipe(atWork())
  )

  it.effect("and health, readiness, version, metrics and documents are there for everybody", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      for (const path of ["/healthz", "/version", "/metrics", "/openapi.json", "/docs", "/"]) {
        assert.strictEqual((yield* ask(path, { token: null })).status, 200, path)
      }
      assert.property((yield* ask("/readyz", { token: null })).json, "ready")
      assert.strictEqual((yield* ask("/api/tasks")).status, 200)
    }).pipe(atWork())
  )

  it.effect("nobody, where there is no token and the network is real or the address is not this machine's", () =>
    Effect.gen(function* () {
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
      ].map((changes) => doorOf({ ...defaults, ...changes, opsToken: Option.none() })._tag)
      assert.deepStrictEqual(doors, [...Array(5).fill("Closed"), "Open", "Open", "Open"])
    }).pipe(atWork())
  )

  it.effect("not a page of another site through the browser of this machine, where no token is asked for", () =>
    Effect.gen(function* () {
      const { url } = yield* serving()
      const host = new URL(url).host
      assert.strictEqual(yield* askAs(url, { host }), 200)
      assert.strictEqual(yield* askAs(url, { host, origin: `http://${host}` }), 200)
      assert.strictEqual(yield* askAs(url, { host, origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* askAs(url, { host, origin: "null" }), 403)
      assert.strictEqual(yield* askAs(url, { host, "sec-fetch-site": "cross-site" }), 403)
      assert.strictEqual(yield* askAs(url, { host: "rebound.example" }), 403)
    }).pipe(atWork())
  )

  it.effect("nobody who tries one token after the other", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      const statuses: Array<number> = []
      for (let n = 0; n < 25; n++) statuses.push((yield* ask("/api/tasks", { token: `wrong-${n}` })).status)
      assert.deepStrictEqual(statuses, [...Array(20).fill(401), ...Array(5).fill(429)])
      assert.strictEqual((yield* ask("/api/tasks")).status, 200)
    }).pipe(atWork())
  )
})
