import { assert, it, layer } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { HttpServer } from "effect/http"
import { connect, type Socket } from "node:net"
import * as NodeServer from "../../src/api/httpServer.ts"
import { start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"
import { serving, stories, withToken } from "./served.ts"

/** More than are kept for one address. */
const HALF_OPEN = 260
const KEPT = 200

it.live("what is asked before the routes are ready is answered 503", () =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const answer = yield* Effect.promise(() => fetch(`${HttpServer.formatAddress(address)}/readyz`))
    assert.strictEqual(answer.status, 503)
    assert.include(yield* Effect.promise(() => answer.text()), "The executor is starting or stopping.")
  }).pipe(Effect.provide(NodeServer.layer), Effect.provide(settings({ opsHost: "127.0.0.1", opsPort: 0 })))
)

layer(Postgres.session())("the sockets of the API", (it) => {
  const { served } = stories(it)
  served("half-open requests of one address keep nobody out: the newest have the places", function* () {
    const { url, ask } = yield* serving(withToken)
    yield* start
    const { hostname, port } = new URL(url)
    const [allCut, isSurplusCut] = [HALF_OPEN - KEPT, yield* Deferred.make<void>()]
    let cut = 0
    const open = (): Socket => {
      const socket = connect(Number(port), hostname.replaceAll(/[[\]]/g, ""))
      socket.on("error", () => {})
      socket.on("close", () => {
        if (++cut === allCut) Deferred.doneUnsafe(isSurplusCut, Effect.void)
      })
      socket.write("GET /healthz HTTP/1.1\r\nhost: ")
      return socket
    }
    const sockets = yield* Effect.acquireRelease(
      Effect.sync(() => Array.from({ length: HALF_OPEN }, open)),
      (all) => Effect.sync(() => all.forEach((socket) => socket.destroy()))
    )
    yield* Deferred.await(isSurplusCut)
    assert.strictEqual((yield* ask("/healthz")).status, 200)
    assert.isAtLeast(sockets.filter(({ destroyed }) => !destroyed).length, KEPT - 10)
  })

  served("HEAD answers where GET does, with the same status and without a body", function* () {
    const { ask } = yield* serving(withToken)
    yield* start
    for (const path of [
      "/",
      "/healthz",
      "/readyz",
      "/metrics",
      "/openapi.json",
      "/api/tasks",
      "/api/overview",
      "/nowhere"
    ]) {
      const [got, head] = [yield* ask(path), yield* ask(path, { method: "HEAD" })]
      assert.deepStrictEqual([path, head.status, head.text], [path, got.status, ""])
    }
  })
})
