import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { local } from "../../src/config/Network.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { Minter, type MintQuote, type PaymentAnswer } from "../../src/mint/Minter.ts"
import { layer, layerNoDeps } from "../../src/mint/MinterV1.ts"
import { hash, minterAt, order, payment, settings, token } from "./fixtures.ts"
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

const queued = answers(200, {}, { success: true, queueIds: ["q1"], quantity: 1, paymentTxHash: hash("fe") })

/** A server that plays `script`, and the minter in front of it. */
const at = Effect.fnUntraced(function* (script: Script) {
  const server = yield* scriptedServer(script)
  const minter = yield* minterAt(server.url, layer)
  const { offers, challenge } = yield* minter.quote(order)
  const offer = offers[0]
  assert.isDefined(offer)
  return { server, minter, offers, offer, pay: minter.pay(order, { offers, challenge }, offer, payment) }
})

const unclear = (reason: string): PaymentAnswer => ({ _tag: "Unclear", reason })

describe("a quote of a v1.1 server", () => {
  it.effect("is made here, of the most that the order may cost, and the server is asked nothing", () =>
    Effect.gen(function* () {
      const { server, minter } = yield* at(queued)
      const { offers } = yield* minter.quote({ ...order, amount: usdc(82_000_000n) })
      const offer = { scheme: "exact", network: "eip155:31337", asset: local.usdc.address, payTo: token }
      assert.deepStrictEqual(offers, [{ ...offer, amount: usdc(81_999_990n), maxTimeoutSeconds: undefined }])
      assert.strictEqual(yield* server.served, 0)
    })
  )

  it.effect("is refused for more mints than it sells at once", () =>
    Effect.gen(function* () {
      const { server, minter } = yield* at(queued)
      const error = yield* Effect.flip(minter.quote({ ...order, quantity: 20 }))
      assert.strictEqual(error.reason, "Refused")
      assert.include(error.message, "set MAX_BATCH_SIZE to at most 10")
      assert.strictEqual(yield* server.served, 0)
    })
  )
})

describe("a payment to a v1.1 server", () => {
  it.effect("goes out as part of the order", () =>
    Effect.gen(function* () {
      const { server, pay } = yield* at(queued)
      assert.deepStrictEqual(yield* pay, { _tag: "Accepted", mintTxs: [], paymentTx: hash("fe") })
      const { method, path, headers, body } = yield* server.arrival
      assert.deepStrictEqual([method, path], ["POST", `/api/mint/${token}`])
      assert.strictEqual(headers["content-type"], "application/json")
      assert.isUndefined(headers["payment-signature"] ?? headers["x-payment"])
      assert.deepStrictEqual(JSON.parse(body), {
        authorization: {
          from: payment.from,
          to: token,
          value: "10000000",
          validAfter: "1761973000",
          validBefore: "1761973300",
          nonce: payment.nonce,
          signature: payment.signature
        },
        recipient: order.recipient,
        quantity: 10
      })
    })
  )

  it.effect("is not to be sent again where its outcome is unknown", () =>
    Effect.gen(function* () {
      assert.isFalse((yield* at(queued)).minter.takesAgain)
    })
  )

  it.effect("that the server could not follow to its end comes back with what to ask for", () =>
    Effect.gen(function* () {
      const { pay } = yield* at(answers(408, {}, { error: "Payment processing timeout", paymentQueueId: 17 }))
      const reason = "mint server answered 408 with payment 17: Payment processing timeout"
      assert.deepStrictEqual(yield* pay, { _tag: "Unclear", reason, reference: "17" })
    })
  )

  const faults: ReadonlyArray<readonly [what: string, script: Script, reason: string]> = [
    [
      "a connection closed before the headers",
      closesAtOnce,
      "connection to the mint server failed (ECONNRESET), the chain is asked whether it was paid"
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
      "connection to the mint server failed (HPE_INVALID_CONSTANT), the chain is asked whether it was paid"
    ],
    ["500", answers(500, {}, { error: "Mints not found" }), "mint server answered 500: Mints not found"]
  ]
  for (const [what, script, reason] of faults)
    it.effect(`is unclear after ${what}, and not sent a second time`, () =>
      Effect.gen(function* () {
        const { server, pay } = yield* at(script)
        assert.deepStrictEqual(yield* pay, unclear(reason))
        assert.strictEqual(yield* server.served, 1)
      })
    )

  it.effect("never follows a redirect", () =>
    Effect.gen(function* () {
      const elsewhere = yield* scriptedServer(queued)
      const { pay } = yield* at(answers(307, { location: elsewhere.url }))
      const reason = "mint server answered 307: redirects are not followed, check SERVER_URL"
      assert.deepStrictEqual(yield* pay, unclear(reason))
      assert.strictEqual(yield* elsewhere.served, 0)
    })
  )

  it.effect("to a server that is not there says that nothing was sent", () =>
    Effect.gen(function* () {
      const { pay } = yield* Effect.scoped(at(queued))
      assert.deepStrictEqual(yield* pay, unclear("mint server unreachable (ECONNREFUSED), nothing was sent"))
    })
  )

  it.effect("is unclear after MINT_TIMEOUT, and the connection is cut", () =>
    Effect.gen(function* () {
      const { server, pay } = yield* at(neverAnswers)
      const paying = yield* Effect.forkChild(pay)
      yield* server.arrival
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(
        yield* Fiber.join(paying),
        unclear("no answer from the mint server within 1m, the chain is asked whether it was paid")
      )
      assert.strictEqual(yield* server.closed, "cut")
    })
  )

  it.effect("that is interrupted stays interrupted, and the connection is cut", () =>
    Effect.gen(function* () {
      const { server, pay } = yield* at(neverAnswers)
      const paying = yield* Effect.forkChild(pay)
      yield* server.arrival
      yield* Fiber.interrupt(paying)
      const exit = yield* Fiber.await(paying)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(yield* server.closed, "cut")
    })
  )
})

describe("what became of a payment", () => {
  it.effect("is asked of the server by the name that it gave", () =>
    Effect.gen(function* () {
      const { server, minter } = yield* at(answers(200, {}, { status: "completed", txHash: hash("fe") }))
      const words = yield* minter.follow("mint:17")
      assert.strictEqual(words, `mint server says of payment mint:17: completed, transaction ${hash("fe")}`)
      const { method, path, body } = yield* server.arrival
      assert.deepStrictEqual([method, path, body], ["GET", "/api/payment/mint%3A17", ""])
    })
  )

  const silences: ReadonlyArray<readonly [what: string, script: Script]> = [
    ["closes the connection", closesAtOnce],
    ["talks on and on", talksOnAndOn],
    ["is in trouble", answers(500, {}, { error: "no database" })],
    ["points elsewhere", answers(302, { location: "http://elsewhere.test" })]
  ]
  for (const [what, script] of silences)
    it.effect(`is not told by a server that ${what}`, () =>
      Effect.gen(function* () {
        const { minter } = yield* at(script)
        assert.isUndefined(yield* minter.follow("17"))
      })
    )

  it.effect("is not waited for longer than MINT_TIMEOUT", () =>
    Effect.gen(function* () {
      const { server, minter } = yield* at(stopsInTheBody)
      const asking = yield* Effect.forkChild(minter.follow("17"))
      yield* server.arrival
      yield* TestClock.adjust("60 seconds")
      assert.isUndefined(yield* Fiber.join(asking))
      assert.strictEqual(yield* server.closed, "cut")
    })
  )

  it.effect("is not asked by a name that the server cannot have given", () =>
    Effect.gen(function* () {
      const { server, minter } = yield* at(answers(200, {}, { status: "completed" }))
      for (const reference of ["", "..", "../mint", "\ud800"]) assert.isUndefined(yield* minter.follow(reference))
      assert.strictEqual(yield* server.served, 0)
    })
  )
})

describe("a fault inside the minter of a v1.1 server", () => {
  const quote: MintQuote = { offers: [], challenge: undefined }
  const offer = { scheme: "exact", network: "eip155:31337", asset: "", payTo: "", amount: 1n, maxTimeoutSeconds: 1 }

  it.effect("is an unclear payment, and no word about another", () =>
    Effect.gen(function* () {
      const dies = HttpClient.make(() => Effect.die(new Error(`cannot send ${payment.signature}`)))
      const given = [Layer.succeed(HttpClient.HttpClient, dies), settings("http://mint.test")] as const
      const [answer, words] = yield* Minter.use((minter) =>
        Effect.all([minter.pay(order, quote, offer, payment), minter.follow("17")])
      ).pipe(Effect.provide(layerNoDeps.pipe(Layer.provide([...given]))))
      assert.deepStrictEqual(answer, unclear("fault in the executor while paying: Error: cannot send …"))
      assert.isUndefined(words)
    })
  )

  it.effect("such as a missing SERVER_URL stops the start", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.build(layer.pipe(Layer.provide(settings(undefined)))))
      assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("SERVER_URL is not set"))
    })
  )
})
