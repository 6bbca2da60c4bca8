import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { LogLines, inMemory, pass, start, startFor } from "../support/executor.ts"
import { heldReason, order, paidOrder, person, readBatches, readTask, unpaidOrder } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { units } from "./given.ts"

describe("money", () => {
  const test = stories(it, inMemory())

  test("too little is no payment, and pays the next order when the first one was cancelled", function* (world) {
    const { who: ann, task: first } = yield* unpaidOrder("ann", 5)
    world.deposit(ann.agentAddress, units(4.99))
    yield* startFor(610)
    assert.strictEqual((yield* readTask(first)).status, "cancelled")
    const next = yield* order(ann, 4)
    yield* pass(40)
    assert.strictEqual((yield* readTask(next)).status, "completed")
    assert.strictEqual(world.balance(ann.agentAddress), units(0.99))
  })

  test("several transfers that add up are a payment", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* start
    world.deposit(ann.agentAddress, units(2))
    yield* pass(20)
    world.deposit(ann.agentAddress, units(1))
    yield* pass(20)
    const last = world.deposit(ann.agentAddress, units(2))
    yield* pass(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: last })
  })

  test("too much pays for the order, and the rest for the next one without another transfer", function* (world) {
    const { who: ann, task: first } = yield* unpaidOrder("ann", 5)
    const tx = world.deposit(ann.agentAddress, units(8))
    yield* startFor(30)
    assert.deepInclude(yield* readTask(first), { status: "completed", funding_tx_hash: tx })
    assert.strictEqual(world.balance(ann.agentAddress), units(3))
    const next = yield* order(ann, 3)
    yield* pass(40)
    assert.deepInclude(yield* readTask(next), { status: "completed", mints_completed: 3 })
  })

  test("that comes after the deadline revives nothing and pays for the next order", function* (world) {
    const { who: ann, task: first } = yield* unpaidOrder("ann", 5)
    yield* startFor(611)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    assert.strictEqual((yield* readTask(first)).status, "cancelled")
    const next = yield* order(ann, 5)
    yield* pass(40)
    assert.strictEqual((yield* readTask(next)).status, "completed")
    assert.strictEqual((yield* readTask(first)).status, "cancelled")
    assert.strictEqual(world.mintsTo(ann.userAddress), 5)
  })

  test("that comes late, while the order is still open, counts", function* (world) {
    const { task } = yield* paidOrder("ann", 5, { created_at: new Date(0) })
    yield* pass(6)
    yield* startFor(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.payments.length, 1)
  })

  test("one transfer pays for two orders, the third waits", function* (world) {
    const ann = yield* person("ann")
    const tasks = yield* Effect.forEach([5, 6, 7], (quantity) => Effect.tap(order(ann, quantity), pass(1)))
    const tx = world.deposit(ann.agentAddress, units(11.5))
    yield* startFor(60)
    const seen = yield* Effect.forEach(tasks, readTask)
    assert.deepStrictEqual(
      seen.map((task) => [task.status, task.funding_tx_hash]),
      [
        ["completed", tx],
        ["completed", tx],
        ["pending_payment", null]
      ]
    )
    assert.strictEqual(world.balance(ann.agentAddress), units(0.5))
  })

  test("of two transfers in the same moment each pays the order that it is exactly for", function* (world) {
    const ann = yield* person("ann")
    const tasks = [yield* order(ann, 4), yield* order(ann, 5), yield* order(ann, 6)]
    const five = world.deposit(ann.agentAddress, units(5))
    const six = world.deposit(ann.agentAddress, units(6))
    yield* startFor(60)
    const seen = yield* Effect.forEach(tasks, readTask)
    assert.deepStrictEqual(
      seen.map((task) => [task.status, task.funding_tx_hash]),
      [
        ["pending_payment", null],
        ["completed", five],
        ["completed", six]
      ]
    )
  })

  test("that is exactly for a newer order pays it, whatever small change lies in the wallet", function* (world) {
    const ann = yield* person("ann")
    world.deposit(ann.agentAddress, units(0.5))
    yield* pass(400)
    const older = yield* order(ann, 4)
    yield* startFor(30)
    const newer = yield* order(ann, 5)
    const tx = world.deposit(ann.agentAddress, units(5))
    yield* pass(40)
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    assert.deepInclude(yield* readTask(newer), { status: "completed", funding_tx_hash: tx })
  })

  test("that was paid towards an open order is not taken by one that was placed after", function* (world) {
    const { who: ann, task: older } = yield* unpaidOrder("ann", 10)
    world.deposit(ann.agentAddress, units(4))
    yield* startFor(30)
    const newer = yield* order(ann, 4)
    yield* pass(30)
    assert.strictEqual((yield* readTask(newer)).status, "pending_payment")
    world.deposit(ann.agentAddress, units(6))
    yield* pass(40)
    assert.strictEqual((yield* readTask(older)).status, "completed")
    assert.strictEqual((yield* readTask(newer)).status, "pending_payment")
    yield* pass(560)
    assert.strictEqual((yield* readTask(newer)).status, "cancelled")
  })

  test("that a cancelled order left pays the newer one that waited, also after a long outage", function* (world) {
    const { who: ann, task: older } = yield* unpaidOrder("ann", 10)
    world.deposit(ann.agentAddress, units(4))
    yield* pass(30)
    const newer = yield* order(ann, 4)
    yield* pass(1_000)
    yield* startFor(60)
    assert.strictEqual((yield* readTask(older)).status, "cancelled")
    assert.strictEqual((yield* readTask(newer)).status, "completed")
  })

  test("a lower price is paid as asked, told as paid, and the rest pays for the next order", function* (world) {
    world.pricePerMint = units(0.8)
    const { who, task } = yield* paidOrder("ann", 5)
    yield* startFor(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(
      (yield* readBatches(task)).map((batch) => batch.paid_amount),
      [units(4)]
    )
    assert.strictEqual(world.balance(who.agentAddress), units(1))
    const { all } = yield* LogLines
    assert.isTrue(all.some((line) => line.endsWith("batch 1: 4.00 USDC paid")))
    const next = yield* order(who, 1)
    yield* pass(40)
    assert.strictEqual((yield* readTask(next)).status, "completed")
  })

  test("of a failed order pays for the wallet's next one", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Refused", message: "no" })
    yield* startFor(60)
    assert.strictEqual((yield* readTask(task)).status, "failed")
    world.manners.quote = () => undefined
    const next = yield* order(who, 5)
    yield* pass(40)
    assert.strictEqual((yield* readTask(next)).status, "completed")
    assert.strictEqual((yield* readTask(task)).status, "failed")
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  stories(it, inMemory({ confirmations: 15 }))(
    "counts when it is CONFIRMATIONS blocks deep, and not one block before",
    function* () {
      const { task } = yield* paidOrder("ann", 5)
      yield* start
      // The transfer is in the next block, the 15th on top of it comes 30 s after that one's 2 s.
      yield* pass(29)
      assert.strictEqual((yield* readTask(task)).status, "pending_payment")
      yield* pass(1)
      assert.notStrictEqual((yield* readTask(task)).status, "pending_payment")
    }
  )

  test("is not given to the wrong order while a payment of the wallet is made and not yet proven", function* (world) {
    const { who } = yield* paidOrder("ann", 2)
    const operation = "readAuthorizations"
    world.onChainCall = (call) =>
      call === operation && world.payments.length > 0
        ? new ChainError({ reason: "Timeout", operation, detail: "no answer" })
        : Effect.void
    yield* pass(6)
    yield* startFor(2)
    const older = yield* order(who, 4)
    yield* pass(1)
    const newer = yield* order(who, 6)
    world.deposit(who.agentAddress, units(6))
    // The chain shows 6.00, of which 2.00 are reserved for a payment that has left already.
    yield* pass(27)
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    world.onChainCall = () => Effect.void
    yield* pass(90)
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    assert.strictEqual((yield* readTask(newer)).status, "completed")
  })

  test("is not given to the wrong order by a sweep in which the transfers could not be read", function* (world) {
    const { who: ann, task: older } = yield* unpaidOrder("ann", 4)
    world.deposit(ann.agentAddress, units(0.5))
    yield* pass(20)
    const newer = yield* order(ann, 5)
    const tx = world.deposit(ann.agentAddress, units(5))
    yield* pass(6)
    let isDown = true
    world.onChainCall = (operation) =>
      isDown && operation === "findDeposits"
        ? new ChainError({ reason: "Timeout", operation, detail: "no answer" })
        : Effect.void
    yield* startFor(15)
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    isDown = false
    yield* pass(30)
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    assert.deepInclude(yield* readTask(newer), { status: "completed", funding_tx_hash: tx })
  })

  test("pays the oldest order first where the transfers can never be read", function* (world) {
    const { who: ann, task: older } = yield* unpaidOrder("ann", 4)
    yield* pass(1)
    const newer = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(9))
    yield* pass(6)
    world.onChainCall = (operation) =>
      operation === "findDeposits"
        ? new ChainError({ reason: "Rejected", operation, detail: "method unknown" })
        : Effect.void
    yield* startFor(70)
    for (const id of [older, newer]) assert.strictEqual((yield* readTask(id)).status, "completed")
  })

  test("an order is recorded as auto_funded where the transfers cannot be read, and is minted", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    const detail = "range too large"
    world.onChainCall = (call) =>
      call === "findDeposits" ? new ChainError({ reason: "Rejected", operation: "find deposits", detail }) : Effect.void
    yield* startFor(30)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: "auto_funded" })
  })

  test("a funded order that nobody paid for is held, and one whose money is there is minted", function* (world) {
    const ann = yield* person("ann")
    const bob = yield* person("bob")
    const unpaid = yield* order(ann, 5, { status: "funded" })
    world.deposit(bob.agentAddress, units(5))
    const paid = yield* order(bob, 5, { status: "funded" })
    yield* pass(1)
    const second = yield* order(bob, 5, { status: "funded" })
    yield* pass(6)
    yield* startFor(30)
    const reason = "Held for the operator: the agent wallet holds 0.00 USDC and this order needs 5.00"
    assert.deepInclude(yield* readTask(unpaid), { status: "funded", error_message: reason })
    assert.strictEqual((yield* readTask(paid)).status, "completed")
    assert.strictEqual(yield* heldReason(second), reason, "the same dollars do not pay twice")
    assert.strictEqual(world.payments.length, 1)
  })
})
