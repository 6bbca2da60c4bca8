import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { adopt } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import { heldReason, order, paidOrder, person, readTask, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { assertDecided, assertUndecided, refusal, stories, units, WHY } from "./given.ts"

/** An order of ten that v1.1 was minting: four were paid for and minted, and two of them counted. */
const givenLeft = Effect.fnUntraced(function* () {
  const world = yield* World
  const who = yield* person("ann")
  world.deposit(who.agentAddress, units(10))
  yield* pass(5)
  const task = yield* order(who, 10, { status: "processing", mints_completed: 2, started_at: new Date(0) })
  world.spend(who.agentAddress, TOKEN, units(4))
  world.mint({ token: TOKEN, recipient: who.userAddress, quantity: 4 }, 4)
  yield* pass(10)
  return { world, who, task }
})

describe("taking over an order of v1.1", () => {
  const { inMemory } = stories(it)
  inMemory("at once buys the mints that the operator says are missing, and no others", function* () {
    const { world, who, task } = yield* givenLeft()
    yield* start
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 2 })
    const report = yield* adopt(task, { mints: 4 }, WHY)
    assert.deepInclude(report, { delivered: 4, mints: 6, cost: units(6), paid: units(4) })
    yield* assertDecided("adopt", task)
    yield* pass(120)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 10 })
    assert.strictEqual(world.mintsTo(who.userAddress), 10)
    assert.strictEqual(world.balance(who.agentAddress), 0n)
  })

  inMemory("that is held, as v1.1 paid more than it counted, ends the hold", function* () {
    const { task } = yield* givenLeft()
    yield* start
    yield* pass(3_700)
    assert.include(yield* heldReason(task), "v1.1 paid 4.00 USDC for this order and counted mints for 2.00")
    yield* adopt(task, { mints: 4 }, WHY)
    yield* pass(120)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  inMemory("whose mints are all there completes it", function* () {
    const { world, task } = yield* givenLeft()
    yield* start
    yield* adopt(task, { mints: 10 }, WHY)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 10 })
    assert.strictEqual(world.payments.length, 0)
  })

  inMemory(
    "is refused for one of this program's own, for one that is no work, and for a count that cannot be",
    function* () {
      const { task } = yield* givenLeft()
      assert.include(yield* refusal(adopt(task, { mints: 11 }, WHY)), "--mints is 11")
      const ours = yield* paidOrder("bob", 5)
      assert.include(yield* refusal(adopt(ours.task, {}, WHY)), "is pending_payment")
      yield* start
      yield* pass(60)
      assert.include(yield* refusal(adopt(ours.task, {}, WHY)), "was planned by this program")
      yield* assertUndecided
    }
  )
})
