import { assert, describe, it } from "@effect/vitest"
import { times } from "../../src/domain/Usdc.ts"
import { inMemory, pass, startFor } from "../support/executor.ts"
import { heldReason, order, paidOrder, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { accepted, lost, units } from "./given.ts"

/** What the simulation found, each as a story that must not happen again. */
describe("money of a wallet", () => {
  const test = stories(it, inMemory({ logLevel: "Info" }))

  test("that a payment below the quote left pays for no other order before it is proven", function* (world) {
    const { who, task } = yield* paidOrder("ann", 10)
    world.manners.price = () => units(5)
    world.manners.pay = () => lost
    yield* startFor(15)
    const next = yield* order(who, 3)
    yield* pass(250)
    assert.strictEqual((yield* readTask(next)).status, "pending_payment", "the payment may lapse and cost 10 again")
    world.manners.price = ({ quantity }) => times(world.pricePerMint, quantity)
    delete world.manners.pay
    yield* pass(260)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 10 })
    assert.strictEqual(world.balance(who.agentAddress), 0n)
  })

  for (const [what, harm] of [
    ["was cancelled", "cancelled"],
    ["paid somebody else", "stolen"]
  ] as const) {
    test(`lets later orders be paid or cancelled, though a batch is held whose nonce ${what}`, function* (world) {
      const { who, task } = yield* paidOrder("ann", 5)
      world.manners.pay = ({ payment: { from, nonce } }) => {
        if (harm === "cancelled") world.cancelAuthorization(from, nonce)
        else world.useElsewhere(from, nonce, who.userAddress, units(5))
        return lost
      }
      yield* startFor(60)
      assert.isDefined(yield* heldReason(task))
      delete world.manners.pay
      const unpaid = yield* order(who, 3)
      yield* pass(700)
      assert.strictEqual((yield* readTask(unpaid)).status, "cancelled")
      const paid = yield* order(who, 2)
      world.deposit(who.agentAddress, units(2))
      yield* pass(60)
      assert.strictEqual((yield* readTask(paid)).status, "completed")
    })
  }
})

describe("a payment that is taken and not delivered", () => {
  const test = stories(it, inMemory({ logLevel: "Info" }))

  test("is held for a person after a while, and goes on by itself when the mints come", function* (world) {
    const { who, task } = yield* paidOrder("ann", 15)
    let deliver: () => void = () => {}
    world.manners.pay = ({ settle, mint, order: { quantity } }) => {
      settle()
      deliver = () => void mint(quantity)
      return accepted()
    }
    yield* startFor(300)
    assert.isUndefined(yield* heldReason(task))
    yield* pass(420)
    assert.strictEqual(
      yield* heldReason(task),
      "Held for the operator: batch 1 is paid and not delivered; the mint server said that it was done"
    )
    deliver()
    delete world.manners.pay
    yield* pass(180)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 15, error_message: null })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 2)
  })
})
