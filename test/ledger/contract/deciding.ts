import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Batch } from "../../../src/domain/Batch.ts"
import { markUnknown, hold } from "../../../src/domain/transferTransitions.ts"
import type { Task, TaskId } from "../../../src/domain/Task.ts"
import { zero } from "../../../src/domain/Usdc.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { type Decision, DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  block,
  cost,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  NOW_MS,
  type Promises,
  saveTask,
  signed,
  taskOf,
  TIP,
  uuid,
  workOf
} from "./given.ts"

export const DECISION: Decision = { command: "a command", said: "what was decided", why: "because", by: "alice" }

export const AT_MS = NOW_MS + 5

export const heldBatch = (batch: Batch): Batch => hold(batch, "its nonce was cancelled", NOW_MS)
const doubted = (batch: Batch): Batch => markUnknown(batch, { reason: "no answer", lookAtMs: NOW_MS + 1_000 }, NOW_MS)

/** Nothing was written down but these decisions. */
export const assertNoted = Effect.fnUntraced(function* (
  ...about: ReadonlyArray<{ taskId?: string; walletId?: string }>
) {
  const noted = yield* (yield* LedgerFixture).readDecisions
  assert.deepStrictEqual(
    noted.map(({ taskId, walletId }) => ({ taskId, walletId })),
    about.map(({ taskId, walletId }) => ({ taskId, walletId }))
  )
  for (const { command, said, why, by } of noted) assert.deepStrictEqual({ command, said, why, by }, DECISION)
})

export const holdTask = (taskId: TaskId) =>
  Effect.flatMap(TaskRepo, (repo) => repo.hold([{ taskId, reason: "somebody has to look" }], NOW_MS))

const fileOf = Effect.fnUntraced(function* (taskId: TaskId) {
  const file = yield* (yield* DecisionRepo).findTask(taskId)
  return file ?? (yield* Effect.die(new Error("there is no such task")))
})

const cancel = Effect.fnUntraced(function* (wallet: Wallet, taskId: TaskId, version: bigint, at = TIP) {
  const cancellation = { taskId, walletId: wallet.id, version, message: "Cancelled: the user asked" }
  return yield* wasFirst((yield* DecisionRepo).cancel(cancellation, at, DECISION, AT_MS))
})

/** An order of two batches, of which the first is delivered, that failed. */
const givenFailed = Effect.fnUntraced(function* (wallet: Wallet) {
  const task = yield* givenPlanned(wallet)
  yield* givenDelivered(task, 1)
  assert.isTrue(yield* saveTask(task, { status: "failed", retryCount: 3, errorMessage: "Exceeded" }))
  return task
})

export const versionOf = ({ id }: Wallet) =>
  Effect.flatMap(LedgerFixture, (fixture) => Effect.map(fixture.readWalletState(id), ({ version }) => version))

const retry = Effect.fnUntraced(function* (task: Task, version: bigint, at = TIP) {
  return yield* wasFirst((yield* DecisionRepo).retry({ task, version }, at, DECISION, AT_MS))
})

const release = Effect.fnUntraced(function* (task: Pick<Task, "id" | "walletId">, mintsCompleted?: number) {
  const adopt = mintsCompleted === undefined ? {} : { adopt: { mintsCompleted } }
  return yield* wasFirst((yield* DecisionRepo).release({ task, ...adopt }, DECISION, AT_MS))
})

const fail = Effect.fnUntraced(function* (task: Pick<Task, "id" | "walletId">) {
  return yield* wasFirst((yield* DecisionRepo).fail({ task, failure: "Failed by the operator" }, DECISION, AT_MS))
})

const lookingPromises = (promises: Promises): void => {
  promises("a task is found by the beginning of its id, and told whole", function* () {
    const wallet = yield* givenWallet()
    const [id, other] = [uuid(0xab12), uuid(0xab13)]
    yield* givenOrder(wallet, { id })
    yield* givenOrder(wallet, { id: other })
    const repo = yield* DecisionRepo
    assert.deepStrictEqual(yield* repo.taskIdsLike("0000AB12"), [id])
    assert.deepStrictEqual(yield* repo.taskIdsLike("0000ab"), [id, other])
    assert.deepStrictEqual(yield* repo.taskIdsLike("0000ac"), [])
    assert.deepStrictEqual(yield* repo.taskIdsLike(id.slice(0, 20)), [id])
    assert.deepStrictEqual(yield* repo.taskIdsLike(id), [id])
    for (const none of [`${id}0`, id.replaceAll("-", ""), "0000ab1-", "0000ab%", "'"]) {
      assert.deepStrictEqual(yield* repo.taskIdsLike(none), [])
    }
    assert.isUndefined(yield* repo.findTask(uuid(0xffff_0404)))
    yield* holdTask(id)
    const { task, faults, held, batches, wallet: found } = yield* fileOf(id)
    assert.deepInclude(task, { id, status: "pending_payment", totalCost: cost(4), adopted: false })
    assert.deepStrictEqual([faults, held, batches, found?.id], [[], "somebody has to look", [], wallet.id])
  })

  promises("a row that is no order is told with its faults", function* () {
    const id = yield* givenOrder({ ...(yield* givenWallet()), id: uuid(0xffff_0404) }, { quantity: 0 })
    const { row, task, wallet, faults } = yield* fileOf(id)
    assert.deepStrictEqual([row.quantity, task, wallet, faults.length], [0, undefined, undefined, 2])
  })

  promises("what a wallet owes is read with orders that wait for money or without", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    assert.deepInclude(yield* repo.walletOrders(wallet.id), { version: 0n, reserved: zero, pending: [] })
    yield* givenFunded(wallet)
    const id = yield* givenOrder(wallet)
    const orders = yield* repo.walletOrders(wallet.id)
    assert.deepInclude(orders, { version: 1n, reserved: cost(4) })
    assert.deepStrictEqual(
      orders?.pending.map((task) => task.id),
      [id]
    )
    assert.isUndefined(yield* repo.walletOrders(uuid(0xffff_0404)))
  })
}

const cancelPromises = (promises: Promises): void => {
  promises("a waiting order is cancelled with the person's words, held or not", function* () {
    const wallet = yield* givenWallet()
    const [id, held] = [yield* givenOrder(wallet), yield* givenOrder(wallet)]
    yield* holdTask(held)
    for (const taskId of [id, held]) {
      assert.isTrue(yield* cancel(wallet, taskId, 0n))
      assert.deepInclude(yield* (yield* LedgerFixture).readTask(taskId), {
        status: "cancelled",
        errorMessage: "Cancelled: the user asked",
        completedAtMs: AT_MS
      })
      assert.isUndefined((yield* fileOf(taskId)).held)
    }
    yield* assertNoted({ taskId: id, walletId: wallet.id }, { taskId: held, walletId: wallet.id })
  })

  promises(
    "an order is not cancelled where the wallet changed, the block is too old, or it does not wait any more",
    function* () {
      const wallet = yield* givenWallet()
      const paid = yield* givenPlanned(wallet)
      yield* givenPaid(paid, 1)
      const id = yield* givenOrder(wallet)
      const version = yield* versionOf(wallet)
      assert.isFalse(yield* cancel(wallet, id, version - 1n))
      assert.isFalse(yield* cancel(wallet, id, version, block(TIP.number - 1n)), "before the last proven payment")
      assert.isFalse(yield* cancel(wallet, paid.id, version))
      assert.isFalse(yield* cancel(wallet, uuid(0xffff_0404), version))
      assert.strictEqual((yield* (yield* LedgerFixture).readTask(id)).status, "pending_payment")
      yield* assertNoted()
      assert.isTrue(yield* cancel(wallet, id, version))
    }
  )
}

const retryPromises = (promises: Promises): void => {
  promises("a failed order is funded again at what is left of it, as if it had never been refused", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenFailed(wallet)
    assert.isTrue(yield* retry(task, yield* versionOf(wallet)))
    assert.deepInclude(yield* (yield* LedgerFixture).readTask(task.id), {
      status: "funded",
      retryCount: 0,
      mintsCompleted: 2,
      mintsFailed: 0,
      errorMessage: undefined,
      completedAtMs: undefined
    })
    assert.isTrue((yield* taskOf(wallet, task.id)).reserved)
    assert.strictEqual((yield* workOf(wallet)).reserved, cost(2))
    assert.deepStrictEqual(yield* (yield* TaskRepo).dueWallets(NOW_MS, 10), [wallet.id])
    yield* assertNoted({ taskId: task.id, walletId: wallet.id })
  })

  promises("of two who try an order again on the same money, one is refused", function* () {
    const wallet = yield* givenWallet()
    const [one, other] = [yield* givenFailed(wallet), yield* givenFailed(wallet)]
    const version = yield* versionOf(wallet)
    assert.isTrue(yield* retry(one, version))
    assert.isFalse(yield* retry(other, version))
    assert.isFalse(yield* retry(other, version + 1n, block(TIP.number - 1n)), "a block that is too old")
    yield* assertNoted({ taskId: one.id, walletId: wallet.id })
  })

  for (const [state, steps] of [
    ["on its way", [signed]],
    ["of unknown outcome", [signed, doubted]],
    ["held", [signed, heldBatch]]
  ] as const) {
    promises(`a failed order with a batch that is ${state} is not tried again`, function* () {
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      let batch = yield* batchOf(task, 1)
      for (const step of steps) batch = yield* advance(batch, step)
      yield* (yield* LedgerFixture).editTask(task.id, { status: "failed" })
      const version = yield* versionOf(wallet)
      assert.isFalse(yield* retry(task, version))
      assert.strictEqual(yield* versionOf(wallet), version, "nothing has happened")
      yield* assertNoted()
    })
  }

  promises("an order that has not failed is not tried again, nor one of a stopped wallet", function* () {
    const wallet = yield* givenWallet()
    const funded = yield* givenFunded(wallet)
    assert.isFalse(yield* retry(funded, yield* versionOf(wallet)))
    const failed = yield* givenFailed(wallet)
    const version = yield* versionOf(wallet)
    yield* (yield* TaskRepo).stopWallet({ walletId: wallet.id, version, reason: "money is missing" }, NOW_MS)
    assert.isFalse(yield* retry(failed, version + 1n))
  })
}

const releasePromises = (promises: Promises): void => {
  promises("a hold ends, and the order is work again", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* saveTask(task, { retryCount: 2, nextActionAtMs: NOW_MS + 9_000_000 })
    yield* holdTask(task.id)
    assert.isTrue(yield* release(task))
    const row = yield* (yield* LedgerFixture).readTask(task.id)
    assert.deepInclude(row, { status: "processing", errorMessage: undefined, retryCount: 0 })
    assert.deepInclude(yield* taskOf(wallet, task.id), { nextActionAtMs: undefined, adopted: false })
    assert.isFalse(yield* release(task), "it is not held any more")
    yield* assertNoted({ taskId: task.id, walletId: wallet.id })
  })

  promises(
    "with the hold of an order the sends of its paid batches are counted anew, and of no other batch",
    function* () {
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      const other = yield* givenDelivered(task, 2)
      const paid = yield* advance(yield* givenPaid(task, 1), (batch) => ({ ...batch, claims: 3, sends: 7 }))
      yield* holdTask(task.id)
      assert.isTrue(yield* release(task))
      const again = { sends: 0, claims: 0, nextActionAtMs: AT_MS, version: paid.version + 1 }
      assert.deepStrictEqual(yield* batchOf(task, 1), { ...paid, ...again })
      assert.deepStrictEqual(yield* batchOf(task, 2), other)
    }
  )

  promises("an order with a held batch stays held", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* advance(yield* advance(yield* batchOf(task, 1), signed), heldBatch)
    yield* holdTask(task.id)
    assert.isFalse(yield* release(task))
    assert.strictEqual((yield* fileOf(task.id)).held, "somebody has to look")
  })

  promises("a row that v1.1 left behind is taken over with the mints that it has, held or not", function* () {
    const wallet = yield* givenWallet()
    const fixture = yield* LedgerFixture
    const [id, held] = [yield* givenOrder(wallet), yield* givenOrder(wallet)]
    for (const taskId of [id, held]) yield* fixture.editTask(taskId, { status: "processing", mintsCompleted: 1 })
    yield* holdTask(held)
    const before = yield* versionOf(wallet)
    for (const taskId of [id, held]) {
      assert.isTrue(yield* release({ id: taskId, walletId: wallet.id }, 3))
      assert.deepInclude(yield* taskOf(wallet, taskId), { mintsCompleted: 3, adopted: true })
    }
    assert.strictEqual(yield* versionOf(wallet), before + 2n, "what it reserves has changed")
  })

  promises("an order that this program planned, or that is no work, is not taken over", function* () {
    const wallet = yield* givenWallet()
    assert.isFalse(yield* release(yield* givenPlanned(wallet), 1))
    const id = yield* givenOrder(wallet)
    assert.isFalse(yield* release({ id, walletId: wallet.id }, 1))
    yield* assertNoted()
  })
}

const failPromises = (promises: Promises): void => {
  promises("an order that a person gives up fails, and what it did not spend is free", function* () {
    const wallet = yield* givenWallet()
    const [funded, planned] = [yield* givenFunded(wallet), yield* givenPlanned(wallet)]
    yield* givenDelivered(planned, 1)
    yield* holdTask(planned.id)
    assert.isTrue(yield* fail(funded))
    assert.isTrue(yield* fail(planned))
    const fixture = yield* LedgerFixture
    const ended = { status: "failed", errorMessage: "Failed by the operator", completedAtMs: AT_MS } as const
    assert.deepInclude(yield* fixture.readTask(funded.id), { ...ended, mintsFailed: 4 })
    assert.deepInclude(yield* fixture.readTask(planned.id), { ...ended, mintsFailed: 2 })
    assert.isUndefined((yield* fileOf(planned.id)).held)
    assert.strictEqual((yield* workOf(wallet)).reserved, 0n)
    assert.isFalse(yield* fail(funded), "it has ended")
  })

  promises("an order with a payment in flight does not fail by a person's word either", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* advance(yield* batchOf(task, 1), signed)
    assert.isFalse(yield* fail(task))
    assert.strictEqual((yield* (yield* LedgerFixture).readTask(task.id)).status, "processing")
    yield* assertNoted()
  })
}

export const decidingPromises = (promises: Promises): void => {
  lookingPromises(promises)
  cancelPromises(promises)
  retryPromises(promises)
  releasePromises(promises)
  failPromises(promises)
}
