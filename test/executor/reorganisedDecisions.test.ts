import { assert, layer } from "@effect/vitest"
import { NoOffer } from "../../src/mint/Minter.ts"
import { refund, resolve } from "../support/operator.ts"
import { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { atWork, refusal } from "../operator/given.ts"
import { onWorld, pass, start, startFor } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { heldReason, order, person, readBatches, readTask, unpaidOrder } from "../support/orders.ts"
import { type Decided, type Staged, stories } from "../support/stories.ts"
import { accepted, books, logged, settles, told, units } from "./given.ts"

layer(Postgres.session())("what people decided in a reorganised chain", (it) => {
  const test = stories<Decided>(it, atWork())

  test("a resolved batch's payment leaves the books when it can never come back", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(60)
    world.deposit(ann.agentAddress, units(5))
    world.manners.pay = settles(accepted())
    while ((yield* readBatches(task))[0]?.status !== "paid") yield* pass(1)
    yield* resolve(task, { as: "delivered", mints: 5 }, "the person has them")
    world.reorganise(world.head - (world.transfers.at(-1)?.block ?? 0n) + 1n, { isMinedAgain: false })
    yield* pass(40)
    assert.isAbove(yield* logged("and it may still come back"), 0)
    yield* pass(120)
    assert.deepStrictEqual(yield* books, { book_balance: 5_000_000n, stopped_reason: null })
    assert.deepInclude((yield* readBatches(task))[0], { status: "resolved", minted: 5, paid_amount: null })
    assert.isAbove(yield* logged("its money is the wallet's credit again"), 0)
    assert.strictEqual(yield* told("chain.reorganised"), 1)
  })

  test("a held batch whose payment is gone is followed again, and its money is in the books", function* (world) {
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    world.manners.pay = ({ payment }) => {
      world.useElsewhere(payment.from, payment.nonce, ann.userAddress, payment.value)
      return accepted()
    }
    const task = yield* order(ann, 5)
    while ((yield* readBatches(task))[0]?.status !== "held") yield* pass(1)
    world.reorganise(14n, { isMinedAgain: false })
    yield* pass(90)
    assert.isAbove(yield* told("batch.unknown"), 0)
    assert.deepStrictEqual(yield* books, { book_balance: 5_000_000n, stopped_reason: null })
  })

  test("an order whose deposit is gone before its payment is held, and no wallet is stopped", function* (world) {
    const ann = yield* person("ann")
    world.unreachable = "the mint server is down"
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "the mint server is down" })
    const task = yield* order(ann, 5)
    yield* startFor(60)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(20)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    world.reorganise(15n, { isMinedAgain: false, only: "deposits" })
    delete world.manners.quote
    yield* pass(200)
    assert.strictEqual((yield* books)?.stopped_reason, null)
    assert.include(yield* heldReason(task), "holds")
    assert.strictEqual(world.paidBy(ann.agentAddress).length, 0)
  })

  test("a refund that is gone is back in the books, and is paid once more", function* (world) {
    const ann = yield* person("ann")
    yield* order(ann, 1)
    yield* start
    world.deposit(ann.agentAddress, units(6))
    yield* pass(60)
    yield* refund(ann.walletId, { amount: units(4), to: ann.userAddress, confirm: true }, "the person asked")
    yield* pass(30)
    assert.strictEqual(yield* told("refund.paid"), 1)
    assert.deepStrictEqual(yield* books, { book_balance: 1_000_000n, stopped_reason: null })
    world.reorganise(14n, { isMinedAgain: false })
    yield* pass(90)
    assert.strictEqual(yield* told("refund.paid"), 2)
    assert.strictEqual(world.paidBy(ann.agentAddress).length, 2, "for the order, and the refund")
    assert.deepStrictEqual(yield* books, { book_balance: 1_000_000n, stopped_reason: null })
  })

  stories<Staged | WatchRepo>(it, onWorld())(
    "the payment of a completed order that never comes back is decided by a person, and buys nothing more",
    function* (world) {
      const ann = yield* person("ann")
      yield* start
      world.deposit(ann.agentAddress, units(5))
      yield* pass(60)
      const task = yield* order(ann, 5)
      yield* pass(30)
      world.reorganise(14n, { isMinedAgain: false })
      yield* pass(1_500)
      assert.deepInclude((yield* readBatches(task))[0], { status: "held" })
      const [item] = yield* (yield* WatchRepo).attention(10)
      assert.deepInclude(item, { kind: "held", taskId: task })
      assert.include(
        yield* refusal(resolve(task, { as: "replaced" }, "why")),
        "is completed, and nothing more is bought"
      )
      assert.include(yield* refusal(resolve(task, { as: "again" }, "why")), "is completed, and nothing more is bought")
      assert.deepInclude(yield* resolve(task, { as: "failed" }, "why"), { failed: false })
      assert.strictEqual((yield* readTask(task)).status, "completed")
    }
  )
})
