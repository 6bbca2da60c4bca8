import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { vi } from "vitest"
import { migrate } from "../../src/ledger/migrate.ts"
import { bindToChain } from "../../src/ledger/NetworkBinding.ts"
import { CHAIN, clientAt } from "../support/LedgerSql.ts"
import { createV11Tables, describeV11 } from "../support/LedgerV11.ts"
import { type Person, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { ENCRYPTION_KEY } from "../support/settings.ts"
import {
  balanceOf,
  type BaseSepolia,
  deployment,
  openBaseSepolia,
  pay,
  placeOrder,
  PRICE,
  TOKEN,
  USDC
} from "./baseSepolia.ts"
import {
  closedPort,
  eventually,
  mintsTo,
  paymentsFrom,
  type Running,
  startExecutor,
  temporaryDirectory,
  TIMEOUT_MS
} from "./support.ts"
import { foreignKey, leaveBehind, outcomeOf, v11Orders } from "./v11Orders.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

vi.setConfig({ testTimeout: TIMEOUT_MS })

class World extends Context.Service<World, BaseSepolia>()("test/e2e/World") {
  static readonly layer = Layer.effect(this, openBaseSepolia)
}

const PASSWORD = "pa55-word-of-the-database"
const KEY_IN_PATH = "k3y1nThePath0fAnRpcUrl"
const KEY_IN_QUERY = "k3y1nTheQuery0fAnRpcUrl"
const ACCOUNT_KEY = "a5c3".repeat(16)

/** What must be in no line, whatever happens. */
const SECRETS = [PASSWORD, KEY_IN_PATH, KEY_IN_QUERY, ACCOUNT_KEY, ENCRYPTION_KEY]

const assertNoSecret = ({ said }: Running) => {
  const all = `${said.stdout}${said.stderr}`.toLowerCase()
  for (const secret of SECRETS) assert.notInclude(all, secret.toLowerCase())
}

/**
 * Everything that an operator may set. The database asks for no password and is sent one; the first RPC URL is dead;
 * the executor's machine is 22 hours behind the database's wall clock.
 */
const settingsFor = Effect.fnUntraced(function* (databaseUrl: string) {
  const world = yield* World
  const dead = `http://127.0.0.1:${yield* closedPort}/v2/${KEY_IN_PATH}`
  return {
    ...deployment(world, databaseUrl.replace("postgres@", `postgres:${PASSWORD}@`)),
    BASE_SEPOLIA_RPC_URL: `${dead},${world.chain.rpcUrl}/?apikey=${KEY_IN_QUERY}`,
    AI_AGENT_PRIVATE_KEY: `0x${ACCOUNT_KEY}`,
    LOG_FORMAT: "json",
    TZ: "America/Los_Angeles"
  }
})

const untilStatus = (id: string, status: string, { said }: Running) =>
  eventually(
    `task ${id} is ${status}`,
    Effect.map(outcomeOf(id), (outcome) => (outcome.status === status ? outcome : undefined)),
    () => said.stdout
  )

/** What v1.1's tables are, without what is in them. */
const shape = Effect.map(describeV11, (lines) => lines.filter((line) => !line.startsWith("{")))

/** By the chain alone: so many mints were paid, once, and went to the person. */
const assertOnChain = Effect.fnUntraced(function* (who: Person, mints: number) {
  const world = yield* World
  const paid = yield* paymentsFrom(world.chain, USDC, who.agentAddress)
  assert.deepStrictEqual(paid, mints === 0 ? [] : [PRICE * BigInt(mints)])
  assert.strictEqual(yield* mintsTo(world.chain, TOKEN, who.userAddress), mints)
})

interface JsonLine {
  readonly level: string
  readonly message: string
}

const carriesOnFromV11 = Effect.gen(function* () {
  const world = yield* World
  yield* createV11Tables()
  const orders = yield* Effect.forEach(Object.entries(v11Orders), ([name, order]) => leaveBehind(name, order))
  for (const { who, order } of orders) if (order.paidFor !== undefined) yield* pay(world, who, order.paidFor)
  const before = yield* shape
  const executor = yield* startExecutor(yield* temporaryDirectory, yield* settingsFor(yield* DatabaseUrl))
  yield* executor.line("Monitoring for funded tasks...")

  const newcomer = yield* person("newcomer")
  const order = yield* placeOrder(newcomer, 3)
  yield* pay(world, newcomer, 3)
  yield* untilStatus(order, "completed", executor)
  const locked = yield* placeOrder(yield* person("locked", { key: foreignKey }), 1)
  yield* executor.line("does not decrypt with AGENT_ENCRYPTION_KEY")
  for (const { id, order } of orders) yield* untilStatus(id, order.outcome.status, executor)
  yield* executor.kill("SIGTERM")
  assert.deepStrictEqual(yield* executor.ended, { code: 0, signal: null })

  for (const { id, name, order, who } of orders) {
    assert.deepStrictEqual(yield* outcomeOf(id), order.outcome, name)
    yield* assertOnChain(who, order.outcome.status === "completed" ? (order.paidFor ?? 0) : 0)
  }
  yield* assertOnChain(newcomer, 3)
  assert.strictEqual(yield* balanceOf(world, newcomer), 0n)
  assert.deepInclude(yield* outcomeOf(locked), { status: "pending_payment", held: true })
  assert.deepStrictEqual(yield* shape, before)
  assertNoSecret(executor)
  const lines = executor.said.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as JsonLine)
  const warnings = lines.filter(({ level }) => level === "WARN").map(({ message }) => message)
  assert.match(warnings[0] ?? "", /^No answer from a node of BASE_SEPOLIA_RPC_URL: 127\.0\.0\.1:\d+: /)
  assert.include(
    lines.map(({ message }) => message),
    "   ✅ Task cancelled successfully"
  )
  assert.strictEqual(executor.said.stderr, "")
})

/** Of the test that is running. */
class DatabaseUrl extends Context.Service<DatabaseUrl, string>()("test/e2e/DatabaseUrl") {}

const onKiritimati = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Postgres.freshDatabase({ timezone: "Pacific/Kiritimati" }), (url) =>
    test.pipe(Effect.provide(clientAt(url)), Effect.provideService(DatabaseUrl, url))
  )

/** Starts the executor, which is to end by itself, and gives how and with which words. */
const refusal = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
  const executor = yield* startExecutor(yield* temporaryDirectory, env)
  const { code } = yield* executor.ended
  assertNoSecret(executor)
  assert.notMatch(`${executor.said.stdout}${executor.said.stderr}`, /^ +at /m, "a stack")
  const said = executor.said.stdout.split("\n").filter((line) => line.includes("cannot go on"))
  return { code, said: said.map((line) => (JSON.parse(line) as JsonLine).message), stderr: executor.said.stderr }
})

describe("the executor on a network that is there already", () => {
  layer(World.layer, { timeout: TIMEOUT_MS, excludeTestServices: true })((it) => {
    it.effect("carries on where v1.1 stopped, on its tables, whatever the zones, and prints no secret", () =>
      onKiritimati(carriesOnFromV11)
    )

    it.effect("does not start without what it needs, and names all of it", () =>
      Effect.gen(function* () {
        const { code, stderr } = yield* refusal({ NETWORK: "base-sepolia", NODE_ENV: "production" })
        assert.strictEqual(code, 78)
        assert.deepStrictEqual(stderr.trimEnd().split("\n"), [
          "The settings do not let the executor start:",
          "  - DATABASE_URL is not set: it may be left out on NETWORK=local only",
          "  - AGENT_ENCRYPTION_KEY is not set: it may be left out on NETWORK=local only",
          "Every setting is described in .env.example."
        ])
      })
    )

    it.effect("does not start on another chain than its settings say", () =>
      Effect.gen(function* () {
        const env = yield* settingsFor(yield* Postgres.freshDatabase())
        const { code, said } = yield* refusal({ ...env, NETWORK: "base", BASE_RPC_URL: env.BASE_SEPOLIA_RPC_URL })
        assert.deepStrictEqual([code, said.length], [78, 1])
        assert.match(said[0] ?? "", /127\.0\.0\.1:\d+ leads to chain 84532, but NETWORK=base is chain 8453\./)
      })
    )

    it.effect("does not start on a database of another chain", () =>
      Effect.gen(function* () {
        const url = yield* Postgres.freshDatabase()
        yield* Effect.provide(Effect.andThen(migrate, bindToChain(CHAIN)), clientAt(url))
        const { code, said } = yield* refusal(yield* settingsFor(url))
        assert.deepStrictEqual([code, said.length], [78, 1])
        assert.include(said[0], "This database was first used with another chain: chain id 31337, now 84532;")
      })
    )

    it.effect("does not start without its database; pm2 may try again", () =>
      Effect.gen(function* () {
        const { code, said } = yield* refusal(
          yield* settingsFor(`postgres://postgres@127.0.0.1:${yield* closedPort}/orders`)
        )
        assert.deepStrictEqual([code, said.length], [1, 1])
        assert.match(said[0] ?? "", /database.*ECONNREFUSED 127\.0\.0\.1:\d+/)
      })
    )
  })
})
