import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { FAR_MS } from "../../../src/domain/transferPace.ts"
import { ask, didNothing, recheck } from "../../../src/domain/transferTransitions.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  givenAllDelivered,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  inCapitals,
  NOW_MS,
  OTHER_TOKEN,
  type Promises,
  saveTask,
  signed,
  taskOf,
  TIP,
  TOKEN,
  workOf
} from "./given.ts"

export const questionPromises = (promises: Promises): void => {
  promises("wallets with something to do come longest overdue first, and no more than asked for", function* () {
    const repo = yield* TaskRepo
    const dueAt = Effect.fnUntraced(function* (seed: number, nextActionAtMs: number | null) {
      const wallet = yield* givenWallet(seed)
      yield* saveTask(yield* givenFunded(wallet), { nextActionAtMs })
      return wallet.id
    })
    const soon = yield* dueAt(1, NOW_MS)
    const overdue = yield* dueAt(2, NOW_MS - 5_000)
    const fresh = yield* dueAt(3, null)
    const later = yield* dueAt(4, NOW_MS + 5_000)
    // Nothing was ever tried for the fresh one: it comes first.
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 10), [fresh, overdue, soon])
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 2), [fresh, overdue])
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS + 5_000, 10), [fresh, overdue, soon, later])
  })

  promises("a wallet with several things to do comes once, for the most overdue of them", function* () {
    const repo = yield* TaskRepo
    const [busy, other] = [yield* givenWallet(1), yield* givenWallet(2)]
    for (const [wallet, atMs] of [
      [busy, NOW_MS],
      [busy, NOW_MS - 9_000],
      [other, NOW_MS - 5_000]
    ] as const) {
      const { id } = yield* givenFunded(wallet)
      yield* saveTask(yield* taskOf(wallet, id), { nextActionAtMs: atMs })
    }
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 10), [busy.id, other.id])
  })

  promises("an order with a batch in flight is due when its batch is, and not before", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 10), [wallet.id])
    const live = yield* advance(yield* batchOf(task, 1), signed)
    const dueMs = live.nextActionAtMs ?? 0
    assert.deepStrictEqual(yield* repo.dueWallets(dueMs - 1, 10), [])
    assert.deepStrictEqual(yield* repo.dueWallets(dueMs, 10), [wallet.id])
  })

  promises("a payment that a clock far ahead has put off is due now", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const live = yield* advance(yield* batchOf(yield* givenPlanned(wallet), 1), signed)
    const dueMs = live.nextActionAtMs ?? 0
    assert.deepStrictEqual(yield* repo.dueWallets(dueMs - FAR_MS, 10), [])
    assert.deepStrictEqual(yield* repo.dueWallets(dueMs - FAR_MS - 1, 10), [wallet.id])
  })

  promises("an order whose price is asked is due when no answer can come any more, and not before", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const [answered, answerByMs] = [NOW_MS + 1_000, NOW_MS + 65_000]
    const asked = yield* advance(yield* batchOf(task, 1), (batch) => ask(batch, TIP, answerByMs))
    yield* givenFunded(wallet)
    assert.deepStrictEqual(yield* repo.dueWallets(answered, 10), [])
    assert.deepStrictEqual(yield* repo.dueWallets(answerByMs, 10), [wallet.id])
    // By a clock that is right again nothing can be awaited for so long.
    assert.deepStrictEqual(yield* repo.dueWallets(answerByMs - FAR_MS, 10), [])
    assert.deepStrictEqual(yield* repo.dueWallets(answerByMs - FAR_MS - 1, 10), [wallet.id])
    yield* advance(asked, (batch) => didNothing(batch, batch))
    assert.deepStrictEqual(yield* repo.dueWallets(answered, 10), [wallet.id])
  })

  promises(
    "an order waits for a payment of the same token and wallet, and one of another token does not",
    function* () {
      const repo = yield* TaskRepo
      const [wallet, other] = [yield* givenWallet(1), yield* givenWallet(2)]
      const task = yield* givenPlanned(wallet)
      const live = yield* advance(yield* batchOf(task, 1), signed)
      const nowMs = (live.nextActionAtMs ?? 0) - 1
      yield* givenFunded(wallet, { token: inCapitals(TOKEN) })
      assert.deepStrictEqual(yield* repo.dueWallets(nowMs, 10), [])
      yield* givenFunded(other)
      assert.deepStrictEqual(yield* repo.dueWallets(nowMs, 10), [other.id])
      yield* givenFunded(wallet, { token: OTHER_TOKEN })
      assert.sameMembers([...(yield* repo.dueWallets(nowMs, 10))], [wallet.id, other.id])
    }
  )

  promises("a payment in flight is due whatever became of its order", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const live = yield* advance(yield* batchOf(task, 1), signed)
    yield* (yield* LedgerFixture).editTask(task.id, { status: "cancelled" })
    assert.deepStrictEqual(yield* repo.dueWallets(live.nextActionAtMs ?? 0, 10), [wallet.id])
  })

  promises(
    "an order whose mints are all there is due to be closed; one that waits for money or has ended is not",
    function* () {
      const repo = yield* TaskRepo
      const fixture = yield* LedgerFixture
      const [done, unpaid, ended] = [yield* givenWallet(1), yield* givenWallet(2), yield* givenWallet(3)]
      yield* givenAllDelivered(yield* givenPlanned(done))
      yield* givenOrder(unpaid)
      for (const status of ["completed", "failed", "cancelled"] as const) {
        yield* fixture.editTask((yield* givenFunded(ended)).id, { status })
      }
      assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 10), [done.id])
    }
  )

  promises(
    "an undelivered payment of a token is found when it is older than asked for, the oldest first",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const older = yield* givenPaid(yield* givenPlanned(wallet), 1)
      const newer = yield* givenPaid(yield* givenPlanned(yield* givenWallet(2)), 1)
      const aged = yield* advance(older, (batch) => ({ ...recheck(batch, NOW_MS), statusSinceMs: NOW_MS - 1 }))
      assert.strictEqual(newer.statusSinceMs, NOW_MS)
      assert.isUndefined(yield* repo.undelivered(TOKEN, NOW_MS - 1))
      assert.deepStrictEqual(yield* repo.undelivered(TOKEN, NOW_MS), aged)
      assert.deepStrictEqual(yield* repo.undelivered(TOKEN, NOW_MS + 1), aged)
      assert.deepStrictEqual(yield* repo.undelivered(inCapitals(TOKEN) as typeof TOKEN, NOW_MS), aged)
      assert.isUndefined(yield* repo.undelivered(OTHER_TOKEN, NOW_MS + 1))
    }
  )

  promises("a payment that is not proven, or delivered, is not undelivered", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* givenDelivered(task, 2)
    yield* advance(yield* batchOf(task, 1), signed)
    assert.isUndefined(yield* repo.undelivered(TOKEN, NOW_MS + 1))
  })

  promises("since when an order is refused for no fault of its own is kept, until it is not any more", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenFunded(wallet)
    const stalledSince = Effect.gen(function* () {
      const { tasks } = yield* (yield* TaskRepo).walletWork(wallet.id)
      return tasks.map(({ stalledSinceMs }) => stalledSinceMs)
    })
    yield* saveTask(task, { refusal: "who knows", stalledSinceMs: NOW_MS })
    assert.deepStrictEqual(yield* stalledSince, [NOW_MS])
    yield* saveTask(task, { nextActionAtMs: NOW_MS })
    assert.deepStrictEqual(yield* stalledSince, [NOW_MS])
    yield* saveTask(task, { stalledSinceMs: null })
    assert.deepStrictEqual(yield* stalledSince, [undefined])
  })

  promises("the wallets that met the very same refusal are counted, each once", function* () {
    const repo = yield* TaskRepo
    const [one, two] = [yield* givenWallet(1), yield* givenWallet(2)]
    for (const [wallet, refusal] of [
      [one, "sold out"],
      [one, "sold out"],
      [two, "sold out"],
      [two, "closed"]
    ] as const) {
      yield* saveTask(yield* givenFunded(wallet), { refusal })
    }
    assert.strictEqual(yield* repo.walletsRefused("sold out", NOW_MS - 1), 2)
    assert.strictEqual(yield* repo.walletsRefused("closed", NOW_MS - 1), 1)
    assert.strictEqual(yield* repo.walletsRefused("sold", NOW_MS - 1), 0)
    assert.strictEqual(yield* repo.walletsRefused("sold out", NOW_MS), 0)
  })

  promises("open orders are counted by status, held ones apart, ended ones not at all", function* () {
    const repo = yield* TaskRepo
    const fixture = yield* LedgerFixture
    const none = { pendingPayment: 0, funded: 0, processing: 0, held: 0 }
    assert.deepStrictEqual(yield* repo.openTasks, none)
    const wallet = yield* givenWallet()
    const ids = [yield* givenOrder(wallet), yield* givenOrder(wallet), yield* givenOrder(wallet)]
    yield* givenFunded(wallet)
    yield* givenPlanned(wallet)
    const { id: held } = yield* givenPlanned(wallet)
    yield* repo.hold(
      [...ids.slice(0, 1), held].map((taskId) => ({ taskId, reason: "a person looks" })),
      NOW_MS
    )
    yield* fixture.editTask((yield* givenFunded(wallet)).id, { status: "completed" })
    assert.deepStrictEqual(yield* repo.openTasks, { pendingPayment: 2, funded: 1, processing: 1, held: 2 })
    yield* fixture.editTask(held, { status: "failed" })
    assert.strictEqual((yield* repo.openTasks).held, 1)
  })

  promises("a wallet with nothing to do has no work and owes nothing", function* () {
    const { encryptedPrivateKey: _, ...wallet } = yield* givenWallet()
    const work = yield* workOf(wallet)
    assert.deepInclude(work, { provenBlock: 0n, tasks: [], batches: [], bad: [] })
    assert.deepInclude(work.wallet, wallet)
    assert.deepStrictEqual([work.reserved, work.maybeSpent], [0n, 0n] as (typeof work.reserved)[])
  })
}
