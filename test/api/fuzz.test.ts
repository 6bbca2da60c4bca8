import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { CHANGES_MAX, READS_MAX } from "../../src/api/rates.ts"
import { units } from "../operator/given.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { BEARER, CRLF, exchange, GARBAGE, head, repliesIn, stalled } from "./garbage.ts"
import { faultOf, type Known, type Reply, requestsTo, type Route, routes, SEED, send } from "./requests.ts"
import { atWorkWithToken, serving, stories, TOKEN, withToken } from "./served.ts"

/** A second of the test's clock goes by after so many requests: fewer than the changes that it has room for. */
const BURST = 20

/** What a server that keeps nothing may have grown by all the same: modules, compiled code and buffers. In bytes. */
const GROWTH_MAX = 48_000_000

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
  "ai_agent_wallet_pins",
  "ai_agent_task_state",
  "ai_agent_batches",
  "ai_agent_batch_mints",
  "ai_agent_stray_mints",
  "ai_agent_network",
  "ai_agent_deposits",
  "ai_agent_deposit_uses",
  "ai_agent_refunds",
  "ai_agent_pay_ins",
  "ai_agent_decisions",
  "ai_agent_limits",
  "ai_agent_pauses",
  "ai_agent_keys",
  "ai_agent_quotes",
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

layer(Postgres.session())("requests out of the contract, sound and not", (it) => {
  const { served } = stories(it)
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

  served("are let in so many times a second from one address, and again in the next", function* () {
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
  })
})

layer(Postgres.session())("bytes that no client sends", (it) => {
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

  it.effect("and requests without an end keep nobody else waiting, and the server not from its end", () =>
    Effect.gen(function* () {
      const { url, ask } = yield* serving(withToken)
      const body = head("POST /api/pause HTTP/1.1", BEARER, "Content-Type: application/json", "Content-Length: 99")
      const chunk = head(
        "POST /api/pause HTTP/1.1",
        BEARER,
        "Content-Type: application/json",
        "Transfer-Encoding: chunked"
      )
      for (const bytes of ["GET /heal", `GET / HTTP/1.1${CRLF}X: y`, `${body}{"why":`, `${chunk}5${CRLF}{"w`]) {
        yield* stalled(url, bytes, 100)
        assert.strictEqual((yield* ask("/healthz", { token: null })).status, 200)
        assert.strictEqual((yield* ask("/api/pauses")).json.pauses.length, 0)
      }
    }).pipe(withoutRejections, Effect.scoped, atWorkWithToken())
  )
})
