import { assert, layer } from "@effect/vitest"
import { Clock } from "effect"
import { usdc } from "../../src/domain/Usdc.ts"
import { onWorld, pass, start, startFor } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"

layer(Postgres.session())("where the chain's clock is two minutes behind", (it) => {
  const test = stories(it, onWorld())

  test("an exact payment pays the newer of two orders at the next look", function* (world) {
    world.behindMs = 120_000
    const who = yield* person("ann")
    yield* start
    const older = yield* order(who, 10)
    yield* pass(40)
    const newer = yield* order(who, 5)
    yield* pass(3)
    world.deposit(who.agentAddress, usdc(5_000_000n))
    yield* pass(20)
    assert.strictEqual((yield* readTask(newer)).funding_tx_hash !== null, true)
    yield* pass(40)
    assert.strictEqual((yield* readTask(newer)).status, "completed")
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
  })

  test("a payment is valid by that clock and by ours", function* (world) {
    world.behindMs = 120_000
    yield* startFor(40)
    yield* paidOrder("ann", 5)
    yield* pass(30)
    const nowSeconds = (yield* Clock.currentTimeMillis) / 1000
    const [payment] = world.payments
    assert.isDefined(payment)
    assert.isAtLeast(payment.validBefore, nowSeconds - 30 + 290)
    assert.isAtMost(payment.validBefore, nowSeconds + 310)
    assert.isAtMost(payment.validAfter, Math.max(0, nowSeconds - 120 - 600))
  })
})

layer(Postgres.session())("where the chain's clock is two minutes ahead", (it) => {
  const test = stories(it, onWorld())

  test("an order has its ten minutes all the same, and is cancelled then", function* (world) {
    world.behindMs = -120_000
    yield* startFor(40)
    const task = yield* order(yield* person("ann"), 5)
    yield* pass(560)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "cancelled")
  })
})
