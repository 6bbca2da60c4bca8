import { assert, describe, it } from "@effect/vitest"
import { standingOf } from "../../src/domain/ExpectedBalance.ts"
import { usdc } from "../../src/domain/Usdc.ts"

const units = (amount: number) => usdc(BigInt(amount))

const standing = (books: number, { balance, reserved = 0, found = 0 }: Record<string, number> & { balance: number }) =>
  standingOf(
    { countedBlock: 1n, balance: units(books) },
    { balance: units(balance), reserved: units(reserved) },
    units(found)
  )

describe("the books of a wallet", () => {
  it("are even where the chain shows what they say, found deposits counted", () => {
    assert.strictEqual(standing(5, { balance: 5 }), "even")
    assert.strictEqual(standing(5, { balance: 8, found: 3 }), "even")
  })

  it("are even where what is missing may have been paid for an order", () => {
    assert.strictEqual(standing(5, { balance: 2, reserved: 3 }), "even")
    assert.strictEqual(standing(5, { balance: 1, reserved: 3 }), "less")
  })

  it("tell of money that came, and of money that left", () => {
    assert.strictEqual(standing(5, { balance: 6 }), "more")
    assert.strictEqual(standing(5, { balance: 4 }), "less")
  })
})
