import { assert, describe, it } from "@effect/vitest"
import * as format from "../../src/page/format.ts"
import { format as formatUsdc } from "../../src/domain/Usdc.ts"

describe("what the page says of amounts", () => {
  it("is to the last base unit, however much it is", () => {
    assert.strictEqual(format.usdc("5000000"), "5.00")
    assert.strictEqual(format.usdc("1"), "0.000001")
    assert.strictEqual(format.usdc("1234567500000"), "1,234,567.50")
    assert.strictEqual(format.usdc("9007199254740993000001"), "9,007,199,254,740,993.000001")
    assert.strictEqual(format.usdc("-2500000"), "−2.50")
  })

  it("is what the log says, but for the commas", () => {
    for (const amount of [0n, 1n, 999_999n, 1_000_000n, 12_345_678n, 10n ** 15n + 10n]) {
      assert.strictEqual(format.usdc(String(amount)).replaceAll(",", ""), formatUsdc(amount))
    }
  })
})

describe("what the page says of times", () => {
  it("is in the two largest units", () => {
    const told = [0, 42_900, 60_000, 192_000, 7_500_000, 86_400_000, 273_600_000].map(format.duration)
    assert.deepStrictEqual(told, ["0 s", "42 s", "1 min", "3 min 12 s", "2 h 5 min", "1 d", "3 d 4 h"])
  })

  it("is never less than nothing", () => {
    assert.strictEqual(format.duration(-5), "0 s")
  })

  it("says what was, what is and what comes", () => {
    assert.strictEqual(format.relative(1_000, 13_000), "12 s ago")
    assert.strictEqual(format.relative(13_000, 13_500), "now")
    assert.strictEqual(format.relative(73_000, 13_000), "in 1 min")
  })

  it("tells how long something took", () => {
    assert.deepStrictEqual([3.4, 999.4, 1400, 61_000].map(format.took), ["3 ms", "999 ms", "1.4 s", "1 min 1 s"])
  })
})

describe("what the page calls things", () => {
  it("is what operators call them", () => {
    assert.deepStrictEqual(["pending_payment", "funded", "processing", "completed"].map(format.stateName), [
      "waits for payment",
      "funded",
      "minting",
      "completed"
    ])
    assert.strictEqual(format.plural(1, "order"), "1 order")
    assert.strictEqual(format.plural(1234, "order"), "1,234 orders")
    assert.strictEqual(format.shortHash("0x1234567890abcdef"), "0x1234…cdef")
    assert.strictEqual(format.shortHash("auto_funded"), "auto_funded")
  })
})
