import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { base64, challengeV2, minterAt, order } from "./fixtures.ts"
import {
  answers,
  closesAtOnce,
  neverAnswers,
  type Script,
  scriptedServer,
  speaksAnotherTongue,
  talksOnAndOn
} from "./scriptedServer.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const challenges = answers(402, { "payment-required": base64(challengeV2) })

describe("a quote", () => {
  test("asks for recipient and quantity at the token's address, and carries no payment", function* () {
    const server = yield* scriptedServer(challenges)
    const quote = yield* (yield* minterAt(server.url)).quote(order)
    const { method, path, headers, body } = yield* server.arrival
    assert.deepStrictEqual([method, path], ["POST", `/api/mint/${order.token}`])
    assert.strictEqual(body, JSON.stringify({ recipient: order.recipient, quantity: 10 }))
    assert.strictEqual(headers["content-type"], "application/json")
    assert.strictEqual(headers["accept"], "application/json")
    assert.isUndefined(headers["payment-signature"] ?? headers["x-payment"])
    assert.deepStrictEqual(quote.challenge, challengeV2)
  })

  test("keeps the path that SERVER_URL has", function* () {
    const server = yield* scriptedServer(challenges)
    yield* (yield* minterAt(`${server.url}/shop`)).quote(order)
    assert.strictEqual((yield* server.arrival).path, `/shop/api/mint/${order.token}`)
  })

  const faults: ReadonlyArray<readonly [what: string, script: Script, reason: string, message: string]> = [
    ["a closed connection", closesAtOnce, "Unavailable", "connection to the mint server failed (ECONNRESET)"],
    [
      "an answer that is no HTTP",
      speaksAnotherTongue,
      "Unavailable",
      "connection to the mint server failed (HPE_INVALID_CONSTANT)"
    ],
    ["a body without end", talksOnAndOn, "Unreadable", "mint server answered 200: it asks for no payment"],
    ["400", answers(400, {}, { error: "bad order" }), "Refused", "mint server answered 400: bad order"],
    ["503", answers(503), "Unavailable", "mint server answered 503"],
    [
      "a redirect",
      answers(308, { location: "/elsewhere" }),
      "Unavailable",
      "mint server answered 308: redirects are not followed, check SERVER_URL"
    ]
  ]
  for (const [what, script, reason, message] of faults)
    test(`after ${what} is none: ${reason}, asked once`, function* () {
      const server = yield* scriptedServer(script)
      const error = yield* (yield* minterAt(server.url)).quote(order).pipe(Effect.flip)
      assert.deepStrictEqual([error.reason, error.message], [reason, message])
      assert.strictEqual(yield* server.served, 1)
    })

  test("is given up after MINT_TIMEOUT, and the connection with it", function* () {
    const server = yield* scriptedServer(neverAnswers)
    const asking = yield* Effect.forkChild((yield* minterAt(server.url)).quote(order).pipe(Effect.flip))
    yield* server.arrival
    yield* TestClock.adjust("60 seconds")
    const error = yield* Fiber.join(asking)
    assert.deepStrictEqual([error.reason, error.message], ["Unavailable", "no answer from the mint server within 1m"])
    assert.strictEqual(error.trouble, "NoAnswer")
    assert.strictEqual(yield* server.closed, "cut")
  })
})
