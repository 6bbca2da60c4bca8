import { assert } from "@effect/vitest"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  cut,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  hash,
  NOW_MS,
  OTHER_TOKEN,
  type Promises,
  saveTask,
  signed,
  signedAmount,
  taskOf,
  workOf
} from "./given.ts"

export const planningPromises = (promises: Promises): void => {
  promises("a plan that was made before mints of the order were counted is not written", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    yield* (yield* LedgerFixture).editTask(task.id, { mintsCompleted: 1 })
    assert.isFalse(yield* wasFirst((yield* TaskRepo).plan(task, cut(task, wallet, 2), NOW_MS)))
    assert.deepStrictEqual(yield* (yield* LedgerFixture).readBatches(task.id), [])
  })

  promises("a plan writes all batches of the order and starts it", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet, { quantity: 5 })
    const batches = cut(task, wallet, 2)
    assert.isTrue(yield* wasFirst((yield* TaskRepo).plan(task, batches, NOW_MS + 3)))
    assert.deepStrictEqual(yield* fixture.readBatches(task.id), batches)
    assert.deepInclude(yield* fixture.readTask(task.id), {
      status: "processing",
      startedAtMs: NOW_MS + 3,
      updatedAtMs: NOW_MS + 3
    })
    const work = yield* workOf(wallet)
    assert.deepStrictEqual(work.batches, batches)
    assert.deepInclude(work.tasks[0], { id: task.id, status: "processing" })
    assert.deepStrictEqual(yield* fixture.readWalletState(wallet.id), { version: 2n, provenBlock: 0n })
  })

  promises("a second plan of the same order changes nothing, and is told so", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    const first = cut(task, wallet, 2)
    const repo = yield* TaskRepo
    assert.isTrue(yield* wasFirst(repo.plan(task, first, NOW_MS)))
    assert.isFalse(yield* wasFirst(repo.plan(task, cut(task, wallet, 1), NOW_MS + 9)))
    assert.deepStrictEqual(yield* fixture.readBatches(task.id), first)
    assert.strictEqual((yield* fixture.readTask(task.id)).updatedAtMs, NOW_MS)
    assert.strictEqual((yield* fixture.readWalletState(wallet.id)).version, 2n)
  })

  promises(
    "of two plans to take an order over from v1.1 the second changes nothing, whatever numbers it uses",
    function* () {
      const fixture = yield* LedgerFixture
      const wallet = yield* givenWallet()
      const id = yield* givenOrder(wallet)
      const startedAtMs = NOW_MS - 9_000
      yield* fixture.editTask(id, { status: "processing", startedAtMs, mintsCompleted: 1 })
      const task = yield* taskOf(wallet, id)
      const paid = { quantity: 3, tx: hash(1), block: 7n, value: task.pricePerMint, to: task.token }
      const first = cut(task, wallet, 2)
      const repo = yield* TaskRepo
      assert.isTrue(yield* wasFirst(repo.plan(task, first, NOW_MS)))
      assert.isFalse(yield* wasFirst(repo.plan(task, cut(task, wallet, 3), NOW_MS)))
      assert.isFalse(yield* wasFirst(repo.plan(task, cut(task, wallet, 3, [{ ...paid, number: 9 }]), NOW_MS)))
      assert.deepStrictEqual(yield* fixture.readBatches(id), first)
      assert.deepStrictEqual(
        first.map((batch) => [batch.firstMint, batch.quantity]),
        [
          [2, 2],
          [4, 1]
        ]
      )
      assert.strictEqual((yield* fixture.readTask(id)).startedAtMs, startedAtMs)
    }
  )

  promises("an order that its operator cancelled is not planned", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    yield* fixture.editTask(task.id, { status: "cancelled" })
    assert.isFalse(yield* wasFirst((yield* TaskRepo).plan(task, cut(task, wallet, 2), NOW_MS)))
    assert.deepStrictEqual(yield* fixture.readBatches(task.id), [])
    assert.strictEqual((yield* fixture.readTask(task.id)).status, "cancelled")
  })

  promises("payments that a restored backup forgot enter the plan as paid, at what they cost", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    const batches = cut(task, wallet, 2, [
      { number: 2, quantity: 2, tx: hash(9), block: 40n, value: task.pricePerMint, to: task.token }
    ])
    assert.isTrue(yield* wasFirst((yield* TaskRepo).plan(task, batches, NOW_MS)))
    assert.deepStrictEqual(
      (yield* workOf(wallet)).batches,
      batches.toSorted((a, b) => a.number - b.number)
    )
    assert.deepInclude(yield* batchOf(task, 2), {
      status: "paid",
      paymentTx: hash(9),
      paymentBlock: 40n,
      paidAmount: task.pricePerMint,
      nextActionAtMs: NOW_MS
    })
  })

  promises("a plan ends the refusals and the pause of the order", function* () {
    const wallet = yield* givenWallet()
    const { id } = yield* givenFunded(wallet)
    const change = { retryCount: 2, errorMessage: "Retry 2/3: no", nextActionAtMs: NOW_MS + 99_000, refusal: "no" }
    assert.isTrue(yield* saveTask(yield* taskOf(wallet, id), change))
    const refused = yield* taskOf(wallet, id)
    assert.deepInclude(refused, {
      retryCount: 2,
      errorMessage: "Retry 2/3: no",
      lastRefusal: "no",
      nextActionAtMs: NOW_MS + 99_000
    })
    assert.isTrue(yield* wasFirst((yield* TaskRepo).plan(refused, cut(refused, wallet, 2), NOW_MS)))
    assert.deepInclude(yield* taskOf(wallet, id), {
      retryCount: 0,
      errorMessage: undefined,
      nextActionAtMs: undefined
    })
  })

  promises("an order that is tried again goes on with the batches that it has", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* givenDelivered(task, 1)
    assert.isTrue(yield* saveTask(task, { status: "failed", errorMessage: "Exceeded" }))
    const failed = { ...task, status: "failed" } as const
    assert.isTrue(yield* saveTask(failed, { status: "funded", retryCount: 0, errorMessage: null }))
    assert.deepInclude(yield* fixture.readTask(task.id), {
      status: "funded",
      mintsCompleted: 2,
      mintsFailed: 0,
      completedAtMs: undefined,
      errorMessage: undefined
    })
    const before = yield* fixture.readBatches(task.id)
    assert.isTrue(yield* wasFirst((yield* TaskRepo).plan(yield* taskOf(wallet, task.id), [], NOW_MS)))
    assert.deepStrictEqual(yield* fixture.readBatches(task.id), before)
    assert.strictEqual((yield* taskOf(wallet, task.id)).status, "processing")
  })

  promises("a wallet's work holds the batches of its open orders, and of the others those in flight", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const cancelled = yield* givenPlanned(wallet)
    const live = yield* advance(yield* batchOf(cancelled, 2), signed)
    yield* fixture.editTask(cancelled.id, { status: "cancelled" })
    const failed = yield* givenPlanned(wallet, { token: OTHER_TOKEN })
    const paid = yield* givenPaid(failed, 1)
    yield* fixture.editTask(failed.id, { status: "failed" })
    const open = yield* givenPlanned(wallet)
    const theirs = yield* givenPlanned(yield* givenWallet(2))
    const work = yield* workOf(wallet)
    assert.sameDeepMembers([...work.batches], [live, paid, ...(yield* fixture.readBatches(open.id))])
    assert.notInclude(
      work.batches.map((batch) => batch.taskId),
      theirs.id
    )
    assert.strictEqual(live.window?.amount, signedAmount(live))
  })
}
