import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { usdc } from "../../../src/domain/Usdc.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { planRefund } from "../../../src/domain/Refund.ts"
import { sign } from "../../../src/domain/transferTransitions.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { CHAIN } from "../../support/LedgerSql.ts"
import { DECISION } from "./deciding.ts"
import {
  block,
  cost,
  cut,
  funding,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  hash,
  NOW_MS,
  ordersOf,
  type Promises,
  signed,
  signedAmount,
  batchOf,
  TIP,
  uuid
} from "./given.ts"

const deposit = (wallet: Wallet, mints: number, seed: number, inBlock = 10n) => ({
  walletId: wallet.id,
  wallet: wallet.agentAddress,
  from: wallet.userAddress,
  amount: cost(mints),
  tx: hash(seed),
  logIndex: 3,
  block: { number: inBlock, timeMs: NOW_MS }
})

const counted = (wallet: Wallet, mints: number, { isWhole = true, version = 0n } = {}) => ({
  walletId: wallet.id,
  version,
  balance: cost(mints),
  isWhole
})

const unspentOf = Effect.fnUntraced(function* (wallet: Wallet) {
  const unspent = yield* (yield* TaskRepo).unspentDeposits([wallet.id])
  return unspent.map(({ tx, left }) => [Number(tx), left])
})

export const booksPromises = (promises: Promises): void => {
  promises(
    "the books of a wallet open with what the chain shows, and deposits from before only remembered",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      yield* givenOrder(wallet)
      assert.isUndefined((yield* ordersOf(wallet)).books)
      const fresh = yield* repo.recordDeposits([deposit(wallet, 2, 1)], [counted(wallet, 5)], block(12n))
      assert.lengthOf(fresh, 1)
      assert.deepStrictEqual((yield* ordersOf(wallet)).books, { countedBlock: 12n, balance: cost(5) })
      assert.deepStrictEqual(yield* unspentOf(wallet), [[1, cost(2)]])
    }
  )

  promises("a deposit counts once, however often it is found, also where its wallet is named twice", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    yield* givenOrder(wallet)
    yield* repo.recordDeposits([], [counted(wallet, 0)], block(12n))
    const found = [deposit(wallet, 2, 1, 14n)]
    const twice = [counted(wallet, 2), counted(wallet, 2)]
    assert.lengthOf(yield* repo.recordDeposits([...found, ...found], twice, block(15n)), 1)
    assert.lengthOf(yield* repo.recordDeposits(found, [counted(wallet, 2)], block(14n)), 0)
    assert.deepStrictEqual((yield* ordersOf(wallet)).books, { countedBlock: 15n, balance: cost(2) })
  })

  promises("a deposit that is mined again, in another block and under another index, counts once", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    yield* givenOrder(wallet)
    yield* repo.recordDeposits([], [counted(wallet, 0)], block(12n))
    const twice = [deposit(wallet, 2, 1, 14n), { ...deposit(wallet, 2, 1, 14n), logIndex: 4 }]
    assert.lengthOf(yield* repo.recordDeposits(twice, [counted(wallet, 4)], block(15n)), 2)
    const again = twice.map((one) => ({
      ...one,
      logIndex: one.logIndex + 1,
      block: { number: 16n, timeMs: NOW_MS + 4_000 }
    }))
    assert.lengthOf(yield* repo.recordDeposits(again, [counted(wallet, 4)], block(17n)), 0)
    assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(4))
    const unspent = yield* repo.unspentDeposits([wallet.id])
    assert.deepStrictEqual(
      unspent.map((one) => [one.left, one.block]),
      again.map((one) => [one.amount, one.block]),
      "the rows tell where they are now"
    )
    const third = { ...deposit(wallet, 2, 1, 16n), logIndex: 9 }
    assert.lengthOf(yield* repo.recordDeposits([...again, third], [counted(wallet, 6)], block(18n)), 1)
    assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(6))
  })

  promises("deposits of one transaction are all counted, whatever index each answer gives them", function* () {
    const repo = yield* TaskRepo
    const [one, other] = [yield* givenWallet(1), yield* givenWallet(2)]
    yield* givenOrder(one)
    yield* givenOrder(other)
    yield* repo.recordDeposits([], [counted(one, 0), counted(other, 0)], block(12n))
    yield* repo.recordDeposits([deposit(one, 1, 1, 14n)], [counted(one, 1)], block(15n))
    // The same index as the first one has in the ledger, from a node that counts otherwise.
    const both = [deposit(other, 2, 1, 14n), { ...deposit(one, 1, 1, 14n), logIndex: 7 }]
    const fresh = yield* repo.recordDeposits(both, [counted(one, 1), counted(other, 2)], block(15n))
    assert.deepStrictEqual(
      fresh.map(({ walletId }) => walletId),
      [other.id]
    )
    assert.strictEqual((yield* ordersOf(one)).books?.balance, cost(1))
    assert.strictEqual((yield* ordersOf(other)).books?.balance, cost(2))
  })

  promises(
    "books are not opened with a balance from before a payment or a deposit that is known, nor beside a change",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      yield* givenOrder(wallet)
      const read = yield* ordersOf(wallet)
      yield* givenPaid(task, 1)
      yield* repo.recordDeposits([], [counted(wallet, 9, { version: read.version })], block(TIP.number + 9n))
      assert.isUndefined((yield* ordersOf(wallet)).books, "the wallet is not as it was read")
      const { version, provenBlock } = yield* ordersOf(wallet)
      yield* repo.recordDeposits([], [counted(wallet, 9, { version })], block(provenBlock - 1n))
      assert.isUndefined((yield* ordersOf(wallet)).books, "a payment was proven after this block")
      const later = deposit(wallet, 2, 1, provenBlock + 5n)
      const found = [{ walletId: later.walletId, version: version + 9n, balance: cost(9), isWhole: true }]
      assert.lengthOf(yield* repo.recordDeposits([later], found, block(provenBlock + 6n)), 1)
      yield* repo.recordDeposits([], [counted(wallet, 9, { version })], block(provenBlock + 4n))
      assert.isUndefined((yield* ordersOf(wallet)).books, "a deposit is recorded that came after this block")
      yield* repo.recordDeposits([], [counted(wallet, 9, { version })], block(provenBlock + 5n))
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(9))
    }
  )

  promises("no look counts that is older than the newest recorded deposit", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    yield* repo.recordDeposits([], [counted(wallet, 0)], block(12n))
    yield* repo.recordDeposits([deposit(wallet, 4, 1, 20n)], [counted(wallet, 4, { isWhole: false })], block(21n))
    const orders = yield* ordersOf(wallet)
    assert.strictEqual(orders.provenBlock, 20n)
    assert.deepStrictEqual(yield* repo.cancel([{ ...funding(orders, id), message: "late" }], block(19n), NOW_MS), [])
    assert.deepStrictEqual(yield* repo.fund([funding(orders, id)], block(19n), NOW_MS), [])
    assert.deepStrictEqual(yield* repo.fund([funding(orders, id)], block(20n), NOW_MS), [id])
  })

  promises("books that come to less than nothing say so", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* givenOrder(wallet)
    const { version } = yield* ordersOf(wallet)
    yield* repo.recordDeposits([], [counted(wallet, 0, { version })], block(TIP.number - 1n))
    const amount = signedAmount(yield* batchOf(task, 1))
    yield* givenPaid(task, 1)
    assert.strictEqual((yield* ordersOf(wallet)).books?.balance, -amount)
  })

  promises("the search goes on where it stopped while deposits are missing", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    yield* givenOrder(wallet)
    yield* repo.recordDeposits([], [counted(wallet, 0)], block(12n))
    yield* repo.recordDeposits([deposit(wallet, 1, 1, 14n)], [counted(wallet, 9, { isWhole: false })], block(20n))
    assert.deepStrictEqual((yield* ordersOf(wallet)).books, { countedBlock: 12n, balance: cost(1) })
  })

  promises("what pays for an order is taken from the deposits with the funding", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet)
    yield* repo.recordDeposits([deposit(wallet, 5, 1)], [counted(wallet, 5)], block(12n))
    const uses = [{ tx: hash(1), logIndex: 3, amount: cost(4) }]
    const paid = { ...funding(yield* ordersOf(wallet), id), uses }
    assert.deepStrictEqual(yield* repo.fund([paid], TIP, NOW_MS), [id])
    assert.deepStrictEqual(yield* unspentOf(wallet), [[1, cost(1)]])
    assert.deepStrictEqual(yield* repo.fund([paid], TIP, NOW_MS), [])
    assert.deepStrictEqual(yield* unspentOf(wallet), [[1, cost(1)]])
  })

  promises(
    "a payment leaves the books when it is proven, and not when it was made before they were opened",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      yield* givenOrder(wallet)
      const { version } = yield* ordersOf(wallet)
      yield* repo.recordDeposits([], [counted(wallet, 9, { version })], block(TIP.number - 1n))
      const amount = signedAmount(yield* batchOf(task, 1))
      yield* givenPaid(task, 1)
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, usdc(cost(9) - amount))
      const other = yield* givenWallet(2)
      const earlier = yield* givenPlanned(other)
      yield* givenOrder(other)
      yield* repo.recordDeposits([], [counted(other, 9, { version: (yield* ordersOf(other)).version })], TIP)
      yield* givenPaid(earlier, 1)
      assert.strictEqual((yield* ordersOf(other)).books?.balance, cost(9))
    }
  )

  promises("a wallet is stopped once, tells its orders why, and gives no work but what is in flight", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const waiting = yield* givenOrder(wallet)
    const { version } = yield* ordersOf(wallet)
    const stop = { walletId: wallet.id, version, reason: "money left it" }
    assert.isFalse(yield* wasFirst(repo.stopWallet({ ...stop, version: version - 1n }, NOW_MS)))
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 9), [wallet.id])
    assert.isTrue(yield* wasFirst(repo.stopWallet(stop, NOW_MS)))
    assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 9), [])
    const { stopped } = yield* ordersOf(wallet)
    assert.strictEqual(stopped, "money left it")
    for (const id of [task.id, waiting]) {
      const { errorMessage } = yield* (yield* LedgerFixture).readTask(id)
      assert.strictEqual(errorMessage, "Held for the operator: the agent wallet is stopped: money left it")
    }
    assert.isFalse(yield* wasFirst(repo.stopWallet({ ...stop, version: version + 1n }, NOW_MS)))
  })

  promises("nothing of a stopped wallet is planned, nor is a payment or a refund of it claimed", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const funded = yield* givenFunded(wallet)
    const refund = planRefund({ id: uuid(1), wallet, amount: usdc(1n), ...CHAIN, nowMs: NOW_MS })
    const read = yield* (yield* LedgerFixture).readWalletState(wallet.id)
    const evidence = { version: read.version, uses: [] }
    assert.isTrue(yield* wasFirst((yield* DecisionRepo).askRefund(refund, evidence, TIP, DECISION)))
    const stop = { walletId: wallet.id, version: read.version + 1n, reason: "money left it" }
    assert.isTrue(yield* wasFirst(repo.stopWallet(stop, NOW_MS)))
    const before = yield* batchOf(task, 1)
    assert.isFalse(yield* wasFirst(repo.saveBatch({ before, after: signed(before), onlyFor: task }, NOW_MS)))
    const window = { amount: refund.amount, payTo: refund.payTo, validAfter: 1, validBefore: 2, block: 1n }
    assert.isFalse(yield* wasFirst(repo.saveRefund({ before: refund, after: sign(refund, window, NOW_MS) }, NOW_MS)))
    assert.isFalse(yield* wasFirst(repo.plan(funded, cut(funded, wallet, 2), NOW_MS)))
  })

  promises("a stop of one wallet keeps no other wallet from paying or refunding", function* () {
    const repo = yield* TaskRepo
    const [stopped, sound] = [yield* givenWallet(1), yield* givenWallet(2)]
    const task = yield* givenPlanned(sound)
    const refund = planRefund({ id: uuid(1), wallet: sound, amount: usdc(1n), ...CHAIN, nowMs: NOW_MS })
    const { version } = yield* (yield* LedgerFixture).readWalletState(sound.id)
    assert.isTrue(yield* wasFirst((yield* DecisionRepo).askRefund(refund, { version, uses: [] }, TIP, DECISION)))
    yield* givenPlanned(stopped)
    const read = yield* (yield* LedgerFixture).readWalletState(stopped.id)
    const stop = { walletId: stopped.id, version: read.version, reason: "money left it" }
    assert.isTrue(yield* wasFirst(repo.stopWallet(stop, NOW_MS)))
    const before = yield* batchOf(task, 1)
    assert.isTrue(yield* wasFirst(repo.saveBatch({ before, after: signed(before), onlyFor: task }, NOW_MS)))
    const window = { amount: refund.amount, payTo: refund.payTo, validAfter: 1, validBefore: 2, block: 1n }
    assert.isTrue(yield* wasFirst(repo.saveRefund({ before: refund, after: sign(refund, window, NOW_MS) }, NOW_MS)))
  })

  promises("wallets whose orders are all closed are found, and those with an order that waits are not", function* () {
    const repo = yield* TaskRepo
    const idle = yield* givenWallet(1)
    yield* givenPlanned(idle)
    const busy = yield* givenWallet(2)
    yield* givenPlanned(busy)
    yield* givenOrder(busy)
    const { wallets, bad } = yield* repo.idlePage({ cursor: undefined, walletsMax: 9 })
    assert.deepStrictEqual(bad, [])
    assert.deepStrictEqual(
      wallets.map(({ wallet, pending }) => [wallet.id, pending]),
      [[idle.id, []]]
    )
  })

  promises("knows the nonces of its batches, and no others", function* () {
    const task = yield* givenPlanned(yield* givenWallet())
    const { nonce } = yield* batchOf(task, 2)
    const known = yield* (yield* TaskRepo).knownNonces([nonce, hash(7)])
    assert.deepStrictEqual([...known], [nonce])
  })
}
