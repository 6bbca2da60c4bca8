import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { deliver, markUnknown, recheck } from "../../../src/domain/transferTransitions.ts"
import type { Task } from "../../../src/domain/Task.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  accepted,
  advance,
  batchOf,
  cost,
  cut,
  delivered,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  hash,
  mintsOf,
  NOW_MS,
  OTHER_TOKEN,
  type Promises,
  proven,
  save,
  saveTask,
  signed,
  taskOf,
  TIP,
  workOf
} from "./given.ts"

export const stepPromises = (promises: Promises): void => {
  promises("a step of a batch is stored with everything that it knows, and raises its version", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    let batch = yield* batchOf(task, 1)
    const doubted = (b: typeof batch) => markUnknown(b, { reason: "it said 'no', \"never\"", lookAtMs: NOW_MS }, NOW_MS)
    for (const step of [signed, accepted, doubted, (b: typeof batch) => recheck(b, NOW_MS), proven]) {
      const expected = { ...step(batch), version: batch.version + 1 }
      assert.isTrue(yield* save({ before: batch, after: step(batch) }))
      batch = yield* batchOf(task, 1)
      assert.deepStrictEqual(batch, expected)
    }
    const state = yield* (yield* LedgerFixture).readWalletState(wallet.id)
    assert.deepStrictEqual(state, { version: 6n, provenBlock: TIP.number })
  })

  promises(
    "a batch keeps the portion of a mint that it was planned with, as large as a token can tell it",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const funded = yield* givenFunded(wallet)
      const portions = [2n ** 256n - 1n, undefined]
      const batches = cut(funded, wallet, 2).map((batch, index) => ({ ...batch, portion: portions[index] }))
      assert.isTrue(yield* wasFirst(repo.plan(funded, batches, NOW_MS)))
      const first = yield* advance(yield* batchOf(funded, 1), signed)
      assert.strictEqual(first.portion, 2n ** 256n - 1n)
      assert.isUndefined((yield* batchOf(funded, 2)).portion)
    }
  )

  promises("of two steps from the same reading the second writes nothing", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const before = yield* batchOf(task, 1)
    const first = yield* advance(before, signed)
    const state = yield* fixture.readWalletState(wallet.id)
    const change = { retryCount: 2, refusal: "no", nextActionAtMs: NOW_MS }
    const late = { before, after: { ...signed(before), sends: 9 }, task: { expected: task, change } }
    assert.isFalse(yield* save(late))
    assert.deepStrictEqual(yield* batchOf(task, 1), first)
    assert.deepInclude(yield* taskOf(wallet, task.id), { retryCount: 0, lastRefusal: undefined })
    assert.deepStrictEqual(yield* fixture.readWalletState(wallet.id), state)
  })

  promises("a step that comes too late counts no mint and writes no record", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const paid = yield* givenPaid(task, 1)
    yield* advance(paid, (batch) => recheck(batch, NOW_MS))
    const repo = yield* TaskRepo
    const mints = mintsOf(paid, 2)
    assert.isFalse(yield* save({ before: paid, after: deliver(paid, 2, NOW_MS), mints }))
    assert.strictEqual((yield* taskOf(wallet, task.id)).mintsCompleted, 0)
    assert.deepStrictEqual(yield* fixture.readMintRecords(task.id), [])
    assert.strictEqual((yield* repo.attributedMints(paid, mints)).size, 0)
  })

  promises("every mint is counted once and has one record, in v1.1's tables too", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const second = yield* givenPaid(task, 2)
    yield* advance(second, delivered(2), { mints: mintsOf(second, 2) })
    assert.strictEqual((yield* taskOf(wallet, task.id)).mintsCompleted, 2)
    const first = yield* givenPaid(task, 1)
    const half = yield* advance(first, delivered(1), { mints: mintsOf(first, 1) })
    assert.deepInclude(half, { status: "paid", minted: 1 })
    assert.strictEqual((yield* taskOf(wallet, task.id)).mintsCompleted, 3)
    yield* advance(half, delivered(1), { mints: mintsOf(half, 1) })
    assert.strictEqual((yield* taskOf(wallet, task.id)).mintsCompleted, 4)
    const records = (yield* fixture.readMintRecords(task.id)).toSorted((a, b) => a.mintNumber - b.mintNumber)
    assert.deepStrictEqual(
      records,
      [first, first, second, second].map((batch, index) => ({
        taskId: task.id,
        mintNumber: index + 1,
        status: "completed",
        tx: batch.nonce,
        createdAtMs: NOW_MS,
        completedAtMs: NOW_MS
      }))
    )
  })

  promises("a mint that belongs to a batch never counts for another one", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const first = yield* givenPaid(task, 1)
    const mints = mintsOf(first, 2)
    yield* advance(first, delivered(2), { mints })
    const second = yield* givenPaid(task, 2)
    const stolen = mints.map((mint, index) => ({ ...mint, mintNumber: second.firstMint + index }))
    assert.isFalse(yield* save({ before: second, after: deliver(second, 2, NOW_MS), mints: stolen }))
    const mixed = [...stolen.slice(0, 1), { tx: hash(5), part: 0, logIndex: 0, mintNumber: 4 }]
    assert.isFalse(yield* save({ before: second, after: deliver(second, 2, NOW_MS), mints: mixed }))
    assert.deepStrictEqual(yield* batchOf(task, 2), second)
    assert.strictEqual((yield* taskOf(wallet, task.id)).mintsCompleted, 2)
    assert.lengthOf(yield* fixture.readMintRecords(task.id), 2)
    const repo = yield* TaskRepo
    const asked = [...mints.slice(0, 1), { tx: mints[0]?.tx ?? hash(0), part: 77 }, { tx: hash(5), part: 0 }]
    assert.deepStrictEqual([...(yield* repo.attributedMints(first, asked))], [`${first.nonce}:1`])
    assert.deepStrictEqual(yield* repo.attributedMints(first, []), new Set())
  })

  promises(
    "a mint is the same one at whatever index another node has its log, and another one for another person or token",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      const first = yield* givenPaid(task, 1)
      const mints = mintsOf(first, 2)
      yield* advance(first, delivered(2), { mints })
      const second = yield* givenPaid(task, 2)
      const elsewhere = mints.map((mint, index) => ({
        ...mint,
        logIndex: mint.logIndex + 70,
        mintNumber: second.firstMint + index
      }))
      assert.isFalse(yield* save({ before: second, after: deliver(second, 2, NOW_MS), mints: elsewhere }))
      assert.deepStrictEqual(yield* batchOf(task, 2), second)
      assert.strictEqual((yield* repo.attributedMints(first, elsewhere)).size, 2)
      for (const other of [
        { token: first.payer, recipient: first.recipient },
        { token: first.token, recipient: first.payer }
      ]) {
        assert.strictEqual((yield* repo.attributedMints(other, mints)).size, 0)
      }
      const neighbour = yield* givenWallet(2)
      const ownTask = yield* givenPlanned(neighbour)
      const own = yield* givenPaid(ownTask, 1)
      yield* advance(own, delivered(2), { mints })
      assert.strictEqual((yield* taskOf(neighbour, ownTask.id)).mintsCompleted, 2)
    }
  )

  promises("a mint that is brought a second time is recorded once", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const paid = yield* givenPaid(task, 1)
    const half = yield* advance(paid, delivered(1), { mints: mintsOf(paid, 1) })
    yield* advance(half, delivered(1), { mints: [...mintsOf(paid, 1), ...mintsOf(half, 1)] })
    const records = yield* (yield* LedgerFixture).readMintRecords(task.id)
    assert.deepStrictEqual(records.map((record) => record.mintNumber).toSorted(), [1, 2])
  })

  promises("the mints that v1.1 counted stay counted", function* () {
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet, { quantity: 5 })
    yield* (yield* LedgerFixture).editTask(id, { status: "processing", mintsCompleted: 3, startedAtMs: NOW_MS })
    const task = yield* taskOf(wallet, id)
    assert.isTrue(yield* wasFirst((yield* TaskRepo).plan(task, cut(task, wallet, 1), NOW_MS)))
    yield* givenDelivered(task, 2)
    assert.strictEqual((yield* taskOf(wallet, id)).mintsCompleted, 4)
    yield* givenDelivered(task, 1)
    const last = yield* taskOf(wallet, id)
    assert.strictEqual(last.mintsCompleted, 5)
    assert.isTrue(yield* saveTask(last, { status: "completed" }))
  })

  promises("a step takes its order along: refusals, message, pause", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const change = { retryCount: 1, errorMessage: "Retry 1/3: no", nextActionAtMs: NOW_MS + 5_000, refusal: "no" }
    yield* advance(yield* batchOf(task, 1), signed, { task: { expected: task, change } })
    const { refusal, ...columns } = change
    assert.deepInclude(yield* taskOf(wallet, task.id), { ...columns, lastRefusal: refusal })
  })

  promises("a step whose order has moved on is made, and leaves the order alone", function* () {
    const fixture = yield* LedgerFixture
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const live = yield* advance(yield* batchOf(task, 1), signed)
    yield* fixture.editTask(task.id, { status: "cancelled", errorMessage: "by its user" })
    const change = { retryCount: 1, errorMessage: "Retry 1/3: no", refusal: "no" }
    yield* advance(live, proven, { task: { expected: task, change } })
    assert.deepInclude(yield* fixture.readTask(task.id), { retryCount: 0, errorMessage: "by its user" })
    assert.strictEqual(yield* repo.walletsRefused("no", 0), 0)
  })

  promises("a payment is not claimed for an order that was cancelled or held meanwhile", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const [cancelled, held, open] = [
      yield* givenPlanned(wallet),
      yield* givenPlanned(wallet),
      yield* givenPlanned(wallet)
    ]
    yield* (yield* LedgerFixture).editTask(cancelled.id, { status: "cancelled" })
    yield* repo.hold([{ taskId: held.id, reason: "a person looks" }], NOW_MS)
    for (const task of [cancelled, held]) {
      const before = yield* batchOf(task, 1)
      assert.isFalse(yield* save({ before, after: signed(before), onlyFor: task }))
      assert.deepStrictEqual(yield* batchOf(task, 1), before)
    }
    const claimed = yield* advance(yield* batchOf(open, 1), signed, { onlyFor: open })
    assert.strictEqual(claimed.status, "signed")
  })

  promises("no payment is claimed while another one of its wallet and token is in flight", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const [sameToken, otherToken] = [yield* givenPlanned(wallet), yield* givenPlanned(wallet, { token: OTHER_TOKEN })]
    const claim = Effect.fnUntraced(function* (of: Task, number: number) {
      const before = yield* batchOf(of, number)
      return yield* wasFirst(repo.saveBatch({ before, after: signed(before) }, NOW_MS))
    })
    const paid = yield* givenPaid(task, 1)
    assert.isFalse(yield* claim(sameToken, 1))
    assert.isFalse(yield* claim(task, 2))
    assert.isTrue(yield* claim(otherToken, 1))
    yield* advance(paid, delivered(2), { mints: mintsOf(paid, 2) })
    assert.isTrue(yield* claim(sameToken, 1))
  })

  promises("the newest block with a proven payment is kept, in whatever order they are proven", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    for (const [number, block] of [
      [1, 60n],
      [2, 40n]
    ] as const) {
      const live = yield* advance(yield* batchOf(task, number), signed)
      const paid = yield* advance(live, (batch) => ({ ...proven(batch), paymentBlock: block }))
      yield* advance(paid, delivered(2), { mints: mintsOf(paid, 2) })
    }
    assert.strictEqual((yield* (yield* LedgerFixture).readWalletState(wallet.id)).provenBlock, 60n)
    assert.strictEqual((yield* workOf(wallet)).provenBlock, 60n)
  })

  promises("every step that frees or takes money makes an older reading of the wallet useless", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const versionOf = Effect.map(fixture.readWalletState(wallet.id), ({ version }) => version)
    const versions = [yield* versionOf]
    const task = yield* givenFunded(wallet)
    versions.push(yield* versionOf)
    yield* (yield* TaskRepo).plan(task, cut(task, wallet, 4), NOW_MS)
    versions.push(yield* versionOf)
    const live = yield* advance(yield* batchOf(task, 1), signed)
    versions.push(yield* versionOf)
    const paid = yield* advance(live, proven)
    versions.push(yield* versionOf)
    yield* advance(paid, delivered(4), { mints: mintsOf(paid, 4) })
    assert.strictEqual((yield* workOf(wallet)).reserved, cost(0))
    yield* saveTask(yield* taskOf(wallet, task.id), { status: "completed" })
    versions.push(yield* versionOf)
    assert.deepStrictEqual(versions, versions.toSorted())
    assert.strictEqual(new Set(versions).size, versions.length)
  })
}
