import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { depositsFor } from "../../src/domain/Deposit.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { hash, MANY, NOW_MS, smallUsdc, someDeposits, wallet } from "./given.ts"

const deposit = (amount: number, seed: number) => ({
  wallet: wallet.agentAddress,
  from: wallet.userAddress,
  amount: usdc(BigInt(amount)),
  tx: hash(seed),
  logIndex: 0,
  block: { number: BigInt(seed), timeMs: NOW_MS + seed }
})

const costs = (...amounts: ReadonlyArray<number>) => amounts.map((amount) => usdc(BigInt(amount)))

describe("the transfer that an order was paid with", () => {
  it("is the newest one of exactly its cost", () => {
    const deposits = [deposit(5, 1), deposit(5, 2), deposit(9, 3)]
    assert.deepStrictEqual(depositsFor(costs(5), deposits), [deposits[1]])
  })

  it("is another one for each of two orders of one cost", () => {
    const deposits = [deposit(5, 1), deposit(5, 2)]
    assert.deepStrictEqual(depositsFor(costs(5, 5), deposits), [deposits[1], deposits[0]])
  })

  it("is the newest of all where none is of its cost: that one made the sum enough", () => {
    const deposits = [deposit(2, 1), deposit(3, 2)]
    assert.deepStrictEqual(depositsFor(costs(5), deposits), [deposits[1]])
  })

  it("is not known where there is none", () => {
    assert.deepStrictEqual(depositsFor(costs(5), []), [undefined])
  })

  it.prop(
    "is told for every order, and no exact one is told twice",
    [Arbitrary.array(smallUsdc(8), { maxLength: 5 }), someDeposits],
    ([owed, deposits]) => {
      const found = depositsFor(owed, deposits)
      assert.lengthOf(found, owed.length)
      const exact = found.filter((one, index) => one !== undefined && one.amount === owed[index])
      assert.strictEqual(new Set(exact).size, exact.length)
    },
    MANY
  )
})
