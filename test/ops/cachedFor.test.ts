import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { cachedFor } from "../../src/ops/cachedFor.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const counting = Effect.gen(function* () {
  let asked = 0
  const ask = Effect.andThen(
    Effect.sleep("1 second"),
    Effect.sync(() => ++asked)
  )
  return yield* cachedFor(ask, () => Duration.seconds(2))
})

describe("an answer that is kept for a while", () => {
  test("is shared by all who ask while it is on its way, and for so long after it", function* () {
    const { now, forget } = yield* counting
    const answers = (count: number) =>
      Effect.forkChild(
        Effect.all(
          Array.from({ length: count }, () => now),
          { concurrency: "unbounded" }
        )
      )
    const first = yield* answers(3)
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(first.pollUnsafe(), yield* Effect.exit(Effect.succeed([1, 1, 1])))
    yield* TestClock.adjust("1999 millis")
    assert.strictEqual(yield* now, 1)
    yield* TestClock.adjust("1 millis")
    const second = yield* answers(2)
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(second.pollUnsafe(), yield* Effect.exit(Effect.succeed([2, 2])))
    yield* forget
    const third = yield* answers(1)
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(third.pollUnsafe(), yield* Effect.exit(Effect.succeed([3])))
  })

  test("is kept no longer where the clock of the machine is set back", function* () {
    const { now } = yield* counting
    const asking = yield* Effect.forkChild(now)
    yield* TestClock.adjust("1 second")
    assert.isDefined(asking.pollUnsafe())
    yield* TestClock.setTime((yield* Clock.currentTimeMillis) - 3_600_000)
    yield* TestClock.adjust("2 seconds")
    const again = yield* Effect.forkChild(now)
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(again.pollUnsafe(), yield* Effect.exit(Effect.succeed(2)))
  })
})
