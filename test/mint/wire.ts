import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import { effects } from "../support/stories.ts"
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

/** A minter that has its quote, about to pay a server that answers the payment with the script. */
type Open = (
  script: Script
) => Effect.Effect<
  { readonly server: Effect.Success<ReturnType<typeof scriptedServer>>; readonly pay: Effect.Effect<PaymentAnswer> },
  unknown,
  Scope.Scope
>

/** Said of every request that may have arrived. */
const ASKING = ", the chain is asked whether it was paid"

export const unclear = (reason: string): PaymentAnswer => ({ _tag: "Unclear", reason })

/** The same of a connection without an answer: the server may have too much to do. */
const unanswered = (reason: string): PaymentAnswer => ({ _tag: "Unclear", reason, trouble: "NoAnswer" })

const BROKEN = "mint server answered 200: the answer broke off or is too large"
const failed = (code: string) => unanswered(`connection to the mint server failed (${code})${ASKING}`)

const faults: ReadonlyArray<readonly [what: string, script: Script, answer: PaymentAnswer]> = [
  ["a connection closed before the headers", closesAtOnce, failed("ECONNRESET")],
  ["a connection closed in the body", closesInTheBody, unclear(BROKEN)],
  ["a body without end", talksOnAndOn, unclear(BROKEN)],
  ["an answer that is no HTTP", speaksAnotherTongue, failed("HPE_INVALID_CONSTANT")],
  ["headers without end", answers(200, { "x-padding": "a".repeat(20_000) }), failed("HPE_HEADER_OVERFLOW")],
  ["500", answers(500, {}, { error: "Mints not found" }), unclear("mint server answered 500: Mints not found")],
  [
    "503 with a time to come back",
    answers(503, { "retry-after": "7" }, { error: "busy" }),
    { _tag: "Unclear", reason: "mint server answered 503: busy", trouble: "Overloaded", retryAfterMs: 7_000 }
  ]
]

/** What every minter does where the connection fails under a payment. `asked`: the requests that a quote takes. */
export const failsUnderPayments = (open: Open, asked: number) =>
  describe("a payment over a connection that fails", () => {
    const test = effects(it)

    test.each(faults)("is unclear after %s, and not sent a second time", function* ([, script, answer]) {
      const { server, pay } = yield* open(script)
      assert.deepStrictEqual(yield* pay, answer)
      assert.strictEqual(yield* server.served, asked + 1)
    })

    test("never follows a redirect", function* () {
      const elsewhere = yield* scriptedServer(answers(200))
      const { pay } = yield* open(answers(307, { location: elsewhere.url }))
      const reason = "mint server answered 307: redirects are not followed, check SERVER_URL"
      assert.deepStrictEqual(yield* pay, unclear(reason))
      assert.strictEqual(yield* elsewhere.served, 0)
    })

    test("to a server that is not there says that nothing was sent", function* () {
      const { pay } = yield* Effect.scoped(open(answers(200)))
      assert.deepStrictEqual(yield* pay, unanswered("mint server unreachable (ECONNREFUSED), nothing was sent"))
    })

    test.each([
      ["headers", neverAnswers],
      ["the rest of the body", stopsInTheBody]
    ] as const)("that waits for %s is unclear after MINT_TIMEOUT, and the connection is cut", function* ([, script]) {
      const { server, pay } = yield* open(script)
      const paying = yield* Effect.forkChild(Effect.uninterruptible(pay))
      yield* server.arrival
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(paying.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(paying), unanswered(`no answer from the mint server within 1m${ASKING}`))
      assert.strictEqual(yield* server.closed, "cut")
    })

    test("that is interrupted stays interrupted, and the connection is cut", function* () {
      const { server, pay } = yield* open(neverAnswers)
      const paying = yield* Effect.forkChild(pay)
      yield* server.arrival
      yield* Fiber.interrupt(paying)
      const exit = yield* Fiber.await(paying)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(yield* server.closed, "cut")
    })
  })
