import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer } from "effect"
import { HttpClient } from "effect/http"
import { Minter } from "../../src/mint/Minter.ts"
import { layer, layerNoDeps } from "../../src/mint/MinterX402.ts"
import { base64, challengeV1, challengeV2, fromBase64, hash, minterAt, order, payment, settings } from "./fixtures.ts"
import { answers, closesAtOnce, type Script, scriptedServer } from "./scriptedServer.ts"
import { effects } from "../support/stories.ts"
import { failsUnderPayments, unclear } from "./wire.ts"

const test = effects(it)

const challenges = answers(402, { "payment-required": base64(challengeV2) })
const challengesV1 = answers(402, { "content-type": "application/json" }, challengeV1)
const receipt = { success: true, transaction: hash("fe"), network: "eip155:31337" }
const mints = answers(200, { "payment-response": base64(receipt) }, { mintTxHash: hash("ab") })

/** A server that challenges once and then plays `script`, and the minter that has its quote. */
const quoted = Effect.fnUntraced(function* (script: Script, challenge: Script = challenges) {
  const server = yield* scriptedServer(challenge, script)
  const minter = yield* minterAt(server.url)
  const quote = yield* minter.quote(order)
  const offer = quote.offers[0]
  assert.isDefined(offer)
  yield* server.arrival
  yield* server.closed
  return { server, minter, quote, offer, pay: minter.pay(order, quote, offer, payment) }
})

describe("a payment", () => {
  test("goes out with the order, and its receipt and mint come back", function* () {
    const { server, pay } = yield* quoted(mints)
    assert.deepStrictEqual(yield* pay, { _tag: "Accepted", mintTxs: [hash("ab")], paymentTx: hash("fe") })
    const { path, headers, body } = yield* server.arrival
    assert.strictEqual(path, `/api/mint/${order.token}`)
    assert.strictEqual(body, JSON.stringify({ recipient: order.recipient, quantity: 10 }))
    assert.deepInclude(fromBase64(String(headers["payment-signature"])), { accepted: challengeV2.accepts[0] })
  })

  test("goes out as X-PAYMENT to a server of version 1, and X-PAYMENT-RESPONSE comes back", function* () {
    const script = answers(200, { "X-PAYMENT-RESPONSE": base64(receipt) }, { mintTxHash: hash("ab") })
    const { server, pay } = yield* quoted(script, challengesV1)
    assert.deepStrictEqual(yield* pay, { _tag: "Accepted", mintTxs: [hash("ab")], paymentTx: hash("fe") })
    const { headers } = yield* server.arrival
    assert.isUndefined(headers["payment-signature"])
    assert.deepInclude(fromBase64(String(headers["x-payment"])), { x402Version: 1, network: "base-sepolia" })
  })

  test("is the same bytes again when it is sent again, after a fresh quote too", function* () {
    const server = yield* scriptedServer(challenges, closesAtOnce, challenges, closesAtOnce)
    const minter = yield* minterAt(server.url)
    const sent = Effect.gen(function* () {
      const quote = yield* minter.quote(order)
      const offer = quote.offers[0]
      assert.isDefined(offer)
      yield* minter.pay(order, quote, offer, payment)
      yield* server.arrival
      const { headers, body } = yield* server.arrival
      return [headers["payment-signature"], body]
    })
    assert.deepStrictEqual(yield* sent, yield* sent)
  })

  test("is unclear after headers that are garbage, or a settlement that is pending", function* () {
    const garbage = yield* quoted(answers(200, { "payment-response": "%%%" }, "garbage"))
    assert.deepStrictEqual(yield* garbage.pay, unclear("mint server answered 200: garbage"))
    const settling = base64({ success: false, errorReason: "settlement_pending" })
    const pending = yield* quoted(answers(402, { "payment-response": settling }))
    assert.deepStrictEqual(yield* pending.pay, unclear("mint server answered 402: settlement_pending"))
  })

  test("has an answer of up to 128 KiB read, and not a byte more", function* () {
    const minted = JSON.stringify({ mintTxHash: hash("ab") }).padEnd(128 * 1024)
    const whole = yield* (yield* quoted(answers(200, {}, minted))).pay
    const tooLong = yield* (yield* quoted(answers(200, {}, `${minted} `))).pay
    assert.deepStrictEqual([whole._tag, tooLong._tag], ["Accepted", "Unclear"])
  })

  test("that is answered by a fresh challenge was not seen, which is no fault of the order", function* () {
    const { pay } = yield* quoted(challenges)
    const reason = "mint server answered 402: Payment required"
    assert.deepStrictEqual(yield* pay, { _tag: "Unclear", reason, whose: "ours" })
  })
})

failsUnderPayments(quoted, 1)

describe("a fault inside", () => {
  /** The minter over a client that does `fault`, with a quote that was made elsewhere. */
  const payOver = Effect.fnUntraced(function* (fault: Effect.Effect<never>) {
    const { quote, offer } = yield* quoted(mints)
    const client = Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make(() => fault)
    )
    return yield* Minter.use((minter) => minter.pay(order, quote, offer, payment)).pipe(
      Effect.provide(layerNoDeps.pipe(Layer.provide([client, settings("http://mint.test")])))
    )
  })

  test("is an unclear payment, not a failure", function* () {
    assert.deepStrictEqual(
      yield* payOver(Effect.die(new TypeError("x is not a function"))),
      unclear("fault in the executor while paying: TypeError: x is not a function")
    )
  })

  test("tells nothing of the payment", function* () {
    const answer = yield* payOver(Effect.die(new Error(`cannot send ${payment.signature}`)))
    assert.deepStrictEqual(answer, unclear("fault in the executor while paying: Error: cannot send …"))
  })

  test("that looks like an interruption, and is none, is an unclear payment", function* () {
    assert.strictEqual((yield* payOver(Effect.interrupt))._tag, "Unclear")
  })

  test("such as an offer that is not of the quote sends nothing", function* () {
    const { server, minter, quote, offer } = yield* quoted(mints)
    const answer = yield* minter.pay(order, quote, { ...offer, amount: 1n }, payment)
    assert.deepStrictEqual(answer, unclear("the quote has no such offer, nothing was sent"))
    assert.strictEqual(yield* server.served, 1)
  })

  test("such as a missing SERVER_URL stops the start", function* () {
    const exit = yield* Effect.exit(Layer.build(layer.pipe(Layer.provide(settings(undefined)))))
    assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("SERVER_URL is not set"))
  })
})
