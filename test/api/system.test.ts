import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { connect } from "node:net"
import { ChainError } from "../../src/chain/ChainClient.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import * as Progress from "../../src/ops/Progress.ts"
import { atWork } from "../operator/given.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { serving, withToken } from "./served.ts"

/** What comes back to bytes that are no request of HTTP. */
const raw = (url: string, bytes: string) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.end(bytes))
        let text = ""
        socket.on("data", (chunk) => (text += chunk))
        socket.on("error", () => resolve(text))
        socket.on("close", () => resolve(text))
      })
  )

const fresh = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  test.pipe(Effect.provide(Layer.merge(Progress.layer, Incidents.layer)), atWork(withToken))

layer(Postgres.session())("how the executor is", (it) => {
  it.effect("alive while its loops go round, and ready while everything answers", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      const { json } = yield* ask("/healthz")
      assert.deepStrictEqual(
        json.loops.map(({ name, alive, outcome }: Record<string, unknown>) => [name, alive, outcome]),
        [
          ["check", true, "done"],
          ["mint", true, "done"]
        ]
      )
      const ready = yield* ask("/readyz")
      assert.deepStrictEqual([ready.status, ready.json.ready, ready.json.rpc[0].host], [200, true, "node.test"])
      assert.strictEqual((yield* ask("/version")).json.network, "local")
    }).pipe(fresh)
  )

  it.effect("not ready where the database takes no writes, with the cause", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      const sql = yield* SqlClient.SqlClient
      yield* sql`SET default_transaction_read_only = on`
      const { status, json } = yield* ask("/readyz").pipe(
        Effect.ensuring(Effect.orDie(sql`SET default_transaction_read_only = off`))
      )
      assert.deepStrictEqual([status, json.ready, json.database.ok], [503, false, false])
      assert.include(json.database.problem, "read only")
    }).pipe(fresh)
  )

  it.effect("not ready where the node is down, and says which part it is; and alive all the same", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      const world = yield* World
      world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask", detail: "refused" })
      yield* pass(90)
      const { status, json } = yield* ask("/readyz")
      assert.deepStrictEqual([status, json.ready, json.database.ok, json.rpc[0].ok], [503, false, true, false])
      // What a node said is not for everybody.
      assert.strictEqual(json.rpc[0].problem, "ask: Unavailable")
      assert.include((yield* ask("/api/overview")).json.readiness.rpc[0].problem, "refused")
      assert.strictEqual((yield* ask("/healthz")).status, 200)
    }).pipe(fresh)
  )

  it.effect("ready where a node announces no new blocks, and says so; without what it said for everybody", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      assert.notProperty((yield* ask("/readyz")).json, "announcements")
      const world = yield* World
      const heard = { head: 1_000n, heardAtMs: 1_000 }
      world.subscriptions = [
        { host: "a.example", stage: "live", ...heard, problem: undefined },
        { host: "b.example", stage: "down", ...heard, problem: "Unavailable (401 for key)" }
      ]
      yield* pass(3)
      const { status, json } = yield* ask("/readyz")
      const said = { head: "1000", heardAt: "1970-01-01T00:00:01.000Z" }
      assert.deepStrictEqual(
        [status, json.announcements],
        [
          200,
          [
            { host: "a.example", ok: true, stage: "live", problem: null, ...said },
            { host: "b.example", ok: false, stage: "down", problem: "Unavailable", ...said }
          ]
        ]
      )
      const { readiness } = (yield* ask("/api/overview")).json
      assert.strictEqual(readiness.announcements[1].problem, "Unavailable (401 for key)")
    }).pipe(fresh)
  )

  it.effect("not ready where the only node has a head of the far future", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      const world = yield* World
      world.behindMs = -4e12
      yield* pass(3)
      const { status, json } = yield* ask("/readyz")
      assert.deepStrictEqual([status, json.rpc[0].ok], [503, false])
      const { problem } = (yield* ask("/api/overview")).json.readiness.rpc[0]
      assert.strictEqual(problem, "its newest block is later than every clock that can be asked")
    }).pipe(fresh)
  )

  it.effect("ready beside an incident, and not where no money can move; without its wallets for everybody", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      const wallet = `0x${"ab".repeat(20)}`
      yield* Incidents.raise("logs", `no node explains a nonce of ${wallet}`)
      const one = yield* ask("/readyz", { token: null })
      assert.deepStrictEqual([one.status, one.json.incidents[0].ok], [200, true])
      assert.strictEqual(one.json.incidents[0].problem, "no node explains a nonce of 0x…")
      const { attention, attentionCount } = (yield* ask("/api/overview")).json
      assert.strictEqual(attentionCount, 1)
      assert.deepInclude(attention[0], {
        kind: "incident",
        taskId: null,
        text: `no node explains a nonce of ${wallet}`,
        command: "doctor"
      })
      yield* Incidents.raiseStop("usdc", "USDC is paused")
      yield* pass(3)
      const two = yield* ask("/readyz")
      assert.deepStrictEqual([two.status, two.json.ready, two.json.incidents.length], [503, false, 2])
      const { text } = yield* ask("/metrics", { token: null })
      assert.match(text, /^ai_mint_incidents\{.*stops="true".*\} 1$/m)
    }).pipe(fresh)
  )

  it.effect("dead where no loop makes progress", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* Progress.began("check", Duration.seconds(10))
      yield* TestClock.adjust("2 minutes")
      const { status, json } = yield* ask("/healthz")
      assert.deepStrictEqual([status, json.alive], [503, false])
    }).pipe(fresh)
  )

  it.effect("in figures, of which none names a person", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      yield* start
      const { text, type } = yield* ask("/metrics", { token: null })
      assert.include(type, "text/plain")
      for (const name of ["ai_mint_tasks", "ai_mint_loop_last_tick_timestamp_seconds"]) {
        assert.include(text, name)
      }
      assert.notMatch(text, /0x[0-9a-f]{40}/)
    }).pipe(fresh)
  )

  it.effect("and never answers an error without a word", () =>
    Effect.gen(function* () {
      const { ask, url } = yield* serving(withToken)
      const answers = [
        yield* ask("/nothing"),
        yield* ask("/api/nothing"),
        yield* ask("/api/tasks", { method: "DELETE" }),
        yield* ask("/api/tasks", { body: "{" }),
        yield* ask("/api/tasks", { body: { why: "x".repeat(100_000) } }),
        yield* ask("/api/tasks", { method: "POST", headers: { "content-type": "text/plain" }, body: "hello" }),
        yield* ask("/api/tasks?limit=999"),
        yield* ask("/api/tasks?status=nonsense"),
        yield* ask("/api/tasks?status=funded,faild"),
        yield* ask("/api/tasks?tx=0x12"),
        yield* ask("/api/tasks?from=yesterday"),
        yield* ask("/api/tasks?to=1969-12-31"),
        yield* ask("/api/tasks?to=%2B010000-01-01T00:00:00Z")
      ]
      for (const { status, json, type } of answers) {
        assert.isTrue(status >= 400 && status < 500, String(status))
        assert.strictEqual(type, "application/problem+json")
        assert.strictEqual(json.status, status)
      }
      assert.strictEqual((yield* ask("/api/tasks", { token: null })).headers.get("www-authenticate"), "Bearer")
      assert.include(yield* raw(url, "GARBAGE\r\n\r\n"), "This is no HTTP request")
    }).pipe(fresh)
  )
})
