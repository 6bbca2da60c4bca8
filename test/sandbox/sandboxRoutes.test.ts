import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Redacted, Schema, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { type Address, address } from "../../src/domain/Address.ts"
import { type Usdc, usdc } from "../../src/domain/Usdc.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import * as OrderDesk from "../../src/sandbox/OrderDesk.ts"
import { OrderPlaced } from "../../src/sandbox/SandboxApi.ts"
import { sandboxRoutes } from "../../src/sandbox/sandboxRoutes.ts"
import * as Postgres from "../support/Postgres.ts"
import { migrate } from "../../src/ledger/migrate.ts"

const TOKEN = address(`0x${"70".repeat(20)}`)
const USER = "0xAbCdEf0000000000000000000000000000000001"
/** Odd, so that half of it is not a whole number of base units. */
const PRICE = usdc(1_600_001n)
const PAYMENT_TIMEOUT = Duration.minutes(10)
/** The timeout, two checks of 10 s and the margin of 5 s. */
const LATE = Duration.seconds(600 + 20 + 5)
/** An order of this many mints cannot be paid for: the script says so. */
const UNPAYABLE = 13

const sent: Array<readonly [Address, Usdc]> = []

const desk = OrderDesk.layer({
  encryptionKey: Redacted.make("ab".repeat(32)),
  sendUsdc: (to, amount) =>
    amount === PRICE * BigInt(UNPAYABLE)
      ? Effect.fail({ message: "USDC is paused" })
      : Effect.sync(() => sent.push([to, amount]))
})

const world = desk.pipe(Layer.provideMerge(Layer.effectDiscard(migrate)), Layer.provideMerge(Postgres.session()))

const sentTo = (wallet: string): ReadonlyArray<Usdc> => sent.filter(([to]) => to === wallet).map(([, amount]) => amount)

/** The routes, over faults of their own; `headers` come with every request. */
const open = Effect.fnUntraced(function* (headers: Record<string, string> = {}, faults = Faults.make()) {
  const answer = yield* sandboxRoutes({
    token: TOKEN,
    pricePerMint: PRICE,
    paymentTimeout: PAYMENT_TIMEOUT,
    checkInterval: Duration.seconds(10),
    faults
  })
  return Effect.fnUntraced(function* (method: string, path: string, body?: unknown) {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const init = { method, headers: { "content-type": "application/json", ...headers } }
    const request = new Request(`http://sandbox/sandbox${path}`, {
      ...init,
      ...(text === undefined ? {} : { body: text })
    })
    const response = yield* Effect.promise(async () => answer(request))
    return { status: response.status, json: yield* Effect.promise((): Promise<unknown> => response.json()) }
  })
})

const placed = Effect.fnUntraced(function* (answer: { readonly status: number; readonly json: unknown }) {
  assert.strictEqual(answer.status, 201)
  return yield* Schema.decodeUnknownEffect(Schema.toCodecJson(OrderPlaced))(answer.json)
})

type State = Readonly<Record<string, unknown>>

const paymentOf = (json: unknown) => (json as { readonly payment: unknown }).payment

describe("the routes of the sandbox", () => {
  layer(world)((it) => {
    it.effect("places an order paid now, and answers with everything a person wants to know", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const { status, json } = yield* request("POST", "/orders", { quantity: 5, pay: "now", user: USER })
        const order = yield* placed({ status, json })
        const cost = { baseUnits: "8000005", usdc: "8.000005" }
        assert.deepStrictEqual(json, {
          taskId: order.taskId,
          walletId: order.walletId,
          userAddress: USER.toLowerCase(),
          agentAddress: order.agentAddress,
          token: TOKEN,
          quantity: 5,
          pricePerMint: { baseUnits: "1600001", usdc: "1.600001" },
          cost,
          createdAt: order.createdAt.toISOString(),
          deadline: new Date(order.createdAt.getTime() + Duration.toMillis(PAYMENT_TIMEOUT)).toISOString(),
          payment: { mode: "now", amount: cost, state: "sent", at: "1970-01-01T00:00:00.000Z", problem: null }
        })
        assert.deepStrictEqual(sentTo(order.agentAddress), [usdc(8_000_005n)])
      })
    )

    it.effect("pays half, rounded down to base units", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const order = yield* placed(yield* request("POST", "/orders", { quantity: 5, pay: "half" }))
        assert.deepStrictEqual(order.payment.amount, { baseUnits: 4_000_002n, usdc: "4.000002" })
        assert.deepStrictEqual(sentTo(order.agentAddress), [usdc(4_000_002n)])
      })
    )

    it.effect("pays nothing for never", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const order = yield* placed(yield* request("POST", "/orders", { quantity: 5, pay: "never" }))
        assert.deepStrictEqual([order.payment.state, order.payment.at], ["none", null])
        yield* TestClock.adjust("1 day")
        assert.deepStrictEqual(sentTo(order.agentAddress), [])
      })
    )

    it.effect("pays late all that the order costs, when a check has passed in which it was not paid", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const order = yield* placed(yield* request("POST", "/orders", { quantity: 5, pay: "late" }))
        assert.strictEqual(order.payment.state, "scheduled")
        assert.strictEqual(order.payment.at?.getTime(), order.createdAt.getTime() + Duration.toMillis(LATE))
        yield* TestClock.adjust(Duration.subtract(LATE, Duration.millis(1)))
        assert.deepStrictEqual(sentTo(order.agentAddress), [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(sentTo(order.agentAddress), [usdc(8_000_005n)])
        const { json } = yield* request("GET", `/orders/${order.taskId}`)
        assert.deepInclude(paymentOf(json), { mode: "late", state: "sent" })
      })
    )

    it.effect("pays nothing late when the sandbox has stopped before", () =>
      Effect.gen(function* () {
        const sandbox = yield* Scope.make()
        const request = yield* Scope.provide(open(), sandbox)
        const order = yield* placed(yield* request("POST", "/orders", { quantity: 5, pay: "late" }))
        yield* Scope.close(sandbox, Exit.void)
        yield* TestClock.adjust("1 day")
        assert.deepStrictEqual(sentTo(order.agentAddress), [])
      })
    )

    it.effect("places an order though its payment fails, and says so", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const order = yield* placed(yield* request("POST", "/orders", { quantity: UNPAYABLE, pay: "now" }))
        assert.deepInclude(order.payment, { state: "failed", problem: "USDC is paused" })
        const late = yield* placed(yield* request("POST", "/orders", { quantity: UNPAYABLE, pay: "late" }))
        yield* TestClock.adjust(LATE)
        const { json } = yield* request("GET", `/orders/${late.taskId}`)
        assert.deepInclude(paymentOf(json), { mode: "late", state: "failed", problem: "USDC is paused" })
      })
    )

    it.effect("shows an order as the table has it, with its mints and its payment", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const sql = yield* SqlClient.SqlClient
        const { taskId, agentAddress } = yield* placed(yield* request("POST", "/orders", { quantity: 2, pay: "now" }))
        const mint = { task_id: taskId, mint_number: 1, status: "completed", tx_hash: "0x1" }
        yield* sql`INSERT INTO ai_agent_mint_records ${sql.insert(mint)}`
        const { status, json } = yield* request("GET", `/orders/${taskId.toUpperCase()}`)
        assert.strictEqual(status, 200)
        const { order, mints, payment } = json as Record<string, Record<string, unknown>>
        assert.deepInclude(order, {
          id: taskId,
          status: "pending_payment",
          total_cost: "3200002",
          agent_address: agentAddress
        })
        assert.deepInclude(mints?.[0], { mint_number: 1, tx_hash: "0x1", completed_at: null })
        assert.deepInclude(payment, { mode: "now", state: "sent" })
      })
    )

    it.effect("has no payment for an order that it did not place", () =>
      Effect.gen(function* () {
        const before = yield* placed(yield* (yield* open())("POST", "/orders", { quantity: 1, pay: "late" }))
        const { json } = yield* (yield* open())("GET", `/orders/${before.taskId}`)
        assert.isNull(paymentOf(json))
      })
    )

    it.effect("pays for an order that is named by its id or the beginning of it, all of it or a part", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const { taskId, agentAddress } = yield* placed(yield* request("POST", "/orders", { quantity: 2, pay: "never" }))
        const part = yield* request("POST", `/orders/${taskId.slice(0, 8).toUpperCase()}/pay`, { amount: "0.5" })
        const amount = { baseUnits: "500000", usdc: "0.50" }
        assert.deepStrictEqual(part, { status: 200, json: { taskId, agentAddress, amount } })
        assert.strictEqual((yield* request("POST", `/orders/${taskId}/pay`, {})).status, 200)
        assert.deepStrictEqual(sentTo(agentAddress), [usdc(500_000n), usdc(3_200_002n)])
      })
    )

    it.effect("pays for no order that does not exist, and nothing that is no amount", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const { taskId, agentAddress } = yield* placed(yield* request("POST", "/orders", { quantity: 2, pay: "never" }))
        assert.strictEqual((yield* request("POST", "/orders/nonsense/pay", {})).status, 404)
        assert.strictEqual((yield* request("POST", "/orders/00000000/pay", {})).status, 404)
        for (const amount of ["-1", "1.1234567", "all", 5]) {
          assert.strictEqual((yield* request("POST", `/orders/${taskId}/pay`, { amount })).status, 400)
        }
        assert.deepStrictEqual(sentTo(agentAddress), [])
      })
    )

    it.effect("says that a payment failed", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const order = yield* placed(yield* request("POST", "/orders", { quantity: UNPAYABLE, pay: "never" }))
        const { status, json } = yield* request("POST", `/orders/${order.taskId}/pay`, {})
        assert.deepStrictEqual({ status, json }, { status: 502, json: { error: "USDC is paused" } })
      })
    )

    it.effect("reads JSON also where it is called a form, as curl does, and answers what it does not know", () =>
      Effect.gen(function* () {
        const ask = yield* open({ "content-type": "application/x-www-form-urlencoded" })
        assert.strictEqual((yield* ask("POST", "/orders", { quantity: 2, pay: "never" })).status, 201)
        assert.deepStrictEqual(yield* ask("GET", "/nothing"), { status: 404, json: { error: "not found" } })
      })
    )

    it.effect("answers 404 to an order that does not exist", () =>
      Effect.gen(function* () {
        const request = yield* open()
        assert.deepStrictEqual(yield* request("GET", "/orders/nonsense"), {
          status: 404,
          json: { error: "there is no order nonsense" }
        })
      })
    )

    it.effect("refuses what is not an order, and names all that is wrong with it", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const problems = Effect.fnUntraced(function* (body: unknown) {
          const { status, json } = yield* request("POST", "/orders", body)
          assert.strictEqual(status, 400)
          return (json as { readonly problems: unknown }).problems
        })
        const user = "user: expected the address of an account: 0x and 40 hex digits, not all 0"
        const quantity = "quantity: expected a whole number from 1 to 1000"
        assert.deepStrictEqual(yield* problems({ quantity: 0, pay: "soon", user: "0x1" }), [
          quantity,
          "pay: expected now, late, half or never",
          user
        ])
        assert.deepStrictEqual(yield* problems({ quantity: 1001, pay: "now" }), [quantity])
        assert.deepStrictEqual(yield* problems({ quantity: 1.5, pay: "now" }), [quantity])
        assert.deepStrictEqual(yield* problems({ quantity: 1, pay: "now", user: `0x${"0".repeat(40)}` }), [user])
        assert.deepStrictEqual(yield* problems({ quantity: 1, pay: "now", payNow: true }), [
          "payNow: Expected no excess property"
        ])
        assert.deepStrictEqual(yield* problems({}), ["quantity: Missing key", "pay: Missing key"])
        assert.deepStrictEqual(yield* problems("{"), ["Expected a valid JSON body"])
      })
    )

    it.effect.each([
      { origin: "https://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin" }
    ])("answers no page of a browser: %j", (headers) =>
      Effect.gen(function* () {
        const request = yield* open(headers)
        assert.strictEqual((yield* request("POST", "/orders", { quantity: 1, pay: "now" })).status, 403)
        assert.strictEqual((yield* request("PUT", "/faults")).status, 403)
      })
    )

    it.effect("says what is wrong with the database", () =>
      Effect.gen(function* () {
        const request = yield* open()
        const sql = yield* SqlClient.SqlClient
        yield* Effect.acquireRelease(sql`ALTER TABLE ai_agent_tasks RENAME TO away`, () =>
          Effect.orDie(sql`ALTER TABLE away RENAME TO ai_agent_tasks`)
        )
        assert.deepStrictEqual(yield* request("GET", "/orders"), {
          status: 503,
          json: { error: 'the orders were not read: relation "ai_agent_tasks" does not exist' }
        })
      })
    )

    it.effect("shows what is on, how often it happened, and what else there is", () =>
      Effect.gen(function* () {
        const faults = Faults.make(["outage", "settle-late", "rpc-lag"])
        const request = yield* open({}, faults)
        faults.set([{ kind: "outage", times: 3 }])
        faults.take(["outage"])
        const { status, json } = yield* request("GET", "/faults")
        assert.strictEqual(status, 200)
        assert.deepStrictEqual((json as State)["faults"], [{ kind: "outage", times: 2 }])
        assert.deepStrictEqual((json as State)["injected"], { outage: 1 })
        assert.deepStrictEqual(Object.keys((json as State)["kinds"] as object), ["outage", "settle-late", "rpc-lag"])
      })
    )

    it.effect("switches on all faults that are given and nothing else, and everything off", () =>
      Effect.gen(function* () {
        const faults = Faults.make(["outage", "settle-late", "rpc-lag"])
        const request = yield* open({}, faults)
        const given = [
          { kind: "outage", times: 1, token: TOKEN },
          { kind: "settle-late", ms: 5 },
          { kind: "rpc-lag", blocks: 2 }
        ]
        const { status, json } = yield* request("PUT", "/faults", { faults: given })
        assert.deepStrictEqual([status, (json as State)["faults"]], [200, given])
        yield* request("PUT", "/faults", { faults: [{ kind: "outage" }] })
        assert.deepStrictEqual(faults.on(), [{ kind: "outage" }])
        assert.deepStrictEqual(((yield* request("DELETE", "/faults")).json as State)["faults"], [])
        assert.deepStrictEqual(faults.on(), [])
      })
    )

    it.effect("refuses what is no set of faults, names all that is wrong, and changes nothing", () =>
      Effect.gen(function* () {
        const faults = Faults.make(["outage", "settle-late", "rpc-lag"])
        const request = yield* open({}, faults)
        faults.set([{ kind: "outage" }])
        const problems = Effect.fnUntraced(function* (body: unknown) {
          const { status, json } = yield* request("PUT", "/faults", body)
          assert.deepStrictEqual([status, (json as State)["error"]], [400, "these are not faults"])
          return (json as State)["problems"]
        })
        assert.deepStrictEqual(
          yield* problems({ faults: [{ kind: "outage", times: 0, token: "0x1", ms: 1.5, blocks: 0 }] }),
          [
            "faults: 0: times: expected a whole number from 1 to 1000000",
            "faults: 0: token: expected the address of a token: 0x and 40 hex digits",
            "faults: 0: ms: expected a whole number from 1 to 600000",
            "faults: 0: blocks: expected a whole number from 1 to 1000000"
          ]
        )
        assert.deepStrictEqual(yield* problems({ faults: [{ kind: "outage", time: 1 }] }), [
          "faults: 0: time: Expected no excess property"
        ])
        assert.deepStrictEqual(yield* problems({ faults: [{ kind: "fire" }, { kind: "outage", times: 0 }] }), [
          "faults: 0: kind: expected one of outage, settle-late, rpc-lag",
          "faults: 1: times: expected a whole number from 1 to 1000000"
        ])
        assert.deepStrictEqual(yield* problems({}), ["faults: Missing key"])
        assert.deepStrictEqual(yield* problems("{"), ["Expected a valid JSON body"])
        assert.deepStrictEqual(faults.on(), [{ kind: "outage" }])
      })
    )
  })
})
