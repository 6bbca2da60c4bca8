import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { depositsFor } from "../../src/domain/Deposit.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { hash, MANY, NOW_MS, smallUsdc, someDeposits, uuid, wallet } from "./given.ts"

const deposit = (amount: number, seed: number, left = amount) => ({
  wallet: wallet.agentAddress,
  from: wallet.userAddress,
  amount: usdc(BigInt(amount)),
  left: usdc(BigInt(left)),
  tx: hash(seed),
  logIndex: 0,
  block: { number: BigInt(seed), timeMs: NOW_MS + seed }
})

const orders = (...costs: ReadonlyArray<number>) =>
  costs.map((cost, index) => ({ id: uuid(index), totalCost: usdc(BigInt(cost)) }))

/** For each order: from which deposits, and how much of each. */
const paidWith = (...args: Parameters<typeof depositsFor>) =>
  [...depositsFor(...args).values()].map(({ uses }) => uses.map(({ tx, amount }) => [Number(tx), Number(amount)]))

describe("the money that an order is paid with", () => {
  it("is the newest deposit of exactly its cost", () => {
    assert.deepStrictEqual(paidWith(orders(5), [deposit(5, 1), deposit(5, 2), deposit(9, 3)]), [[[2, 5]]])
  })

  it("is another deposit for each of two orders of one cost", () => {
    assert.deepStrictEqual(paidWith(orders(5, 5), [deposit(5, 1), deposit(5, 2)]), [[[2, 5]], [[1, 5]]])
  })

  it("is taken from the oldest deposits where none is of its cost", () => {
    const sources = [deposit(2, 1), deposit(9, 2)]
    assert.deepStrictEqual(paidWith(orders(5), sources), [
      [
        [1, 2],
        [2, 3]
      ]
    ])
    assert.strictEqual(depositsFor(orders(5), sources).get(uuid(0))?.last, sources[1], "the one that made it enough")
  })

  it("is never what another order was paid with", () => {
    assert.deepStrictEqual(paidWith(orders(5), [deposit(9, 1, 2), deposit(5, 2, 0), deposit(4, 3)]), [
      [
        [1, 2],
        [3, 3]
      ]
    ])
  })

  it("is not known where there is no deposit: it was there before the history begins", () => {
    assert.deepStrictEqual(depositsFor(orders(5), []).get(uuid(0)), { uses: [], last: undefined })
  })

  it.prop(
    "is never more than a deposit has left, nor more than the order costs",
    [Arbitrary.array(smallUsdc(8), { maxLength: 5 }), someDeposits],
    ([costs, deposits]) => {
      const sources = deposits.map((one) => ({ ...one, left: one.amount }))
      const asked = costs.map((totalCost, index) => ({ id: uuid(index), totalCost }))
      const paid = depositsFor(asked, sources)
      assert.strictEqual(paid.size, asked.length)
      const taken = new Map<string, bigint>()
      for (const { id, totalCost } of asked) {
        const uses = paid.get(id)?.uses ?? []
        assert.isTrue(uses.every(({ amount }) => amount > 0n))
        assert.isTrue(uses.reduce((total, { amount }) => total + amount, 0n) <= totalCost)
        for (const { tx, amount } of uses) taken.set(tx, (taken.get(tx) ?? 0n) + amount)
      }
      for (const { tx, left } of sources) assert.isTrue((taken.get(tx) ?? 0n) <= left)
    },
    MANY
  )
})
