import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { LogLines, inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { editTask, heldReason, paidOrder, readBatches, readTask, TOKEN } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { logged, lost, settles, settlesAndMints } from "./given.ts"

layer(Postgres.session())("a payment that was taken", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  onDatabase("and not delivered is visible, sent again unchanged, and delivered in the end", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = settles(lost)
    yield* startFor(1_200)
    assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 0, retry_count: 0 })
    const [batch] = yield* readBatches(task)
    assert.deepInclude(batch, { status: "paid", minted: 0, paid_amount: 5_000_000n })
    const { all } = yield* LogLines
    const told = all.filter((line) => line.includes(`Task ${task.slice(0, 8)}, batch 1 is paid and not delivered`))
    assert.isAtLeast(told.length, 10)
    assert.isAtMost(told.length, 20)
    for (const payment of world.payments) assert.deepStrictEqual(payment, world.payments[0])
    assert.isAtLeast(world.payments.length, 10)
    assert.isAtMost(world.payments.length, 15)
    world.mint({ token: TOKEN, recipient: who.userAddress, quantity: 5 }, 5)
    yield* pass(90)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
  })

  test("and not delivered is sent again at any price that is asked by now: it can move no money", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = settles(lost)
    yield* startFor(30)
    delete world.manners.pay
    world.pricePerMint = usdc(2_000_000n)
    yield* pass(90)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    for (const payment of world.payments) assert.deepStrictEqual(payment, world.payments[0])
  })

  test("and refused ever since costs its order no retry: it is not failed over money that is gone", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = settles({ _tag: "Refused", reason: "mint server answered 402: nonce used" })
    yield* startFor(300)
    const { status, retry_count } = yield* readTask(task)
    assert.strictEqual(status, "processing")
    assert.isAtMost(retry_count, 1)
    delete world.manners.pay
    yield* pass(90)
    assert.deepInclude(yield* readTask(task), { status: "completed", error_message: null, retry_count: 0 })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  test("and not delivered stops the payments to its token alone after MINT_TIMEOUT, until it is", function* (world) {
    const other = address(`0x${"70".repeat(20)}`)
    const ann = yield* paidOrder("ann", 5)
    world.manners.pay = ({ order, settle }) => {
      if (order.token === other) return undefined
      settle()
      return lost
    }
    yield* startFor(80)
    const bob = yield* paidOrder("bob", 5)
    const eve = yield* paidOrder("eve", 5, { token_address: other })
    yield* pass(300)
    assert.strictEqual(world.paidBy(bob.who.agentAddress).length, 0)
    assert.deepInclude(yield* readTask(bob.task), { status: "processing", retry_count: 0 })
    assert.strictEqual((yield* readTask(eve.task)).status, "completed")
    const where = `task ${ann.task.slice(0, 8)}, batch 1 is paid and not delivered`
    assert.isAbove(yield* logged(`Payments to token ${TOKEN} are stopped: ${where}`), 0)
    delete world.manners.pay
    yield* pass(120)
    for (const { who, task } of [ann, bob]) {
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }
  })

  test("and delivered in parts is counted as the parts come", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ order, settle }) => {
      if (settle()) world.mint(order, 3)
      return lost
    }
    yield* startFor(20)
    assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 3 })
    world.mint({ token: TOKEN, recipient: who.userAddress, quantity: 2 }, 2)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
  })

  test("and delivered counts no mint twice where another node has its log at another index", function* (world) {
    const { task } = yield* paidOrder("ann", 12)
    world.manners.pay = ({ order, settle }) => {
      if (settle() && world.mints.length === 0) world.mint(order, 10)
      world.logShift += 50
      return lost
    }
    yield* startFor(200)
    assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 10 })
    const [, second] = yield* readBatches(task)
    assert.deepInclude(second, { status: "paid", minted: 0 })
  })

  onDatabase("is counted in the portions that its token had when the order was planned", function* (world) {
    const sql = yield* SqlClient.SqlClient
    world.portion = 10n ** 30n
    const { task } = yield* paidOrder("ann", 12)
    world.manners.pay = settles(lost)
    yield* startFor(20)
    world.portion = 7n
    yield* pass(20)
    const portions = yield* sql`SELECT DISTINCT portion::text FROM ai_agent_batches WHERE task_id = ${task}::uuid`
    assert.deepStrictEqual(portions, [{ portion: (10n ** 30n).toString() }])
    assert.deepStrictEqual(new Set(world.portionsAsked), new Set([10n ** 30n]))
  })

  test("and minted in other transactions than the server named is found, and not asked for again", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ order, settle }) => {
      if (settle()) world.mint(order, 5)
      return { _tag: "Accepted", mintTxs: [world.hash()], paymentTx: undefined }
    }
    yield* startFor(100)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
    assert.strictEqual(world.payments.length, 1)
  })

  test("and minted before it was settled is delivered, and not asked for again", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ order, settle }) => {
      world.mint(order, 5)
      return Effect.gen(function* () {
        yield* Effect.sleep("6 seconds")
        settle()
        return lost
      })
    }
    yield* startFor(100)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
    assert.strictEqual(world.payments.length, 1)
  })

  test("and whose mints come between two windows is held, and not minted twice", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => lost
    yield* pass(6)
    yield* startFor(2)
    // The price is asked again when the old window is void; the mints come while the server thinks about it.
    world.manners.delay = (request, order) =>
      request === "quote" && world.confirmed.timeMs >= world.payments[0]!.validBefore * 1000
        ? Effect.andThen(
            Effect.sync(() => world.mint(order, 5)),
            Effect.sleep("20 seconds")
          )
        : Effect.void
    yield* pass(500)
    const says = "Held for the operator: batch 1: 5 mints were made and never paid for"
    assert.strictEqual(yield* heldReason(task), says)
    assert.strictEqual(new Set(world.payments.map(({ signature }) => signature)).size, 1)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
  })

  test("for an order that its person cancels meanwhile is still delivered to them", function* (world) {
    const { who, task } = yield* paidOrder("ann", 15)
    world.manners.pay = settles(lost)
    yield* startFor(40)
    yield* editTask(task, { status: "cancelled" })
    delete world.manners.pay
    yield* pass(100)
    assert.deepInclude(yield* readTask(task), { status: "cancelled", mints_completed: 10 })
    assert.strictEqual(world.mintsTo(who.userAddress), 10)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  test("and delivered, on an order whose count was changed, is held and not followed for ever", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.manners.pay = settlesAndMints(5, lost)
    yield* startFor(11)
    yield* editTask(task, { quantity: 6, total_cost: 6_000_000n })
    yield* pass(60)
    const says = "Held for the operator: every batch is delivered, but mints_completed is 5, quantity is 6"
    assert.deepInclude(yield* readTask(task), { status: "processing", error_message: says })
  })
})
