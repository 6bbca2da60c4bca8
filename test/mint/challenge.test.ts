import { decodePaymentSignatureHeader } from "@x402/core/http"
import { isPaymentPayloadV1, isPaymentPayloadV2 } from "@x402/core/schemas"
import { assert, describe, it } from "@effect/vitest"
import { challengeFault, type Header, paymentHeader, readQuote } from "../../src/mint/challenge.ts"
import type { MintQuote } from "../../src/mint/Minter.ts"
import {
  asset,
  base64,
  challengeV1,
  challengeV2,
  entryV1,
  entryV2,
  fromBase64,
  payment,
  reply,
  token
} from "./fixtures.ts"

const v2 = (challenge: unknown, body: unknown = {}) => reply(402, { "payment-required": base64(challenge) }, body)
const v1 = (challenge: unknown) => reply(402, {}, challenge)

const read = (answer: ReturnType<typeof reply>): MintQuote => {
  const quote = readQuote(answer)
  assert.isDefined(quote)
  return quote
}

const pay = (quote: MintQuote, index = 0): Header => {
  const offer = quote.offers[index]
  assert.isDefined(offer)
  const header = paymentHeader(quote, offer, payment)
  assert.isDefined(header)
  return header
}

const terms = {
  ...{ scheme: "exact", asset, payTo: token, amount: 10_000_000n },
  domain: { name: "USDC", version: "2" }
}

describe("a challenge", () => {
  it("of version 2 is read from its header", () => {
    const quote = read(v2(challengeV2))
    assert.deepStrictEqual(quote.challenge, challengeV2)
    assert.deepStrictEqual(quote.offers, [{ ...terms, network: "eip155:31337", maxTimeoutSeconds: 300 }])
  })

  it("of version 1 is read from the body, its network by the name that the chain has here", () => {
    const quote = read(v1(challengeV1))
    assert.deepStrictEqual(quote.challenge, challengeV1)
    assert.deepStrictEqual(quote.offers, [{ ...terms, network: "eip155:84532", maxTimeoutSeconds: 60 }])
  })

  it("in both places is taken from the header", () => {
    assert.deepStrictEqual(read(v2(challengeV2, challengeV1)).challenge, challengeV2)
  })

  it("with a broken header is taken from the body", () => {
    const answer = reply(402, { "payment-required": "%%%" }, challengeV1)
    assert.deepStrictEqual(read(answer).challenge, challengeV1)
  })

  it("is read from its header even where the body broke off", () => {
    assert.deepStrictEqual(read({ ...v2(challengeV2), body: undefined }).challenge, challengeV2)
  })

  it("keeps the offers that can be read and leaves out those that cannot", () => {
    const strange = { scheme: "auction", network: "solana:5eykt4", bids: [] }
    const quote = read(v2({ ...challengeV2, accepts: [null, strange, entryV2, { ...entryV2, amount: "1e7" }] }))
    assert.lengthOf(quote.offers, 1)
  })

  it("names a network that is not ours by its own name", () => {
    const offer = read(v1({ ...challengeV1, accepts: [{ ...entryV1, network: "constructor" }] })).offers[0]
    assert.strictEqual(offer?.network, "constructor")
  })

  it("that wants Permit2 is another scheme, as an authorization does not pay it", () => {
    const extra = { assetTransferMethod: "permit2" }
    const offer = read(v2({ ...challengeV2, accepts: [{ ...entryV2, extra }] })).offers[0]
    assert.strictEqual(offer?.scheme, "exact (permit2)")
  })

  it("that wants EIP-2612 is another scheme too, and one that names EIP-3009 is not", () => {
    const schemes = ["Permit", "TransferWithAuthorization"].map((primaryType) => {
      const accepts = [{ ...entryV2, extra: { ...entryV2.extra, primaryType } }]
      return read(v2({ ...challengeV2, accepts })).offers[0]?.scheme
    })
    assert.deepStrictEqual(schemes, ["exact (Permit)", "exact"])
  })

  it("of version 2 may have entries in the words of version 1", () => {
    const quote = read(v2({ ...challengeV2, accepts: [entryV1] }))
    assert.deepStrictEqual(quote.offers, [{ ...terms, network: "eip155:84532", maxTimeoutSeconds: 60 }])
  })

  it("says for which contract it wants a signature, where it says so", () => {
    const domain = { name: "GatewayWalletBatched", version: "1", verifyingContract: `0x${"77".repeat(20)}` }
    assert.deepStrictEqual(
      read(v2({ ...challengeV2, accepts: [{ ...entryV2, extra: domain }] })).offers[0]?.domain,
      domain
    )
    const bare = read(v2({ ...challengeV2, accepts: [{ ...entryV2, extra: null }] })).offers[0]
    assert.isDefined(bare)
    assert.notProperty(bare, "domain")
  })

  it("in a header that cannot be paid is passed over for one in the body", () => {
    const answer = v2({ ...challengeV2, accepts: [] }, challengeV1)
    assert.deepStrictEqual(read(answer).challenge, challengeV1)
  })

  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
  const { amount: _amount, ...free } = entryV2
  const faults: ReadonlyArray<readonly [fault: string, challenge: unknown]> = [
    ["x402Version is missing", { accepts: [entryV2] }],
    ["x402Version is 3, 1 and 2 are known", { ...challengeV2, x402Version: 3 }],
    ["accepts is missing", { x402Version: 2 }],
    ["accepts is no list", { ...challengeV2, accepts: entryV2 }],
    ["accepts is empty", { ...challengeV2, accepts: [] }],
    ["accepts[0] is no object", { ...challengeV2, accepts: [null] }],
    ["accepts[0].amount is missing", { ...challengeV2, accepts: [free] }],
    ['accepts[0].amount is "1e7"', { ...challengeV2, accepts: [{ ...entryV2, amount: "1e7" }] }],
    [
      "accepts[0].amount and maxAmountRequired differ",
      { ...challengeV2, accepts: [{ ...entryV2, maxAmountRequired: "1" }] }
    ],
    ["accepts[0].payTo is missing", { ...challengeV2, accepts: [{ ...entryV2, payTo: null }] }],
    ["accepts[0].asset is of type object", { ...challengeV2, accepts: [{ ...entryV2, asset: {} }] }],
    ["accepts[0].maxTimeoutSeconds is 0", { ...challengeV2, accepts: [{ ...entryV2, maxTimeoutSeconds: 0 }] }],
    ["it is nested more than 32 levels deep", { ...challengeV2, extensions: nested(40) }]
  ]
  it.each(faults)("of which no offer can be read says why: %s", (fault, challenge) => {
    assert.strictEqual(challengeFault(v2(challenge)), `no offer in it can be read: ${fault}`)
  })

  it("that would make a header longer than servers take is refused before anything is signed", () => {
    const answer = v1({ ...challengeV2, extensions: { padding: "x".repeat(16_000) } })
    assert.isUndefined(readQuote(answer))
    assert.match(String(challengeFault(answer)), /accepts\[0\] makes a payment header of 2\d{4} characters$/)
  })

  const unreadable: ReadonlyArray<readonly [what: string, answer: ReturnType<typeof reply>]> = [
    ["nothing", reply(402, {}, "")],
    ["a page", reply(402, {}, "<html>pay!</html>")],
    ["JSON that is no challenge", reply(402, {}, { error: "pay" })],
    ["an unknown version", v2({ ...challengeV2, x402Version: 3 })],
    ["no entry", v2({ ...challengeV2, accepts: [] })],
    ["accepts that is no list", v2({ ...challengeV2, accepts: entryV2 })],
    ["a negative amount", v2({ ...challengeV2, accepts: [{ ...entryV2, amount: "-1" }] })],
    ["an amount beyond every uint256", v2({ ...challengeV2, accepts: [{ ...entryV2, amount: "9".repeat(79) }] })],
    ["a payment that would be void at birth", v2({ ...challengeV2, accepts: [{ ...entryV2, maxTimeoutSeconds: 0 }] })],
    ["an amount that is a float", v2({ ...challengeV2, accepts: [{ ...entryV2, amount: 10.5 }] })],
    ["a payee with a line break", v2({ ...challengeV2, accepts: [{ ...entryV2, payTo: "0x\n[INFO]" }] })],
    ["a header that is no base64", reply(402, { "payment-required": "{}" }, "")],
    ["a header that is no JSON", reply(402, { "payment-required": "aGk=" }, "")],
    ["brackets a hundred thousand deep", reply(402, {}, "[".repeat(100_000))]
  ]
  it.each(unreadable)("made of %s holds no quote", (_, answer) => {
    assert.isUndefined(readQuote(answer))
  })
})

describe("a payment", () => {
  it("of version 2 repeats the accepted entry, the resource and the extensions word for word", () => {
    const header = pay(read(v2(challengeV2)))
    assert.strictEqual(header.name, "payment-signature")
    const { signature, value: _, ...fields } = payment
    assert.deepStrictEqual(fromBase64(header.value), {
      x402Version: 2,
      resource: challengeV2.resource,
      accepted: entryV2,
      payload: {
        signature,
        authorization: { ...fields, value: "10000000", validAfter: "1761973000", validBefore: "1761973300" }
      },
      extensions: challengeV2.extensions
    })
    assert.isTrue(isPaymentPayloadV2(decodePaymentSignatureHeader(header.value)))
  })

  it("of version 1 names the scheme and the network as the server does", () => {
    const header = pay(read(v1(challengeV1)))
    const sent = fromBase64(header.value) as Record<string, unknown>
    assert.strictEqual(header.name, "x-payment")
    assert.deepStrictEqual(Object.keys(sent), ["x402Version", "scheme", "network", "payload"])
    assert.strictEqual(sent["network"], "base-sepolia")
    assert.isTrue(isPaymentPayloadV1(decodePaymentSignatureHeader(header.value)))
  })

  it("of version 2 for an entry in the words of version 1 names scheme and network as version 1 does", () => {
    const sent = fromBase64(pay(read(v2({ ...challengeV2, accepts: [entryV1] }))).value) as Record<string, unknown>
    assert.deepInclude(sent, { x402Version: 2, scheme: "exact", network: "base-sepolia", accepted: entryV1 })
  })

  it("leaves out what the challenge leaves out", () => {
    const { resource: _, extensions: __, ...bare } = challengeV2
    const sent = fromBase64(pay(read(v2(bare))).value) as object
    assert.deepStrictEqual(Object.keys(sent), ["x402Version", "accepted", "payload"])
  })

  it("takes the entry of the offer, not its place in a list with entries that cannot be read", () => {
    const dear = { ...entryV2, amount: "20000000" }
    const quote = read(v2({ ...challengeV2, accepts: [{ scheme: "auction" }, dear, entryV2] }))
    assert.deepInclude(fromBase64(pay(quote, 1).value), { accepted: entryV2 })
  })

  it("is the same bytes again for the same challenge and authorization", () => {
    assert.deepStrictEqual(pay(read(v2(challengeV2))), pay(read(v2(challengeV2))))
    assert.deepStrictEqual(pay(read(v1(challengeV1))), pay(read(v1(challengeV1))))
  })

  it("is not made for an offer that the quote does not hold", () => {
    const quote = read(v2(challengeV2))
    const offer = { ...terms, network: "eip155:31337", maxTimeoutSeconds: 300, amount: 9_999_999n }
    assert.isUndefined(paymentHeader(quote, offer, payment))
  })
})
