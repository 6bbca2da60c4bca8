import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, onWorld, pass } from "../support/executor.ts"
import { order, paidOrder, person, type Person, readBatches, readTask, unpaidOrder } from "../support/orders.ts"
import { backup } from "../support/backup.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { logged, lost, settles, settlesAndMints } from "./given.ts"

const NOW = { drainTimeout: Duration.zero }

const isDoneOnce = Effect.fnUntraced(function* ({ who, task }: { who: Person; task: TaskId }, quantity: number) {
  const world = yield* World
  assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: quantity, error_message: null })
  assert.strictEqual(world.mintsTo(who.userAddress), quantity)
  assert.strictEqual(world.balance(who.agentAddress), 0n, "paid once, and in full")
})

/** An executor that runs for so many seconds and is killed. `stuckAt`: from this write of the ledger it never returns. */
const runs = Effect.fnUntraced(function* (
  seconds: number,
  { stuckAt, ...changes }: Partial<SettingsShape> & { readonly stuckAt?: "plan" | "saveBatch" } = {}
) {
  const one = yield* launch({ ...NOW, ...changes }, (operation, work) => (operation === stuckAt ? Effect.never : work))
  yield* pass(seconds)
  return yield* one.kill
})

/** A paid order that is funded and not planned, and how the ledger gets back to that. */
const funded = Effect.fnUntraced(function* (quantity: number) {
  const ann = yield* paidOrder("ann", quantity)
  yield* pass(6)
  yield* runs(0, { stuckAt: "plan", mintInterval: Duration.seconds(30) })
  assert.strictEqual((yield* readTask(ann.task)).status, "funded")
  return { ann, restore: yield* backup }
})

/** A paid order whose only batch is planned and not signed, and how the ledger gets back to that. */
const planned = Effect.gen(function* () {
  const ann = yield* paidOrder("ann", 10)
  yield* pass(6)
  yield* runs(1, { stuckAt: "saveBatch" })
  assert.deepStrictEqual(
    (yield* readBatches(ann.task)).map(({ status }) => status),
    ["planned"]
  )
  return { ann, restore: yield* backup }
})

layer(Postgres.session())("a restored backup", (it) => {
  const test = stories(it, onWorld(NOW))

  test.each([10, 4, 25])(
    "of before an order was planned imports what was paid since, into batches of %i",
    function* (world, maxBatchSize) {
      const { ann, restore } = yield* funded(30)
      yield* runs(16)
      assert.deepInclude(yield* readTask(ann.task), { status: "processing", mints_completed: 20 })
      yield* restore
      assert.deepInclude(yield* readTask(ann.task), { status: "funded", mints_completed: 0 })
      assert.isAbove(world.paidBy(ann.who.agentAddress).length, 1)
      yield* runs(60, { maxBatchSize })
      yield* isDoneOnce(ann, 30)
      assert.isTrue((yield* readBatches(ann.task)).every(({ status }) => status === "delivered"))
    }
  )

  test.each([
    { supply: undefined, state: "" },
    { supply: 0n, state: ", though the token is sold out meanwhile" }
  ])("of before a batch was signed adopts its payment and does not make it again$state", function* (world, { supply }) {
    const { ann, restore } = yield* planned
    yield* runs(20)
    yield* isDoneOnce(ann, 10)
    yield* restore
    world.supply = supply
    yield* runs(60)
    yield* isDoneOnce(ann, 10)
    assert.strictEqual(world.payments.length, 1)
  })

  test("of before an order was paid for finds it paid and minted, and does not cancel it", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 10)
    yield* runs(15)
    const restore = yield* backup
    world.deposit(ann.agentAddress, usdc(10_000_000n))
    yield* runs(45)
    yield* isDoneOnce({ who: ann, task }, 10)
    yield* restore
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* runs(700)
    yield* isDoneOnce({ who: ann, task }, 10)
    assert.strictEqual(world.payments.length, 1)
  })

  test("of before one order was planned and the next paid for finds both paid, stops no wallet", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const { who, task } = yield* paidOrder("ann", 10)
    const next = yield* order(who, 5)
    yield* pass(6)
    yield* runs(1, { stuckAt: "plan" })
    assert.strictEqual((yield* readTask(task)).status, "funded")
    const restore = yield* backup
    world.deposit(who.agentAddress, usdc(5_000_000n))
    yield* runs(60)
    assert.strictEqual((yield* readTask(next)).status, "completed")
    yield* restore
    yield* runs(120)
    assert.deepEqual(yield* sql`SELECT 1 FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL`, [])
    for (const one of [task, next]) assert.strictEqual((yield* readTask(one)).status, "completed")
    assert.strictEqual(world.mintsTo(who.userAddress), 15)
    assert.strictEqual(world.payments.length, 2)
  })

  test("of before several orders were paid for knows what each has left, and mints the rest", function* (world) {
    const ann = yield* person("ann")
    const orders = [yield* order(ann, 15), yield* order(ann, 4), yield* order(ann, 12)]
    yield* runs(15, { maxBatchSize: 3 })
    const restore = yield* backup
    world.deposit(ann.agentAddress, usdc(31_000_000n))
    yield* runs(45, { maxBatchSize: 3 })
    assert.isAbove(world.mintsTo(ann.userAddress), 6)
    assert.isBelow(world.mintsTo(ann.userAddress), 31)
    yield* restore
    yield* runs(300, { maxBatchSize: 3 })
    for (const id of orders) assert.deepInclude(yield* readTask(id), { status: "completed", error_message: null })
    assert.strictEqual(world.mintsTo(ann.userAddress), 31)
    assert.strictEqual(world.balance(ann.agentAddress), 0n)
  })

  test("imports a payment that cost less than the quote with all the mints that it bought", function* (world) {
    const { ann, restore } = yield* funded(20)
    world.manners.price = ({ quantity }) => usdc(BigInt(quantity) * 499_999n)
    yield* runs(8)
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 10)
    delete world.manners.price
    yield* restore
    yield* runs(60)
    assert.deepInclude(yield* readTask(ann.task), { status: "completed", mints_completed: 20 })
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 20, "and not one more")
  })

  test("leaves to a person a payment that bought no whole number of mints, and pays no more", function* (world) {
    const { ann, restore } = yield* funded(20)
    world.manners.price = ({ quantity }) => usdc(BigInt(quantity) * 499_999n)
    world.manners.pay = settles(lost)
    yield* runs(8)
    yield* restore
    yield* runs(60)
    assert.deepInclude((yield* readBatches(ann.task))[0], { status: "held", number: 1 })
    const { status, error_message } = yield* readTask(ann.task)
    assert.strictEqual(status, "processing")
    assert.include(error_message, "it is not known for how many mints")
    assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1)
  })

  test("takes no payment for fewer mints than it pays for, when some are not there yet", function* (world) {
    const { ann, restore } = yield* funded(20)
    world.manners.price = ({ quantity }) => usdc(BigInt(quantity) * 1_000_000n - 1n)
    world.manners.pay = settlesAndMints(4, lost)
    yield* runs(8)
    delete world.manners.price
    delete world.manners.pay
    yield* restore
    yield* runs(60)
    assert.include((yield* readTask(ann.task)).error_message, "it is not known for how many mints")
    assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1, "the other 16 are not bought beside it")
  })

  test("that takes payments for still to be made cancels no order whose money is there", function* (world) {
    const ann = yield* paidOrder("ann", 25)
    yield* pass(6)
    yield* runs(3)
    const restore = yield* backup
    yield* runs(60)
    yield* isDoneOnce(ann, 25)
    yield* restore
    const later = yield* order(ann.who, 2)
    world.deposit(ann.who.agentAddress, usdc(2_000_000n))
    // The chain is out of reach for the wallets, and not for the sweep.
    const noLogs = new ChainError({ reason: "Unavailable", operation: "read", detail: "503" })
    world.onChainCall = (call) => (call === "readAuthorizations" ? Effect.fail(noLogs) : Effect.void)
    const executor = yield* launch(NOW)
    yield* pass(700)
    assert.strictEqual((yield* readTask(later)).status, "pending_payment")
    world.onChainCall = () => Effect.void
    yield* pass(120)
    assert.strictEqual((yield* readTask(later)).status, "completed")
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 27)
    yield* executor.kill
  })

  test("of the middle of a payment finds it by the window it was signed in", function* (world) {
    const ann = yield* paidOrder("ann", 10)
    world.manners.pay = () => lost
    yield* pass(6)
    yield* runs(1)
    const restore = yield* backup
    delete world.manners.pay
    yield* runs(60)
    yield* isDoneOnce(ann, 10)
    yield* pass(600)
    yield* restore
    yield* runs(60)
    yield* isDoneOnce(ann, 10)
    assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1)
  })

  test("of before an order was paid does not fund it with spent money, and pays nothing again", function* (world) {
    const ann = yield* paidOrder("ann", 10)
    const restore = yield* backup
    yield* pass(6)
    yield* runs(20)
    yield* isDoneOnce(ann, 10)
    yield* restore
    yield* runs(700)
    assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1)
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 10)
  })

  test("whose payments no log explains waits and pays nothing, until a node has the logs", function* (world) {
    const { ann, restore } = yield* planned
    yield* runs(20)
    yield* restore
    world.onChainCall = (call) =>
      call === "readAuthorizations"
        ? new ChainError({ reason: "Rejected", operation: "look up authorizations", detail: "range too large" })
        : Effect.void
    const executor = yield* launch(NOW)
    yield* pass(100)
    assert.strictEqual(world.payments.length, 1)
    assert.isAbove(yield* logged("⚠️ Wallets pause for"), 0)
    world.onChainCall = () => Effect.void
    yield* pass(90)
    yield* isDoneOnce(ann, 10)
    yield* executor.kill
  })

  test("is not needed for another MAX_BATCH_SIZE: an order keeps the batches it was cut into", function* () {
    const ann = yield* paidOrder("ann", 30)
    yield* pass(6)
    yield* runs(8)
    yield* runs(60, { maxBatchSize: 3 })
    yield* isDoneOnce(ann, 30)
    assert.deepStrictEqual(
      (yield* readBatches(ann.task)).map(({ quantity }) => quantity),
      [10, 10, 10]
    )
  })
})
