import { assert } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { Batch } from "../../../src/domain/Batch.ts"
import { markUnknown, hold, expire } from "../../../src/domain/transferTransitions.ts"
import type { Status } from "../../../src/domain/Task.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  accepted,
  advance,
  batchOf,
  givenAllDelivered,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPlanned,
  givenWallet,
  NOW_MS,
  ordersOf,
  type Promises,
  proven,
  saveTask,
  TIP,
  signed,
  taskOf
} from "./given.ts"

const EXCEEDED = "Exceeded retry limit after 3 attempts. Last error: no"

const inFlight: ReadonlyArray<readonly [string, ReadonlyArray<(batch: Batch) => Batch>]> = [
  ["signed", [signed]],
  ["accepted and not proven", [signed, accepted]],
  ["of unknown outcome", [signed, (batch) => markUnknown(batch, { reason: "no answer", lookAtMs: NOW_MS }, NOW_MS)]],
  ["paid and not delivered", [signed, proven]]
]

const settled: ReadonlyArray<readonly [string, ReadonlyArray<(batch: Batch) => Batch>]> = [
  ["planned", []],
  ["void again", [signed, (batch) => expire(batch, { nowMs: NOW_MS, block: TIP }, "lapsed")]],
  ["held", [signed, (batch) => hold(batch, "cancelled by its key", NOW_MS)]]
]

const givenWithSecondBatch = Effect.fnUntraced(function* (steps: ReadonlyArray<(batch: Batch) => Batch>) {
  const wallet = yield* givenWallet()
  const task = yield* givenPlanned(wallet)
  yield* givenDelivered(task, 1)
  let batch = yield* batchOf(task, 2)
  for (const step of steps) batch = yield* advance(batch, step)
  return yield* taskOf(wallet, task.id)
})

export const endPromises = (promises: Promises): void => {
  promises("an order is completed when all its mints are delivered", function* () {
    const wallet = yield* givenWallet()
    const { id } = yield* givenPlanned(wallet)
    yield* givenAllDelivered(yield* taskOf(wallet, id))
    const task = yield* taskOf(wallet, id)
    assert.isTrue(yield* saveTask(task, { status: "completed", completedAtMs: NOW_MS + 8, errorMessage: null }))
    assert.deepInclude(yield* (yield* LedgerFixture).readTask(id), {
      status: "completed",
      mintsCompleted: 4,
      mintsFailed: 0,
      completedAtMs: NOW_MS + 8,
      errorMessage: undefined
    })
  })

  for (const [state, steps] of [...inFlight, ...settled]) {
    promises(`an order with a batch that is ${state} is not completed`, function* () {
      const task = yield* givenWithSecondBatch(steps)
      assert.isFalse(yield* saveTask(task, { status: "completed" }))
      const row = yield* (yield* LedgerFixture).readTask(task.id)
      assert.deepInclude(row, { status: "processing", completedAtMs: undefined })
    })
  }

  for (const [state, steps] of inFlight) {
    promises(`an order with a batch that is ${state} does not fail`, function* () {
      const task = yield* givenWithSecondBatch(steps)
      assert.isFalse(yield* saveTask(task, { status: "failed", errorMessage: EXCEEDED }))
      const row = yield* (yield* LedgerFixture).readTask(task.id)
      assert.deepInclude(row, { status: "processing", errorMessage: undefined, mintsFailed: 0 })
    })
  }

  for (const [state, steps] of settled) {
    promises(`an order whose other batch is ${state} may fail, and what it did not mint is counted`, function* () {
      const task = yield* givenWithSecondBatch(steps)
      assert.isTrue(yield* saveTask(task, { status: "failed", errorMessage: EXCEEDED }))
      assert.deepInclude(yield* (yield* LedgerFixture).readTask(task.id), {
        status: "failed",
        mintsCompleted: 2,
        mintsFailed: 2,
        errorMessage: EXCEEDED,
        completedAtMs: NOW_MS
      })
    })
  }

  promises("a row that v1.1 minted to the end and did not close is completed as it is", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    yield* fixture.editTask(id, { status: "processing", mintsCompleted: 4 })
    assert.isTrue(yield* saveTask(yield* taskOf(wallet, id), { status: "completed" }))
    assert.strictEqual((yield* fixture.readTask(id)).status, "completed")
  })

  promises("a row that v1.1 left short of its mints is not completed, although it has no batch", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    yield* fixture.editTask(id, { status: "processing", mintsCompleted: 3 })
    assert.isFalse(yield* saveTask(yield* taskOf(wallet, id), { status: "completed" }))
    assert.strictEqual((yield* fixture.readTask(id)).status, "processing")
  })

  promises("a change of an order that has moved on is not made", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    yield* fixture.editTask(task.id, { status: "cancelled" })
    assert.isFalse(yield* saveTask(task, { retryCount: 1, errorMessage: "late", nextActionAtMs: NOW_MS }))
    assert.isFalse(yield* saveTask(task, { status: "failed" }))
    assert.deepInclude(yield* fixture.readTask(task.id), {
      status: "cancelled",
      retryCount: 0,
      errorMessage: undefined
    })
  })

  promises("a change leaves alone what it does not name", function* () {
    const wallet = yield* givenWallet()
    const { id } = yield* givenFunded(wallet)
    const change = { retryCount: 1, errorMessage: "Retry 1/3: no", refusal: "no", nextActionAtMs: NOW_MS + 5_000 }
    yield* saveTask(yield* taskOf(wallet, id), change)
    const seen = { retryCount: 1, errorMessage: "Retry 1/3: no", lastRefusal: "no", nextActionAtMs: NOW_MS + 5_000 }
    assert.deepInclude(yield* taskOf(wallet, id), seen)
    yield* saveTask(yield* taskOf(wallet, id), { refusal: "never" })
    assert.deepInclude(yield* taskOf(wallet, id), { ...seen, lastRefusal: "never" })
    yield* saveTask(yield* taskOf(wallet, id), { nextActionAtMs: NOW_MS + 9_000 })
    assert.deepInclude(yield* taskOf(wallet, id), { ...seen, lastRefusal: "never", nextActionAtMs: NOW_MS + 9_000 })
    yield* saveTask(yield* taskOf(wallet, id), { nextActionAtMs: null, errorMessage: null })
    assert.deepInclude(yield* taskOf(wallet, id), {
      retryCount: 1,
      errorMessage: undefined,
      lastRefusal: "never",
      nextActionAtMs: undefined
    })
  })

  promises("a pause leaves alone when the order itself was last changed", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const updatedAtMs = NOW_MS - 1_800_000
    yield* fixture.editTask(id, { status: "processing", updatedAtMs })
    assert.isTrue(yield* saveTask(yield* taskOf(wallet, id), { nextActionAtMs: NOW_MS, refusal: "no" }))
    assert.strictEqual((yield* fixture.readTask(id)).updatedAtMs, updatedAtMs)
    assert.isTrue(yield* saveTask(yield* taskOf(wallet, id), { retryCount: 1 }))
    assert.strictEqual((yield* fixture.readTask(id)).updatedAtMs, NOW_MS)
  })

  promises("a change that moves no money leaves a reading of the wallet good", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    const before = yield* fixture.readWalletState(wallet.id)
    yield* saveTask(task, { nextActionAtMs: NOW_MS + 1 })
    assert.deepStrictEqual(yield* fixture.readWalletState(wallet.id), before)
  })

  promises("an order that its user takes back has an end and a reason", function* () {
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const task = (yield* ordersOf(wallet)).pending[0] ?? (yield* Effect.die("no order"))
    assert.isTrue(yield* saveTask(task, { status: "cancelled", errorMessage: "Cancelled by its user" }))
    const row = yield* (yield* LedgerFixture).readTask(id)
    assert.deepInclude(row, { status: "cancelled", errorMessage: "Cancelled by its user", completedAtMs: NOW_MS })
  })

  const never: ReadonlyArray<readonly [Status, Status]> = [
    ["pending_payment", "processing"],
    ["pending_payment", "completed"],
    ["funded", "completed"],
    ["funded", "cancelled"],
    ["processing", "cancelled"],
    ["processing", "funded"],
    ["completed", "funded"],
    ["failed", "processing"],
    ["cancelled", "funded"]
  ]
  for (const [from, to] of never) {
    promises(`an order never goes from ${from} to ${to}: whoever asks for it has a fault`, function* () {
      const task = { ...(yield* givenFunded(yield* givenWallet())), status: from }
      yield* (yield* LedgerFixture).editTask(task.id, { status: from })
      const exit = yield* Effect.exit(saveTask(task, { status: to }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual((yield* (yield* LedgerFixture).readTask(task.id)).status, from)
    })
  }
}
