import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { TaskRepo } from "../../../src/task/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  cost,
  firstPage,
  givenFunded,
  givenOrder,
  givenPlanned,
  givenWallet,
  NOW_MS,
  ordersOf,
  type Promises,
  signed,
  uuid,
  workOf
} from "./given.ts"

const REASON = "Held for the operator: the payment was taken and nothing was minted"

const hold = (...taskIds: ReadonlyArray<string>) =>
  Effect.flatMap(TaskRepo, (repo) =>
    repo.hold(
      taskIds.map((taskId) => ({ taskId, reason: REASON })),
      NOW_MS + 1
    )
  )

export const holdingPromises = (promises: Promises): void => {
  promises(
    "a held order keeps its status, says why, and is nobody's work",
    Effect.fnUntraced(function* () {
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
  )

  promises(
    "an order is held once: whoever comes second is not told so, and the first reason stays",
    Effect.fnUntraced(function* () {
      const id = yield* givenOrder(yield* givenWallet())
      const repo = yield* TaskRepo
      assert.deepStrictEqual(yield* hold(id), [id])
      assert.deepStrictEqual(yield* repo.hold([{ taskId: id, reason: "another" }], NOW_MS + 2), [])
      const task = yield* (yield* LedgerFixture).readTask(id)
      assert.deepInclude(task, { errorMessage: REASON, updatedAtMs: NOW_MS + 1 })
    })
  )

  promises(
    "an order that is named twice in one call is held once",
    Effect.fnUntraced(function* () {
      const id = yield* givenOrder(yield* givenWallet())
      assert.deepStrictEqual(yield* hold(id, id), [id])
    })
  )

  promises(
    "an order that has ended, or never was, is not held",
    Effect.fnUntraced(function* () {
      const fixture = yield* LedgerFixture
      const wallet = yield* givenWallet()
      for (const status of ["completed", "failed", "cancelled"] as const) {
        const id = yield* givenOrder(wallet)
        yield* fixture.editTask(id, { status })
        assert.deepStrictEqual(yield* hold(id), [])
        assert.deepInclude(yield* fixture.readTask(id), { status, errorMessage: undefined })
      }
      assert.deepStrictEqual(yield* hold(uuid(404)), [])
    })
  )

  promises(
    "a row that is no order can be held like any other",
    Effect.fnUntraced(function* () {
      const nobody = { ...(yield* givenWallet()), id: uuid(404) }
      const id = yield* givenOrder(nobody, { quantity: 0 })
      const repo = yield* TaskRepo
      assert.deepStrictEqual(yield* repo.hold((yield* firstPage).bad, NOW_MS), [id])
      assert.deepStrictEqual((yield* firstPage).bad, [])
    })
  )

  promises(
    "the money of a held order stays reserved",
    Effect.fnUntraced(function* () {
      const wallet = yield* givenWallet()
      const [funded, planned] = [yield* givenFunded(wallet), yield* givenPlanned(wallet)]
      yield* hold(funded.id, planned.id)
      yield* givenOrder(wallet)
      assert.strictEqual((yield* ordersOf(wallet)).reserved, cost(8))
      assert.strictEqual((yield* workOf(wallet)).reserved, cost(8))
    })
  )

  promises(
    "a payment in flight is looked after although its order is held",
    Effect.fnUntraced(function* () {
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      const live = yield* advance(yield* batchOf(task, 1), signed)
      yield* hold(task.id)
      const work = yield* workOf(wallet)
      assert.deepStrictEqual(work.tasks, [])
      assert.deepStrictEqual(work.batches, [live])
      const repo = yield* TaskRepo
      assert.deepStrictEqual(yield* repo.dueWallets(live.nextActionAtMs ?? 0, 10), [wallet.id])
    })
  )
}
