import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { accept, confirm, sign } from "../../src/domain/transferTransitions.ts"
import { mintsOf } from "../../src/domain/Batch.ts"
import { between, hash, MANY, NOW_MS, plannedBatch } from "./given.ts"

/** Paid in block 10 for four mints; the server named the transactions in `mintTxs`. */
const paidBatch = (mintTxs: ReadonlyArray<`0x${string}`> = []) => {
  const planned = plannedBatch()
  const window = { amount: planned.amount, payTo: planned.payTo, validAfter: 1, validBefore: 2, block: 9n }
  const accepted = accept(sign(planned, window, NOW_MS, NOW_MS), mintTxs, NOW_MS)
  const used = { _tag: "Used", tx: hash(1), block: 10n, to: window.payTo, value: window.amount } as const
  return confirm(accepted, used, NOW_MS)
}

const mint = (seed: number, block: number) => ({ tx: hash(seed), block: BigInt(block) })

const someMints = Arbitrary.array(
  Arbitrary.map(Arbitrary.all([between(1, 6), between(5, 15)]), ([seed, block]) => mint(seed, block)),
  { maxLength: 12 }
)

describe("which mints are a batch's", () => {
  it.prop(
    "never more than are missing, none twice, and only such as belong to nobody",
    [someMints, between(0, 4), between(0, 9), Arbitrary.array(between(1, 6), { maxLength: 2 })],
    ([unclaimed, minted, looks, named]) => {
      const batch = { ...paidBatch(named.map(hash)), minted, looks }
      const taken = mintsOf(batch, unclaimed)
      assert.isAtMost(taken.length, batch.quantity - minted)
      assert.strictEqual(new Set(taken).size, taken.length)
      for (const one of taken) assert.include(unclaimed, one)
    },
    MANY
  )

  it("those in the transactions that the server named, wherever others are", () => {
    const unclaimed = [mint(1, 11), mint(7, 12), mint(2, 13), mint(7, 14)]
    assert.deepStrictEqual(mintsOf(paidBatch([hash(7)]), unclaimed), [mint(7, 12), mint(7, 14)])
  })

  it("where it named none, the next ones since the payment's own block", () => {
    const unclaimed = [mint(1, 9), mint(2, 10), mint(3, 11), mint(4, 12), mint(5, 13), mint(6, 14)]
    assert.deepStrictEqual(mintsOf(paidBatch(), unclaimed), unclaimed.slice(1, 5))
  })

  it("a named transaction that nobody can see is waited for, and then no longer", () => {
    const unclaimed = [mint(1, 11)]
    const batch = paidBatch([hash(7)])
    assert.deepStrictEqual(mintsOf({ ...batch, looks: 4 }, unclaimed), [])
    assert.deepStrictEqual(mintsOf({ ...batch, looks: 5 }, unclaimed), unclaimed)
  })
})
