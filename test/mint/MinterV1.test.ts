import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { local } from "../../src/config/Network.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { Minter, type MintQuote } from "../../src/mint/Minter.ts"
import { layer, layerNoDeps } from "../../src/mint/MinterV1.ts"
import { hash, minterAt, order, payment, settings, token } from "./fixtures.ts"
import { answers, closesAtOnce, type Script, scriptedServer, stopsInTheBody, talksOnAndOn } from "./scriptedServer.ts"
import { effects } from "../support/stories.ts"
import { failsUnderPayments, unclear } from "./wire.ts"

const test = effects(it)

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

describe("a quote of a v1.1 server", () => {
  test("is made here, of the most that the order may cost, and the server is asked nothing", function* () {
    const { server, minter } = yield* at(queued)
    const { offers } = yield* minter.quote({ ...order, amount: usdc(82_000_000n) })
    const offer = { scheme: "exact", network: "eip155:31337", asset: local.usdc.address, payTo: token }
    assert.deepStrictEqual(offers, [{ ...offer, amount: usdc(81_999_990n), maxTimeoutSeconds: undefined }])
    assert.strictEqual(yield* server.served, 0)
  })

  test("is refused for more mints than it sells at once", function* () {
    const { server, minter } = yield* at(queued)
    const error = yield* Effect.flip(minter.quote({ ...order, quantity: 20 }))
    assert.strictEqual(error.reason, "Refused")
    assert.include(error.message, "set MAX_BATCH_SIZE to at most 10")
    assert.strictEqual(yield* server.served, 0)
  })
})

describe("a payment to a v1.1 server", () => {
  test("goes out as part of the order", function* () {
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

  test("is not to be sent again where its outcome is unknown", function* () {
    assert.isFalse((yield* at(queued)).minter.takesAgain)
  })

  test("that the server could not follow to its end comes back with what to ask for", function* () {
    const { pay } = yield* at(answers(408, {}, { error: "Payment processing timeout", paymentQueueId: 17 }))
    const reason = "mint server answered 408 with payment 17: Payment processing timeout"
    assert.deepStrictEqual(yield* pay, { _tag: "Unclear", reason, reference: "17" })
  })
})

failsUnderPayments(at, 0)

describe("what became of a payment", () => {
  test("is asked of the server by the name that it gave", function* () {
    const { server, minter } = yield* at(answers(200, {}, { status: "completed", txHash: hash("fe") }))
    const words = yield* minter.follow("mint:17")
    assert.strictEqual(words, `mint server says of payment mint:17: completed, transaction ${hash("fe")}`)
    const { method, path, body } = yield* server.arrival
    assert.deepStrictEqual([method, path, body], ["GET", "/api/payment/mint%3A17", ""])
  })

  const silences: ReadonlyArray<readonly [what: string, script: Script]> = [
    ["talks on and on", talksOnAndOn],
    ["is in trouble", answers(500, {}, { error: "no database" })],
    ["points elsewhere", answers(302, { location: "http://elsewhere.test" })]
  ]
  for (const [what, script] of silences)
    test(`is not told by a server that ${what}`, function* () {
      const { minter } = yield* at(script)
      assert.isUndefined(yield* minter.follow("17"))
    })

  const strains: ReadonlyArray<readonly [what: string, script: Script, strain: object]> = [
    ["closes the connection", closesAtOnce, { trouble: "NoAnswer" }],
    ["has too much to do", answers(429, { "retry-after": "7" }), { trouble: "Overloaded", retryAfterMs: 7_000 }]
  ]
  for (const [what, script, strain] of strains)
    test(`is not told, and why is, by a server that ${what}`, function* () {
      const { minter } = yield* at(script)
      assert.deepInclude(yield* Effect.flip(minter.follow("17")), { reason: "Unavailable", ...strain })
    })

  test("is not waited for longer than MINT_TIMEOUT", function* () {
    const { server, minter } = yield* at(stopsInTheBody)
    const asking = yield* Effect.forkChild(minter.follow("17"))
    yield* server.arrival
    yield* TestClock.adjust("60 seconds")
    assert.strictEqual((yield* Effect.flip(Fiber.join(asking))).trouble, "NoAnswer")
    assert.strictEqual(yield* server.closed, "cut")
  })

  test("is not asked by a name that the server cannot have given", function* () {
    const { server, minter } = yield* at(answers(200, {}, { status: "completed" }))
    for (const reference of ["", "..", "../mint", "\ud800"]) assert.isUndefined(yield* minter.follow(reference))
    assert.strictEqual(yield* server.served, 0)
  })
})

describe("a fault inside the minter of a v1.1 server", () => {
  const quote: MintQuote = { offers: [], challenge: undefined }
  const offer = { scheme: "exact", network: "eip155:31337", asset: "", payTo: "", amount: 1n, maxTimeoutSeconds: 1 }

  test("is an unclear payment, and no word about another", function* () {
    const dies = HttpClient.make(() => Effect.die(new Error(`cannot send ${payment.signature}`)))
    const given = [Layer.succeed(HttpClient.HttpClient, dies), settings("http://mint.test")] as const
    const [answer, words] = yield* Minter.use((minter) =>
      Effect.all([minter.pay(order, quote, offer, payment), minter.follow("17")])
    ).pipe(Effect.provide(layerNoDeps.pipe(Layer.provide([...given]))))
    assert.deepStrictEqual(answer, unclear("fault in the executor while paying: Error: cannot send …"))
    assert.isUndefined(words)
  })

  test("such as a missing SERVER_URL stops the start", function* () {
    const exit = yield* Effect.exit(Layer.build(layer.pipe(Layer.provide(settings(undefined)))))
    assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("SERVER_URL is not set"))
  })
})
