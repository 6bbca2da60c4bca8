import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Incidents from "../../src/ops/Incidents.ts"
import { effects } from "../support/stories.ts"

const keys = Effect.map(Incidents.open, (incidents) => incidents.map(({ key }) => key))

describe("Incidents", () => {
  const test = effects(it, Incidents.layer)

  test("shows a condition since it was first seen, however often it is raised", function* () {
    yield* Incidents.raise("usdc", "USDC is paused")
    yield* TestClock.adjust("1 minute")
    yield* Incidents.raise("usdc", "USDC is still paused")
    assert.deepStrictEqual(yield* Incidents.open, [
      { key: "usdc", words: "USDC is still paused", sinceMs: 0, stopsMoney: false }
    ])
  })

  test("shows a condition that may pass only once it has lasted", function* () {
    yield* Incidents.raise("logs", "no node has the log", 120_000)
    assert.deepStrictEqual(yield* keys, [])
    yield* TestClock.adjust("2 minutes")
    yield* Incidents.raise("logs", "no node has the log", 120_000)
    assert.deepStrictEqual(yield* keys, ["logs"])
  })

  test("ends a condition that is closed, and one that nothing raises any more", function* () {
    yield* Incidents.raise("one", "closed")
    yield* Incidents.raise("two", "forgotten")
    yield* Incidents.close("one")
    assert.deepStrictEqual(yield* keys, ["two"])
    yield* TestClock.adjust("6 minutes")
    assert.deepStrictEqual(yield* keys, [])
  })

  test("keeps at most 500 conditions, and takes new ones when old ones are forgotten", function* () {
    for (let n = 0; n < 600; n++) yield* Incidents.raise(`key ${n}`, "words")
    assert.strictEqual((yield* Incidents.open).length, 500)
    yield* TestClock.adjust("6 minutes")
    yield* Incidents.raise("new", "words")
    assert.deepStrictEqual(yield* keys, ["new"])
  })
})
