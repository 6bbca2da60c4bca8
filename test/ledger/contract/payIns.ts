import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Bytes32 } from "../../../src/domain/Address.ts"
import { type PayIn, payInTaskId, placePayIn } from "../../../src/domain/PayIn.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { CHAIN } from "../../support/LedgerSql.ts"
import { assertNoted, DECISION } from "./deciding.ts"
import { cost, givenWallet, hash, NOW_MS, OTHER_TOKEN, PRICE, type Promises, TOKEN, uuid } from "./given.ts"

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

export const payInPromises = (promises: Promises): void => {
  placingPromises(promises)
}
