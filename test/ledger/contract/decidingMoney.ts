import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { planRefund, type Refund, type RefundId } from "../../../src/domain/Refund.ts"
import { expire, sign, VOIDS_MAX, withdrawRefund } from "../../../src/domain/transferTransitions.ts"
import { messages } from "../../../src/domain/Task.ts"
import { usdc } from "../../../src/domain/Usdc.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { type FoundDeposit, TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { CHAIN } from "../../support/LedgerSql.ts"
import { assertNoted, AT_MS, DECISION, holdTask, versionOf } from "./deciding.ts"
import {
  block,
  cost,
  givenDelivered,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  hash,
  NOW_MS,
  ordersOf,
  type Promises,
  TIP,
  uuid,
  workOf
} from "./given.ts"

const refundOf = (wallet: Wallet, id: RefundId, amount = usdc(3_000_000n)) =>
  planRefund({ id, wallet, amount, ...CHAIN, nowMs: NOW_MS })

const ask = Effect.fnUntraced(function* (wallet: Wallet, id: RefundId, version: bigint, at = TIP) {
  const uses = [{ tx: hash(1), logIndex: 0, amount: usdc(3_000_000n) }]
  return yield* wasFirst((yield* DecisionRepo).askRefund(refundOf(wallet, id), { version, uses }, at, DECISION))
})

const deposit = (wallet: Wallet, amount: bigint, seed = 1): FoundDeposit => ({
  walletId: wallet.id,
  wallet: wallet.agentAddress,
  from: wallet.userAddress,
  amount: usdc(amount),
  tx: hash(seed),
  logIndex: 0,
  block: block(900n)
})

/** Five USDC came, and the books know. */
const givenDeposit = Effect.fnUntraced(function* (wallet: Wallet) {
  const repo = yield* TaskRepo
  const version = (yield* (yield* LedgerFixture).readWalletState(wallet.id)).version
  const counted = [{ walletId: wallet.id, version, balance: usdc(5_000_000n), isWhole: true }]
  yield* repo.recordDeposits([deposit(wallet, 5_000_000n)], counted, TIP)
})

const stop = (wallet: Wallet) =>
  Effect.gen(function* () {
    const version = yield* versionOf(wallet)
    const stopped = { walletId: wallet.id, version, reason: "money is missing" }
    assert.isTrue(yield* wasFirst((yield* TaskRepo).stopWallet(stopped, NOW_MS)))
    return version + 1n
  })

export const decidingMoneyPromises = (promises: Promises): void => {
  promises("a refund is written down, reserves its money, and is the wallet's work", function* () {
    const wallet = yield* givenWallet()
    yield* givenDeposit(wallet)
    assert.isTrue(yield* ask(wallet, uuid(1), 0n))
    const { refunds, reserved } = yield* workOf(wallet)
    assert.deepStrictEqual(refunds, [refundOf(wallet, uuid(1))])
    assert.strictEqual(reserved, 3_000_000n)
    assert.strictEqual(yield* versionOf(wallet), 1n)
    const left = yield* (yield* TaskRepo).unspentDeposits([wallet.id])
    assert.deepStrictEqual(
      left.map((one) => one.left),
      [2_000_000n]
    )
    yield* assertNoted({ walletId: wallet.id })
  })

  promises(
    "a refund is refused where the wallet changed, the block is too old, or the wallet is stopped",
    function* () {
      const wallet = yield* givenWallet()
      yield* givenDeposit(wallet)
      yield* givenPaid(yield* givenPlanned(wallet), 1)
      const version = yield* versionOf(wallet)
      assert.isFalse(yield* ask(wallet, uuid(1), version - 1n))
      assert.isFalse(yield* ask(wallet, uuid(1), version, block(TIP.number - 1n)))
      assert.isFalse(yield* ask(wallet, uuid(1), yield* stop(wallet)))
      assert.deepStrictEqual((yield* workOf(wallet)).refunds, [])
      const left = yield* (yield* TaskRepo).unspentDeposits([wallet.id])
      assert.strictEqual(left[0]?.left, 5_000_000n)
      yield* assertNoted()
    }
  )

  promises(
    "a refund that is held with its money keeps it until it is withdrawn, and then its deposits have it back",
    function* () {
      const wallet = yield* givenWallet()
      yield* givenDeposit(wallet)
      assert.isTrue(yield* ask(wallet, uuid(1), 0n))
      const [tasks, decisions] = [yield* TaskRepo, yield* DecisionRepo]
      let [refund] = yield* decisions.refundsOf(wallet.id)
      if (refund === undefined) return yield* Effect.die("no refund")
      for (let lapse = 0; lapse < VOIDS_MAX; lapse++) {
        const window = { amount: refund.amount, payTo: refund.payTo, validAfter: 1, validBefore: 2, block: 1n }
        for (const step of [
          (one: Refund) => sign(one, window, NOW_MS),
          (one: Refund) => expire(one, { nowMs: NOW_MS, block: TIP })
        ]) {
          const before: Refund = refund
          assert.isTrue(yield* wasFirst(tasks.saveRefund({ before, after: step(before) }, NOW_MS)))
          refund = (yield* decisions.refundsOf(wallet.id))[0] ?? before
        }
      }
      assert.deepInclude(refund, { status: "held", voids: VOIDS_MAX, keepsMoney: true })
      assert.deepInclude(yield* workOf(wallet), { refunds: [], reserved: usdc(3_000_000n) })
      const withdrawal = { before: refund, after: withdrawRefund(refund, "no gas") }
      assert.isTrue(yield* wasFirst(decisions.withdrawRefund(withdrawal, DECISION, AT_MS)))
      assert.isFalse(yield* wasFirst(decisions.withdrawRefund(withdrawal, DECISION, AT_MS)))
      assert.strictEqual((yield* workOf(wallet)).reserved, 0n)
      const left = yield* tasks.unspentDeposits([wallet.id])
      assert.deepStrictEqual(
        left.map((one) => one.left),
        [5_000_000n]
      )
      assert.lengthOf(yield* (yield* LedgerFixture).readDecisions, 2)
    }
  )

  promises("a stopped wallet goes on with books that begin at what the chain shows", function* () {
    const wallet = yield* givenWallet()
    yield* givenDeposit(wallet)
    const [id, held] = [yield* givenOrder(wallet), yield* givenOrder(wallet)]
    yield* holdTask(held)
    const version = yield* stop(wallet)
    const repo = yield* DecisionRepo
    const opening = { walletId: wallet.id, balance: usdc(4_000_000n), version, seen: wallet }
    const at = block(TIP.number + 50n)
    assert.isFalse(yield* wasFirst(repo.reopenBooks({ ...opening, version: version - 1n }, at, DECISION, AT_MS)))
    assert.isTrue(yield* wasFirst(repo.reopenBooks(opening, at, DECISION, AT_MS)))
    assert.deepInclude(yield* ordersOf(wallet), {
      stopped: undefined,
      books: { countedBlock: at.number, balance: usdc(4_000_000n) }
    })
    const fixture = yield* LedgerFixture
    assert.isUndefined((yield* fixture.readTask(id)).errorMessage)
    assert.strictEqual((yield* fixture.readTask(held)).errorMessage, "somebody has to look")
    assert.isFalse(yield* wasFirst(repo.reopenBooks({ ...opening, version: version + 1n }, at, DECISION, AT_MS)))
    yield* assertNoted({ walletId: wallet.id })
  })

  promises("what orders are told by a stop is told by its reason", function* () {
    const wallet = yield* givenWallet()
    const { id } = yield* givenFunded(wallet)
    yield* stop(wallet)
    assert.strictEqual((yield* (yield* LedgerFixture).readTask(id)).errorMessage, messages.stopped("money is missing"))
  })

  promises("accounts hold all that a wallet paid and got, page by page", function* () {
    const [one, other] = [yield* givenWallet(1), yield* givenWallet(2)]
    yield* givenDeposit(one)
    const task = yield* givenPlanned(one)
    const batch = yield* givenDelivered(task, 1)
    yield* ask(one, uuid(1), yield* versionOf(one))
    const repo = yield* DecisionRepo
    const first = yield* repo.accounts({ cursor: undefined, walletsMax: 1 })
    const second = yield* repo.accounts({ cursor: first.cursor, walletsMax: 1 })
    const third = yield* repo.accounts({ cursor: second.cursor, walletsMax: 1 })
    assert.deepStrictEqual([third.accounts, third.cursor], [[], undefined])
    const all = [...first.accounts, ...second.accounts]
    assert.sameMembers(
      all.map(({ wallet }) => wallet.id),
      [one.id, other.id]
    )
    const account = all.find(({ wallet }) => wallet.id === one.id)
    assert.deepInclude(account, {
      openedBlock: TIP.number,
      books: { countedBlock: TIP.number, balance: usdc(5_000_000n) },
      stopped: undefined
    })
    assert.deepStrictEqual(
      account?.batches.map(({ number, status }) => [number, status]),
      [
        [1, "delivered"],
        [2, "planned"]
      ]
    )
    const mint = { tx: batch.nonce, taskId: task.id, batchNumber: 1 }
    assert.deepStrictEqual(account?.mints, [
      { ...mint, part: 1 },
      { ...mint, part: 2 }
    ])
    assert.deepStrictEqual([account?.refunds.length, account?.deposits.map(({ amount }) => amount)], [1, [5_000_000n]])
    assert.deepInclude(
      all.find(({ wallet }) => wallet.id === other.id),
      { books: undefined, batches: [], mints: [] }
    )
    assert.strictEqual((yield* workOf(one)).reserved, cost(2) + 3_000_000n)
  })
}
