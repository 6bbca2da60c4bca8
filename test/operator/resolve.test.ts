import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { resolve } from "../support/operator.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { editTask, heldReason, order, paidOrder, readBatches, readTask, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import {
  assertDecided,
  assertUndecided,
  atWorkInMemory,
  givenHeld,
  givenUndelivered,
  interrupted,
  refusal,
  stories,
  STRANGER,
  units,
  WHY
} from "./given.ts"

layer(Postgres.session())("deciding about a batch", (it) => {
  const { inMemory } = stories(it)
  inMemory(
    "that the person minted for themselves meanwhile is no delivery: it is paid for, and its own mints count",
    function* () {
      const world = yield* World
      const { who, task } = yield* paidOrder("ann", 5)
      world.manners.pay = ({ order: asked }) => {
        delete world.manners.pay
        world.mint(asked, 5)
        return { _tag: "Unclear", reason: "no answer from the mint server" }
      }
      yield* start
      yield* pass(70)
      assert.include(yield* heldReason(task), "5 mints were made and never paid for")
      assert.include(yield* refusal(resolve(task, { as: "replaced" }, WHY)), "nothing proves that it is dead")
      const report = yield* resolve(task, { as: "again" }, WHY)
      assert.deepInclude(report, { batch: 1, minted: 0, setAside: 5, failed: false })
      yield* assertDecided("resolve", task)
      yield* pass(30)
      assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5, error_message: null })
      assert.strictEqual(world.mintsTo(who.userAddress), 10)
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }
  )

  inMemory(
    "whose nonce was used or cancelled, or whose payment may still come, is not paid for again under it",
    function* () {
      const { task } = yield* givenHeld("cancelled")
      assert.include(yield* refusal(resolve(task, { as: "again" }, WHY)), "resolve it as replaced")
      yield* assertUndecided
    }
  )

  inMemory("that was minted and never paid: as delivered, with the mints that the chain shows", function* () {
    const { world, who, task } = yield* givenHeld("minted and never paid")
    const report = yield* resolve(task, { as: "delivered" }, WHY)
    assert.deepInclude(report, { batch: 1, minted: 5, onChain: 5, failed: false })
    yield* assertDecided("resolve", task)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5, error_message: null })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
    assert.deepInclude((yield* readBatches(task))[0], { status: "resolved", reason: `delivered: ${WHY}` })
  })

  inMemory("whose mints the chain cannot show: as delivered, by the operator's word for so many", function* () {
    const { task } = yield* givenUndelivered()
    const said = yield* refusal(resolve(task, { as: "delivered" }, WHY))
    assert.match(said, /The chain shows 0 of the 5 mints of batch 1.*--mints 5/)
    assert.include(yield* refusal(resolve(task, { as: "delivered", mints: 6 }, WHY)), "is not between 0 and 5")
    yield* assertUndecided
    assert.deepInclude(yield* resolve(task, { as: "delivered", mints: 5 }, WHY), { minted: 5, onChain: 0 })
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
  })

  inMemory(
    "beside another one of its token that is in flight waits: the mints on chain may be the other's",
    function* () {
      const { world, who, task } = yield* givenHeld("cancelled")
      world.manners.pay = ({ settle, mint }) => {
        settle()
        mint(2)
        return { _tag: "Unclear", reason: "no answer" }
      }
      const other = yield* order(who, 2)
      world.deposit(who.agentAddress, units(2))
      yield* pass(11)
      for (const as of ["delivered", "replaced"] as const) {
        const said = yield* refusal(resolve(task, { as }, WHY))
        assert.include(said, `Batch 1 of task ${other.slice(0, 8)} is`)
        assert.include(said, "mints on chain may be its own")
      }
      yield* pass(60)
      assert.strictEqual((yield* readTask(other)).status, "completed")
      assert.deepInclude(yield* resolve(task, { as: "replaced" }, WHY), { replacement: 2 })
    }
  )

  inMemory("whose nonce is dead: replaced, and bought once under another one", function* () {
    const { world, who, task } = yield* givenHeld("cancelled")
    const report = yield* resolve(task, { as: "replaced" }, WHY)
    assert.deepInclude(report, { batch: 1, minted: 0, replacement: 2 })
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 2)
    assert.deepStrictEqual(
      (yield* readBatches(task)).map(({ number, status }) => [number, status]),
      [
        [1, "resolved"],
        [2, "delivered"]
      ]
    )
  })

  inMemory("whose nonce paid somebody else: replaced when the wallet has the money again", function* () {
    const { world, who, task } = yield* givenHeld("misused")
    const said = yield* refusal(resolve(task, { as: "replaced" }, WHY))
    assert.include(said, "The wallet holds 0.00 USDC for it, 5.00 is needed: pay in 5.00 USDC to")
    world.deposit(who.agentAddress, units(5))
    yield* pass(10)
    yield* resolve(task, { as: "replaced" }, WHY)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(
      world.paidBy(who.agentAddress).map(({ to }) => to),
      [STRANGER, TOKEN]
    )
  })

  inMemory("whose nonce is not dead, or that is paid, is never replaced", function* () {
    const { task } = yield* givenHeld("minted and never paid")
    assert.include(yield* refusal(resolve(task, { as: "replaced" }, WHY)), "is unused: nothing proves that it is dead")
    yield* assertUndecided
  })

  inMemory("that is paid is never replaced, whatever the operator says", function* () {
    const { task } = yield* givenUndelivered()
    assert.include(yield* refusal(resolve(task, { as: "replaced" }, WHY)), "What is paid is never paid again")
  })

  inMemory("while somebody has minted for it: not replaced, as the mints would be bought twice", function* () {
    const { world, who, task } = yield* givenHeld("cancelled")
    world.mint({ token: TOKEN, recipient: who.userAddress, quantity: 2 } as never, 2)
    yield* pass(10)
    assert.include(yield* refusal(resolve(task, { as: "replaced" }, WHY)), "2 mints on chain may be of batch")
  })

  inMemory("as failed: the task fails with it, and what it did not spend pays for the next order", function* () {
    const { who, task } = yield* givenHeld("cancelled")
    const next = yield* order(who, 5)
    yield* pass(30)
    assert.strictEqual((yield* readTask(next)).status, "pending_payment")
    assert.deepInclude(yield* resolve(task, { as: "failed" }, WHY), { batch: 1, failed: true })
    assert.deepInclude(yield* readTask(task), {
      status: "failed",
      mints_failed: 5,
      error_message: `Failed by the operator: ${WHY}`
    })
    assert.isUndefined(yield* heldReason(task))
    yield* pass(60)
    assert.strictEqual((yield* readTask(next)).status, "completed")
  })

  inMemory("of a task that was failed by hand keeps its end, and frees it for another try", function* () {
    const { task } = yield* givenHeld("cancelled")
    yield* editTask(task, { status: "failed", error_message: "by hand" })
    assert.deepInclude(yield* resolve(task, { as: "replaced" }, WHY), { replacement: 2, failed: false })
    assert.deepInclude(yield* readTask(task), { status: "failed", error_message: "by hand" })
  })

  inMemory("that somebody else moves meanwhile is refused", function* () {
    const { world, who, task } = yield* givenUndelivered()
    const repo = yield* DecisionRepo
    const delivered = Effect.andThen(
      Effect.sync(() => world.mint({ token: TOKEN, recipient: who.userAddress, quantity: 5 } as never, 5)),
      pass(90)
    )
    const late = { ...repo, resolveBatch: yield* interrupted(repo.resolveBatch, delivered) }
    const failing = resolve(task, { as: "failed" }, WHY).pipe(Effect.provideService(DecisionRepo, late))
    assert.include(yield* refusal(failing), "changed meanwhile, and nothing was done: try again.")
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.match(yield* refusal(resolve(task, { as: "failed", batch: 1 }, WHY)), /Batch 1 of task \S+ is delivered/)
    yield* assertUndecided
  })
})

layer(Postgres.session())("giving a task up", (it) => {
  const { onSql } = stories(it)
  it.effect("without a held batch fails it, where no payment of it is in flight", () =>
    Effect.gen(function* () {
      const world = yield* World
      const { task } = yield* paidOrder("ann", 5)
      world.manners.pay = () => ({ _tag: "Unclear", reason: "no answer" })
      yield* start
      yield* pass(20)
      const said = yield* refusal(resolve(task, { as: "failed" }, WHY))
      assert.match(said, /Batch 1 of task \S+ is unknown: .*while a payment of it is in flight/)
      world.supply = 0n
      yield* pass(60)
      assert.strictEqual((yield* readBatches(task))[0]?.status, "planned")
      assert.deepInclude(yield* resolve(task, { as: "failed" }, WHY), { batch: undefined, failed: true })
      assert.strictEqual((yield* readTask(task)).status, "failed")
      assert.include(yield* refusal(resolve(task, { as: "failed" }, WHY)), "has ended already: it is failed")
    }).pipe(atWorkInMemory({ maxRetryCount: 50 }))
  )

  onSql("that nobody paid for is refused, and told to cancel it", function* () {
    const { task } = yield* paidOrder("ann", 5)
    assert.include(yield* refusal(resolve(task, { as: "failed" }, WHY)), "ai-mint cancel")
    assert.include(yield* refusal(resolve(task, { as: "delivered" }, WHY)), "No batch of task")
    assert.include(yield* refusal(resolve(task, { as: "failed", batch: 7 }, WHY)), "has no batch 7")
    assert.include(
      yield* refusal(resolve(task, { as: "failed", mints: 7 }, WHY)),
      "--mints goes with --as delivered only"
    )
  })
})
