import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { retry } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { editTask, heldReason, order, paidOrder, person, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"
import {
  assertDecided,
  assertUndecided,
  atWorkInMemory,
  givenFailed,
  givenHeld,
  givenUndelivered,
  refusal,
  stories,
  units,
  WHY
} from "./given.ts"

layer(Postgres.session())("trying an order again", (it) => {
  const { inMemory, onSql } = stories(it)
  inMemory("that failed funds it from what its wallet holds, and it is minted once", function* () {
    const { world, who, task } = yield* givenFailed()
    const report = yield* retry(task, WHY)
    assert.deepInclude(report, { did: "funded", mints: 5, cost: units(5) })
    yield* assertDecided("retry", task)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", retry_count: 0, mints_failed: 0 })
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
    assert.include(yield* refusal(retry(task, WHY)), "is completed. Nothing is to be retried")
  })

  inMemory("whose money went to another order is refused until enough is paid in", function* () {
    const { world, who, task } = yield* givenFailed()
    const other = yield* order(who, 3)
    yield* pass(60)
    assert.strictEqual((yield* readTask(other)).status, "completed")
    const said = yield* refusal(retry(task, WHY))
    assert.include(said, "The wallet holds 2.00 USDC free, 5.00 is needed: pay in 3.00 USDC to")
    yield* assertUndecided
    world.deposit(who.agentAddress, units(3))
    yield* pass(10)
    yield* retry(task, WHY)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  inMemory("beside an order that waits for its money is refused: what came may be for that one", function* () {
    const { world, who, task } = yield* givenFailed()
    const other = yield* order(who, 7)
    yield* pass(20)
    const said = yield* refusal(retry(task, WHY))
    assert.include(
      said,
      `The wallet has an order that waits for its money: ${other.slice(0, 8)}. It holds 5.00 USDC free`
    )
    yield* assertUndecided
    world.deposit(who.agentAddress, units(7))
    yield* pass(60)
    assert.strictEqual((yield* readTask(other)).status, "completed")
    yield* retry(task, WHY)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  inMemory("that is held for its wallet's want of money releases it", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5, { status: "funded" })
    yield* start
    yield* pass(20)
    assert.include(yield* heldReason(task), "the agent wallet holds 0.00 USDC")
    world.deposit(ann.agentAddress, units(5))
    yield* pass(10)
    assert.deepInclude(yield* retry(task, WHY), { did: "released" })
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  onSql("with a held batch is refused, and told what decides it", function* () {
    const { task } = yield* givenHeld("cancelled")
    const said = yield* refusal(retry(task, WHY))
    assert.match(said, /Batch 1 .* is held: .*nonce was cancelled.*Decide it first: ai-mint resolve .* --batch 1/)
    yield* assertUndecided
  })

  inMemory("that was failed by hand while a payment of it is on its way is refused", function* () {
    const { task } = yield* givenUndelivered()
    yield* editTask(task, { status: "failed" })
    assert.match(yield* refusal(retry(task, WHY)), /is paid: .*Wait until its mints are there, or decide it/)
  })

  it.effect("that is held as its mints do not come has its server asked for them again, and nothing paid", () =>
    Effect.gen(function* () {
      const world = yield* World
      const { who, task } = yield* givenUndelivered()
      yield* pass(240)
      assert.include(yield* heldReason(task), "batch 1 is paid and not delivered")
      const { length } = world.payments
      delete world.manners.pay
      yield* pass(60)
      assert.strictEqual(world.payments.length, length)
      assert.deepInclude(yield* retry(task, WHY), { did: "released" })
      yield* pass(20)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }).pipe(atWorkInMemory({ mintTimeout: Duration.seconds(15) }))
  )

  it.effect("that is held as only some of its mints came is refused: a request is for all of them", () =>
    Effect.gen(function* () {
      const world = yield* World
      const { task } = yield* paidOrder("ann", 5)
      world.manners.pay = ({ order: asked, settle }) => {
        if (settle()) world.mint(asked, 3)
        return { _tag: "Unclear", reason: "no answer" }
      }
      yield* start
      yield* pass(240)
      assert.include(yield* heldReason(task), "batch 1 is paid and not delivered")
      assert.match(yield* refusal(retry(task, WHY)), /is paid: .*Wait until its mints are there, or decide it/)
    }).pipe(atWorkInMemory({ mintTimeout: Duration.seconds(15) }))
  )

  inMemory("that goes on by itself, or that is no order, is refused", function* () {
    const { who, task } = yield* paidOrder("ann", 5)
    assert.include(yield* refusal(retry(task, WHY)), "is pending_payment and not held: it goes on by itself")
    const bad = yield* order(who, 5, { quantity: 0, status: "failed" })
    assert.match(yield* refusal(retry(bad, WHY)), /cannot be carried out: quantity is 0.*Repair its row first/)
  })
})
