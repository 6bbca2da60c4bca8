import { assert, layer } from "@effect/vitest"
import { Clock } from "effect"
import { usdc } from "../src/domain/Usdc.ts"
import * as Postgres from "./support/Postgres.ts"
import { LogLines, onWorld, pass, startFor } from "./support/executor.ts"
import { readTask, unpaidOrder } from "./support/orders.ts"
import { stories } from "./support/stories.ts"
import { logged } from "./executor/given.ts"

layer(Postgres.session())("the three scenarios, on the production wiring", (it) => {
  const test = stories(it, onWorld())
  const woken = stories(it, onWorld({ checkTrigger: "block" }))

  woken(
    "woken by blocks, an order paid after 5 s is funded as soon as that counts, and no step is later",
    function* (world) {
      const t0 = yield* Clock.currentTimeMillis
      const { who: ann, task } = yield* unpaidOrder("ann", 5)
      yield* startFor(5)
      const tx = world.deposit(ann.agentAddress, usdc(5_000_000n))
      yield* pass(2)
      assert.strictEqual((yield* readTask(task)).status, "pending_payment", "its block has none upon it")
      yield* pass(2)
      const seen = yield* readTask(task)
      assert.strictEqual(seen.status, "processing")
      assert.strictEqual(seen.funding_tx_hash, tx)
      assert.strictEqual(seen.funded_ms, t0 + 6_000, "the time of the block with the transfer")
      assert.isAtMost(seen.started_ms ?? Infinity, t0 + 9_000)
      assert.strictEqual(world.payments.length, 1)
      assert.strictEqual(yield* logged("✅ Payment received, minting starts"), 1)
      yield* pass(9)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(yield* logged("🔍 Found 1 task(s) to check..."), 1, "the blocks are no sweeps")
      assert.strictEqual(world.mintsTo(ann.userAddress), 5)
      assert.strictEqual(world.balance(ann.agentAddress), 0n)
    }
  )

  woken("woken by blocks, an order that is never paid is cancelled at the same check", function* (world) {
    const t0 = yield* Clock.currentTimeMillis
    const { who: bob, task } = yield* unpaidOrder("bob", 10)
    world.deposit(bob.agentAddress, usdc(5_000_000n))
    yield* startFor(609)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* pass(1)
    const cancelled = yield* readTask(task)
    assert.strictEqual(cancelled.error_message, "Payment timeout: No sufficient balance received within 10 minutes")
    assert.strictEqual(cancelled.completed_ms, t0 + 610_000)
    assert.strictEqual(yield* logged("🔍 Found 1 task(s) to check..."), 62)
  })

  woken("woken by blocks, an order paid at 9:00 is funded before 9:10 and completed", function* (world) {
    const { who: eve, task } = yield* unpaidOrder("eve", 3)
    yield* startFor(540)
    world.deposit(eve.agentAddress, usdc(3_000_000n))
    yield* pass(5)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    yield* pass(20)
    const done = yield* readTask(task)
    assert.deepInclude(done, { status: "completed", mints_completed: 3, error_message: null })
  })

  test("an order paid after 5 s is funded at 10 s, starts at once and is completed by 20 s", function* (world) {
    const t0 = yield* Clock.currentTimeMillis
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(5)
    const tx = world.deposit(ann.agentAddress, usdc(5_000_000n))
    yield* pass(4)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* pass(1)
    const seen = yield* readTask(task)
    assert.strictEqual(seen.status, "processing")
    assert.strictEqual(seen.funding_tx_hash, tx)
    assert.strictEqual(seen.funded_ms, t0 + 6_000, "the time of the block with the transfer")
    assert.strictEqual(seen.started_ms, t0 + 10_000)
    assert.strictEqual(world.payments.length, 1, "the payment left without waiting for the next mint tick")
    yield* pass(10)
    const done = yield* readTask(task)
    assert.strictEqual(done.status, "completed")
    assert.strictEqual(done.mints_completed, 5)
    assert.isAtMost(done.completed_ms ?? Infinity, t0 + 20_000)
    assert.strictEqual(world.mintsTo(ann.userAddress), 5)
    assert.strictEqual(world.balance(ann.agentAddress), 0n)
  })

  test("an order that is never paid is cancelled at the first check at which the chain is past 10 minutes", function* (world) {
    const t0 = yield* Clock.currentTimeMillis
    const { who: bob, task } = yield* unpaidOrder("bob", 10)
    world.deposit(bob.agentAddress, usdc(5_000_000n))
    yield* startFor(600)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment", "the confirmed block is not past it yet")
    yield* pass(9)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* pass(1)
    const cancelled = yield* readTask(task)
    assert.strictEqual(cancelled.status, "cancelled")
    assert.strictEqual(cancelled.error_message, "Payment timeout: No sufficient balance received within 10 minutes")
    assert.strictEqual(cancelled.completed_ms, t0 + 610_000)
    assert.strictEqual(cancelled.retry_count, 0)
    assert.strictEqual(world.payments.length, 0)
    const { all } = yield* LogLines
    assert.strictEqual(yield* logged("🔍 Found 1 task(s) to check..."), 62)
    const block = all.slice(all.findIndex((line) => line.includes("timeout (11 minutes)")) - 4)
    assert.deepStrictEqual(
      block.slice(0, 7).map((line) => line.replace(/^\[[^\]]+\] /, "")),
      [
        `[INFO] 💰 Checking pending_payment task ${task.slice(0, 8)}...`,
        "[INFO]    Agent wallet balance: 5.00 USDC",
        "[INFO]    Required: 10.00 USDC",
        "[INFO]    Task age: 10m 8s / 10m timeout",
        "[INFO]    ⏰ Task exceeded payment timeout (11 minutes)",
        "[INFO]    ❌ Cancelling task due to timeout...",
        "[INFO]    ✅ Task cancelled successfully"
      ]
    )
  })

  test("an order paid at 9:00 is funded at 9:10 and completed", function* (world) {
    const { who: eve, task } = yield* unpaidOrder("eve", 3)
    yield* startFor(540)
    world.deposit(eve.agentAddress, usdc(3_000_000n))
    yield* pass(9)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* pass(1)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    yield* pass(20)
    const done = yield* readTask(task)
    assert.strictEqual(done.status, "completed")
    assert.strictEqual(done.mints_completed, 3)
    assert.isNull(done.error_message)
  })
})
