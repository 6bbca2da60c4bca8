import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { recheck } from "../../../src/domain/transferTransitions.ts"
import { type BatchSave, TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  advance,
  batchOf,
  delivered,
  givenPaid,
  givenPlanned,
  givenWallet,
  mintsOf,
  NOW_MS,
  OTHER_TOKEN,
  type Promises,
  proven,
  save,
  signed,
  taskOf
} from "./given.ts"

/** Whether each was made, all of them begun in the same moment. */
const saveAll = (saves: ReadonlyArray<BatchSave>) => Effect.forEach(saves, save, { concurrency: "unbounded" })

/** The order of another wallet, planned. */
const givenPlannedOf = Effect.fnUntraced(function* (seed: number) {
  const wallet = yield* givenWallet(seed)
  const task = yield* givenPlanned(wallet)
  return { wallet, task, before: yield* batchOf(task, 1) }
})

export const togetherPromises = (promises: Promises): void => {
  promises("each is made or outrun by its own row, order and wallet", function* () {
    const repo = yield* TaskRepo
    const all = yield* Effect.forEach([1, 2, 3, 4, 5, 6], givenPlannedOf)
    const [fine, late, held, stopped, , cancelled] = all
    if (late !== undefined) yield* advance(late.before, (batch) => ({ ...batch, sends: 1 }))
    if (held !== undefined) yield* repo.hold([{ taskId: held.task.id, reason: "a person looks" }], NOW_MS)
    const fixture = yield* LedgerFixture
    if (stopped !== undefined) {
      const { version } = yield* fixture.readWalletState(stopped.wallet.id)
      yield* repo.stopWallet({ walletId: stopped.wallet.id, version, reason: "money is missing" }, NOW_MS)
    }
    if (cancelled !== undefined) yield* fixture.editTask(cancelled.task.id, { status: "cancelled" })
    const versions = Effect.forEach(all, ({ wallet }) => fixture.readWalletState(wallet.id))
    const versionsBefore = yield* versions
    const claims = all.map(({ before, task }) => ({ before, after: signed(before), onlyFor: task }))
    assert.deepStrictEqual(yield* saveAll(claims), [true, false, false, false, true, false])
    const now = yield* Effect.forEach(all, ({ task }) => batchOf(task, 1))
    const [planned, claimed] = ["planned", "signed"]
    assert.deepStrictEqual(
      now.map(({ status }) => status),
      [claimed, planned, planned, planned, claimed, planned]
    )
    const moved = (yield* versions).map(({ version }, index) => version - (versionsBefore[index]?.version ?? 0n))
    assert.deepStrictEqual(moved, [1n, 0n, 0n, 0n, 1n, 0n])
    assert.strictEqual(fine === undefined ? 0 : (yield* batchOf(fine.task, 1)).version, 1)
  })

  promises("of two payments of one wallet and token one is claimed, and of two tokens both", function* () {
    const wallet = yield* givenWallet()
    const tasks = [
      yield* givenPlanned(wallet),
      yield* givenPlanned(wallet),
      yield* givenPlanned(wallet, { token: OTHER_TOKEN })
    ]
    const claims = (yield* Effect.forEach(tasks, (task) => batchOf(task, 1))).map((before) => {
      return { before, after: signed(before) }
    })
    const [one, two, other] = yield* saveAll(claims)
    assert.sameMembers([one, two], [true, false])
    assert.isTrue(other)
  })

  promises("each brings its order what it brings alone: mints, counts, pauses, the end of its hold", function* () {
    const fixture = yield* LedgerFixture
    const repo = yield* TaskRepo
    const [minted, held, paused] = [yield* givenPlannedOf(1), yield* givenPlannedOf(2), yield* givenPlannedOf(3)]
    const paid = [yield* givenPaid(minted.task, 1), yield* givenPaid(held.task, 1)] as const
    yield* repo.hold([{ taskId: held.task.id, reason: "no mint came" }], NOW_MS)
    const live = yield* advance(paused.before, signed)
    const deliver = (batch: (typeof paid)[number]) => {
      return { before: batch, after: delivered(2)(batch), mints: mintsOf(batch, 2), endsHold: "no mint" }
    }
    const change = { retryCount: 1, errorMessage: "Retry 1/3: no", nextActionAtMs: NOW_MS + 5_000, refusal: "no" }
    const saves: ReadonlyArray<BatchSave> = [
      { ...deliver(paid[0]), task: { expected: minted.task, change: { nextActionAtMs: NOW_MS + 500 } } },
      { ...deliver(paid[1]), task: { expected: held.task, change: { nextActionAtMs: null } } },
      { before: live, after: recheck(live, NOW_MS), task: { expected: paused.task, change } }
    ]
    assert.deepStrictEqual(yield* saveAll(saves), [true, true, true])
    const now = yield* Effect.forEach([minted, held, paused], ({ wallet, task }) => taskOf(wallet, task.id))
    assert.deepStrictEqual(
      now.map(({ mintsCompleted, nextActionAtMs, retryCount, errorMessage }) => {
        return { mintsCompleted, nextActionAtMs, retryCount, errorMessage }
      }),
      [
        { mintsCompleted: 2, nextActionAtMs: NOW_MS + 500, retryCount: 0, errorMessage: undefined },
        { mintsCompleted: 2, nextActionAtMs: undefined, retryCount: 0, errorMessage: undefined },
        { mintsCompleted: 0, nextActionAtMs: NOW_MS + 5_000, retryCount: 1, errorMessage: "Retry 1/3: no" }
      ]
    )
    const records = yield* Effect.forEach([minted, held], ({ task }) => fixture.readMintRecords(task.id))
    assert.deepStrictEqual(
      records.map((ofTask) => ofTask.length),
      [2, 2]
    )
  })

  promises("the mints of another batch cost only the step that wanted them", function* () {
    const [one, two, three] = [yield* givenPlannedOf(1), yield* givenPlannedOf(2), yield* givenPlannedOf(3)]
    const taken = yield* givenPaid(one.task, 1)
    yield* advance(taken, delivered(2), { mints: mintsOf(taken, 2) })
    const paid = yield* givenPaid(one.task, 2)
    const stolen = mintsOf(taken, 2).map((mint, index) => ({ ...mint, mintNumber: paid.firstMint + index }))
    const other = yield* givenPaid(two.task, 1)
    const live = yield* advance(three.before, signed)
    const made = yield* saveAll([
      { before: paid, after: delivered(2)(paid), mints: stolen },
      { before: other, after: delivered(2)(other), mints: mintsOf(other, 2) },
      { before: live, after: proven(live) }
    ])
    assert.deepStrictEqual(made, [false, true, true])
    assert.strictEqual((yield* taskOf(one.wallet, one.task.id)).mintsCompleted, 2)
    assert.strictEqual((yield* taskOf(two.wallet, two.task.id)).mintsCompleted, 2)
    assert.strictEqual((yield* batchOf(one.task, 2)).status, "paid")
  })
}
