import { assert, describe, it } from "@effect/vitest"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import { inMemory, pass, startFor } from "../support/executor.ts"
import { paidOrder, readBatches, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { accepted, settlesAndMints } from "./given.ts"

const late: PaymentAnswer = { _tag: "Unclear", reason: "mint server answered 408", reference: "payment-7" }

describe("a mint server that breaks on a payment that comes twice", () => {
  const test = stories(it, inMemory({ logLevel: "Info" }))

  test("is sent each payment once, and asked about it by the reference that it gave", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.takesAgain = false
    world.follows = (reference) => `mint server says of payment ${reference}: queued`
    let payNow = () => {}
    world.manners.pay = ({ settle, mint }) => {
      payNow = () => void (settle() && mint(5))
      return late
    }
    yield* startFor(120)
    const [batch] = yield* readBatches(task)
    assert.deepInclude(batch, { status: "unknown", reason: "mint server says of payment payment-7: queued" })
    assert.strictEqual(world.payments.length, 1)
    payNow()
    yield* pass(120)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.payments.length, 1)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  test("is paid again only when the first payment can never be made any more", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.takesAgain = false
    world.manners.pay = () => late
    yield* startFor(280)
    assert.strictEqual(world.payments.length, 1)
    delete world.manners.pay
    yield* pass(120)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 1, "with the same nonce")
  })

  test("that mints fewer than were paid for leaves the order open at what the chain shows", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.takesAgain = false
    world.manners.pay = settlesAndMints(3, accepted())
    yield* startFor(400)
    assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 3 })
    const [batch] = yield* readBatches(task)
    assert.deepInclude(batch, { status: "paid", minted: 3, reason: "paid, 3 of 5 mints are on chain" })
    assert.strictEqual(world.payments.length, 1)
  })
})
