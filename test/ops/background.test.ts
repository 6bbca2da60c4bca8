import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { repeated, reported } from "../../src/ops/background.ts"
import { log, LogLines } from "../support/executor.ts"
import { settings } from "../support/settings.ts"
import { effects } from "../support/stories.ts"

const logging = log.pipe(Layer.provideMerge(settings()))

const boom = Effect.die(new Error("boom"))

describe("work in the background", () => {
  const test = effects(it, logging)

  test("goes on after a defect, and tells one that comes each time once a minute", function* () {
    const atMs: Array<number> = []
    const work = Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      Effect.andThen(
        Effect.sync(() => atMs.push(nowMs)),
        boom
      )
    )
    const fiber = yield* Effect.forkScoped(repeated("The heartbeat", "10 seconds", work))
    yield* TestClock.adjust("65 seconds")
    assert.deepStrictEqual(
      atMs,
      [0, 10, 20, 30, 40, 50, 60].map((seconds) => seconds * 1_000)
    )
    assert.isUndefined(fiber.pollUnsafe())
    const { all } = yield* LogLines
    assert.lengthOf(all, 2)
    assert.match(
      all[0] ?? "",
      /^\[1970-01-01T00:00:00\.000Z\] \[ERROR\] 🚨 The heartbeat ended in a defect: Error: boom/
    )
  })

  test("ends when it is interrupted, and says nothing of it", function* () {
    const fiber = yield* Effect.forkScoped(repeated("The heartbeat", "10 seconds", Effect.never))
    yield* TestClock.adjust("1 second")
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual((yield* LogLines).all, [])
  })

  test("that is done once does not die without a word", function* () {
    yield* Effect.exit(reported("A turn", boom))
    yield* Effect.exit(reported("A turn", Effect.interrupt))
    const { all } = yield* LogLines
    assert.lengthOf(all, 1)
    assert.include(all[0], "🚨 A turn ended in a defect")
  })
})
