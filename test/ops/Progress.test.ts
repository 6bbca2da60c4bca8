import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { every } from "../../src/executor/loops.ts"
import * as Progress from "../../src/ops/Progress.ts"
import { log } from "../support/executor.ts"
import { settings } from "../support/settings.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const fresh = Layer.fresh(Progress.layer).pipe(Layer.provideMerge(log), Layer.provideMerge(settings()))

/** Whether every loop that has begun is alive. */
const alive = (nowMs: number, questionMs = 0) =>
  Effect.map(Progress.state, ({ loops }) => loops.every((loop) => Progress.isAlive(loop, nowMs, questionMs)))

const aliveNow = Effect.flatMap(Clock.currentTimeMillis, (nowMs) => alive(nowMs))

const loopOf = (name: string) => Effect.map(Progress.state, ({ loops }) => loops.find((loop) => loop.name === name))

describe("the progress of the loops", () => {
  const provided = effects(it, fresh)

  provided("is alive before any loop has begun", function* () {
    yield* TestClock.adjust("1 hour")
    assert.isTrue(yield* aliveNow)
  })

  provided("tells how each loop's last tick ended, and when", function* () {
    const ends = [Effect.void, Effect.fail({ message: "the ledger does not answer" }), Effect.die(new Error("boom"))]
    let ticks = 0
    const tick = Effect.suspend(() => ends[ticks++] ?? Effect.void)
    yield* Effect.forkScoped(every("Mint tick", Duration.seconds(5), Effect.delay(tick, "2 seconds")))
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* loopOf("mint"), {
      name: "mint",
      intervalMs: 5_000,
      movedAtMs: 0,
      endedAtMs: undefined,
      outcome: undefined,
      problem: undefined
    })
    const seen: Array<unknown> = []
    for (let tick = 0; tick < 4; tick++) {
      yield* TestClock.adjust(tick === 0 ? "1 second" : "7 seconds")
      const { movedAtMs, endedAtMs, outcome, problem } = (yield* loopOf("mint"))!
      seen.push([movedAtMs, endedAtMs, outcome, problem])
    }
    assert.deepStrictEqual(seen, [
      [2_000, 2_000, "done", undefined],
      [9_000, 9_000, "failed", "the ledger does not answer"],
      [16_000, 16_000, "defect", "Error: boom"],
      [23_000, 23_000, "done", undefined]
    ])
  })

  provided("is dead a minute after a tick began that never ends", function* () {
    yield* Effect.forkScoped(every("Check", Duration.seconds(10), Effect.never))
    yield* TestClock.adjust("60 seconds")
    assert.isTrue(yield* aliveNow)
    yield* TestClock.adjust("1 second")
    assert.isFalse(yield* aliveNow)
  })

  provided("is alive while every tick fails by a time limit, for as long as it lasts", function* () {
    const down = Effect.delay(Effect.fail({ message: "no answer within 15s" }), "15 seconds")
    yield* Effect.forkScoped(every("Check", Duration.seconds(10), down))
    for (let minute = 0; minute < 60; minute++) {
      yield* TestClock.adjust("1 minute")
      assert.isTrue(yield* aliveNow)
    }
    assert.strictEqual((yield* loopOf("check"))?.outcome, "failed")
  })

  provided("is alive in a long tick that gets on", function* () {
    const stage = Effect.andThen(Effect.sleep("50 seconds"), Progress.moved("check"))
    yield* Effect.forkScoped(every("Check", Duration.seconds(10), Effect.repeat(stage, { times: 20 })))
    for (let minute = 0; minute < 15; minute++) {
      yield* TestClock.adjust("1 minute")
      assert.isTrue(yield* aliveNow)
    }
    assert.isUndefined((yield* loopOf("check"))?.endedAtMs)
  })

  provided("waits three intervals for a slow loop, and four questions where one may take long", function* () {
    yield* Progress.began("check", Duration.minutes(5))
    assert.isTrue(yield* alive(900_000))
    assert.isFalse(yield* alive(900_001))
    yield* Progress.began("check", Duration.seconds(10))
    assert.isFalse(yield* alive(120_000))
    assert.isTrue(yield* alive(120_000, 30_000))
    assert.isFalse(yield* alive(120_001, 30_000))
  })

  provided("is dead where one of several loops is, and tells which", function* () {
    yield* Effect.forkScoped(every("Check", Duration.seconds(10), Effect.void))
    yield* Effect.forkScoped(every("Mint tick", Duration.seconds(5), Effect.never))
    yield* TestClock.adjust("2 minutes")
    assert.isFalse(yield* aliveNow)
    const nowMs = yield* Clock.currentTimeMillis
    const { loops } = yield* Progress.state
    assert.deepStrictEqual(
      loops.map((loop) => [loop.name, Progress.isAlive(loop, nowMs)]),
      [
        ["check", true],
        ["mint", false]
      ]
    )
  })

  provided("keeps the last sweep, and when the process began", function* () {
    yield* TestClock.adjust("3 seconds")
    assert.isUndefined((yield* Progress.state).sweep)
    yield* Progress.sweepEnded({ checked: 7, funded: 2, cancelled: 1, tookMs: 40 })
    const { sweep, startedAtMs } = yield* Progress.state
    assert.deepStrictEqual(sweep, { checked: 7, funded: 2, cancelled: 1, tookMs: 40, atMs: 3_000 })
    assert.strictEqual(startedAtMs, 0)
  })

  test("begins anew with each layer", function* () {
    yield* Effect.provide(Progress.began("check", Duration.seconds(10)), fresh)
    assert.deepStrictEqual((yield* Effect.provide(Progress.state, fresh)).loops, [])
  })
})
