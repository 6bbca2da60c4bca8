import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { base, local } from "../../src/config/Network.ts"
import { format, times, type Usdc, usdc } from "../../src/domain/Usdc.ts"
import { demandedPrice, offerV1 } from "../../src/mint/quoteV1.ts"
import { order, token } from "./fixtures.ts"

/** The server's own words for it: the number in the text of the price, times 10^6 as a float, cut. */
const asTheServerHasIt = (text: string): bigint => BigInt(Math.floor(parseFloat(text) * 1e6))

/** A price as a person writes it: no zeros at the end. */
const plainText = (price: Usdc): string => format(price).replace(/\.?0+$/, "")

describe("the price of a v1.1 server", () => {
  const examples: ReadonlyArray<readonly [text: string, price: bigint, demanded: bigint]> = [
    ["8.2", 8_200_000n, 8_199_999n],
    ["2.01", 2_010_000n, 2_009_999n],
    ["2.03", 2_030_000n, 2_029_999n],
    ["2.05", 2_050_000n, 2_049_999n],
    ["4.1", 4_100_000n, 4_099_999n],
    ["1", 1_000_000n, 1_000_000n],
    ["0.1", 100_000n, 100_000n],
    ["0.000001", 1n, 1n],
    ["1000000", 1_000_000_000_000n, 1_000_000_000_000n]
  ]
  it.each(examples)("of %s USDC is a float's", (text, price, demanded) => {
    assert.strictEqual(plainText(usdc(price)), text)
    assert.strictEqual(demandedPrice(usdc(price)), demanded)
    assert.strictEqual(asTheServerHasIt(text), demanded)
  })

  const anyPrice = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 1n, maximum: 10n ** 15n }))
  it.prop("is what its formula makes of the text, and never above the quote", [anyPrice], ([units]) => {
    const demanded = demandedPrice(usdc(units))
    assert.isTrue(demanded <= units)
    assert.strictEqual(demanded, asTheServerHasIt(plainText(usdc(units))))
    assert.strictEqual(demanded, asTheServerHasIt(format(usdc(units))))
  })

  it("is that for every price up to 20 USDC in cents, and one unit less for some", () => {
    const cents = Array.from({ length: 2000 }, (_, index) => usdc(BigInt(index + 1) * 10_000n))
    const less = cents.filter((price) => demandedPrice(price) < price)
    for (const price of cents) assert.strictEqual(demandedPrice(price), asTheServerHasIt(plainText(price)))
    for (const price of less) assert.strictEqual(demandedPrice(price), price - 1n)
    assert.isAbove(less.length, 10)
  })

  it("is never above the quote where a float is too coarse for it", () => {
    const quoted = usdc(10n ** 24n + 1n)
    assert.isTrue(demandedPrice(quoted) <= quoted)
  })
})

describe("the offer of a v1.1 server", () => {
  const quoted = (quantity: number, price: bigint) => ({ ...order, quantity, amount: times(usdc(price), quantity) })

  it("is its price times the quantity, in USDC, at the token's own address", () => {
    const { offers } = Result.getOrThrow(offerV1(quoted(10, 8_200_000n), base))
    assert.deepStrictEqual(offers, [
      {
        scheme: "exact",
        network: "eip155:8453",
        asset: base.usdc.address,
        payTo: token,
        amount: usdc(81_999_990n),
        maxTimeoutSeconds: undefined
      }
    ])
  })

  const refusals: ReadonlyArray<readonly [what: string, order: typeof order, message: string]> = [
    [
      "more mints than it sells at once",
      quoted(11, 1_000_000n),
      "the mint server sells at most 10 mints for one payment, not 11: set MAX_BATCH_SIZE to at most 10"
    ],
    [
      "an amount that is no multiple of a price",
      { ...order, quantity: 3, amount: usdc(1_000_000n) },
      "1.00 USDC is no price for 3 mints that cost the same"
    ]
  ]
  it.each(refusals)("is none for %s", (_, refused, message) => {
    const error = Result.getOrThrow(Result.flip(offerV1(refused, local)))
    assert.deepStrictEqual([error.reason, error.message], ["Refused", message])
  })
})
