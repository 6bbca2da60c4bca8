import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Minter, type PaymentAnswer } from "../../src/mint/Minter.ts"
import { layer, layerNoDeps } from "../../src/mint/MinterX402.ts"
import { base64, challengeV1, challengeV2, fromBase64, hash, minterAt, order, payment, settings } from "./fixtures.ts"
import {
  answers,
  closesAtOnce,
  closesInTheBody,
  neverAnswers,
  type Script,
  scriptedServer,
  speaksAnotherTongue,
  stopsInTheBody,
  talksOnAndOn
} from "./scriptedServer.ts"

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

/** Said of every request that may have arrived. */
const ASKING = ", the chain is asked whether it was paid"

const unclear = (reason: string): PaymentAnswer => ({ _tag: "Unclear", reason })

describe("a payment", () => {
  it.effect("goes out with the order, and its receipt and mint come back", () =>
    Effect.gen(function* () {
      const { server, pay } = yield* quoted(mints)
      assert.deepStrictEqual(yield* pay, { _tag: "Accepted", mintTxs: [hash("ab")], paymentTx: hash("fe") })
      const { path, headers, body } = yield* server.arrival
      assert.strictEqual(path, `/api/mint/${order.token}`)
      assert.strictEqual(body, JSON.stringify({ recipient: order.recipient, quantity: 10 }))
      assert.deepInclude(fromBase64(String(headers["payment-signature"])), { accepted: challengeV2.accepts[0] })
    })
  )

  it.effect("goes out as X-PAYMENT to a server of version 1, and X-PAYMENT-RESPONSE comes back", () =>
    Effect.gen(function* () {
      const script = answers(200, { "X-PAYMENT-RESPONSE": base64(receipt) }, { mintTxHash: hash("ab") })
      const { server, pay } = yield* quoted(script, challengesV1)
      assert.deepStrictEqual(yield* pay, { _tag: "Accepted", mintTxs: [hash("ab")], paymentTx: hash("fe") })
      const { headers } = yield* server.arrival
      assert.isUndefined(headers["payment-signature"])
      assert.deepInclude(fromBase64(String(headers["x-payment"])), { x402Version: 1, network: "base-sepolia" })
    })
  )

  it.effect("is the same bytes again when it is sent again, after a fresh quote too", () =>
    Effect.gen(function* () {
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
  )

  const faults: ReadonlyArray<readonly [what: string, script: Script, reason: string]> = [
    [
      "a connection closed before the headers",
      closesAtOnce,
      `connection to the mint server failed (ECONNRESET)${ASKING}`
    ],
    [
      "a connection closed in the body",
      closesInTheBody,
      "mint server answered 200: the answer broke off or is too large"
    ],
    ["a body without end", talksOnAndOn, "mint server answered 200: the answer broke off or is too large"],
    [
      "an answer that is no HTTP",
      speaksAnotherTongue,
      `connection to the mint server failed (HPE_INVALID_CONSTANT)${ASKING}`
    ],
    [
      "headers without end",
      answers(200, { "payment-response": "a".repeat(20_000) }),
      `connection to the mint server failed (HPE_HEADER_OVERFLOW)${ASKING}`
    ],
    [
      "headers that are garbage",
      answers(200, { "payment-response": "%%%" }, "garbage"),
      "mint server answered 200: garbage"
    ],
    ["500", answers(500, {}, { error: "Mints not found" }), "mint server answered 500: Mints not found"],
    [
      "402 settlement_pending",
      answers(402, { "payment-response": base64({ success: false, errorReason: "settlement_pending" }) }),
      "mint server answered 402: settlement_pending"
    ]
  ]
  for (const [what, script, reason] of faults)
    it.effect(`is unclear after ${what}, and not sent a second time`, () =>
      Effect.gen(function* () {
        const { server, pay } = yield* quoted(script)
        assert.deepStrictEqual(yield* pay, unclear(reason))
        assert.strictEqual(yield* server.served, 2)
        yield* server.closed
      })
    )

  it.effect("has an answer of up to 128 KiB read, and not a byte more", () =>
    Effect.gen(function* () {
      const minted = JSON.stringify({ mintTxHash: hash("ab") }).padEnd(128 * 1024)
      const whole = yield* (yield* quoted(answers(200, {}, minted))).pay
      const tooLong = yield* (yield* quoted(answers(200, {}, `${minted} `))).pay
      assert.deepStrictEqual([whole._tag, tooLong._tag], ["Accepted", "Unclear"])
    })
  )

  it.effect("that is answered by a fresh challenge was not seen, which is no fault of the order", () =>
    Effect.gen(function* () {
      const { pay } = yield* quoted(challenges)
      const reason = "mint server answered 402: Payment required"
      assert.deepStrictEqual(yield* pay, { _tag: "Unclear", reason, whose: "ours" })
    })
  )

  it.effect("never follows a redirect", () =>
    Effect.gen(function* () {
      const elsewhere = yield* scriptedServer(mints)
      const { pay } = yield* quoted(answers(307, { location: elsewhere.url }))
      assert.deepStrictEqual(
        yield* pay,
        unclear("mint server answered 307: redirects are not followed, check SERVER_URL")
      )
      assert.strictEqual(yield* elsewhere.served, 0)
    })
  )

  it.effect("to a server that is not there says that nothing was sent", () =>
    Effect.gen(function* () {
      const { quote, offer, server } = yield* Effect.scoped(quoted(mints))
      const minter = yield* minterAt(server.url)
      assert.deepStrictEqual(
        yield* minter.pay(order, quote, offer, payment),
        unclear("mint server unreachable (ECONNREFUSED), nothing was sent")
      )
    })
  )

  for (const [what, script] of [
    ["headers", neverAnswers],
    ["the rest of the body", stopsInTheBody]
  ] as const)
    it.effect(`that waits for ${what} is unclear after MINT_TIMEOUT, and the connection is cut`, () =>
      Effect.gen(function* () {
        const { server, pay } = yield* quoted(script)
        const paying = yield* Effect.forkChild(pay)
        yield* server.arrival
        yield* TestClock.adjust("59 seconds")
        assert.isUndefined(paying.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(paying))._tag, "Unclear")
        assert.strictEqual(yield* server.closed, "cut")
      })
    )

  it.effect("keeps to MINT_TIMEOUT where it must not be interrupted", () =>
    Effect.gen(function* () {
      const { server, pay } = yield* quoted(neverAnswers)
      const paying = yield* Effect.forkChild(Effect.uninterruptible(pay))
      yield* server.arrival
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(yield* Fiber.join(paying), unclear(`no answer from the mint server within 1m${ASKING}`))
    })
  )

  it.effect("that is interrupted stays interrupted, and the connection is cut", () =>
    Effect.gen(function* () {
      const { server, pay } = yield* quoted(neverAnswers)
      const paying = yield* Effect.forkChild(pay)
      yield* server.arrival
      yield* Fiber.interrupt(paying)
      const exit = yield* Fiber.await(paying)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(yield* server.closed, "cut")
    })
  )
})

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

  it.effect("is an unclear payment, not a failure", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* payOver(Effect.die(new TypeError("x is not a function"))),
        unclear("fault in the executor while paying: TypeError: x is not a function")
      )
    })
  )

  it.effect("tells nothing of the payment", () =>
    Effect.gen(function* () {
      const answer = yield* payOver(Effect.die(new Error(`cannot send ${payment.signature}`)))
      assert.deepStrictEqual(answer, unclear("fault in the executor while paying: Error: cannot send …"))
    })
  )

  it.effect("that looks like an interruption, and is none, is an unclear payment", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* payOver(Effect.interrupt))._tag, "Unclear")
    })
  )

  it.effect("such as an offer that is not of the quote sends nothing", () =>
    Effect.gen(function* () {
      const { server, minter, quote, offer } = yield* quoted(mints)
      const answer = yield* minter.pay(order, quote, { ...offer, amount: 1n }, payment)
      assert.deepStrictEqual(answer, unclear("the quote has no such offer, nothing was sent"))
      assert.strictEqual(yield* server.served, 1)
    })
  )

  it.effect("such as a missing SERVER_URL stops the start", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.build(layer.pipe(Layer.provide(settings(undefined)))))
      assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("SERVER_URL is not set"))
    })
  )
})
