import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { cancel } from "../support/operator.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { anyId } from "../support/anyId.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { editTask, heldReason, order, person, readTask } from "../support/orders.ts"
import { payInOrder, readPayIn } from "../support/payIns.ts"
import { World } from "../support/World.ts"
import { assertDecided, assertUndecided, interrupted, refusal, stories, STRANGER, units, WHY } from "./given.ts"

layer(Postgres.session())("cancelling an order", (it) => {
  const { inMemory, onSql } = stories(it)
  inMemory("that nobody paid for ends it, by the first digits of its id, and says why", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(2))
    yield* pass(10)
    const report = yield* cancel(task.slice(0, 8), WHY)
    assert.deepStrictEqual([report.taskId, report.credit], [task, 2_000_000n])
    const row = yield* readTask(task)
    assert.deepInclude(row, { status: "cancelled", error_message: `Cancelled: ${WHY}` })
    assert.isNotNull(row.completed_ms)
    yield* assertDecided("cancel", task)
    yield* start
    world.deposit(ann.agentAddress, units(3))
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "cancelled")
  })

  inMemory("that its client pays for is refused while that payment may come", function* () {
    const ann = yield* person("ann")
    const { task, payment } = yield* payInOrder(ann, 5, { windowSeconds: 120 })
    yield* pass(10)
    assert.include(yield* refusal(cancel(task, WHY)), "A payment is under way")
    assert.include(yield* refusal(cancel(task, WHY)), "it comes within 1m 5")
    yield* pass(130)
    assert.include(yield* refusal(cancel(task, WHY)), "if it was submitted in time", "the sweep writes that down first")
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* start
    yield* pass(20)
    assert.strictEqual((yield* readPayIn(payment)).status, "void")
    assert.strictEqual((yield* cancel(task, WHY)).taskId, task)
  })

  inMemory("that is paid, and not seen yet, is refused", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(10)
    assert.include(yield* refusal(cancel(task, WHY)), "is already paid, and is not cancelled")
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    yield* assertUndecided
    yield* start
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.include(yield* refusal(cancel(task, WHY)), "has ended already: it is completed")
  })

  onSql("that is being minted is refused, and told what gives it up", function* () {
    const ann = yield* person("ann")
    const task = yield* order(ann, 5, { status: "processing" })
    assert.match(yield* refusal(cancel(task, WHY)), /already paid \(processing\).*resolve \S+ --as failed/)
  })

  inMemory(
    "that is the second of two is done where the money is the first one's, and refused where it is its own",
    function* () {
      const world = yield* World
      yield* start
      const ann = yield* person("ann")
      const older = yield* order(ann, 5)
      yield* pass(10)
      yield* TestClock.adjust("1 millis")
      const newer = yield* order(ann, 3)
      world.deposit(ann.agentAddress, units(3))
      yield* TestClock.adjust("4 seconds")
      assert.include(yield* refusal(cancel(newer, WHY)), "already paid")
      assert.strictEqual((yield* cancel(older, WHY)).taskId, older)
      yield* pass(40)
      assert.strictEqual((yield* readTask(newer)).status, "completed")
    }
  )

  inMemory("while a payment of its wallet is unproven is refused where the money may be there", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const paid = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(5))
    world.manners.pay = () => ({ _tag: "Unclear", reason: "no answer" })
    yield* start
    yield* pass(20)
    assert.strictEqual((yield* readTask(paid)).status, "processing")
    const [small, large] = [yield* order(ann, 2), yield* order(ann, 9)]
    assert.include(yield* refusal(cancel(small, WHY)), "is not proven yet")
    assert.strictEqual((yield* cancel(large, WHY)).taskId, large)
  })

  inMemory("of a wallet from which more was paid than is known is refused", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(6))
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "away" })
    yield* start
    yield* pass(20)
    world.spend(ann.agentAddress, STRANGER, units(1))
    const next = yield* order(ann, 1)
    yield* pass(15)
    assert.include(yield* refusal(cancel(next, WHY)), "more was paid than the ledger knows of")
    assert.strictEqual((yield* readTask(next)).status, "pending_payment")
  })

  inMemory("by a node that is behind the wallet's last payment is refused", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(5))
    yield* start
    yield* pass(60)
    const next = yield* order(ann, 1)
    world.lagBlocks = 100n
    assert.include(yield* refusal(cancel(next, WHY)), "The node is behind the last payment")
  })

  inMemory("of a stopped wallet takes any money that would do for paid", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    yield* order(ann, 9)
    world.deposit(ann.agentAddress, units(5))
    yield* start
    yield* pass(20)
    world.spend(ann.agentAddress, STRANGER, units(1))
    yield* pass(20)
    const [small, large] = [yield* order(ann, 2), yield* order(ann, 6)]
    assert.include(yield* refusal(cancel(small, WHY)), "may be paid")
    assert.strictEqual((yield* cancel(large, WHY)).credit, 4_000_000n)
  })

  inMemory("that is funded between the look and the decision is refused, and may be tried again", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    yield* start
    yield* pass(5)
    const repo = yield* DecisionRepo
    const paidMeanwhile = Effect.andThen(
      Effect.sync(() => world.deposit(ann.agentAddress, units(5))),
      pass(15)
    )
    const late = {
      ...repo,
      cancel: yield* interrupted(repo.cancel, paidMeanwhile)
    }
    const said = yield* refusal(cancel(task, WHY).pipe(Effect.provideService(DecisionRepo, late)))
    assert.include(said, "changed meanwhile, and nothing was done: try again.")
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    yield* assertUndecided
  })

  inMemory("that is held, as it is no order at all, ends it", function* () {
    const ann = yield* person("ann")
    const bad = yield* order(ann, 5, { quantity: 0 })
    const nobody = { ...ann, walletId: anyId("00000000-0000-4000-8000-000000000404") }
    const lost = yield* order(nobody, 5)
    yield* start
    yield* pass(20)
    for (const task of [bad, lost]) {
      assert.isDefined(yield* heldReason(task))
      yield* cancel(task, WHY)
      assert.strictEqual((yield* readTask(task)).status, "cancelled")
      assert.isUndefined(yield* heldReason(task))
    }
  })

  inMemory("that is not there, or is named by too little, is refused", function* () {
    const ann = yield* person("ann")
    const one = anyId("abcd1234-0000-4000-8000-000000000001")
    const other = anyId("abcd1234-0000-4000-8000-000000000002")
    for (const id of [one, other]) yield* order(ann, 5, { id })
    assert.include(yield* refusal(cancel("abcd1234", WHY)), "Several tasks begin with abcd1234")
    assert.include(yield* refusal(cancel("abc", WHY)), '"abc" is no task id')
    assert.include(yield* refusal(cancel("00000000-0000-4000-8000-000000000404", WHY)), "There is no task")
    yield* editTask(one, { status: "failed" })
    assert.include(yield* refusal(cancel(one, WHY)), "has ended already: it is failed")
  })
})
