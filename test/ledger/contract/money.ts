import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Batch } from "../../../src/domain/Batch.ts"
import { markUnknown, hold, expire } from "../../../src/domain/transferTransitions.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { DECISION } from "./deciding.ts"
import {
  accepted,
  advance,
  batchOf,
  cost,
  cut,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  NOW_MS,
  ordersOf,
  type Promises,
  saveTask,
  signed,
  taskOf,
  TIP,
  used,
  workOf
} from "./given.ts"

/** The wallet's reservations as the sweep reads them, and as its actor does. */
const moneyOf = Effect.fnUntraced(function* (wallet: Wallet) {
  const fixture = yield* LedgerFixture
  // A wallet is on the page only while an order of it waits.
  const id = yield* givenOrder(wallet)
  const swept = yield* ordersOf(wallet)
  yield* fixture.editTask(id, { status: "cancelled" })
  const { reserved, maybeSpent } = yield* workOf(wallet)
  return {
    sweep: { reserved: swept.reserved, maybeSpent: swept.maybeSpent, foreign: swept.foreign },
    actor: { reserved, maybeSpent }
  }
})

const both = (reserved: bigint, maybeSpent = 0n) => ({
  sweep: { reserved, maybeSpent, foreign: 0n },
  actor: { reserved, maybeSpent }
})

const whole = (reserved: bigint) => ({ reserved, maybeSpent: 0n, foreign: 0n })

/** A row of another program, which the wallet's actor proves first. */
const foreignRow = (left: bigint) => ({ ...both(0n), sweep: { reserved: left, maybeSpent: left, foreign: left } })

/** A planned order of two batches, worth two mints each; the first one was taken this way. */
const givenFirstBatch = Effect.fnUntraced(function* (...steps: ReadonlyArray<(batch: Batch) => Batch>) {
  const wallet = yield* givenWallet()
  const task = yield* givenPlanned(wallet)
  let batch = yield* batchOf(task, 1)
  for (const step of steps) batch = yield* advance(batch, step)
  return { wallet, task, batch }
})

const doubted = (batch: Batch): Batch =>
  markUnknown(batch, { reason: "the server did not answer", lookAtMs: NOW_MS + 1_000 }, NOW_MS)
const released = (batch: Batch): Batch => expire(batch, { nowMs: NOW_MS, block: TIP }, "it lapsed unused")
const heldBatch = (batch: Batch): Batch => hold(batch, "its nonce was cancelled", NOW_MS)
const robbedBatch = (batch: Batch): Batch => hold(batch, "another transfer used its nonce", NOW_MS, used(batch))

export const moneyPromises = (promises: Promises): void => {
  for (const [state, steps, money] of [
    ["planned", [], both(cost(4))],
    ["signed for less than the quote", [signed], both(cost(4), cost(2))],
    ["accepted by the server, not proven", [signed, accepted], both(cost(4), cost(2))],
    ["of unknown outcome", [signed, doubted], both(cost(4), cost(2))],
    ["void again", [signed, doubted, released], both(cost(4))],
    ["held", [signed, heldBatch], both(cost(4))],
    ["held, and spent on something else", [signed, robbedBatch], both(cost(2))]
  ] as const) {
    promises(`two batches of which one is ${state} keep what they may still cost`, function* () {
      const { wallet } = yield* givenFirstBatch(...steps)
      assert.deepStrictEqual(yield* moneyOf(wallet), money)
    })
  }

  promises("a proven payment reserves nothing any more, delivered or not", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* givenDelivered(task, 1)
    assert.deepStrictEqual(yield* moneyOf(wallet), both(cost(2)))
    yield* givenPaid(task, 2)
    assert.deepStrictEqual(yield* moneyOf(wallet), both(0n))
  })

  promises("an order is reserved whole before it is planned, and batch by batch after", function* () {
    const wallet = yield* givenWallet()
    yield* givenFunded(wallet)
    assert.deepStrictEqual(yield* moneyOf(wallet), both(cost(4)))
    yield* givenPlanned(wallet, { quantity: 3 })
    assert.deepStrictEqual(yield* moneyOf(wallet), both(cost(7)))
  })

  promises(
    "a funded row of another program is spared by the sweep, may have spent it all, and proves no money to its wallet",
    function* () {
      const wallet = yield* givenWallet()
      const fixture = yield* LedgerFixture
      const id = yield* givenOrder(wallet)
      yield* fixture.editTask(id, { status: "funded" })
      assert.deepStrictEqual(yield* moneyOf(wallet), foreignRow(cost(4)))
      assert.isFalse((yield* taskOf(wallet, id)).reserved)
    }
  )

  promises("a row that v1.1 was minting is spared at what is left of it, and may have spent that", function* () {
    const wallet = yield* givenWallet()
    yield* (yield* LedgerFixture).editTask(yield* givenOrder(wallet), { status: "processing", mintsCompleted: 3 })
    assert.deepStrictEqual(yield* moneyOf(wallet), foreignRow(cost(1)))
  })

  promises(
    "what a row of another program spent is certain once it is taken over: by a person's word, or with its plan",
    function* () {
      const wallet = yield* givenWallet()
      const id = yield* givenOrder(wallet)
      yield* (yield* LedgerFixture).editTask(id, { status: "processing" })
      const task = yield* taskOf(wallet, id)
      const released = { task, adopt: { mintsCompleted: 1 } }
      assert.isTrue(yield* wasFirst((yield* DecisionRepo).release(released, DECISION, NOW_MS)))
      assert.deepStrictEqual(yield* moneyOf(wallet), { ...both(0n), sweep: whole(cost(3)) })
      const adopted = yield* taskOf(wallet, id)
      assert.isTrue(yield* wasFirst((yield* TaskRepo).plan(adopted, cut(adopted, wallet, 2), NOW_MS)))
      assert.deepStrictEqual(yield* moneyOf(wallet), both(cost(3)))
    }
  )

  promises("an order of ours that v1.1 has taken up may have spent all that is left of it", function* () {
    const wallet = yield* givenWallet()
    const { id } = yield* givenFunded(wallet)
    yield* (yield* LedgerFixture).editTask(id, { status: "processing" })
    const money = { reserved: cost(4), maybeSpent: cost(4), foreign: cost(4) }
    assert.deepStrictEqual(yield* moneyOf(wallet), { ...both(cost(4), cost(4)), sweep: money })
  })

  for (const status of ["cancelled", "failed"] as const) {
    promises(`an order that was ${status} by hand frees its planned batches, and keeps its live payment`, function* () {
      const { wallet, task } = yield* givenFirstBatch(signed)
      yield* (yield* LedgerFixture).editTask(task.id, { status })
      assert.deepStrictEqual(yield* moneyOf(wallet), both(cost(1), cost(1)))
    })
  }

  promises("an order that failed frees what it did not spend", function* () {
    const wallet = yield* givenWallet()
    const planned = yield* givenPlanned(wallet)
    yield* givenDelivered(planned, 1)
    const unplanned = yield* givenFunded(wallet)
    assert.deepStrictEqual(yield* moneyOf(wallet), both(cost(6)))
    assert.isTrue(yield* saveTask(planned, { status: "failed" }))
    assert.isTrue(yield* saveTask(unplanned, { status: "failed" }))
    assert.deepStrictEqual(yield* moneyOf(wallet), both(0n))
  })

  promises("an order that failed before it was planned has lost its reservation when it is tried again", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    assert.isTrue(yield* saveTask(task, { status: "failed" }))
    assert.isTrue(yield* saveTask({ ...task, status: "failed" }, { status: "funded" }))
    assert.isFalse((yield* taskOf(wallet, task.id)).reserved)
    assert.deepStrictEqual(yield* moneyOf(wallet), foreignRow(cost(4)))
  })

  promises("wallets do not pay for one another", function* () {
    const [rich, poor] = [yield* givenWallet(1), yield* givenWallet(2)]
    const task = yield* givenPlanned(rich)
    yield* advance(yield* batchOf(task, 1), signed)
    assert.deepStrictEqual(yield* moneyOf(poor), both(0n))
  })
}
