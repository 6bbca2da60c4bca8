import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Batch } from "../../../src/domain/Batch.ts"
import { confirm, retract, unmint } from "../../../src/domain/transferTransitions.ts"
import { usdc } from "../../../src/domain/Usdc.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import {
  batchOf,
  block,
  cost,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  hash,
  NOW_MS,
  ordersOf,
  type Promises
} from "./given.ts"

const deposit = (wallet: Wallet, mints: number, inBlock: bigint) => ({
  walletId: wallet.id,
  wallet: wallet.agentAddress,
  from: wallet.userAddress,
  amount: cost(mints),
  tx: hash(1),
  logIndex: 3,
  block: { number: inBlock, timeMs: NOW_MS }
})

/** A wallet with open books and a deposit of four mints in block 20. */
const givenDeposit = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const wallet = yield* givenWallet()
  yield* givenOrder(wallet)
  const counted = { walletId: wallet.id, version: 0n, balance: cost(0), isWhole: true }
  yield* repo.recordDeposits([], [counted], block(12n))
  const found = deposit(wallet, 4, 20n)
  yield* repo.recordDeposits([found], [{ ...counted, isWhole: false }], block(21n))
  return { wallet, found }
})

export const reorganisingPromises = (promises: Promises): void => {
  promises(
    "blocks that were seen are remembered, newest first, until they are not needed or another chain has them",
    function* () {
      const repo = yield* TaskRepo
      for (const number of [10, 12, 14]) yield* repo.addAnchor({ block: BigInt(number), hash: hash(number) }, [])
      yield* repo.addAnchor({ block: 16n, hash: hash(16) }, [10n])
      assert.deepStrictEqual(
        (yield* repo.anchors).map((anchor) => anchor.block),
        [16n, 14n, 12n]
      )
      yield* repo.noteProofs([18, 14].map((number) => ({ block: BigInt(number), hash: hash(99) })))
      assert.deepStrictEqual(
        (yield* repo.anchors).map(({ block: number, hash: of, isProof }) => [number, of, isProof]),
        [
          [18n, hash(99), true],
          [16n, hash(16), false],
          [14n, hash(14), false],
          [12n, hash(12), false]
        ]
      )
      yield* repo.addAnchor({ block: 18n, hash: hash(99) }, [])
      assert.isFalse((yield* repo.anchors)[0]?.isProof)
      yield* repo.endReorganisation({ fork: 12n, block: 20n }, NOW_MS)
      assert.deepStrictEqual(yield* repo.anchors, [{ block: 12n, hash: hash(12), isProof: false }])
    }
  )

  promises(
    "a deposit that is withdrawn leaves the books and pays for nothing, and found again it counts once",
    function* () {
      const repo = yield* TaskRepo
      const { wallet, found } = yield* givenDeposit
      assert.lengthOf((yield* repo.recordedAbove(19n)).deposits, 1)
      assert.lengthOf((yield* repo.recordedAbove(20n)).deposits, 0)
      const there = yield* repo.withdrawDeposits([{ ...found, balance: cost(4) }], NOW_MS)
      assert.deepStrictEqual(there, [], "the money is there: the logs are short")
      const gone = { ...found, balance: cost(0) }
      assert.deepStrictEqual(yield* repo.withdrawDeposits([gone], NOW_MS), [gone])
      assert.deepStrictEqual(yield* repo.withdrawDeposits([gone], NOW_MS), [], "once")
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(0))
      assert.deepStrictEqual(yield* repo.unspentDeposits([wallet.id]), [])
      assert.lengthOf((yield* repo.recordedAbove(0n)).deposits, 0)
      const counted = { walletId: wallet.id, version: -1n, balance: cost(4), isWhole: false }
      yield* repo.recordDeposits([{ ...found, logIndex: 9, block: block(24n) }], [counted], block(30n))
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(4))
      const unspent = yield* repo.unspentDeposits([wallet.id])
      assert.deepStrictEqual(
        unspent.map(({ left, block: { number } }) => [left, number]),
        [[cost(4), 24n]]
      )
    }
  )

  promises(
    "after a reorganisation the search begins at the fork, and books that were opened above it begin anew",
    function* () {
      const repo = yield* TaskRepo
      const { wallet } = yield* givenDeposit
      const { version } = yield* ordersOf(wallet)
      yield* repo.rewind(12n)
      assert.strictEqual((yield* ordersOf(wallet)).books?.countedBlock, 12n)
      yield* repo.rewind(11n)
      assert.isUndefined((yield* ordersOf(wallet)).books)
      assert.isAbove(Number((yield* ordersOf(wallet)).version), Number(version))
    }
  )

  promises(
    "a payment that leaves the chain is back in the books and unknown, and proven again it leaves them once",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      yield* givenOrder(wallet)
      const { version } = yield* ordersOf(wallet)
      yield* repo.recordDeposits([], [{ walletId: wallet.id, version, balance: cost(9), isWhole: true }], block(1n))
      yield* givenPaid(task, 1)
      const paid = yield* batchOf(task, 1)
      const amount = paid.paidAmount ?? usdc(0n)
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(9) - amount)
      const above = yield* repo.recordedAbove((paid.paymentBlock ?? 0n) - 1n)
      assert.deepStrictEqual(
        above.payments.map(({ batch, isCompleted }) => [batch.number, isCompleted]),
        [[1, false]]
      )
      assert.isTrue(yield* wasFirst(repo.saveBatch({ before: paid, after: retract(paid, NOW_MS, "gone") }, NOW_MS)))
      const unknown = yield* batchOf(task, 1)
      assert.deepInclude(unknown, { status: "unknown", paymentTx: undefined, paidAmount: undefined })
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(9))
      const { paymentTx, paymentBlock, paidAmount } = paid
      const again = { ...unknown, status: "paid" as const, paymentTx, paymentBlock, paidAmount }
      assert.isTrue(yield* wasFirst(repo.saveBatch({ before: unknown, after: again }, NOW_MS)))
      assert.strictEqual((yield* ordersOf(wallet)).books?.balance, cost(9) - amount)
    }
  )

  promises("mints that leave the chain are no one's, and the order counts without them", function* () {
    const repo = yield* TaskRepo
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* givenPaid(task, 1)
    const paid = yield* batchOf(task, 1)
    const mint = { tx: hash(77), part: 0, logIndex: 5, mintNumber: paid.firstMint, block: 30n }
    const minted = { ...paid, minted: 1 }
    assert.isTrue(yield* wasFirst(repo.saveBatch({ before: paid, after: minted, mints: [mint] }, NOW_MS)))
    const before = yield* batchOf(task, 1)
    const { minted: recorded } = yield* repo.recordedAbove(29n)
    assert.deepStrictEqual(
      recorded.flatMap(({ mints }) => mints),
      [{ tx: hash(77), part: 0 }]
    )
    const after = unmint(before, NOW_MS, "gone")
    assert.isTrue(yield* wasFirst(repo.saveBatch({ before, after, withdrawsMints: true }, NOW_MS)))
    assert.deepInclude(yield* batchOf(task, 1), { status: "paid", minted: 0 })
    assert.strictEqual((yield* repo.attributedMints(before, [mint])).size, 0)
    assert.lengthOf((yield* repo.recordedAbove(29n)).minted, 0)
  })

  promises(
    "a batch may take every arrow of a reorganisation, and what it waits for then is written with it",
    function* () {
      const repo = yield* TaskRepo
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      yield* givenPaid(task, 1)
      const move = Effect.fnUntraced(function* (to: (batch: Batch) => Batch) {
        const before = yield* batchOf(task, 1)
        const after = to(before)
        const isSaved = yield* wasFirst(
          repo.saveBatch({ before, after, withdrawsMints: after.minted < before.minted }, NOW_MS)
        )
        assert.isTrue(isSaved, `${before.status} → ${after.status}`)
        return `${before.status} → ${(yield* batchOf(task, 1)).status}`
      })
      const { paymentTx, paymentBlock, paidAmount, window } = yield* batchOf(task, 1)
      const paid = { status: "paid", paymentTx, paymentBlock, paidAmount, window, nextActionAtMs: NOW_MS } as const
      const gone = (batch: Batch) => retract(batch, NOW_MS, "gone")
      const withoutWindow = (batch: Batch) => retract({ ...batch, window: undefined }, NOW_MS, "gone")
      const again = {
        _tag: "Used",
        tx: hash(9),
        block: 40n,
        to: task.token,
        value: paidAmount ?? usdc(0n)
      } as never
      const delivered = (batch: Batch): Batch => ({ ...batch, ...paid, status: "delivered", minted: batch.quantity })
      const arrows = [
        yield* move(delivered),
        yield* move((batch) => unmint(batch, NOW_MS, "gone")),
        yield* move(delivered),
        yield* move(gone),
        yield* move((batch) => confirm(batch, again, NOW_MS)),
        yield* move(withoutWindow),
        yield* move((batch) => ({ ...batch, ...paid })),
        yield* move(withoutWindow)
      ]
      assert.deepStrictEqual(arrows, [
        "paid → delivered",
        "delivered → paid",
        "paid → delivered",
        "delivered → unknown",
        "unknown → delivered",
        "delivered → held",
        "held → paid",
        "paid → held"
      ])
    }
  )
}
