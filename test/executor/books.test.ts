import { assert, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { address } from "../../src/domain/Address.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { launch, onWorld, pass } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person, readTask, unpaidOrder } from "../support/orders.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { resolve } from "../support/operator.ts"
import { atWork } from "../operator/given.ts"
import { type Decided, stories } from "../support/stories.ts"
import type { World } from "../support/World.ts"
import { books, logged, units } from "./given.ts"

const THIEF = address(`0x${"bad0".repeat(10)}`)

const unprovable = new ChainError({ reason: "Unavailable", operation: "look up authorizations", detail: "503" })

/** From the first payment on nobody can say what became of it. */
const hidesPayments = (world: World["Service"]) => {
  world.manners.delay = (request) =>
    Effect.sync(() => {
      if (request !== "pay") return
      world.onChainCall = (call) => (call === "readAuthorizations" ? Effect.fail(unprovable) : Effect.void)
    })
}

layer(Postgres.session())("the books of a wallet", (it) => {
  const test = stories(it, onWorld())

  test("find a deposit that hides a payment of its amount, however long the executor was down", function* (world) {
    hidesPayments(world)
    const { who, task } = yield* paidOrder("ann", 5)
    const before = yield* launch()
    yield* pass(30)
    assert.strictEqual(world.payments.length, 1)
    yield* before.kill
    yield* TestClock.adjust("75 minutes")
    world.deposit(who.agentAddress, units(5))
    yield* TestClock.adjust("1 minute")
    yield* launch()
    yield* pass(30)
    world.onChainCall = () => Effect.void
    yield* pass(150)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(yield* books, { book_balance: 5_000_000n, stopped_reason: null })
    world.spend(who.agentAddress, THIEF, units(5))
    yield* pass(90)
    assert.include((yield* books)?.stopped_reason, `5.00 USDC went to ${THIEF}`)
  })

  test("find a deposit whose log came late, while a payment of its amount was not proven", function* (world) {
    hidesPayments(world)
    const { who } = yield* paidOrder("ann", 5)
    yield* launch()
    yield* pass(60)
    assert.strictEqual(world.payments.length, 1)
    world.deposit(who.agentAddress, units(1))
    world.logsTo = world.nextBlock
    yield* pass(4)
    world.deposit(who.agentAddress, units(5))
    yield* pass(60)
    world.logsTo = undefined
    world.onChainCall = () => Effect.void
    yield* pass(180)
    assert.deepStrictEqual(yield* books, { book_balance: 6_000_000n, stopped_reason: null })
  })

  stories<Decided>(it, atWork())("keep a theft in sight though what is reserved would cover it", function* (world) {
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "the mint server is down" })
    const { who, task } = yield* paidOrder("ann", 5)
    yield* launch()
    yield* pass(60)
    yield* order(who, 2)
    world.spend(who.agentAddress, THIEF, units(3))
    world.deposit(who.agentAddress, units(1))
    yield* pass(330)
    assert.strictEqual((yield* books)?.stopped_reason, null)
    const open = yield* Incidents.open
    assert.isTrue(
      open.some(({ words }) => words.includes("holds 3.00 USDC, and its recorded deposits and payments come to 6.00"))
    )
    yield* resolve(task, { as: "failed" }, "the money is gone")
    yield* pass(30)
    assert.include((yield* books)?.stopped_reason, `3.00 USDC went to ${THIEF}`)
  })

  test("are searched page by page after weeks, while orders that can be paid are", function* (world) {
    const { who: ann, task: first } = yield* unpaidOrder("ann", 1)
    const before = yield* launch()
    yield* pass(10)
    yield* before.kill
    yield* TestClock.adjust("1 day")
    world.deposit(ann.agentAddress, units(1))
    yield* TestClock.adjust("6 days")
    const asked: Array<bigint> = []
    world.onDepositSearch = ({ fromBlock, toBlock }) => void asked.push(toBlock - fromBlock)
    yield* launch()
    yield* pass(120)
    assert.strictEqual((yield* readTask(first)).status, "completed", "paid in time, seen late")
    assert.isTrue(asked.every((blocks) => blocks <= 43_200n))
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
  })

  test("are not held against a node that is older than the newest deposit, after a crash either", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    let records = 0
    const before = yield* launch({}, (operation, work) =>
      operation === "recordDeposits" && ++records === 3 ? Effect.never : work
    )
    yield* pass(60)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(20)
    assert.strictEqual(records, 3, "the deposit is recorded, and the cursor not moved")
    yield* before.kill
    world.lagBlocks = 25n
    yield* launch()
    yield* pass(30)
    assert.strictEqual((yield* books)?.stopped_reason, null)
    world.lagBlocks = 0n
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("are kept by the logs of another node where the first lacks those that its balances show", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* launch()
    yield* pass(20)
    world.firstLacksLogs = true
    const tx = world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: tx })
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
    world.deposit(ann.agentAddress, units(3))
    yield* pass(60)
    world.spend(ann.agentAddress, THIEF, units(3))
    yield* pass(60)
    assert.include((yield* books)?.stopped_reason, `3.00 USDC went to ${THIEF}`)
  })

  test("stop a wallet whose loss no logs explain only when that has lasted", function* (world) {
    const ann = yield* person("ann")
    yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(4))
    yield* launch()
    yield* pass(30)
    const less = world.transfers.map((one) => ({ ...one, amount: units(3) }))
    const before = world.transfers.splice(0, 1, ...less)
    yield* pass(100)
    assert.strictEqual((yield* books)?.stopped_reason, null, "a node may lack the logs for a while")
    world.transfers.splice(0, 1, ...before)
    yield* pass(60)
    world.transfers.splice(0, 1, ...less)
    yield* pass(100)
    assert.strictEqual((yield* books)?.stopped_reason, null, "what was explained begins anew")
    yield* pass(60)
    assert.include((yield* books)?.stopped_reason, "it should hold 4.00 USDC and holds 3.00")
  })

  test("that come to less than nothing are an alarm", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const { who } = yield* paidOrder("ann", 5)
    yield* launch()
    yield* pass(60)
    yield* sql`UPDATE ai_agent_wallet_state SET book_balance = book_balance - 2000000`
    yield* pass(90)
    assert.isAbove(yield* logged(`the books of ${who.agentAddress} come to -2.00 USDC`), 0)
    const incident = Option.fromUndefinedOr((yield* Incidents.open)[0])
    assert.include(Option.getOrThrow(incident).words, "a deposit of it is not recorded")
    assert.strictEqual((yield* books)?.stopped_reason, null)
    assert.strictEqual(world.payments.length, 1)
  })
})
