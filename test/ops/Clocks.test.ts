import { assert, describe, it } from "@effect/vitest"
import { effects } from "../support/stories.ts"
import { Clock, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Clocks from "../../src/ops/Clocks.ts"
import * as Incidents from "../../src/ops/Incidents.ts"

const MINUTE = 60_000

/** The system clock of a test is the test's. */
const onTestClock = Layer.merge(Clocks.layer, Incidents.layer).pipe(
  Layer.provideMerge(
    Layer.effect(
      Clocks.SystemClock,
      Effect.clockWith((clock) => Effect.succeed(() => clock.currentTimeMillisUnsafe()))
    )
  )
)

const test = effects(it, onTestClock)

/** Looks at a chain whose clock is ahead of ours by `aheadMs`, three times in half a minute. */
const look = Effect.fnUntraced(function* (aheadMs: number, delaysMs = [0, 0, 0]) {
  for (const delayMs of delaysMs) {
    yield* TestClock.adjust("10 seconds")
    const nowMs = yield* Clock.currentTimeMillis
    yield* Clocks.noteHead({ number: BigInt(nowMs), timeMs: nowMs + aheadMs - delayMs })
  }
})

describe("Clocks", () => {
  test("know the difference from the chain's, however late some of its blocks are seen", function* () {
    yield* look(-2 * MINUTE, [90_000, 0, 45_000])
    assert.strictEqual(yield* Clocks.oursAheadMs, 2 * MINUTE)
  })

  test("take no chain that stands still for a clock that is behind", function* () {
    yield* look(0)
    const head = { number: BigInt(yield* Clock.currentTimeMillis), timeMs: yield* Clock.currentTimeMillis }
    for (let n = 0; n < 10; n++) {
      yield* TestClock.adjust("1 minute")
      yield* Clocks.noteHead(head)
    }
    assert.strictEqual(yield* Clocks.oursAheadMs, 0)
  })

  test("put deposits on the database's time line, and none while its clock is not known", function* () {
    yield* look(-2 * MINUTE)
    assert.strictEqual(yield* Clocks.ledgerAheadMs, 0)
    yield* Clocks.note(Clocks.DATABASE, (yield* Clock.currentTimeMillis) - MINUTE)
    assert.strictEqual(yield* Clocks.ledgerAheadMs, MINUTE)
  })

  test("span from the slowest to the fastest, and leave out one that is broken", function* () {
    yield* look(3 * MINUTE)
    const nowMs = yield* Clock.currentTimeMillis
    yield* Clocks.noteDate("node.example", new Date(nowMs + 5 * MINUTE).toUTCString())
    yield* Clocks.note(Clocks.DATABASE, nowMs - 365 * 24 * 60 * MINUTE)
    const { earliestMs, latestMs } = yield* Clocks.spread
    assert.strictEqual(earliestMs, -3 * MINUTE)
    assert.strictEqual(latestMs, 2 * MINUTE)
  })

  test("believe a block as late as the second-latest of the nodes' heads, and no node alone", function* () {
    const nowMs = yield* Clock.currentTimeMillis
    yield* Clocks.noteHeads([nowMs + 90 * MINUTE])
    assert.strictEqual(yield* Clocks.latestBelievableMs, nowMs + 2 * MINUTE)
    yield* Clocks.noteHeads([nowMs + 90 * MINUTE, nowMs + 10 * MINUTE])
    assert.strictEqual(yield* Clocks.latestBelievableMs, nowMs + 12 * MINUTE)
    yield* TestClock.adjust("2 hours")
    assert.strictEqual(yield* Clocks.latestBelievableMs, nowMs + 122 * MINUTE)
  })

  test("are told of where they differ by more than 30 seconds, until they agree", function* () {
    yield* look(-2 * MINUTE)
    yield* Clocks.reportDifferences
    const [incident] = yield* Incidents.open
    assert.include(incident?.words ?? "", "this machine is 2m ahead of it")
    assert.isFalse(incident?.stopsMoney)
    yield* TestClock.adjust("2 hours")
    yield* look(0)
    yield* Clocks.reportDifferences
    assert.deepStrictEqual(yield* Incidents.open, [])
  })
})
