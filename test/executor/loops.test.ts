import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { every } from "../../src/executor/loops.ts"
import { log, LogLines } from "../support/executor.ts"
import { settings } from "../support/settings.ts"
import { effects } from "../support/stories.ts"

const logging = log.pipe(Layer.provideMerge(settings()))

type End = "well" | "failure" | "defect"

/** A tick that ends as the list says, one after the other, and well from then on. */
const scripted = (ends: ReadonlyArray<End>) => {
  const atMs: Array<number> = []
  const tick = Effect.gen(function* () {
    const end = ends[atMs.length] ?? "well"
    atMs.push(yield* Clock.currentTimeMillis)
    if (end === "defect") return yield* Effect.die(new Error("boom"))
    if (end === "failure") return yield* Effect.fail({ message: "no answer" })
  })
  return { atMs, tick }
}

const loop = (tick: Effect.Effect<void, { readonly message: string }>) =>
  Effect.forkScoped(every("Check", Duration.seconds(10), tick))

describe("a loop", () => {
  const test = effects(it, logging)

  test("ticks at once, and again an interval after each end", function* () {
    const { atMs, tick } = scripted([])
    yield* loop(Effect.andThen(tick, Effect.sleep("2 seconds")))
    yield* TestClock.adjust("36 seconds")
    assert.deepStrictEqual(atMs, [0, 12_000, 24_000, 36_000])
  })

  test("goes on after a tick that failed, and tells a lasting failure once a minute", function* () {
    const { atMs, tick } = scripted(Array<End>(30).fill("failure"))
    const fiber = yield* loop(tick)
    yield* TestClock.adjust("119 seconds")
    assert.strictEqual(atMs.length, 12)
    assert.isUndefined(fiber.pollUnsafe())
    const { all } = yield* LogLines
    assert.deepStrictEqual(
      all,
      ["00:00", "01:00"].map((at) => `[1970-01-01T00:${at}.000Z] [WARN] ⚠️ Check skipped: no answer`)
    )
  })

  test("goes on after a tick that died, and tells every one of them with where it broke", function* () {
    const { atMs, tick } = scripted(["well", "defect", "defect"])
    yield* loop(tick)
    yield* TestClock.adjust("50 seconds")
    assert.strictEqual(atMs.length, 6)
    const { all } = yield* LogLines
    assert.strictEqual(all.length, 2)
    assert.match(
      all[0] ?? "",
      /^\[1970-01-01T00:00:10\.000Z\] \[ERROR\] 🚨 Check ended in a defect: Error: boom \(.+\)$/
    )
  })

  test("ends after ten ticks in a row that died: a service that is up and does nothing is the worst failure", function* () {
    const { atMs, tick } = scripted(Array<End>(30).fill("defect"))
    const fiber = yield* loop(tick)
    yield* TestClock.adjust("89 seconds")
    assert.isUndefined(fiber.pollUnsafe())
    yield* TestClock.adjust("1 second")
    assert.strictEqual(atMs.length, 10)
    const exit = yield* Fiber.await(fiber)
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
  })

  for (const between of ["well", "failure"] as const) {
    test(`counts defects anew after a tick that ended ${between === "well" ? "well" : "in a failure"}`, function* () {
      const nine = Array<End>(9).fill("defect")
      const { atMs, tick } = scripted([...nine, between, ...nine, between, ...nine])
      const fiber = yield* loop(tick)
      yield* TestClock.adjust("400 seconds")
      assert.strictEqual(atMs.length, 41)
      assert.isUndefined(fiber.pollUnsafe())
    })
  }

  test("ends at once and in silence where it is told to stop", function* () {
    const fiber = yield* loop(Effect.never)
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.interrupt(fiber)
    const exit = yield* Fiber.await(fiber)
    assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    assert.deepStrictEqual((yield* LogLines).all, [])
  })
})
