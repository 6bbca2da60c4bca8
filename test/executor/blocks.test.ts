import { assert, layer } from "@effect/vitest"
import { Clock, Duration, Effect, Layer } from "effect"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Progress from "../../src/ops/Progress.ts"
import * as Postgres from "../support/Postgres.ts"
import { inMemory, launch, pass, start, startFor } from "../support/executor.ts"
import { order, paidOrder, PRICE, readTask, unpaidOrder } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { logged } from "./given.ts"

const WOKEN = { checkTrigger: "block" } as const
/** Intervals that are too long for anything to happen by them. */
const BY_BLOCKS_ALONE = { ...WOKEN, checkInterval: Duration.hours(1), mintInterval: Duration.hours(1) }

layer(Postgres.session())("an executor that new blocks wake", (it) => {
  const test = stories(it, inMemory(WOKEN))
  const probed = stories(it, (test) => Effect.provide(inMemory(WOKEN)(test), Layer.fresh(Progress.layer)))
  const byBlocks = stories(it, inMemory(BY_BLOCKS_ALONE))

  byBlocks("funds an order that was made and paid since the last sweep", function* (world) {
    yield* startFor(30)
    const { who, task } = yield* unpaidOrder("ann", 5)
    yield* pass(3)
    world.deposit(who.agentAddress, usdc(5n * PRICE))
    yield* pass(5)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    yield* pass(10)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(yield* logged("🔍 Found"), 1)
  })

  byBlocks("pays the next batch of an order as soon as the mints of the last one count", function* (world) {
    const { task } = yield* paidOrder("ann", 30)
    yield* startFor(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    const pauses = world.sentAtMs.slice(1).map((atMs, index) => atMs - world.sentAtMs[index]!)
    assert.strictEqual(pauses.length, 2)
    for (const pause of pauses) assert.isAtMost(pause, 7_000)
  })

  byBlocks("funds an order beside a thousand others of one wallet", function* (world) {
    const { who: rich } = yield* unpaidOrder("ann", 5)
    for (let more = 0; more < 1_000; more++) yield* order(rich, 5)
    const { who, task } = yield* unpaidOrder("ben", 5)
    yield* startFor(3)
    world.deposit(who.agentAddress, usdc(5n * PRICE))
    yield* pass(6)
    assert.strictEqual((yield* readTask(task)).status, "processing")
  })

  byBlocks("leaves an order alone that is paid for in part, and funds it with the rest", function* (world) {
    const { who, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(3)
    world.deposit(who.agentAddress, usdc(2n * PRICE))
    yield* pass(6)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.strictEqual(yield* logged("💰 Checking"), 1, "what changes nothing is told by the sweep alone")
    world.deposit(who.agentAddress, usdc(3n * PRICE))
    yield* pass(6)
    assert.strictEqual((yield* readTask(task)).status, "processing")
  })

  byBlocks("looks again with the next block where a wallet changed while it looked", function* (world) {
    const { who, task } = yield* unpaidOrder("ann", 5)
    let refused = 0
    yield* launch(BY_BLOCKS_ALONE, (operation, work) =>
      operation === "fund" && refused++ === 0 ? Effect.succeed([] as never) : work
    )
    yield* pass(3)
    world.deposit(who.agentAddress, usdc(5n * PRICE))
    yield* pass(8)
    assert.strictEqual(refused, 2)
    assert.notStrictEqual((yield* readTask(task)).status, "pending_payment")
  })

  byBlocks("leaves orders whose deposits cannot be read to the sweep", function* (world) {
    const { who, task } = yield* unpaidOrder("ann", 5)
    const second = yield* order(who, 5)
    yield* startFor(3)
    const noLogs = new ChainError({ reason: "Unavailable", operation: "find deposits", detail: "503" })
    world.onChainCall = (call) => (call === "findDeposits" ? Effect.fail(noLogs) : Effect.void)
    for (let payment = 0; payment < 8; payment++) {
      world.deposit(who.agentAddress, usdc(2n * PRICE))
      yield* pass(4)
    }
    for (const id of [task, second]) assert.strictEqual((yield* readTask(id)).status, "pending_payment")
    world.onChainCall = () => Effect.void
    world.deposit(who.agentAddress, usdc(PRICE))
    yield* pass(6)
    for (const id of [task, second]) assert.notStrictEqual((yield* readTask(id)).status, "pending_payment")
  })

  byBlocks("leaves a chain that was reorganised to the sweep, and decides nothing meanwhile", function* (world) {
    const { who, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(20)
    world.reorganise(15n, { isMinedAgain: true })
    for (let payment = 0; payment < 12; payment++) {
      world.deposit(who.agentAddress, usdc(PRICE))
      yield* pass(4)
    }
    assert.strictEqual(yield* logged("🔀"), 0)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
  })

  byBlocks("leaves money that is missing to the sweep, and stops no wallet", function* (world) {
    const { who } = yield* unpaidOrder("ann", 100)
    yield* startFor(3)
    world.deposit(who.agentAddress, usdc(40n * PRICE))
    yield* pass(6)
    const less = world.transfers.map((one) => ({ ...one, amount: usdc(30n * PRICE) }))
    world.transfers.splice(0, 1, ...less)
    for (let payment = 0; payment < 8; payment++) {
      world.deposit(who.agentAddress, usdc(PRICE))
      yield* pass(20)
    }
    assert.strictEqual(yield* logged("is stopped"), 0)
  })

  test("asks the chain for no block while no order waits for one", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    yield* startFor(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    world.calls.length = 0
    yield* pass(120)
    assert.notInclude(world.calls, "newHead")
    assert.notInclude(world.calls, "findPaid")
  })

  test("says once that no block can be read, and goes on when one can", function* (world) {
    const { who, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(3)
    world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask for a new block", detail: "no answer" })
    yield* pass(20)
    assert.strictEqual(yield* logged("⚠️ Block tick skipped"), 1)
    world.chainFault = undefined
    world.deposit(who.agentAddress, usdc(5n * PRICE))
    yield* pass(6)
    assert.strictEqual((yield* readTask(task)).status, "processing")
  })

  probed("is alive while it follows the blocks, and not any more when a question never ends", function* (world) {
    yield* unpaidOrder("ann", 5)
    yield* start
    const alive = Effect.gen(function* () {
      const { loops } = yield* Progress.state
      const nowMs = yield* Clock.currentTimeMillis
      return loops.map((loop) => [loop.name, Progress.isAlive(loop, nowMs)])
    })
    const all = (isAlive: boolean) => [
      ["check", true],
      ["mint", true],
      ["block", isAlive]
    ]
    yield* pass(90)
    assert.deepStrictEqual(yield* alive, all(true))
    world.onChainCall = (call) => (call === "newHead" ? Effect.never : Effect.void)
    yield* pass(30)
    assert.deepStrictEqual(yield* alive, all(true))
    yield* pass(40)
    assert.deepStrictEqual(yield* alive, all(false))
  })

  byBlocks("delivers a payment that the server says is made when its block counts", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    yield* pass(6)
    yield* startFor(1)
    const sentAtMs = yield* Clock.currentTimeMillis
    assert.strictEqual(world.payments.length, 1)
    world.calls.length = 0
    yield* pass(6)
    const done = yield* readTask(task)
    assert.strictEqual(done.status, "completed")
    assert.isAtMost(done.completed_ms! - sentAtMs, 4_000, "two blocks")
    assert.isAtMost(world.calls.filter((call) => call === "readAuthorizations").length, 3)
  })

  test("lets an order of 1,000 mints delay no other", function* (world) {
    const big = yield* paidOrder("ann", 1_000)
    const other = address(`0x${"51".repeat(20)}`)
    const second = yield* order(big.who, 10, { token_address: other })
    world.deposit(big.who.agentAddress, usdc(10n * PRICE))
    const orders = yield* Effect.forEach(["ben", "cid", "dan"], (name) => paidOrder(name, 10))
    yield* pass(6)
    yield* startFor(20)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual((yield* readTask(second)).status, "completed", "of the same wallet too")
    assert.strictEqual((yield* readTask(big.task)).status, "processing")
    // Payments of one wallet for one token are made one after another: they take turns.
    const late = yield* order(big.who, 10)
    world.deposit(big.who.agentAddress, usdc(10n * PRICE))
    yield* startFor(20)
    assert.strictEqual((yield* readTask(late)).status, "completed", "and for the same token")
    assert.strictEqual((yield* readTask(big.task)).status, "processing")
  })
})
