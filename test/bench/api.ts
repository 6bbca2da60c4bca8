import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Array as Arr, Clock, Console, Duration, Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { SqlClient } from "effect/sql"
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { core } from "../../src/App.ts"
import * as ApiServer from "../../src/api/server.ts"
import * as SecretBoxAes from "../../src/chain/SecretBoxAes.ts"
import * as KeyCustodyAes from "../../src/chain/KeyCustodyAes.ts"
import { Settings } from "../../src/config/Settings.ts"
import { Sweep } from "../../src/executor/Sweep.ts"
import * as Logger from "../../src/ops/Logger.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { order, person } from "../support/orders.ts"
import { startPostgres } from "../support/postgresServer.ts"
import { defaults } from "../support/settings.ts"
import { outside } from "../support/outside.ts"
import { World } from "../support/World.ts"
import type { Load, Measured } from "./apiLoad.ts"
import { seedPast } from "./apiSeed.ts"

/** Orders that wait for their payment, each in a wallet of its own, beside `seedPast`'s. */
const PENDING = 1_000

/** A ledger that has run for a month. */
const PAST = { orders: 99_000, wallets: 20_000, underWay: 200 }

/** How long each path is asked, after a second that is not counted. */
const SECONDS = 5

/** Questions that are under way at once. */
const CONCURRENCY = 8

const LISTENERS = 200

/** Sweeps in each of four rounds: two with nobody listening, two with `LISTENERS`. */
const SWEEPS = 20

/** What happens beside each sweep, whoever listens to it. */
const EVENTS_PER_SWEEP = 50

const TOKEN = "a-token-of-more-than-16-chars"

const settings = {
  ...defaults,
  opsPort: 0,
  opsToken: Redacted.make(TOKEN),
  // The pending orders have to wait for as long as this takes.
  paymentTimeout: Duration.hours(10),
  logLevel: "None" as const
}

/** The second process: it asks or listens, and says what it measured. */
const second = (load: Load) =>
  Effect.acquireRelease(
    Effect.sync(() => fork(fileURLToPath(new URL("./apiLoad.ts", import.meta.url)), [JSON.stringify(load)])),
    (child) => Effect.sync(() => child.kill())
  ).pipe(Effect.tap((child) => Effect.promise(() => once(child, "spawn"))))

const measured = (load: Load) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* second(load)
      const [message] = yield* Effect.promise(() => once(child, "message"))
      return message as Measured
    })
  )

/** The n-th part of them in order, `0.5` for the median. */
const quantile = (values: ReadonlyArray<number>, part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0

const row = (...cells: ReadonlyArray<string>) => Console.log(`| ${cells.join(" | ")} |`)

/** The paths that are measured, with an order in the middle of all of them and the cursor of a page far down. */
const paths = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [deep] = yield* sql<{ readonly id: string; readonly ms: number }>`
    SELECT id, (extract(epoch FROM created_at) * 1000)::float8 AS ms FROM ai_agent_tasks
    WHERE status = 'completed' ORDER BY created_at DESC NULLS LAST, id DESC OFFSET 80000 LIMIT 1`
  const [user] = yield* sql<{
    readonly user: string
  }>`SELECT user_address AS user FROM ai_agent_tasks WHERE id = ${deep?.id}::uuid`
  return [
    "/healthz",
    "/readyz",
    "/api/tasks?limit=50",
    `/api/tasks?limit=50&cursor=${deep?.ms}_${deep?.id}`,
    "/api/tasks?limit=50&status=processing",
    "/api/tasks?limit=50&status=failed",
    "/api/tasks?limit=50&held=true",
    `/api/tasks?limit=50&user=${user?.user}`,
    `/api/ai-agent/tasks/${user?.user}`,
    `/api/tasks/${deep?.id}`,
    `/api/tasks/${deep?.id.slice(0, 8)}`,
    `/api/tasks/${deep?.id}/explain`,
    `/api/wallets/${user?.user}`,
    "/api/overview",
    "/metrics"
  ]
})

const benchPaths = Effect.fnUntraced(function* (url: string) {
  yield* row("path", "requests/s", "p50 ms", "p99 ms", "not 200")
  yield* row("---", "---:", "---:", "---:", "---:")
  for (const path of yield* paths) {
    const load = { url, path, token: TOKEN, seconds: SECONDS, concurrency: CONCURRENCY, listeners: 0 }
    const { latenciesMs, failed } = yield* measured(load)
    const [p50, p99] = [quantile(latenciesMs, 0.5), quantile(latenciesMs, 0.99)]
    const name = path.replace(/[0-9a-f]{8}-[-0-9a-f]+/, "<id>").replace(/\d{10,}(\.\d+)?/, "<time>")
    yield* row(name, (latenciesMs.length / SECONDS).toFixed(0), p50.toFixed(1), p99.toFixed(1), String(failed))
  }
})

const sweeps = Effect.fnUntraced(function* (tick: Sweep["Service"]["tick"]) {
  const sql = yield* SqlClient.SqlClient
  const tookMs: Array<number> = []
  for (let n = 0; n < SWEEPS; n++) {
    yield* sql`INSERT INTO ai_agent_events (kind) SELECT 'bench.made' FROM generate_series(1, ${EVENTS_PER_SWEEP}::int)`
    const start = yield* Clock.currentTimeNanos
    yield* tick
    tookMs.push(Number((yield* Clock.currentTimeNanos) - start) / 1e6)
  }
  return tookMs
})

const benchSweeps = Effect.fnUntraced(function* (url: string) {
  const { tick } = yield* Sweep
  yield* tick
  const [alone, heard]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round < 2; round++) {
    alone.push(...(yield* sweeps(tick)))
    const listen = { url, path: "/api/events", token: TOKEN, seconds: 0, concurrency: 0, listeners: LISTENERS }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const child = yield* second(listen)
        yield* Effect.promise(() => once(child, "message"))
        heard.push(...(yield* sweeps(tick)))
      })
    )
  }
  const show = (values: ReadonlyArray<number>) =>
    `p50 ${quantile(values, 0.5).toFixed(0)} ms, p99 ${quantile(values, 0.99).toFixed(0)} ms`
  yield* Console.log(`\nA sweep over ${PENDING} pending orders`)
  yield* Console.log(`  nobody listens: ${show(alone)}`)
  yield* Console.log(`  ${LISTENERS} listen: ${show(heard)}`)
  yield* Console.log(`  ratio of the medians: ${(quantile(heard, 0.5) / quantile(alone, 0.5)).toFixed(2)}`)
})

/** What the API costs on a real PostgreSQL that has seen a hundred thousand orders, with the load in a second process. */
const bench = Effect.gen(function* () {
  for (const name of Arr.makeBy(PENDING, (n) => `bench ${n}`)) yield* order(yield* person(name), 2)
  yield* seedPast(PAST)
  const context = yield* Layer.build(
    ApiServer.layer.pipe(Layer.provide(NodeServices.layer), Layer.provide(NodeCrypto.layerSecureRandom))
  )
  const { address } = yield* HttpServer.HttpServer.pipe(Effect.provideContext(context))
  const url = HttpServer.formatAddress(address)
  yield* benchPaths(url)
  yield* benchSweeps(url)
})

const server = Effect.acquireRelease(
  Effect.promise(() => startPostgres()),
  ({ stop }) => Effect.promise(stop)
)

const main = Effect.gen(function* () {
  const { url } = yield* server
  yield* bench.pipe(
    Effect.scoped,
    Effect.provide(
      core.pipe(
        Layer.provideMerge(Layer.mergeAll(outside, KeyCustodyAes.layer, SecretBoxAes.layer)),
        Layer.provideMerge(World.layer),
        Layer.provideMerge(clientAt(`${url}/postgres`)),
        Layer.provideMerge(Logger.layer),
        Layer.provideMerge(Layer.succeed(Settings, settings))
      )
    )
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(main)
