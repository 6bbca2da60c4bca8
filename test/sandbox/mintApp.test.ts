import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { keepsQuiet, onChain, openShop, order, post, recipient, stranger } from "./mintFixtures.ts"

onChain("what the mint server takes as a request", (it) => {
  keepsQuiet()

  const bodyFault = 'the body must be JSON: {"recipient": address, "quantity": number}'
  const quantityFault = "quantity must be a whole number from 1 to 10"
  const recipientFault = "recipient must be an address, and not zero"
  for (const [what, body, error] of [
    ["a broken body", '{"recipient":', bodyFault],
    ["an empty body", "", bodyFault],
    ["a body that is no object", "[]", bodyFault],
    ["a body that is too large", { ...order, note: "x".repeat(16 * 1024) }, "the body is larger than 16384 bytes"],
    ["no recipient", { quantity: 1 }, bodyFault],
    ["a recipient that is no address", { recipient: "0x12", quantity: 1 }, recipientFault],
    ["the zero address as recipient", { recipient: `0x${"0".repeat(40)}`, quantity: 1 }, recipientFault],
    ["no mints", { recipient, quantity: 0 }, quantityFault],
    ["too many mints", { recipient, quantity: 11 }, quantityFault],
    ["half a mint", { recipient, quantity: 1.5 }, quantityFault],
    ["a quantity in words", { recipient, quantity: "3" }, quantityFault]
  ] as const)
    it.effect(`answers ${what} with 400 and no challenge`, () =>
      Effect.gen(function* () {
        const { at } = yield* openShop()
        const reply = yield* post(at, body)
        assert.deepStrictEqual(reply, { status: 400, body: { error }, receipt: undefined, challenge: undefined })
      })
    )

  it.effect("answers a payment that it cannot read with 400", () =>
    Effect.gen(function* () {
      const { at } = yield* openShop()
      const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64")
      const unreadable = yield* post(at, order, "no payment")
      assert.deepStrictEqual(unreadable.body, { error: "the PAYMENT-SIGNATURE header cannot be read" })
      assert.strictEqual(unreadable.status, 400)
      const zeros = (bytes: number) => `0x${"00".repeat(bytes)}`
      const authorization = { from: zeros(20), to: zeros(20), value: "1", nonce: zeros(32) }
      for (const payload of [{}, { permit2Authorization: {} }, { authorization, permit2Authorization: {} }]) {
        const { status, body } = yield* post(at, order, base64({ x402Version: 2, payload }))
        assert.deepStrictEqual([status, body], [400, { error: "the payment holds no EIP-3009 authorization" }])
      }
    })
  )

  it.effect("answers for a token that it does not sell with 404", () =>
    Effect.gen(function* () {
      const { url } = yield* openShop()
      for (const token of [stranger, "0x12", "all"]) {
        const { status, challenge } = yield* post(`${url}/api/mint/${token}`, order)
        assert.deepStrictEqual([status, challenge], [404, undefined])
      }
      assert.strictEqual((yield* post(`${url}/api/mint`, order)).status, 404)
    })
  )

  it.effect("knows its token in any spelling", () =>
    Effect.gen(function* () {
      const { url, token } = yield* openShop()
      for (const spelling of [`0x${token.slice(2).toUpperCase()}`, token.replace("0", "%30")])
        assert.strictEqual((yield* post(`${url}/api/mint/${spelling}`, order)).status, 402)
    })
  )
})
