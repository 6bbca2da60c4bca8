import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { messages, type TaskId } from "../../../src/domain/Task.ts"
import { KEY_OF_WALLET } from "../../../src/domain/Wallet.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  cost,
  cut,
  evidence,
  delivered,
  firstPage,
  funding,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  mintsOf,
  NOW_MS,
  ordersOf,
  type Promises,
  save,
  signed,
  TIP,
  uuid,
  workOf
} from "./given.ts"

const REASON = "Held for the operator: the payment was taken and nothing was minted"

const hold = (...taskIds: ReadonlyArray<TaskId>) =>
  Effect.flatMap(TaskRepo, (repo) =>
    repo.hold(
      taskIds.map((taskId) => ({ taskId, reason: REASON })),
      NOW_MS + 1
    )
  )

export const holdingPromises = (promises: Promises): void => {
  promises("a held order keeps its status, says why, and is nobody's work", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const pending = yield* givenOrder(wallet)
    const { id: funded } = yield* givenFunded(wallet)
    const { id: processing } = yield* givenPlanned(wallet)
    const all = [pending, funded, processing]
    assert.sameMembers([...(yield* hold(...all))], all)
    for (const [id, status] of [
      [pending, "pending_payment"],
      [funded, "funded"],
      [processing, "processing"]
    ] as const) {
      assert.deepInclude(yield* fixture.readTask(id), { status, errorMessage: REASON, updatedAtMs: NOW_MS + 1 })
    }
    assert.deepStrictEqual(yield* firstPage, { wallets: [], bad: [], cursor: undefined })
    const repo = yield* TaskRepo
    assert.deepInclude(yield* workOf(wallet), { tasks: [], bad: [], batches: [] })
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS + 60_000, 10), [])
    assert.deepStrictEqual(yield* repo.openTasks, { pendingPayment: 0, funded: 0, processing: 0, held: 3 })
  })

  promises("a held order is neither funded nor cancelled nor planned nor failed, and its words stay", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const [first, second] = [yield* givenOrder(wallet), yield* givenOrder(wallet)]
    const funded = yield* givenFunded(wallet)
    const orders = yield* ordersOf(wallet)
    yield* hold(first, second, funded.id)
    assert.deepStrictEqual(yield* repo.fund([funding(orders, first)], TIP, NOW_MS), [])
    const { version } = yield* (yield* LedgerFixture).readWalletState(wallet.id)
    const late = { ...evidence(orders, second), version, message: "not paid" }
    assert.deepStrictEqual(yield* repo.cancel([late], TIP, NOW_MS), [])
    assert.isFalse(yield* wasFirst(repo.plan(funded, cut(funded, wallet, 2), NOW_MS)))
    assert.isFalse(yield* wasFirst(repo.saveTask(funded, { status: "failed", errorMessage: "no" }, NOW_MS)))
    assert.isFalse(yield* wasFirst(repo.saveTask(funded, { retryCount: 1, errorMessage: "Retry 1/3: no" }, NOW_MS)))
    for (const [id, status] of [
      [first, "pending_payment"],
      [second, "pending_payment"],
      [funded.id, "funded"]
    ] as const) {
      const { errorMessage, ...task } = yield* (yield* LedgerFixture).readTask(id)
      assert.deepStrictEqual([task.status, errorMessage], [status, REASON])
    }
  })

  promises(
    "a held order that waits for money is seen beside those that go on, and by nobody where there are none",
    function* () {
      const wallet = yield* givenWallet()
      const held = yield* givenOrder(wallet, { quantity: 2, createdAtMs: NOW_MS - 1_000 })
      const odd = yield* givenOrder(wallet, { totalCost: 0n })
      yield* hold(held, odd)
      assert.deepStrictEqual((yield* firstPage).wallets, [])
      const waiting = yield* givenOrder(wallet)
      const { pending, held: beside } = yield* ordersOf(wallet)
      assert.deepStrictEqual(
        pending.map(({ id }) => id),
        [waiting]
      )
      assert.deepStrictEqual(beside, [{ id: held, totalCost: cost(2), createdAtMs: NOW_MS - 1_000, isHeld: true }])
    }
  )

  promises("an order is held once: whoever comes second is not told so, and the first reason stays", function* () {
    const id = yield* givenOrder(yield* givenWallet())
    const repo = yield* TaskRepo
    assert.deepStrictEqual(yield* hold(id), [id])
    assert.deepStrictEqual(yield* repo.hold([{ taskId: id, reason: "another" }], NOW_MS + 2), [])
    const task = yield* (yield* LedgerFixture).readTask(id)
    assert.deepInclude(task, { errorMessage: REASON, updatedAtMs: NOW_MS + 1 })
  })

  promises("an order that is named twice in one call is held once", function* () {
    const id = yield* givenOrder(yield* givenWallet())
    assert.deepStrictEqual(yield* hold(id, id), [id])
  })

  promises("an order that has ended, or never was, is not held", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    for (const status of ["completed", "failed", "cancelled"] as const) {
      const id = yield* givenOrder(wallet)
      yield* fixture.editTask(id, { status })
      assert.deepStrictEqual(yield* hold(id), [])
      assert.deepInclude(yield* fixture.readTask(id), { status, errorMessage: undefined })
    }
    assert.deepStrictEqual(yield* hold(uuid(0xffff_0404)), [])
  })

  promises("a row that is no order can be held like any other", function* () {
    const nobody = { ...(yield* givenWallet()), id: uuid(0xffff_0404) }
    const id = yield* givenOrder(nobody, { quantity: 0 })
    const repo = yield* TaskRepo
    assert.deepStrictEqual(yield* repo.hold((yield* firstPage).bad, NOW_MS), [id])
    assert.deepStrictEqual((yield* firstPage).bad, [])
  })

  promises("the money of a held order stays reserved", function* () {
    const wallet = yield* givenWallet()
    const [funded, planned] = [yield* givenFunded(wallet), yield* givenPlanned(wallet)]
    yield* hold(funded.id, planned.id)
    yield* givenOrder(wallet)
    assert.strictEqual((yield* ordersOf(wallet)).reserved, cost(8))
    assert.strictEqual((yield* workOf(wallet)).reserved, cost(8))
  })

  promises(
    "a hold for a key is found by its beginning, and ends only where its reason is still the same",
    function* () {
      const fixture = yield* LedgerFixture
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const [forKey, forOther, ended] = [
        yield* givenOrder(wallet),
        yield* givenOrder(wallet),
        yield* givenOrder(wallet)
      ]
      const reason = messages.held(`${KEY_OF_WALLET} ${wallet.agentAddress} does not decrypt`)
      yield* repo.hold([{ taskId: forKey, reason }], NOW_MS + 1)
      yield* repo.hold([{ taskId: ended, reason }], NOW_MS + 2)
      yield* hold(forOther)
      yield* fixture.editTask(ended, { status: "cancelled" })
      const found = yield* repo.heldForKeys(10)
      assert.deepStrictEqual(
        found.map((one) => [one.taskId, one.reason, one.wallet.agentAddress]),
        [[forKey, reason, wallet.agentAddress]]
      )
      assert.deepStrictEqual(yield* repo.heldForKeys(0), [])
      const another = { taskId: forKey, reason: `${reason} any more` }
      assert.deepStrictEqual(yield* repo.endHolds([another, { taskId: ended, reason }], NOW_MS + 3), [])
      assert.deepStrictEqual(yield* repo.endHolds(found, NOW_MS + 3), [forKey])
      assert.deepInclude(yield* fixture.readTask(forKey), { errorMessage: undefined, updatedAtMs: NOW_MS + 3 })
      assert.strictEqual((yield* repo.openTasks).held, 1)
      assert.deepStrictEqual(yield* repo.endHolds([], NOW_MS + 4), [])
    }
  )

  promises("a sample of the wallets holds new ones and old ones, each once", function* () {
    const repo = yield* TaskRepo
    assert.deepStrictEqual(yield* repo.sampleWallets(20), [])
    const wallets = [yield* givenWallet(1), yield* givenWallet(2), yield* givenWallet(3)]
    const ids = (yield* repo.sampleWallets(20)).map(({ id }) => id)
    assert.sameMembers(
      [...ids],
      wallets.map(({ id }) => id)
    )
  })

  promises(
    "a hold for mints that do not come ends with them, whatever more its reason tells, and no other hold does",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      for (const [reason, isOver] of [
        [messages.undelivered(1), true],
        [messages.undelivered(1, ["the server says: sold out_%"]), true],
        [messages.undelivered(2), false],
        [messages.undelivered(11), false],
        [messages.held("a person looks"), false]
      ] as const) {
        const task = yield* givenPlanned(wallet)
        const paid = yield* givenPaid(task, 1)
        yield* repo.hold([{ taskId: task.id, reason }], NOW_MS)
        const mints = mintsOf(paid, 2)
        assert.isTrue(
          yield* save({ before: paid, after: delivered(2)(paid), mints, endsHold: messages.undelivered(1) })
        )
        const { errorMessage } = yield* (yield* LedgerFixture).readTask(task.id)
        assert.strictEqual(errorMessage, isOver ? undefined : reason)
        const { tasks } = yield* workOf(wallet)
        assert.strictEqual(
          tasks.some(({ id }) => id === task.id),
          isOver
        )
      }
    }
  )

  promises("a payment in flight is looked after although its order is held", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const live = yield* advance(yield* batchOf(task, 1), signed)
    yield* hold(task.id)
    const work = yield* workOf(wallet)
    assert.deepStrictEqual(work.tasks, [])
    assert.deepStrictEqual(work.batches, [live])
    assert.deepStrictEqual(work.held, new Set([task.id]))
    const repo = yield* TaskRepo
    assert.deepStrictEqual(yield* repo.dueWallets(live.nextActionAtMs ?? 0, 10), [wallet.id])
  })
}
