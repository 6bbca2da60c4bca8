import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { makeEndpoint } from "../src/chain/endpoint.ts"
import { nodeFetch } from "../src/chain/nodeFetch.ts"
import { headNumber } from "../src/chain/rpcCalls.ts"
import { DECIDE, makeAsk } from "../src/cli/client/ExecutorClient.ts"
import { Settings } from "../src/config/Settings.ts"
import { layer as tracing } from "../src/ops/tracing.ts"
import { fullOnBase, loadFrom } from "./config/fixtures.ts"

const serving = (handle: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createServer(handle)
      const close = () => (server.close(), server.closeAllConnections())
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close }))
      )
    }),
    ({ close }) => Effect.sync(close)
  )

/** A server that sends every request elsewhere, and what arrived at each of the two. */
const redirecting = Effect.fnUntraced(function* (status: number) {
  const arrived = { here: 0, elsewhere: 0 }
  const { port: elsewhere } = yield* serving((_, response) => {
    arrived.elsewhere++
    response.writeHead(200, { "content-type": "application/json" }).end('{"jsonrpc":"2.0","id":0,"result":"0x5"}')
  })
  const { port } = yield* serving((_, response) => {
    arrived.here++
    response.writeHead(status, { location: `http://127.0.0.1:${elsewhere}/` }).end()
  })
  return { arrived, port, url: `http://127.0.0.1:${port}` }
})

describe("a redirect is not followed", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it.live(`of a node that answers ${status}`, () =>
      Effect.gen(function* () {
        const { url, arrived } = yield* redirecting(status)
        for (const fetcher of [fetch, nodeFetch]) {
          const fault = yield* Effect.flip(makeEndpoint(Redacted.make(url), fetcher).ask(headNumber))
          assert.strictEqual(fault.reason, "Unavailable")
          assert.include(fault.detail, `HTTP ${status}`)
        }
        assert.deepStrictEqual(arrived, { here: 2, elsewhere: 0 })
      })
    )
  }

  it.live("of the executor's API, which would take the token of ai-mint along", () =>
    Effect.gen(function* () {
      const { port, arrived } = yield* redirecting(307)
      const place = { opsHost: "127.0.0.1", opsPort: port, opsToken: Redacted.make("t".repeat(32)) }
      yield* Effect.flip(
        makeAsk(place)(({ tasks }) => tasks.cancel({ params: { task: "abc" }, payload: { why: "so" } }), DECIDE)
      )
      assert.deepStrictEqual(arrived, { here: 1, elsewhere: 0 })
    })
  )

  it.live("of the collector of traces", () =>
    Effect.gen(function* () {
      const { url, arrived } = yield* redirecting(307)
      const settings = { ...(yield* loadFrom(fullOnBase)), tracesUrl: url }
      yield* Effect.void.pipe(
        Effect.withSpan("Work"),
        Effect.provide(Layer.fresh(tracing)),
        Effect.provideService(Settings, settings)
      )
      assert.deepStrictEqual(arrived, { here: 1, elsewhere: 0 })
    })
  )

  it("by any other client: each use of fetch says so, or hands on what it was given", () => {
    const root = fileURLToPath(new URL("../src/", import.meta.url))
    const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.startsWith("page/") && path !== "ops/fetch.ts")
      .map((path) => [path, readFileSync(root + path, "utf8")] as const)
    const lax = sources.flatMap(([path, source]) => {
      const calls = source.match(/\bawait fetch\(.*|\bFetchHttpClient\.layer\b.*|\bhttp\((?:secret|rpcUrl|url)\b[^)]*/g)
      return (calls ?? [])
        .filter((call) => !/NO_REDIRECT|redirect: "error"|fetch\(input, init\)/.test(call))
        .map((call) => `${path}: ${call}`)
    })
    assert.deepStrictEqual(lax, [])
  })
})
