import { assert, layer } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber } from "effect"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, LogLines, inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import { editTask, order, paidOrder, person, readTask, unpaidOrder } from "../support/orders.ts"
import { stories } from "../support/stories.ts"

const NOW = { drainTimeout: Duration.zero }

/** The text of each line, without the time. */
const said = Effect.map(LogLines, ({ all }) => all.map((line) => line.replace(/^\[[^\]]+\] /, "")))

const blocksOf = (lines: ReadonlyArray<string>, task: string) =>
  lines.filter((line) => line.includes(`💰 Checking pending_payment task ${task.slice(0, 8)}...`))

layer(Postgres.session())("the log of a sweep", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  test("says in v1.1's words what it looks at and why an order waits", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 10)
    world.deposit(ann.agentAddress, usdc(5_000_000n))
    yield* pass(137)
    yield* start
    assert.deepStrictEqual((yield* said).slice(-7, -1), [
      "[INFO] 🔍 Found 1 task(s) to check...",
      `[INFO] 💰 Checking pending_payment task ${task.slice(0, 8)}...`,
      "[INFO]    Agent wallet balance: 5.00 USDC",
      "[INFO]    Required: 10.00 USDC",
      "[INFO]    Task age: 2m 14s / 10m timeout",
      "[INFO]    ⏳ Insufficient balance, will check again..."
    ])
  })

  test("says that a payment was received, and what else of the wallet's money is spoken for", function* () {
    const { who, task } = yield* paidOrder("ann", 20)
    yield* pass(6)
    yield* start
    assert.deepInclude(yield* said, "[INFO]    ✅ Payment received, minting starts")
    assert.deepInclude(yield* said, `[INFO] ✅ Task ${task.slice(0, 8)}: pending_payment → funded`)
    yield* pass(1)
    const next = yield* order(who, 5)
    yield* pass(9)
    const lines = yield* said
    const block = lines.slice(lines.findIndex((line) => line.includes(`task ${next.slice(0, 8)}...`)))
    assert.deepStrictEqual(block.slice(1, 4), [
      "[INFO]    Agent wallet balance: 10.00 USDC",
      "[INFO]    Reserved for other tasks: 10.00 USDC",
      "[INFO]    Required: 5.00 USDC"
    ])
  })

  test("does not call money insufficient that is kept for an older order", function* (world) {
    const ann = yield* person("ann")
    yield* order(ann, 10)
    world.deposit(ann.agentAddress, usdc(4_000_000n))
    yield* pass(30)
    const newer = yield* order(ann, 4)
    yield* start
    const lines = yield* said
    const block = lines.slice(lines.findIndex((line) => line.includes(`task ${newer.slice(0, 8)}...`)))
    assert.strictEqual(block[4], "[INFO]    ⏳ The balance was paid towards an older task, will check again...")
  })

  stories(it, inMemory({ logLevel: "Info" }))(
    "at INFO repeats an order's block once a minute, and at once when it has changed",
    function* (world) {
      const { who: ann, task } = yield* unpaidOrder("ann", 10)
      yield* startFor(179)
      assert.strictEqual(blocksOf(yield* said, task).length, 3)
      assert.strictEqual((yield* said).filter((line) => line.includes("🔍 Found")).length, 18)
      yield* pass(5)
      world.deposit(ann.agentAddress, usdc(1_000_000n))
      yield* pass(5)
      assert.strictEqual(blocksOf(yield* said, task).length, 4)
      yield* pass(1)
      assert.strictEqual(blocksOf(yield* said, task).length, 5, "the balance is another")
      yield* pass(59)
      assert.strictEqual(blocksOf(yield* said, task).length, 5)
    }
  )

  stories(it, inMemory({ logLevel: "Debug" }))("at DEBUG has an order's block in every sweep", function* () {
    const task = yield* order(yield* person("ann"), 10)
    yield* startFor(179)
    assert.strictEqual(blocksOf(yield* said, task).length, 18)
  })

  stories(it, inMemory({ logLevel: "Info" }))("is silent at INFO while nobody waits for anything", function* () {
    yield* start
    const before = (yield* said).length
    yield* pass(600)
    assert.strictEqual((yield* said).length, before)
  })

  onDatabase("tells of an outage of the chain once a minute, and cancels nothing meanwhile", function* (world) {
    const task = yield* order(yield* person("ann"), 10)
    world.chainFault = new ChainError({
      reason: "RateLimited",
      operation: "read balances",
      detail: "429 from rpc.test"
    })
    yield* startFor(900)
    assert.deepInclude(yield* readTask(task), { status: "pending_payment", retry_count: 0 })
    const told = (yield* said).filter((line) => line.includes("⚠️ Check skipped: read balances: RateLimited"))
    assert.isAtMost(told.length, 16)
    assert.isAtLeast(told.length, 14)
    world.chainFault = undefined
    yield* pass(10)
    assert.strictEqual((yield* readTask(task)).status, "cancelled")
  })

  test("tells that the chain makes no blocks, and no order is cancelled until it does", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    const unpaid = yield* order(yield* person("bob"), 5)
    yield* startFor(30)
    world.deposit(ann.agentAddress, usdc(5_000_000n))
    world.halt(true)
    yield* pass(1_200)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.strictEqual((yield* readTask(unpaid)).status, "pending_payment")
    assert.isTrue(
      (yield* said).some((line) => /^\[WARN\] ⚠️ The newest confirmed block \d+ is .+ old: no task/.test(line))
    )
    world.halt(false)
    yield* pass(30)
    assert.strictEqual((yield* readTask(unpaid)).status, "cancelled")
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).status, "completed", "it was paid in time")
  })

  test("a node behind the wallet's last payment funds and cancels nothing by the old balance", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    yield* startFor(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    const next = yield* order(who, 5)
    const overdue = yield* order(who, 6, { created_at: new Date(0) })
    // Twenty blocks ago the money was there.
    world.lagBlocks = 20n
    yield* pass(20)
    for (const id of [next, overdue]) assert.strictEqual((yield* readTask(id)).status, "pending_payment")
    world.lagBlocks = 0n
    yield* pass(10)
    assert.strictEqual((yield* readTask(next)).status, "pending_payment")
    assert.strictEqual((yield* readTask(overdue)).status, "cancelled")
  })

  test("an order that a payment of unknown outcome may leave money for is not decided", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => ({ _tag: "Unclear", reason: "no answer" })
    yield* startFor(20)
    const waiting = yield* order(who, 5, { created_at: new Date(0) })
    const hopeless = yield* order(who, 6, { created_at: new Date(0) })
    yield* pass(60)
    assert.strictEqual((yield* readTask(waiting)).status, "pending_payment")
    assert.strictEqual((yield* readTask(hopeless)).status, "cancelled")
    yield* editTask(task, { status: "cancelled" })
    delete world.manners.pay
    yield* pass(400)
    assert.strictEqual((yield* readTask(waiting)).status, "completed", "the payment was never made")
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  stories(it, onWorld(NOW))("ten sweeps in a row that end in a defect end the whole executor", function* (world) {
    yield* order(yield* person("ann"), 5)
    const impossible = Effect.die(new Error("impossible"))
    world.onChainCall = (call) => (call === "readBalances" ? impossible : Effect.void)
    const { loops, kill } = yield* launch(NOW)
    yield* pass(89)
    assert.isUndefined(loops.pollUnsafe())
    yield* pass(1)
    const exit = yield* Fiber.await(loops)
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    assert.strictEqual((yield* said).filter((line) => line.includes("🚨 Check ended in a defect")).length, 10)
    yield* kill
  })
})
