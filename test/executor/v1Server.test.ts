import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import { inMemory, pass, start } from "../support/executor.ts"
import { paidOrder, readBatches, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"

const late: PaymentAnswer = { _tag: "Unclear", reason: "mint server answered 408", reference: "payment-7" }

describe("a mint server that breaks on a payment that comes twice", () => {
  it.effect("is sent each payment once, and asked about it by the reference that it gave", () =>
    Effect.gen(function* () {
      const world = yield* World
      const { who, task } = yield* paidOrder("ann", 5)
      world.takesAgain = false
      world.follows = (reference) => `mint server says of payment ${reference}: queued`
      let payNow = () => {}
      world.manners.pay = ({ settle, mint }) => {
        payNow = () => void (settle() && mint(5))
        return late
      }
      yield* start
      yield* pass(120)
      const [batch] = yield* readBatches(task)
      assert.deepInclude(batch, { status: "unknown", reason: "mint server says of payment payment-7: queued" })
      assert.strictEqual(world.payments.length, 1)
      payNow()
      yield* pass(120)
      assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
      assert.strictEqual(world.payments.length, 1)
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }).pipe(inMemory({ logLevel: "Info" }))
  )

  it.effect("is paid again only when the first payment can never be made any more", () =>
    Effect.gen(function* () {
      const world = yield* World
      const { who, task } = yield* paidOrder("ann", 5)
      world.takesAgain = false
      world.manners.pay = () => late
      yield* start
      yield* pass(280)
      assert.strictEqual(world.payments.length, 1)
      delete world.manners.pay
      yield* pass(120)
      assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
      assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 1, "with the same nonce")
    }).pipe(inMemory({ logLevel: "Info" }))
  )

  it.effect("that mints fewer than were paid for leaves the order open at what the chain shows", () =>
    Effect.gen(function* () {
      const world = yield* World
      const { task } = yield* paidOrder("ann", 5)
      world.takesAgain = false
      world.manners.pay = ({ settle, mint }) => {
        settle()
        mint(3)
        return { _tag: "Accepted", mintTxs: [], paymentTx: undefined }
      }
      yield* start
      yield* pass(400)
      assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 3 })
      const [batch] = yield* readBatches(task)
      assert.deepInclude(batch, { status: "paid", minted: 3, reason: "paid, 3 of 5 mints are on chain" })
      assert.strictEqual(world.payments.length, 1)
    }).pipe(inMemory({ logLevel: "Info" }))
  )
})
