import { assert, layer } from "@effect/vitest"
import { Duration } from "effect"
import type { Bytes32 } from "../../src/domain/Address.ts"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { heldReason, paidOrder, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { settles } from "./given.ts"

const accepted = (...mintTxs: ReadonlyArray<Bytes32>): PaymentAnswer => ({
  _tag: "Accepted",
  mintTxs,
  paymentTx: undefined
})
const soldOut: PaymentAnswer = { _tag: "Unclear", reason: "mint server answered 409: Insufficient remaining supply" }
const spent: PaymentAnswer = { _tag: "Unclear", reason: "mint server answered 402: nonce_already_used" }
const gone: PaymentAnswer = { _tag: "Unclear", reason: "mint server answered 500" }

const UNDELIVERED = "Held for the operator: batch 1 is paid and not delivered"

/** Held after 150 s. */
const QUICK = { mintTimeout: Duration.seconds(15) }
const AGAIN = { ...QUICK, drainTimeout: Duration.zero }

/** Seconds from the first send to each later one. */
const sendsAfter = ({ sentAtMs }: { readonly sentAtMs: ReadonlyArray<number> }) =>
  sentAtMs.slice(1).map((atMs) => (atMs - sentAtMs[0]!) / 1000)

layer(Postgres.session())("a payment that was taken and brings nothing that counts", (it) => {
  const test = stories(it, inMemory(QUICK))
  const onDatabase = stories(it, onWorld(QUICK))

  test("is sent again after pauses that double to a minute, and never while its order is held", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.manners.pay = settles(gone)
    yield* startFor(240)
    assert.isDefined(yield* heldReason(task))
    const sends = sendsAfter(world)
    const pauses = sends.map((at, index) => at - (sends[index - 1] ?? 0))
    for (const [index, pause] of pauses.entries()) {
      assert.isAtLeast(pause, Math.min(60, 4 * 2 ** index), `before send ${index + 2}`)
    }
    assert.isAtMost(sends.length, 6)
    const { length } = world.payments
    yield* pass(240)
    assert.strictEqual(world.payments.length, length)
  })

  onDatabase("is not asked for again once the server has said three times that it is done", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ settle, order }) => {
      settle()
      // Each time anew, and none of it can be told from any other transfer.
      world.mint({ ...order, token: who.userAddress }, 5)
      return accepted()
    }
    yield* startFor(240)
    assert.strictEqual(world.payments.length, 3)
    assert.strictEqual(yield* heldReason(task), `${UNDELIVERED}; the mint server said that it was done`)
  })

  test("is held at once and not sent again where the transaction that the server named is mined", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    let named: Bytes32 | undefined
    world.manners.pay = ({ settle }) => {
      settle()
      named ??= world.mine()
      return accepted(named)
    }
    yield* startFor(40)
    const reason = `${UNDELIVERED}; the mint server named ${named}, which is mined, and 0 of 5 mints came`
    assert.strictEqual(yield* heldReason(task), reason)
    assert.strictEqual((yield* readTask(task)).error_message, reason)
    yield* pass(70)
    assert.strictEqual(world.payments.length, 1)
    world.mint({ token: world.payments[0]!.to, recipient: who.userAddress, quantity: 5 }, 5)
    yield* pass(75)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5, error_message: null })
  })

  test("is sent again where the transaction that the server named was reverted or is in no block", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ settle, mint }) => {
      settle()
      if (world.payments.length === 1) return accepted(world.mine("reverted"))
      return world.payments.length === 2 ? accepted(world.hash()) : accepted(...mint(5))
    }
    yield* startFor(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.payments.length, 3)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  test("is held in the words that the server gave to it, the first and the last of them", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ settle }) => (settle() ? soldOut : spent)
    yield* startFor(240)
    assert.strictEqual(yield* heldReason(task), `${UNDELIVERED}; ${soldOut.reason}; ${spent.reason}`)
  })

  test("and is delivered in part is not asked for again: that would be for all of it", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = ({ settle, order }) => {
      if (settle()) world.mint(order, 3)
      return gone
    }
    yield* startFor(240)
    assert.strictEqual(world.payments.length, 1)
    assert.strictEqual(yield* heldReason(task), `${UNDELIVERED}; 3 of 5 mints came; ${gone.reason}`)
    world.mint({ token: world.payments[0]!.to, recipient: who.userAddress, quantity: 5 }, 2)
    yield* pass(75)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5, error_message: null })
  })

  stories(it, onWorld(AGAIN))("while we were down for long is asked for before its order is held", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = settles(gone)
    yield* pass(6)
    const first = yield* launch(AGAIN)
    yield* pass(20)
    yield* first.kill
    yield* pass(400)
    delete world.manners.pay
    const second = yield* launch(AGAIN)
    yield* pass(75)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    yield* second.kill
  })
})
