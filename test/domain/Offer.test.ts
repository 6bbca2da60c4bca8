import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { address, parse } from "../../src/domain/Address.ts"
import { type AcceptedOffer, chooseOffer, type Offer, type Terms } from "../../src/domain/Offer.ts"
import { usdc } from "../../src/domain/Usdc.ts"

const USDC = address("0x036CbD53842c5426634e7929541eC2318f3dCF7e")
const token = address(`0x${"70".repeat(20)}`)
const treasury = address(`0x${"7e".repeat(20)}`)
const stranger = `0x${"bA".repeat(20)}`

const terms: Terms = {
  domain: { name: "USDC", version: "2" },
  chainId: 84532,
  asset: USDC,
  maxAmount: usdc(10_000_000n),
  payees: [token, treasury],
  quantity: 10
}

const fair: Offer = {
  scheme: "exact",
  network: "eip155:84532",
  asset: USDC,
  payTo: token,
  amount: 10_000_000n,
  maxTimeoutSeconds: 60
}

const chosen = (...offers: ReadonlyArray<Offer>): AcceptedOffer => Result.getOrThrow(chooseOffer(offers, terms))
const refusal = (...offers: ReadonlyArray<Offer>): string => Result.getOrThrow(Result.flip(chooseOffer(offers, terms)))

describe("an offer is signed", () => {
  it("at the quote", () => {
    assert.deepStrictEqual(chosen(fair), { offer: fair, amount: usdc(10_000_000n), payTo: token })
  })

  it("at a lower amount, and then for that amount", () => {
    assert.strictEqual(chosen({ ...fair, amount: 1n }).amount, usdc(1n))
  })

  it("to an address of MINT_PAY_TO", () => {
    assert.strictEqual(chosen({ ...fair, payTo: treasury }).payTo, treasury)
  })

  it("whatever the case of its addresses", () => {
    const payTo = `0x${token.slice(2).toUpperCase()}`
    const asset = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
    assert.strictEqual(chosen({ ...fair, payTo, asset }).payTo, token)
  })

  it("and one for another contract or domain than USDC's is passed over, though it is the first", () => {
    const verifyingContract = "0x0077777d7EBA4688BDeF3E311b846F25870A19B9"
    const gateway = { ...fair, domain: { name: "GatewayWalletBatched", version: "1", verifyingContract } }
    const named = { ...fair, domain: { name: "USDC", version: "2", verifyingContract: USDC } }
    assert.strictEqual(chosen(gateway, named).offer, named)
    assert.strictEqual(
      refusal(gateway),
      `the server wants a signature for the contract ${verifyingContract}, USDC is ${USDC}`
    )
    assert.strictEqual(
      refusal({ ...fair, domain: { name: "USD Coin" } }),
      "the server wants a signature for USD Coin, USDC's is for USDC 2"
    )
  })

  it("if it is the cheapest of those that may be", () => {
    const cheaper = { ...fair, amount: 9_000_000n }
    const cheapestElsewhere = { ...fair, amount: 1n, network: "eip155:8453" }
    assert.strictEqual(chosen(fair, cheapestElsewhere, cheaper).offer, cheaper)
  })

  it("if it is the server's first among equals", () => {
    const [first, second] = [{ ...fair, payTo: treasury }, fair]
    assert.strictEqual(chosen(first, second).offer, first)
  })
})

describe("an offer is refused", () => {
  it.each([
    [{ amount: 12_000_000n }, "the server asks 12.00 USDC for 10 mints, the quote is 10.00"],
    [{ amount: 10_000_001n }, "the server asks 10.000001 USDC for 10 mints, the quote is 10.00"],
    [{ amount: 0n }, "the server asks 0.00 USDC, which is nothing to sign for"],
    [{ amount: -1n }, "the server asks -0.000001 USDC, which is nothing to sign for"],
    [{ asset: stranger }, `the server asks for another asset ${stranger}, USDC is ${USDC}`],
    [{ payTo: stranger }, `the server wants to be paid at ${stranger}, which is neither the token nor in MINT_PAY_TO`],
    [{ payTo: "" }, "the server wants to be paid at , which is neither the token nor in MINT_PAY_TO"],
    [{ network: "eip155:1" }, "the server wants to be paid on chain eip155:1, the task is on eip155:84532"],
    [{ network: "eip155:845320" }, "the server wants to be paid on chain eip155:845320, the task is on eip155:84532"],
    [{ scheme: "upto" }, "the server asks for the payment scheme upto, only exact can be paid"],
    [{ scheme: "exact (permit2)" }, "the server asks for the payment scheme exact (permit2), only exact can be paid"]
  ] as const)("that differs in %o", (difference, reason) => {
    assert.strictEqual(refusal({ ...fair, ...difference }), reason)
  })

  it("in the singular for one mint", () => {
    const one = chooseOffer([{ ...fair, amount: 2_000_000n }], { ...terms, maxAmount: usdc(1_000_000n), quantity: 1 })
    assert.deepStrictEqual(one, Result.fail("the server asks 2.00 USDC for 1 mint, the quote is 1.00"))
  })

  it("with the reason against the one that came nearest to being signed", () => {
    const elsewhere = { ...fair, network: "eip155:1" }
    const dear = { ...fair, amount: 12_000_000n }
    const toAStranger = { ...fair, payTo: stranger, amount: 99_000_000n }
    assert.strictEqual(refusal(elsewhere, toAStranger, dear, elsewhere), refusal(dear))
    assert.strictEqual(refusal(elsewhere, toAStranger), refusal(toAStranger))
    assert.strictEqual(refusal(dear, { ...dear, amount: 11_000_000n }), refusal(dear))
  })

  it("when there is none", () => {
    assert.strictEqual(refusal(), "the server offers nothing")
  })
})

/** Offers drawn from what is right and what is nearly so, in order that many of them may be signed. */
const AnyOffer = Schema.Struct({
  scheme: Schema.Literals(["exact", "exact", "exact", "upto"]),
  network: Schema.Literals(["eip155:84532", "eip155:84532", "eip155:8453"]),
  asset: Schema.Literals([USDC, USDC.toUpperCase().replace("0X", "0x"), stranger]),
  payTo: Schema.Literals([token, treasury, stranger]),
  amount: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -2n, maximum: 12n })),
  maxTimeoutSeconds: Schema.Undefined
})
const AnyOffers = Schema.Array(AnyOffer).check(Schema.isMaxLength(6))
const AnyMax = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 10n }))

/** The rules of `design.md` 3.5, said a second time. */
const mayBeSigned = (offer: Offer, max: bigint): boolean =>
  offer.scheme === "exact" &&
  offer.network === "eip155:84532" &&
  parse(offer.asset) === USDC &&
  (offer.payTo === token || offer.payTo === treasury) &&
  offer.amount > 0n &&
  offer.amount <= max

describe("whatever the server offers", () => {
  it.prop(
    "what is signed keeps every rule, and nothing that keeps them is cheaper or comes before it",
    [AnyOffers, AnyMax],
    ([offers, max]) => {
      const verdict = chooseOffer(offers, { ...terms, maxAmount: usdc(max) })
      const allowed = offers.filter((offer) => mayBeSigned(offer, max))
      if (Result.isFailure(verdict)) return void assert.lengthOf(allowed, 0)
      const { offer, amount, payTo } = verdict.success
      const cheapest = allowed.reduce((best, next) => (next.amount < best.amount ? next : best))
      assert.strictEqual(offer, cheapest)
      assert.strictEqual(amount, offer.amount)
      assert.strictEqual(payTo, parse(offer.payTo))
    }
  )

  it.prop("a refusal is one line of words", [AnyOffers, AnyMax], ([offers, max]) => {
    const verdict = chooseOffer(offers, { ...terms, maxAmount: usdc(max) })
    if (Result.isFailure(verdict)) assert.match(verdict.failure, /^the server [^\n]{4,199}$/)
  })

  it.prop("the order of the offers never changes what is paid", [AnyOffers, AnyMax], ([offers, max]) => {
    const paid = (list: ReadonlyArray<Offer>) =>
      Result.map(chooseOffer(list, { ...terms, maxAmount: usdc(max) }), ({ amount }) => amount)
    assert.deepStrictEqual(Result.getSuccess(paid(offers)), Result.getSuccess(paid(offers.toReversed())))
  })
})
