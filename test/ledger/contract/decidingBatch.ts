import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { type Batch, nonceOf } from "../../../src/domain/Batch.ts"
import { expire, resolve } from "../../../src/domain/transferTransitions.ts"
import type { Task } from "../../../src/domain/Task.ts"
import { times } from "../../../src/domain/Usdc.ts"
import { type BatchResolution, DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { CHAIN } from "../../support/LedgerSql.ts"
import { assertNoted, AT_MS, DECISION, heldBatch, holdTask, versionOf } from "./deciding.ts"
import {
  advance,
  batchOf,
  cost,
  delivered,
  givenDelivered,
  givenPaid,
  givenPlanned,
  givenWallet,
  mintsOf,
  PRICE,
  type Promises,
  signed,
  taskOf,
  workOf
} from "./given.ts"

const decide = Effect.fnUntraced(function* (before: Batch, minted: number, more: Partial<BatchResolution> = {}) {
  const after = resolve(before, minted, "delivered, says the operator", AT_MS)
  const resolution = { before, after, mints: [], replacement: undefined, failure: undefined, ...more }
  return yield* wasFirst((yield* DecisionRepo).resolveBatch(resolution, DECISION, AT_MS))
})

/** A planned order, held as its first batch is. */
const givenHeld = Effect.fnUntraced(function* () {
  const wallet = yield* givenWallet()
  const task = yield* givenPlanned(wallet)
  const batch = yield* advance(yield* advance(yield* batchOf(task, 1), signed), heldBatch)
  yield* holdTask(task.id)
  return { wallet, task, batch }
})

/** The same mints under the next free number. */
const replacementOf = (batch: Batch, number: number): Batch => {
  const quantity = batch.quantity - batch.minted
  return {
    ...batch,
    number,
    firstMint: batch.firstMint + batch.minted,
    quantity,
    amount: times(PRICE, quantity),
    nonce: nonceOf({ ...CHAIN, payer: batch.payer, taskId: batch.taskId, number }),
    status: "planned",
    version: 0,
    window: undefined,
    sends: 0,
    reason: undefined,
    nextActionAtMs: undefined
  }
}

const UNPAID_AT = { nowMs: AT_MS, block: { number: 20n, timeMs: AT_MS } }

const rowOf = ({ id }: Task) => Effect.flatMap(LedgerFixture, (fixture) => fixture.readTask(id))

export const decidingBatchPromises = (promises: Promises): void => {
  promises(
    "a batch that was never paid is paid for after all, and mints that are not its own are no batch's any more",
    function* () {
      const { wallet, task, batch } = yield* givenHeld()
      const repo = yield* TaskRepo
      const strays = mintsOf(batch, 2)
      assert.strictEqual((yield* repo.attributedMints(batch, strays)).size, 0)
      const after = expire(batch, UNPAID_AT, "again: the person made them")
      assert.isTrue(yield* decide(batch, 0, { after, strays }))
      assert.deepInclude(yield* batchOf(task, 1), {
        status: "planned",
        minted: 0,
        window: undefined,
        nonce: batch.nonce
      })
      assert.strictEqual((yield* repo.attributedMints(batch, strays)).size, 2)
      const going = yield* taskOf(wallet, task.id)
      assert.deepInclude(going, { status: "processing", mintsCompleted: 0, errorMessage: undefined })
      assert.strictEqual((yield* workOf(wallet)).reserved, cost(4))
      const paid = yield* givenPaid(task, 1)
      const took = { before: paid, after: delivered(2)(paid), mints: strays }
      assert.isFalse(
        yield* wasFirst(repo.saveBatch(took, AT_MS)),
        "what is set aside is not taken, whoever has read it before"
      )
      yield* assertNoted({ taskId: task.id, walletId: wallet.id })
    }
  )

  promises("mints that a batch has got meanwhile are not set aside, and nothing is decided", function* () {
    const { task, batch } = yield* givenHeld()
    const other = yield* givenPaid(task, 2)
    yield* advance(other, delivered(2), { mints: mintsOf(other, 2) })
    const after = expire(batch, UNPAID_AT, "again")
    assert.isFalse(yield* decide(batch, 0, { after, strays: mintsOf(other, 2) }))
    assert.strictEqual((yield* batchOf(task, 1)).status, "held")
    yield* assertNoted()
  })

  promises("mints on chain are given to the batch, counted and recorded, and the order goes on", function* () {
    const { wallet, task, batch } = yield* givenHeld()
    const version = yield* versionOf(wallet)
    assert.isTrue(yield* decide(batch, 2, { mints: mintsOf(batch, 2) }))
    assert.deepInclude(yield* batchOf(task, 1), { status: "resolved", minted: 2, version: batch.version + 1 })
    const going = yield* taskOf(wallet, task.id)
    assert.deepInclude(going, { status: "processing", mintsCompleted: 2, errorMessage: undefined })
    assert.lengthOf(yield* (yield* LedgerFixture).readMintRecords(task.id), 2)
    assert.strictEqual((yield* workOf(wallet)).reserved, cost(2), "the resolved batch costs nothing any more")
    assert.isTrue((yield* versionOf(wallet)) > version)
    yield* assertNoted({ taskId: task.id, walletId: wallet.id })
  })

  promises(
    "mints that are there by a person's word alone are counted and recorded without a transaction",
    function* () {
      const { task, batch } = yield* givenHeld()
      assert.isTrue(yield* decide(batch, 2, { mints: mintsOf(batch, 1) }))
      assert.strictEqual((yield* rowOf(task)).mintsCompleted, 2)
      const records = yield* (yield* LedgerFixture).readMintRecords(task.id)
      assert.deepStrictEqual(
        records.map(({ mintNumber, tx, status }) => [mintNumber, tx, status]),
        [
          [1, batch.nonce, "completed"],
          [2, undefined, "completed"]
        ]
      )
    }
  )

  promises("a batch that is paid and not delivered is resolved with the mints that it got", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const paid = yield* givenPaid(task, 1)
    const one = yield* advance(paid, delivered(1), { mints: mintsOf(paid, 1) })
    assert.isTrue(yield* decide(one, 2, { mints: mintsOf(one, 1) }))
    assert.deepInclude(yield* batchOf(task, 1), { status: "resolved", minted: 2 })
    assert.strictEqual((yield* rowOf(task)).mintsCompleted, 2)
  })

  promises("nothing is decided about a batch that somebody else has moved", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const paid = yield* givenPaid(task, 1)
    yield* advance(paid, delivered(2), { mints: mintsOf(paid, 2) })
    const version = yield* versionOf(wallet)
    assert.isFalse(yield* decide(paid, 0))
    assert.strictEqual(yield* versionOf(wallet), version)
    yield* assertNoted()
  })

  promises("a mint that is another batch's is not given away", function* () {
    const { task, batch } = yield* givenHeld()
    const other = yield* givenDelivered(task, 2)
    const taken = mintsOf({ ...other, minted: 0 }, 2).map((mint, index) => ({ ...mint, mintNumber: 1 + index }))
    assert.isFalse(yield* decide(batch, 2, { mints: taken }))
    assert.deepInclude(yield* batchOf(task, 1), { status: "held", minted: 0 })
    assert.strictEqual((yield* rowOf(task)).mintsCompleted, 2)
  })

  promises("a batch whose nonce is dead is bought again under a number and a nonce of its own", function* () {
    const { wallet, task, batch } = yield* givenHeld()
    const replacement = replacementOf(batch, 3)
    assert.isTrue(yield* decide(batch, 0, { replacement }))
    assert.deepInclude(yield* batchOf(task, 3), {
      status: "planned",
      firstMint: 1,
      quantity: 2,
      nonce: replacement.nonce
    })
    assert.strictEqual((yield* workOf(wallet)).reserved, cost(4))
    yield* givenDelivered(task, 2)
    yield* givenDelivered(task, 3)
    assert.strictEqual((yield* rowOf(task)).mintsCompleted, 4)
  })

  promises("an order stays held as long as another batch of it is", function* () {
    const { wallet, task, batch } = yield* givenHeld()
    const second = yield* advance(yield* advance(yield* batchOf(task, 2), signed), heldBatch)
    assert.isTrue(yield* decide(batch, 2))
    assert.strictEqual((yield* rowOf(task)).errorMessage, "somebody has to look")
    assert.isTrue(yield* decide(second, 2))
    assert.deepInclude(yield* taskOf(wallet, task.id), { errorMessage: undefined, mintsCompleted: 4 })
  })

  promises("an order fails with its batch, and the rest of its money is free", function* () {
    const { wallet, task, batch } = yield* givenHeld()
    assert.isTrue(yield* decide(batch, 0, { failure: "Failed by the operator: no more" }))
    assert.deepInclude(yield* rowOf(task), {
      status: "failed",
      mintsFailed: 4,
      errorMessage: "Failed by the operator: no more",
      completedAtMs: AT_MS
    })
    assert.deepInclude(yield* batchOf(task, 1), { status: "resolved", minted: 0 })
    assert.strictEqual((yield* workOf(wallet)).reserved, 0n)
  })

  promises("an order does not fail with its batch while another one is in flight", function* () {
    const { task, batch } = yield* givenHeld()
    yield* givenPaid(task, 2)
    assert.isFalse(yield* decide(batch, 0, { failure: "Failed by the operator" }))
    assert.deepInclude(yield* batchOf(task, 1), { status: "held" })
    assert.strictEqual((yield* rowOf(task)).status, "processing")
    yield* assertNoted()
  })
}
