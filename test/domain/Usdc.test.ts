import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { format, minus, sum, times, usdc, zero } from "../../src/domain/Usdc.ts"
import { between, MANY, smallUsdc } from "./given.ts"

const BaseUnits = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(10n ** 19n), maximum: 10n ** 19n }))

describe("an amount of USDC", () => {
  it.each([
    [5_000_000n, "5.00"],
    [0n, "0.00"],
    [1n, "0.000001"],
    [10n, "0.00001"],
    [10_000n, "0.01"],
    [100_000n, "0.10"],
    [1_500_000n, "1.50"],
    [1_234_567n, "1.234567"],
    [1_234_500n, "1.2345"],
    [2_010_000n, "2.01"],
    [-1_500_000n, "-1.50"],
    [9_223_372_036_854_775_807n, "9223372036854.775807"]
  ])("of %s base units is told as %s", (units, told) => {
    assert.strictEqual(format(units), told)
  })

  it.prop(
    "is told exactly, with two decimals at least",
    [BaseUnits],
    ([units]) => {
      const told = /^(-?)(\d+)\.(\d{2,6})$/.exec(format(units)) ?? assert.fail(format(units))
      const [, sign, whole = "", fraction = ""] = told
      assert.strictEqual(BigInt(`${sign}${whole}${fraction.padEnd(6, "0")}`), units)
      assert.isFalse(fraction.length > 2 && fraction.endsWith("0"))
    },
    MANY
  )

  it("is never less than nothing", () => {
    assert.throws(() => usdc(-1n))
    assert.strictEqual(minus(usdc(3n), usdc(5n)), 0n)
    assert.strictEqual(sum([]), zero)
  })

  it.prop("adds up", [smallUsdc(1_000), smallUsdc(1_000), between(0, 50)], ([a, b, count]) => {
    assert.strictEqual(minus(sum([a, b]), b), a)
    assert.strictEqual(times(a, count), sum(Array.from({ length: count }, () => a)))
  })

  it("is an exact multiple of a price that a float would miss (L7)", () => {
    for (const cents of [201n, 203n, 205n, 410n, 820n])
      assert.strictEqual(times(usdc(cents * 10_000n), 1), cents * 10_000n)
  })
})
