import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { confirm } from "../../../src/domain/transferTransitions.ts"
import { zero } from "../../../src/domain/Usdc.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  block,
  cost,
  evidence,
  firstPage,
  funding,
  givenFunded,
  givenOrder,
  givenPlanned,
  givenWallet,
  hash,
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

const TIMEOUT = "Payment timeout: No sufficient balance received within 10 minutes"

/** A wallet with a pending order whose last payment was proven in block 50. */
const givenProvenAt50 = Effect.fnUntraced(function* () {
  const wallet = yield* givenWallet()
  const task = yield* givenPlanned(wallet)
  const batch = yield* advance(yield* batchOf(task, 1), signed)
  yield* advance(batch, (live) => confirm(live, used(live, 50n), NOW_MS))
  const id = yield* givenOrder(wallet)
  return { id, orders: yield* ordersOf(wallet) }
})

export const fundingPromises = (promises: Promises): void => {
  promises("funding reserves the cost, records the transfer, and gives the wallet another version", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const orders = yield* ordersOf(wallet)
    const paid = { ...funding(orders, id), fundingTx: hash(7), receivedAtMs: NOW_MS - 9_000 }
    assert.deepStrictEqual(yield* (yield* TaskRepo).fund([paid], block(77n), NOW_MS + 1_000), [id])
    assert.deepInclude(yield* fixture.readTask(id), {
      status: "funded",
      fundingTx: hash(7),
      fundingReceivedAtMs: NOW_MS - 9_000,
      updatedAtMs: NOW_MS + 1_000,
      startedAtMs: undefined,
      completedAtMs: undefined
    })
    assert.deepStrictEqual(yield* fixture.readWalletState(wallet.id), { version: 1n, provenBlock: 0n })
    const work = yield* workOf(wallet)
    assert.strictEqual(work.reserved, cost(4))
    assert.deepInclude(work.tasks[0], { id, status: "funded", reserved: true })
  })

  promises("an order that was paused while it waited is reserved and due as soon as it is funded", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const orders = yield* ordersOf(wallet)
    const waiting = orders.pending[0] ?? (yield* Effect.die("no order"))
    assert.isTrue(yield* saveTask(waiting, { nextActionAtMs: NOW_MS + 60_000 }))
    assert.deepStrictEqual(yield* repo.fund([funding(orders, id)], TIP, NOW_MS), [id])
    assert.deepInclude(yield* taskOf(wallet, id), { reserved: true, nextActionAtMs: undefined })
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 1), [wallet.id])
  })

  promises("a second funding on the same reading does nothing: the same dollars pay once", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const [first, second] = [yield* givenOrder(wallet), yield* givenOrder(wallet)]
    const orders = yield* ordersOf(wallet)
    assert.deepStrictEqual(yield* repo.fund([funding(orders, first)], TIP, NOW_MS), [first])
    assert.deepStrictEqual(yield* repo.fund([funding(orders, second)], TIP, NOW_MS), [])
    assert.deepStrictEqual(yield* repo.fund([funding(orders, first)], TIP, NOW_MS), [])
    const after = yield* ordersOf(wallet)
    assert.deepInclude(after, { version: 1n, reserved: cost(4) })
    assert.deepStrictEqual(
      after.pending.map((task) => task.id),
      [second]
    )
  })

  promises("a funding with a version that the wallet never had does nothing", function* () {
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const foreign = { ...funding(yield* ordersOf(wallet), id), version: 5n }
    assert.deepStrictEqual(yield* (yield* TaskRepo).fund([foreign], TIP, NOW_MS), [])
    assert.deepInclude(yield* ordersOf(wallet), { version: 0n, reserved: zero })
  })

  promises("several orders of one wallet are funded together", function* () {
    const wallet = yield* givenWallet()
    const ids = [yield* givenOrder(wallet), yield* givenOrder(wallet, { quantity: 1 }), yield* givenOrder(wallet)]
    const orders = yield* ordersOf(wallet)
    const paid = ids.slice(0, 2).map((id) => funding(orders, id))
    const funded = yield* (yield* TaskRepo).fund(paid, TIP, NOW_MS)
    assert.deepStrictEqual(funded.toSorted(), ids.slice(0, 2).toSorted())
    const after = yield* ordersOf(wallet)
    assert.deepInclude(after, { version: 1n, reserved: cost(5) })
    assert.deepStrictEqual(
      after.pending.map((task) => task.id),
      ids.slice(2)
    )
  })

  promises("of several wallets those are funded that are still as they were", function* () {
    const repo = yield* TaskRepo
    const [still, changed] = [yield* givenWallet(1), yield* givenWallet(2)]
    const [mine, theirs] = [yield* givenOrder(still), yield* givenOrder(changed)]
    const fundings = [funding(yield* ordersOf(still), mine), funding(yield* ordersOf(changed), theirs)]
    yield* givenFunded(changed, { quantity: 1, createdAtMs: NOW_MS - 1 })
    assert.deepStrictEqual(yield* repo.fund(fundings, TIP, NOW_MS), [mine])
    assert.deepInclude(yield* ordersOf(changed), { version: 1n, reserved: cost(1) })
  })

  promises(
    "a balance from before the wallet's last proven payment funds and cancels nothing, one from its block does",
    function* () {
      const repo = yield* TaskRepo
      const { id, orders } = yield* givenProvenAt50()
      assert.strictEqual(orders.provenBlock, 50n)
      assert.deepStrictEqual(yield* repo.fund([funding(orders, id)], block(49n), NOW_MS), [])
      const timedOut = { ...evidence(orders, id), message: TIMEOUT }
      assert.deepStrictEqual(yield* repo.cancel([timedOut], block(49n), NOW_MS), [])
      assert.deepStrictEqual(yield* repo.fund([funding(orders, id)], block(50n), NOW_MS), [id])
    }
  )

  promises("a cancelled order has its end and v1.1's message, and reserves nothing", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const timedOut = { ...evidence(yield* ordersOf(wallet), id), message: TIMEOUT }
    assert.deepStrictEqual(yield* (yield* TaskRepo).cancel([timedOut], TIP, NOW_MS + 5), [id])
    assert.deepInclude(yield* fixture.readTask(id), {
      status: "cancelled",
      errorMessage: TIMEOUT,
      completedAtMs: NOW_MS + 5,
      updatedAtMs: NOW_MS + 5
    })
    assert.deepStrictEqual((yield* firstPage).wallets, [])
    assert.deepStrictEqual(yield* fixture.readWalletState(wallet.id), { version: 0n, provenBlock: 0n })
  })

  promises("an order is not cancelled on a reading from before the wallet changed", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const [paid, unpaid] = [yield* givenOrder(wallet), yield* givenOrder(wallet)]
    const orders = yield* ordersOf(wallet)
    yield* repo.fund([funding(orders, paid)], TIP, NOW_MS)
    const late = [paid, unpaid].map((id) => ({ ...evidence(orders, id), message: TIMEOUT }))
    assert.deepStrictEqual(yield* repo.cancel(late, TIP, NOW_MS), [])
    assert.deepStrictEqual(
      (yield* ordersOf(wallet)).pending.map((task) => task.id),
      [unpaid]
    )
  })

  promises("a funded order is not cancelled, and a cancelled one is not funded", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const { id: funded } = yield* givenFunded(wallet)
    const cancelled = yield* givenOrder(wallet)
    const orders = yield* ordersOf(wallet)
    const both = [funded, cancelled].map((id) => ({ ...evidence(orders, id), message: TIMEOUT }))
    assert.deepStrictEqual(yield* repo.cancel(both, TIP, NOW_MS), [cancelled])
    assert.deepStrictEqual(yield* repo.fund([funding(orders, cancelled)], TIP, NOW_MS), [])
    assert.strictEqual((yield* (yield* LedgerFixture).readTask(cancelled)).status, "cancelled")
  })

  promises("several orders are cancelled together, each with its own message", function* () {
    const fixture = yield* LedgerFixture
    const wallets = [yield* givenWallet(1), yield* givenWallet(2), yield* givenWallet(3)]
    const cancellations = yield* Effect.forEach(wallets, (wallet, index) =>
      Effect.gen(function* () {
        const id = yield* givenOrder(wallet)
        return { ...evidence(yield* ordersOf(wallet), id), message: `because of ${index}` }
      })
    )
    const cancelled = yield* (yield* TaskRepo).cancel(cancellations, TIP, NOW_MS)
    assert.sameMembers(
      [...cancelled],
      cancellations.map(({ taskId }) => taskId)
    )
    for (const { taskId, message } of cancellations) {
      assert.strictEqual((yield* fixture.readTask(taskId)).errorMessage, message)
    }
  })

  promises("nothing to fund or to cancel changes nothing", function* () {
    const repo = yield* TaskRepo
    assert.deepStrictEqual(yield* repo.fund([], TIP, NOW_MS), [])
    assert.deepStrictEqual(yield* repo.cancel([], TIP, NOW_MS), [])
    assert.deepStrictEqual(yield* repo.hold([], NOW_MS), [])
  })
}
