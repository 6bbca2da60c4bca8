import { assert, describe, layer } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Logger, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { vi } from "vitest"
import { core, monitor, outside } from "../../src/App.ts"
import { local } from "../../src/config/Network.ts"
import { Settings, type SettingsShape } from "../../src/config/Settings.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import * as RpcProxy from "../../src/sandbox/RpcProxy.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { defaults } from "../support/settings.ts"
import { type BaseSepolia, openBaseSepolia, payAll, placeOrder, PRICE, TOKEN, USDC } from "../e2e/baseSepolia.ts"
import { mintsTo, paymentsFrom, TIMEOUT_MS, until } from "../e2e/support.ts"
import { outcomeOf } from "../e2e/v11Orders.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

vi.setConfig({ testTimeout: TIMEOUT_MS })

class World extends Context.Service<World, BaseSepolia>()("test/e2e/World") {
  static readonly layer = Layer.effect(this, openBaseSepolia)
}

const MINTS = 3
const MINTS_A_BATCH = 2
const PAYMENTS = [2n * PRICE, PRICE]

const pace: Partial<SettingsShape> = {
  network: local,
  checkInterval: Duration.millis(500),
  mintInterval: Duration.millis(200),
  rpcTimeout: Duration.seconds(1),
  maxBatchSize: MINTS_A_BATCH
}

interface Node {
  readonly faults: Faults.Faults
  /** Whether the executor knows a second node, on which nothing goes wrong. */
  readonly hasOther?: boolean
  readonly settings?: Partial<SettingsShape>
}

/** What the executor runs on: everything real, on a database of its own, and the chain behind a proxy. */
const servicesBehind = Effect.fnUntraced(function* ({ faults, hasOther = false, settings }: Node) {
  const { chain, serverUrl } = yield* World
  const { url } = yield* RpcProxy.serve({ target: chain.rpcUrl, faults })
  const rpcUrls = [url, ...(hasOther ? [chain.rpcUrl] : [])].map((one) => Redacted.make(one))
  const all = { ...defaults, ...pace, rpcUrls, serverUrl, ...settings }
  const database = clientAt(yield* Postgres.freshDatabase(), 4)
  const wiring = core.pipe(Layer.provideMerge(outside), Layer.provideMerge(database))
  return yield* Layer.build(Layer.fresh(wiring.pipe(Layer.provideMerge(Layer.succeed(Settings, all)))))
})

/** The executor at work behind such a node, and `test` beside it on its database. */
const withExecutor = <A, E>(node: Node, test: Effect.Effect<A, E, SqlClient.SqlClient | World>) =>
  Effect.gen(function* () {
    const services = yield* servicesBehind(node)
    yield* Effect.forkScoped(Effect.provide(monitor(Effect.void), services))
    return yield* Effect.provide(test, services)
  }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))

const placeAndPay = Effect.fnUntraced(function* (name: string) {
  const who = yield* person(name)
  const id = yield* placeOrder(who, MINTS)
  yield* payAll(yield* World, [{ who, mints: MINTS }])
  return { who, id }
})
type Order = Effect.Success<ReturnType<typeof placeAndPay>>

const untilStatus = (id: string, status: string, name: string) =>
  until(
    `${name}: ${status}`,
    Effect.map(outcomeOf(id), (outcome) => outcome.status === status)
  )

/** The order is completed, by the table; paid once for each batch and minted once, by the chain. */
const assertCompleted = Effect.fnUntraced(function* ({ who, id }: Order, name: string) {
  const { chain } = yield* World
  yield* untilStatus(id, "completed", name)
  const { minted, retries, error } = yield* outcomeOf(id)
  assert.deepStrictEqual({ minted, retries, error }, { minted: MINTS, retries: 0, error: null }, name)
  assert.deepStrictEqual(yield* paymentsFrom(chain, USDC, who.agentAddress), PAYMENTS, name)
  assert.strictEqual(yield* mintsTo(chain, TOKEN, who.userAddress), MINTS, name)
})

interface Story {
  readonly name: string
  readonly fault: Faults.Fault
  readonly hasOther?: boolean
  /** Switched off once it has happened so often: the order cannot be carried out with it. */
  readonly offAfter?: number
}

const stories: ReadonlyArray<Story> = [
  { name: "rate limited", fault: { kind: "rpc-429", times: 8 } },
  { name: "internal errors", fault: { kind: "rpc-500", times: 8 } },
  { name: "no backend", fault: { kind: "rpc-503", times: 8 } },
  { name: "resets", fault: { kind: "rpc-reset", times: 8 } },
  { name: "broken JSON", fault: { kind: "rpc-malformed", times: 8 } },
  { name: "silence", fault: { kind: "rpc-hang", times: 3 } },
  { name: "slowness", fault: { kind: "rpc-slow", ms: 100 } },
  { name: "a node that is behind", fault: { kind: "rpc-lag", blocks: 3 } },
  { name: "logs of few blocks at a time", fault: { kind: "rpc-range", blocks: 12 } },
  { name: "no logs for a while", fault: { kind: "rpc-no-logs" }, offAfter: 3 },
  { name: "every log twice", fault: { kind: "rpc-logs-twice" } },
  { name: "logs that are counted otherwise than in the receipts", fault: { kind: "rpc-logs-index" } },
  { name: "removed logs for a while", fault: { kind: "rpc-logs-removed" }, offAfter: 3 },
  { name: "one node of two that gives what was not asked for", fault: { kind: "rpc-logs-foreign" }, hasOther: true },
  { name: "one node of two without logs", fault: { kind: "rpc-no-logs" }, hasOther: true },
  { name: "one dead node of two", fault: { kind: "rpc-reset" }, hasOther: true },
  { name: "one silent node of two", fault: { kind: "rpc-hang" }, hasOther: true },
  { name: "one node of two behind", fault: { kind: "rpc-lag", blocks: 5 }, hasOther: true }
]

const tell = ({ name, fault, hasOther = false, offAfter }: Story) => {
  const faults = Faults.make()
  const injected = () => faults.injected()[fault.kind] ?? 0
  const test = Effect.gen(function* () {
    faults.set([fault])
    const order = yield* placeAndPay(name)
    if (offAfter !== undefined) {
      yield* until(
        `${name} is met`,
        Effect.sync(() => injected() >= offAfter)
      )
      faults.set([])
    }
    yield* assertCompleted(order, name)
    // An executor that turned to the other node before the fault was there does not ask this one for a minute.
    if (!hasOther) assert.isAbove(injected(), 0, name)
  })
  return withExecutor({ faults, hasOther }, test)
}

/** Each has an executor of its own in this process, with two sweeps a second. */
const STORIES_AT_ONCE = 7

const PAYMENT_TIMEOUT = Duration.seconds(4)

/** How far the chain is past the deadline when it is looked whether anything was cancelled. */
const PAST_MS = 2_000

const untilPast = Effect.fnUntraced(function* (placedMs: number) {
  const { chain } = yield* World
  const dueMs = placedMs + Duration.toMillis(PAYMENT_TIMEOUT) + PAST_MS
  yield* until(
    "the chain is past the deadline",
    Effect.map(
      chain.ask("read the time", (client) => client.getBlock()),
      ({ timestamp }) => Number(timestamp) * 1000 > dueMs
    )
  )
})

/** Two orders, one of them paid in time, whose deadline passes while the node tells of a time before it. */
const missesTheDeadline = (fault: Faults.Fault) => {
  const name = `${fault.kind} past a deadline`
  const faults = Faults.make()
  const test = Effect.gen(function* () {
    faults.set([fault])
    const order = yield* placeAndPay(name)
    const unpaid = yield* placeOrder(yield* person(`${name}, unpaid`), MINTS)
    yield* untilPast(yield* Clock.currentTimeMillis)
    const seen = faults.injected()[fault.kind] ?? 0
    yield* until(
      `${name}: it is checked once more`,
      Effect.sync(() => (faults.injected()[fault.kind] ?? 0) > seen + 2)
    )
    for (const id of [order.id, unpaid]) assert.strictEqual((yield* outcomeOf(id)).status, "pending_payment", name)
    faults.set([])
    yield* assertCompleted(order, name)
    yield* untilStatus(unpaid, "cancelled", name)
  })
  return withExecutor({ faults, settings: { paymentTimeout: PAYMENT_TIMEOUT } }, test)
}

/** The node stops when a payment is on its way, and is back when the chain has it. */
const freezesInAPayment = () => {
  const faults = Faults.make()
  const test = Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { chain } = yield* World
    const order = yield* placeAndPay("frozen in a payment")
    yield* until(
      "a payment is signed",
      Effect.map(sql`SELECT 1 FROM ai_agent_batches WHERE status <> 'planned'`, (rows) => rows.length > 0)
    )
    faults.set([{ kind: "rpc-frozen" }])
    yield* until(
      "the payment is on chain, and the executor has looked for it",
      Effect.map(
        paymentsFrom(chain, USDC, order.who.agentAddress),
        (paid) => paid.length > 0 && (faults.injected()["rpc-frozen"] ?? 0) > 6
      )
    )
    faults.set([])
    yield* assertCompleted(order, "frozen in a payment")
  })
  return withExecutor({ faults }, test)
}

describe("the executor and a node that does it wrong", () => {
  layer(World.layer, { timeout: TIMEOUT_MS, excludeTestServices: true })((it) => {
    it.effect("carry out every order, pay once, and cancel nothing that was paid in time", () =>
      Effect.all(
        [
          ...stories.map(tell),
          missesTheDeadline({ kind: "rpc-frozen" }),
          missesTheDeadline({ kind: "rpc-lag", blocks: 12 }),
          freezesInAPayment()
        ],
        { concurrency: STORIES_AT_ONCE }
      )
    )

    it.effect("do not begin with a node of another chain, whatever its place among others", () =>
      Effect.gen(function* () {
        for (const hasOther of [false, true]) {
          const faults = Faults.make()
          faults.set([{ kind: "rpc-wrong-chain" }])
          const fault = yield* Effect.flip(servicesBehind({ faults, hasOther }))
          assert.strictEqual(fault._tag, "WrongChain")
          assert.include(fault.message, "leads to chain 84533")
        }
      })
    )
  })
})
