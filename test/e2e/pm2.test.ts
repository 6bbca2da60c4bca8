import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import { isRunning } from "../../src/sandbox/sandboxFile.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { type BaseSepolia, deployment, openBaseSepolia, pay, placeOrder, PRICE, TOKEN, USDC } from "./baseSepolia.ts"
import { type Gate, gateTo } from "./gate.ts"
import { addAllPackages, install } from "./installation.ts"
import { APP, type Pm2, pm2In } from "./pm2.ts"
import { mintsTo, paymentsFrom, ROOT, TIMEOUT_MS, until, untilGone } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

const MINTS = 4

const writeSettings = (directory: string, settings: Readonly<Record<string, string>>) => {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(join(directory, ".env"), lines.join(""))
}

const count = (text: string, words: string): number => text.split(words).length - 1

/** The rpc gate is closed: the executor is up, and does not know yet whether it may go on. */
const comesOnlineWhenReady = Effect.fnUntraced(function* (pm2: Pm2, rpc: Gate) {
  const restart = yield* pm2.begin("restart", APP)
  yield* until(
    "the executor looks at its chain",
    Effect.sync(() => rpc.came() > 0)
  )
  assert.include(pm2.log(), "🤖 AI Mint Executor v")
  assert.notInclude(pm2.log(), "Monitoring for funded tasks...")
  assert.strictEqual((yield* pm2.app).status, "launching")
  yield* rpc.open
  assert.deepStrictEqual(yield* restart.ended, { code: 0, signal: null })
  assert.include(pm2.log(), "Monitoring for funded tasks...")
  assert.strictEqual((yield* pm2.app).status, "online")
})

/** The page and its scripts come out of `dist`, and health is told to whoever asks. */
const servesThePage = Effect.fnUntraced(function* (pm2: Pm2) {
  yield* until(
    "the page is served",
    Effect.sync(() => pm2.log().includes("Page and API: "))
  )
  const [, url = ""] = /Page and API: (\S+)\//.exec(pm2.log()) ?? []
  const get = (path: string) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}${path}`)
      return { status: response.status, text: await response.text() }
    })
  const [, script = ""] = /src="([^"]+)"/.exec((yield* get("/")).text) ?? []
  assert.deepInclude(yield* get(script), { status: 200 })
  assert.deepInclude(yield* get("/healthz"), { status: 200 })
  assert.strictEqual((yield* get("/api/tasks")).status, 403, "it is off without a token")
})

/** The payment is made, and its answer comes only when the executor has been told to stop. */
const stopsBehindThePayment = Effect.fnUntraced(function* (pm2: Pm2, payments: Gate) {
  const { pid } = yield* pm2.app
  yield* until(
    "the payment is with the mint server",
    Effect.sync(() => payments.came() === 1)
  )
  const stop = yield* pm2.begin("stop", APP)
  yield* until(
    "pm2 tells it to stop",
    Effect.sync(() => pm2.daemonLog().includes(`Stopping app:${APP}`))
  )
  assert.isTrue(isRunning(pid), "it waits for the answer")
  yield* payments.open
  assert.deepStrictEqual(yield* stop.ended, { code: 0, signal: null })
  yield* untilGone([pid])
  assert.match(pm2.log(), /👋 AI Mint Executor stopped\n$/)
  assert.include(pm2.daemonLog(), `App [${APP}:0] exited with code [0]`)
  const sql = yield* SqlClient.SqlClient
  const [batch, ...others] = yield* sql<{ readonly status: string; readonly sends: number }>`
    SELECT status, sends FROM ai_agent_batches`
  // The chain is followed from the claim on: by then it may have shown the payment, and its mints too.
  assert.include(["accepted", "paid", "delivered"], batch?.status)
  assert.deepStrictEqual([batch?.sends, others], [1, []])
})

const isCompleted = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tasks = yield* sql`SELECT 1 FROM ai_agent_tasks WHERE status = 'completed' AND retry_count = 0`
  return tasks.length === 1
})

const finishesAfterRestart = Effect.fnUntraced(function* (pm2: Pm2, world: BaseSepolia, payments: Gate) {
  const customer = yield* person("customer of pm2")
  yield* payments.close
  yield* placeOrder(customer, MINTS)
  yield* pay(world, customer, MINTS)
  yield* stopsBehindThePayment(pm2, payments)
  yield* pm2.run("restart", APP)
  yield* until("the order is completed", isCompleted)
  assert.deepStrictEqual(yield* paymentsFrom(world.chain, USDC, customer.agentAddress), [PRICE * BigInt(MINTS)])
  assert.strictEqual(yield* mintsTo(world.chain, TOKEN, customer.userAddress), MINTS)
  assert.strictEqual(payments.came(), 1, "what was accepted is not sent again")
})

/** What the runbook has an operator type who moves from v1.1, but for what needs a machine of their own. */
const moveCommands = (): ReadonlyArray<ReadonlyArray<string>> => {
  const [, section = ""] = readFileSync(join(ROOT, "docs/runbook.md"), "utf8").split("## Moving from v1.1\n")
  const [forward = ""] = section.split("To go back:")
  return [...forward.matchAll(/^pm2 (.*?)\s*(?:#.*)?$/gm)]
    .map(([, typed = ""]) => typed.split(" "))
    .filter(([command]) => command !== "startup")
}

/** v1.1 runs under the same name, and pm2 would start it again whatever the file of the new version says. */
const takesOverFromV11 = Effect.fnUntraced(function* (pm2: Pm2, directory: string) {
  const old = join(directory, "v1.1.cjs")
  writeFileSync(old, "setInterval(() => {}, 60_000)\n")
  yield* pm2.run("start", old, "--name", APP)
  assert.strictEqual((yield* pm2.app).status, "online")
  const commands = moveCommands()
  assert.deepStrictEqual(
    commands.map(([command]) => command),
    ["delete", "start", "save"]
  )
  for (const command of commands) yield* pm2.run(...command)
})

describe("the executor under pm2", () => {
  it.live(
    "is not restarted with bad settings, is online when it is ready, and stops without losing a payment",
    () =>
      Effect.gen(function* () {
        const directory = yield* install
        yield* addAllPackages(directory)
        const world = yield* openBaseSepolia
        const databaseUrl = yield* Postgres.freshDatabase()
        const rpc = yield* gateTo(world.chain.rpcUrl)
        const payments = yield* gateTo(world.serverUrl, ({ headers }) => headers["payment-signature"] !== undefined)
        const settings = deployment(
          { ...world, chain: { ...world.chain, rpcUrl: rpc.url }, serverUrl: payments.url },
          databaseUrl
        )
        const pm2 = yield* pm2In(directory)

        writeSettings(directory, { ...settings, MAX_BATCH_SIZE: "lots" })
        yield* takesOverFromV11(pm2, directory)
        assert.deepInclude(yield* pm2.app, { name: APP, pid: 0, exit_code: 78 })
        assert.include(pm2.errorLog(), "  - MAX_BATCH_SIZE: expected a whole number from 1 to 100\n")

        // pm2 goes on with the environment of its start, as the ecosystem file set it.
        writeSettings(directory, { ...settings, OPS_PORT: "0", NODE_ENV: "test" })
        yield* rpc.close
        yield* comesOnlineWhenReady(pm2, rpc)
        assert.include(pm2.log(), "⚠️ The environment says something else than .env, and counts: NODE_ENV.")
        yield* servesThePage(pm2)
        yield* Effect.provide(finishesAfterRestart(pm2, world, payments), clientAt(databaseUrl))
        assert.match(pm2.log(), /^\[\d{4}-\S+Z\] \[INFO\] 🔍 Found 1 task\(s\) to check\.\.\.$/m)
        assert.match(pm2.log(), /^\[\d{4}-\S+Z\] \[INFO\] 💰 Checking pending_payment task [0-9a-f]{8}\.\.\.$/m)
        assert.strictEqual(
          count(pm2.daemonLog(), `App [${APP}:0] starting in -fork mode-`),
          4,
          "as often as it was told, v1.1's start included"
        )
      }),
    TIMEOUT_MS
  )
})
