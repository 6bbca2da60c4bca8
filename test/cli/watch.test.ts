import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Refused, Unanswered } from "../../src/operator/Operator.ts"
import { typed } from "./fakes.ts"
import { ID } from "./words/given.ts"

describe("ai-mint watch", () => {
  const ledger = (id: number) => ({
    id: String(id),
    event: "ledger" as const,
    data: { id, at: 0, kind: "task.funded", text: `Paid ${id}`, taskId: ID, walletId: ID, batch: undefined, detail: {} }
  })
  const beat = { event: "beat" as const, data: "ok" }

  layer(NodeServices.layer)((it) => {
    it.effect("tells events, waits for an executor that went away, and asks for what it missed", () =>
      Effect.gen(function* () {
        const [second, third] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const said: Array<string> = []
        const streams = [
          Effect.succeed(Stream.make(beat, ledger(1), ledger(2))),
          Effect.as(Deferred.succeed(second, undefined), Effect.void).pipe(
            Effect.andThen(Effect.fail(new Unanswered({ reason: "Away", message: "starting" })))
          ),
          Effect.succeed(
            Stream.concat(
              Stream.make(ledger(3)),
              Stream.fromEffect(Effect.andThen(Deferred.succeed(third, undefined), Effect.never))
            )
          )
        ]
        const requests: Array<unknown> = []
        const events = (request: unknown) => {
          requests.push(request)
          return streams.shift()
        }
        let isExpected = false
        const io = {
          out: (text: string) => void said.push(text),
          err: (text: string) => void said.push(text),
          expectInterruption: () => {
            isExpected = true
          }
        }
        const fiber = yield* Effect.forkChild(typed(["watch"], { "control.events": events }, {}, io))
        yield* Effect.yieldNow
        yield* TestClock.adjust("1 second")
        yield* Deferred.await(second)
        yield* TestClock.adjust("1 second")
        yield* Deferred.await(third)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(isExpected)
        assert.deepStrictEqual(requests, [
          { headers: {} },
          { headers: { "last-event-id": 2 } },
          { headers: { "last-event-id": 2 } }
        ])
        assert.deepStrictEqual(said, [
          "👀 Watching what happens. Ctrl-C ends it.",
          "00:00:00 UTC  b3319f58         💰 Paid 1",
          "00:00:00 UTC  b3319f58         💰 Paid 2",
          "🔌 The connection to the executor is lost. Waiting until it is back...",
          "🔌 The executor is back.",
          "00:00:00 UTC  b3319f58         💰 Paid 3"
        ])
      })
    )

    it.effect("takes silence for an executor that is gone", () =>
      Effect.gen(function* () {
        const again = yield* Deferred.make<void>()
        const streams = [
          Effect.succeed(Stream.concat(Stream.make(beat), Stream.never)),
          Effect.andThen(Deferred.succeed(again, undefined), Effect.fail(new Refused({ message: "no" })))
        ]
        const fiber = yield* Effect.forkChild(typed(["watch", "--json"], { "control.events": () => streams.shift() }))
        yield* Effect.yieldNow
        yield* TestClock.adjust("31 seconds")
        yield* TestClock.adjust("1 second")
        yield* Deferred.await(again)
        const { code, stderr } = yield* Fiber.join(fiber)
        assert.strictEqual(code, 1)
        assert.match(stderr, /^👀 .*\n🔌 The connection .*\n❌ no$/)
      })
    )

    it.effect("tells an event as one line of JSON", () =>
      Effect.gen(function* () {
        const refused = Effect.fail(new Refused({ message: "enough" }))
        const streams = [Effect.succeed(Stream.make(ledger(7))), refused]
        const fiber = yield* Effect.forkChild(typed(["watch", "--json"], { "control.events": () => streams.shift() }))
        yield* Effect.yieldNow
        yield* TestClock.adjust("1 second")
        const { stdout } = yield* Fiber.join(fiber)
        assert.notInclude(stdout, "\n")
        assert.deepInclude(JSON.parse(stdout), { id: 7, at: "1970-01-01T00:00:00.000Z", batch: null })
      })
    )

    it.effect("does not wait for an executor that was not there to begin with", () =>
      Effect.gen(function* () {
        const told = yield* typed(["watch"])
        assert.deepInclude(told, { code: 1, stderr: "❌ nobody is there" })
      })
    )
  })
})
