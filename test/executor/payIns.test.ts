import { assert, layer } from "@effect/vitest"
import { Duration } from "effect"
import { usdc } from "../../src/domain/Usdc.ts"
import { inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { order, person, PRICE, readTask } from "../support/orders.ts"
import { PAYER, payInOrder, readPayIn } from "../support/payIns.ts"
import * as Postgres from "../support/Postgres.ts"
import { stories } from "../support/stories.ts"
import { logged, told, units } from "./given.ts"

layer(Postgres.session())("an order that its client pays for", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())
  const byBlocks = stories(
    it,
    inMemory({ checkTrigger: "block", checkInterval: Duration.hours(1), mintInterval: Duration.hours(1) })
  )

  onDatabase("is funded by that payment, and completed", function* (world) {
    const ann = yield* person("ann")
    const { task, payment, submit } = yield* payInOrder(ann, 5)
    yield* startFor(10)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.isTrue(submit())
    const tx = world.transfers.at(-1)!.tx
    yield* pass(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: tx })
    assert.deepInclude(yield* readPayIn(payment), { status: "settled", tx })
    assert.strictEqual(yield* told("pay_in.settled"), 1)
    assert.strictEqual(yield* logged("that 0xc1c1"), 1)
  })

  byBlocks("is funded with the block that counts, as by any deposit", function* () {
    const ann = yield* person("ann")
    yield* startFor(30)
    const { task, submit } = yield* payInOrder(ann, 5)
    yield* pass(3)
    submit()
    yield* pass(5)
    assert.strictEqual((yield* readTask(task)).status, "processing")
  })

  test("is paid for by no other deposit while its payment may come, and keeps none from others", function* (world) {
    const ann = yield* person("ann")
    const { task, submit } = yield* payInOrder(ann, 5)
    yield* startFor(2)
    const other = yield* order(ann, 5)
    yield* pass(10)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(30)
    assert.strictEqual((yield* readTask(other)).status, "completed")
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    submit()
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("gets its own deposit, and an older order of the same cost does not", function* (world) {
    const ann = yield* person("ann")
    const older = yield* order(ann, 5)
    yield* startFor(12)
    const { task, submit } = yield* payInOrder(ann, 5)
    submit()
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    world.deposit(ann.agentAddress, units(5))
    yield* pass(30)
    assert.strictEqual((yield* readTask(older)).status, "completed")
  })

  test("is not cancelled past its deadline while its payment may come", function* () {
    const ann = yield* person("ann")
    const { task, payment, submit } = yield* payInOrder(ann, 5, { windowSeconds: 700 })
    yield* startFor(650)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.isAbove(yield* logged("A payment that its client signed for this order is under way"), 0)
    assert.isTrue(submit())
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual((yield* readPayIn(payment)).status, "settled")
  })

  test("is one like any other when its payment cannot come any more", function* (world) {
    const ann = yield* person("ann")
    const [paid, unpaid] = [yield* payInOrder(ann, 5), yield* payInOrder(ann, 4)]
    yield* startFor(140)
    assert.strictEqual((yield* readPayIn(paid.payment)).status, "void")
    assert.isFalse(paid.submit())
    world.deposit(ann.agentAddress, units(5))
    yield* pass(30)
    assert.strictEqual((yield* readTask(paid.task)).status, "completed")
    assert.strictEqual((yield* readTask(unpaid.task)).status, "pending_payment")
    yield* pass(460)
    assert.strictEqual((yield* readTask(unpaid.task)).status, "cancelled")
  })

  test("waits in the last second of the window, and is void only by a confirmed block", function* () {
    const ann = yield* person("ann")
    const { payment, submit } = yield* payInOrder(ann, 5, { windowSeconds: 61 })
    yield* startFor(59)
    assert.isTrue(submit())
    yield* pass(12)
    assert.strictEqual((yield* readPayIn(payment)).status, "settled")
  })

  test("is one like any other when its nonce is cancelled or pays another", function* (world) {
    const ann = yield* person("ann")
    const [one, two] = [yield* payInOrder(ann, 5), yield* payInOrder(ann, 4)]
    yield* startFor(10)
    world.cancelAuthorization(PAYER, one.payment.nonce)
    world.useElsewhere(PAYER, two.payment.nonce, ann.userAddress, usdc(PRICE))
    yield* pass(15)
    assert.strictEqual((yield* readPayIn(one.payment)).status, "void")
    assert.strictEqual((yield* readPayIn(two.payment)).status, "elsewhere")
    yield* pass(600)
    assert.strictEqual((yield* readTask(one.task)).status, "cancelled")
    assert.strictEqual((yield* readTask(two.task)).status, "cancelled")
  })

  test("waits while nobody can say how its nonce was used, and its money is for no other order", function* (world) {
    const ann = yield* person("ann")
    const { task, payment, submit } = yield* payInOrder(ann, 5)
    const other = yield* order(ann, 5)
    yield* startFor(10)
    const { outcome } = world
    world.outcome = (...asked) => {
      const found = outcome.apply(world, asked)
      return found._tag === "Used" && asked[0] === PAYER ? { _tag: "Unexplained" } : found
    }
    submit()
    yield* pass(60)
    assert.strictEqual((yield* readPayIn(payment)).status, "live")
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.strictEqual((yield* readTask(other)).status, "pending_payment")
    world.deposit(ann.agentAddress, units(5))
    yield* pass(30)
    assert.strictEqual((yield* readTask(other)).status, "completed", "its own money is there")
    world.outcome = outcome
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("waits for its payment anew where the chain takes it back", function* (world) {
    const ann = yield* person("ann")
    const { task, payment, submit } = yield* payInOrder(ann, 5, { windowSeconds: 900 })
    yield* order(ann, 7)
    yield* startFor(60)
    // Which order the money is for is not known at first.
    world.logsTo = world.head
    submit()
    yield* pass(12)
    assert.strictEqual((yield* readPayIn(payment)).status, "settled")
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    world.logsTo = undefined
    world.reorganise(10n, { isMinedAgain: false })
    yield* pass(90)
    assert.strictEqual((yield* readPayIn(payment)).status, "live")
    yield* pass(600)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.isTrue(submit())
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })
})
