import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Bytes32 } from "../../../src/domain/Address.ts"
import { judgePayIn, type PayIn, payInTaskId, placePayIn } from "../../../src/domain/PayIn.ts"
import { KeyId } from "../../../src/domain/Key.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { CHAIN } from "../../support/LedgerSql.ts"
import { assertNoted, DECISION, holdTask } from "./deciding.ts"
import {
  cost,
  evidence,
  funding,
  givenOrder,
  givenWallet,
  hash,
  NOW_MS,
  ordersOf,
  OTHER_TOKEN,
  PRICE,
  type Promises,
  TIP,
  TOKEN,
  uuid
} from "./given.ts"

const PAYER = OTHER_TOKEN

const NONCE: Bytes32 = hash(0xab)

const authorization = (wallet: Wallet, mints: number, nonce: Bytes32 = NONCE) => ({
  from: PAYER,
  to: wallet.agentAddress,
  value: cost(mints),
  validAfter: 1,
  validBefore: NOW_MS / 1000 + 120,
  nonce
})

const orderOf = (wallet: Wallet, quantity: number, nonce = NONCE) => ({
  id: payInTaskId({ ...CHAIN, payer: PAYER, nonce }),
  wallet,
  token: TOKEN,
  quantity,
  pricePerMint: PRICE
})

const payInFor = (wallet: Wallet, mints: number, nonce = NONCE): PayIn =>
  placePayIn({
    authorization: authorization(wallet, mints, nonce),
    wallet,
    taskId: orderOf(wallet, mints, nonce).id,
    nowMs: NOW_MS
  })

const place = Effect.fnUntraced(function* (wallet: Wallet, mints: number, nonce = NONCE) {
  const repo = yield* DecisionRepo
  const order = orderOf(wallet, mints, nonce)
  return yield* wasFirst(repo.placePaidOrder(order, payInFor(wallet, mints, nonce), DECISION, NOW_MS))
})

const placingPromises = (promises: Promises): void => {
  promises("an order and its pay-in are written together, and found by payer and nonce", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const name = { payer: PAYER, nonce: NONCE }
    assert.isUndefined(yield* repo.findPayIn(name))
    assert.isTrue(yield* place(wallet, 3))
    const found = yield* repo.findPayIn({ ...name, nonce: NONCE.toUpperCase().replace("0X", "0x") as Bytes32 })
    assert.deepStrictEqual(found, {
      payIn: payInFor(wallet, 3),
      token: TOKEN,
      quantity: 3,
      recipient: wallet.userAddress
    })
    const row = yield* (yield* LedgerFixture).readTask(orderOf(wallet, 3).id)
    assert.deepInclude(row, { status: "pending_payment", quantity: 3, totalCost: cost(3), createdAtMs: NOW_MS })
    yield* assertNoted({ taskId: row.id, walletId: wallet.id })
  })

  promises("the same order, and the same payment for another order, write nothing", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    assert.isTrue(yield* place(wallet, 3))
    assert.isFalse(yield* place(wallet, 4))
    const other = { ...orderOf(wallet, 3), id: uuid(7) }
    assert.isFalse(yield* wasFirst(repo.placePaidOrder(other, payInFor(wallet, 3), DECISION, NOW_MS)))
    assert.isUndefined(yield* repo.findTask(other.id), "no order without its pay-in")
    const again = hash(0xcd)
    const taken = { ...payInFor(wallet, 3, again), taskId: orderOf(wallet, 3).id }
    assert.isFalse(yield* wasFirst(repo.placePaidOrder(orderOf(wallet, 3), taken, DECISION, NOW_MS)))
    assert.isUndefined(yield* repo.findPayIn({ payer: PAYER, nonce: again }), "no pay-in without its order")
    assert.isTrue(yield* place(wallet, 3, again))
    yield* assertNoted(
      { taskId: orderOf(wallet, 3).id, walletId: wallet.id },
      { taskId: orderOf(wallet, 3, again).id, walletId: wallet.id }
    )
  })
}

const identifierPromises = (promises: Promises): void => {
  promises("one payment of a key has an identifier, and another key may use the same", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const identifier = "pay_0123456789abcdef"
    const placeAs = (nonce: Bytes32, keyId?: KeyId) => {
      const order = { ...orderOf(wallet, 3, nonce), paymentIdentifier: identifier }
      return wasFirst(repo.placePaidOrder(order, payInFor(wallet, 3, nonce), { ...DECISION, keyId }, NOW_MS))
    }
    const [one, other] = [KeyId.make(uuid(8)), KeyId.make(uuid(9))]
    assert.isUndefined(yield* repo.findPayInCalled({ keyId: undefined, identifier }))
    assert.isTrue(yield* placeAs(hash(1)))
    assert.isFalse(yield* placeAs(hash(2)))
    assert.isUndefined(yield* repo.findPayIn({ payer: PAYER, nonce: hash(2) }))
    assert.isTrue(yield* placeAs(hash(2), one))
    assert.isFalse(yield* placeAs(hash(3), one))
    assert.isTrue(yield* placeAs(hash(3), other))
    for (const [keyId, nonce] of [
      [undefined, hash(1)],
      [one, hash(2)],
      [other, hash(3)]
    ] as const) {
      assert.strictEqual((yield* repo.findPayInCalled({ keyId, identifier }))?.payIn.nonce, nonce)
    }
    assert.isUndefined(yield* repo.findPayInCalled({ keyId: one, identifier: "pay_fedcba9876543210" }))
  })
}

const used = (payIn: PayIn, inBlock = 10n): PayIn => {
  const outcome = { _tag: "Used", tx: hash(1), block: inBlock, to: payIn.payTo, value: payIn.amount } as const
  return judgePayIn(payIn, outcome, TIP) ?? payIn
}

const lapsed = (payIn: PayIn): PayIn =>
  judgePayIn(payIn, { _tag: "Unused" }, { number: 10n, timeMs: payIn.validBefore * 1000 }) ?? payIn

const stored = Effect.map(
  Effect.flatMap(DecisionRepo, (repo) => repo.findPayIn({ payer: PAYER, nonce: NONCE })),
  (found) => found?.payIn
)

const fundedOrCancelled = Effect.fnUntraced(function* (wallet: Wallet, id: TaskId) {
  const repo = yield* TaskRepo
  const orders = yield* ordersOf(wallet)
  const cancellation = { ...evidence(orders, id), message: "too late" }
  const byPerson = (yield* DecisionRepo).cancel(cancellation, TIP, DECISION, NOW_MS)
  return {
    funded: yield* repo.fund([funding(orders, id)], TIP, NOW_MS),
    cancelled: yield* repo.cancel([cancellation], TIP, NOW_MS),
    byPerson: yield* wasFirst(byPerson)
  }
})

const livePromises = (promises: Promises): void => {
  promises("a pay-in is read with the orders of its wallet while it says something about one of them", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* TaskRepo
    yield* givenOrder(wallet)
    assert.deepStrictEqual((yield* ordersOf(wallet)).payIns, [])
    yield* place(wallet, 3)
    yield* place(yield* givenWallet(2), 3, hash(0xcd))
    const payIn = payInFor(wallet, 3)
    assert.deepStrictEqual((yield* ordersOf(wallet)).payIns, [payIn])
    assert.deepStrictEqual((yield* (yield* DecisionRepo).walletOrders(wallet.id))?.payIns, [payIn])
    yield* holdTask(payIn.taskId)
    assert.deepStrictEqual((yield* ordersOf(wallet)).payIns, [payIn], "of an order that is held too")
    assert.deepStrictEqual(yield* repo.savePayIns([used(payIn)]), [payIn.taskId])
    assert.deepStrictEqual((yield* ordersOf(wallet)).payIns, [used(payIn)])
    yield* (yield* LedgerFixture).editTask(payIn.taskId, { status: "funded" })
    assert.deepStrictEqual((yield* ordersOf(wallet)).payIns, [], "of one that does not wait any more, nothing follows")
  })

  promises(
    "an order whose pay-in may still come is neither funded nor cancelled, by the sweep or a person",
    function* () {
      const wallet = yield* givenWallet()
      yield* place(wallet, 3)
      const { id } = orderOf(wallet, 3)
      assert.deepStrictEqual(yield* fundedOrCancelled(wallet, id), { funded: [], cancelled: [], byPerson: false })
      yield* (yield* TaskRepo).savePayIns([lapsed(payInFor(wallet, 3))])
      assert.deepStrictEqual((yield* ordersOf(wallet)).payIns, [])
      const { cancelled } = yield* fundedOrCancelled(wallet, yield* givenOrder(wallet))
      assert.lengthOf(cancelled, 0, "of the wallet as it was before the other one was funded")
      const orders = yield* ordersOf(wallet)
      assert.deepStrictEqual(yield* (yield* TaskRepo).fund([funding(orders, id)], TIP, NOW_MS), [id])
    }
  )

  promises("what was decided without an order whose pay-in may have come since is not written", function* () {
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    const orders = yield* ordersOf(wallet)
    yield* place(wallet, 3)
    assert.deepStrictEqual(yield* (yield* TaskRepo).fund([funding(orders, id)], TIP, NOW_MS), [])
    assert.deepStrictEqual(yield* (yield* TaskRepo).fund([funding(yield* ordersOf(wallet), id)], TIP, NOW_MS), [id])
  })

  promises("what became of a pay-in is written once", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* TaskRepo
    yield* place(wallet, 3)
    const payIn = payInFor(wallet, 3)
    assert.deepStrictEqual(yield* repo.savePayIns([]), [])
    assert.deepStrictEqual(yield* repo.savePayIns([used(payIn)]), [payIn.taskId])
    assert.deepStrictEqual(yield* repo.savePayIns([lapsed(payIn)]), [])
    assert.deepStrictEqual(yield* stored, used(payIn))
  })

  promises("what the chain takes back of a waiting order is live again, and of another one stays", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* TaskRepo
    yield* place(wallet, 3)
    const payIn = payInFor(wallet, 3)
    for (const proven of [used(payIn), lapsed(payIn)]) {
      yield* repo.savePayIns([proven])
      yield* repo.rewind(10n)
      assert.deepStrictEqual(yield* stored, proven, "it was proven in the block of the fork")
      yield* repo.rewind(9n)
      assert.deepStrictEqual(yield* stored, payIn)
    }
    yield* repo.savePayIns([used(payIn)])
    yield* (yield* LedgerFixture).editTask(payIn.taskId, { status: "funded" })
    yield* repo.rewind(9n)
    assert.deepStrictEqual(yield* stored, used(payIn))
  })
}

export const payInPromises = (promises: Promises): void => {
  placingPromises(promises)
  identifierPromises(promises)
  livePromises(promises)
}
