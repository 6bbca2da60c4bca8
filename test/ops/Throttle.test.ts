import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { makeThrottle } from "../../src/ops/Throttle.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const MINUTE_MS = 60_000

describe("a throttle", () => {
  test("lets a key through at once, and again when its time is over", function* () {
    const throttle = yield* makeThrottle({ every: "1 minute", capacity: 10 })
    assert.isTrue(yield* throttle("a"))
    assert.isFalse(yield* throttle("a"))
    yield* TestClock.adjust("59999 millis")
    assert.isFalse(yield* throttle("a"))
    yield* TestClock.adjust("1 millis")
    assert.isTrue(yield* throttle("a"))
  })

  test("counts from when a key was let through, not from when it was asked for", function* () {
    const throttle = yield* makeThrottle({ every: "1 minute", capacity: 10 })
    const answers: Array<boolean> = []
    for (let i = 0; i < 7; i++) {
      answers.push(yield* throttle("a"))
      yield* TestClock.adjust("30 seconds")
    }
    assert.deepStrictEqual(answers, [true, false, true, false, true, false, true])
  })

  test("keeps keys apart", function* () {
    const throttle = yield* makeThrottle({ every: "1 minute", capacity: 10 })
    assert.isTrue(yield* throttle("a"))
    assert.isTrue(yield* throttle("b"))
  })

  test("is silent when it is full, rather than forgetting what it has just said", function* () {
    const throttle = yield* makeThrottle({ every: "1 minute", capacity: 2 })
    const ask = () => Effect.all([throttle("a"), throttle("b"), throttle("c")])
    assert.deepStrictEqual(yield* ask(), [true, true, false])
    assert.deepStrictEqual(yield* ask(), [false, false, false])
    yield* TestClock.adjust("1 minute")
    assert.isTrue(yield* throttle("c"))
  })

  test("speaks again when the clock is set back", function* () {
    const throttle = yield* makeThrottle({ every: "1 minute", capacity: 1 })
    yield* TestClock.setTime(10 * MINUTE_MS)
    assert.isTrue(yield* throttle("a"))
    yield* TestClock.setTime(0)
    assert.isTrue(yield* throttle("a"))
  })

  it.effect.prop(
    "never lets more than its capacity through in one span of its time, nor a key twice",
    {
      steps: Schema.Array(
        Schema.Struct({
          key: Schema.Literals(["a", "b", "c", "d"]),
          waitMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: MINUTE_MS }))
        })
      )
    },
    ({ steps }) =>
      Effect.gen(function* () {
        const throttle = yield* makeThrottle({ every: "1 minute", capacity: 2 })
        const said: Array<{ readonly key: string; readonly atMs: number }> = []
        let nowMs = 0
        for (const { key, waitMs } of steps) {
          nowMs += waitMs
          yield* TestClock.setTime(nowMs)
          if (yield* throttle(key)) said.push({ key, atMs: nowMs })
        }
        for (const { key, atMs } of said) {
          const span = said.filter((other) => other.atMs >= atMs && other.atMs - atMs < MINUTE_MS)
          assert.isAtMost(span.length, 2)
          assert.strictEqual(span.filter((other) => other.key === key).length, 1)
        }
      })
  )
})
