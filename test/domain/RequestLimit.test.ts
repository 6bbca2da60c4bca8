import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import {
  afterRequest,
  initialLimit,
  openAtMs,
  placesOf,
  type RequestEnd,
  type RequestLimit,
  RETRY_AFTER_MS_MAX
} from "../../src/domain/RequestLimit.ts"
import { between, MANY } from "./given.ts"

const MAX = 64

/** So many requests that left and ended together. */
const together = (count: number, end: Partial<RequestEnd> = {}): ReadonlyArray<RequestEnd> =>
  Array.from({ length: count }, () => ({ kind: "quote", leftMs: 100, endedMs: 200, ...end }))

const after = (before: RequestLimit, ends: ReadonlyArray<RequestEnd>, max = MAX): RequestLimit =>
  ends.reduce((limit, end) => afterRequest(limit, end, max), before)

const fresh = initialLimit(MAX)

/** Rounds in which as many requests as may be in the air leave together, and are all answered. */
const wellFor = (rounds: number, before: RequestLimit, max = MAX): RequestLimit => {
  let limit = before
  for (let round = 0; round < rounds; round++) {
    const leftMs = 1_000_000 + round * 1_000
    limit = after(limit, together(placesOf(limit, max), { leftMs, endedMs: leftMs + 500 }), max)
  }
  return limit
}

const times = Arbitrary.all({ leftMs: between(0, 100_000), tookMs: between(0, 60_000) })
const ends: Arbitrary.Arbitrary<ReadonlyArray<RequestEnd>> = Arbitrary.array(
  Arbitrary.map(Arbitrary.all({ times, how: between(0, 5), retryAfterMs: between(0, 1_000_000) }), (drawn) => {
    const { leftMs, tookMs } = drawn.times
    const kind = drawn.how % 2 === 0 ? ("quote" as const) : ("pay" as const)
    const end = { kind, leftMs, endedMs: leftMs + tookMs }
    if (drawn.how < 2) return { ...end, trouble: "NoAnswer" as const }
    return drawn.how === 2 ? { ...end, trouble: "Overloaded" as const, retryAfterMs: drawn.retryAfterMs } : end
  }),
  { maxLength: 200 }
)

describe("the limit of requests in the air", () => {
  it.prop(
    "is never below one nor above the maximum, whatever comes",
    [ends, between(1, 100)],
    ([some, max]) => {
      let limit = initialLimit(max)
      for (const end of some) {
        limit = afterRequest(limit, end, max)
        assert.isAtLeast(placesOf(limit, max), 1)
        assert.isAtMost(placesOf(limit, max), max)
        assert.isAtMost(limit.retryAtMs - end.endedMs, RETRY_AFTER_MS_MAX + 60_000 + 100_000)
      }
    },
    MANY
  )

  it.prop(
    "comes back to the maximum once the server is well",
    [ends, between(1, 100)],
    ([some, max]) => {
      const limit = wellFor(max * 3 + 20, after(initialLimit(max), some, max), max)
      assert.strictEqual(placesOf(limit, max), max)
      assert.isAtMost(limit.probeAtMs, 0)
    },
    MANY
  )

  it("is halved once by all that were in the air together, and again by those that left after that", () => {
    const once = after(fresh, together(64, { trouble: "Overloaded" }))
    assert.strictEqual(placesOf(once, MAX), 32)
    const late = after(once, together(10, { leftMs: 150, endedMs: 900, trouble: "Overloaded" }))
    assert.strictEqual(placesOf(late, MAX), 32)
    assert.strictEqual(placesOf(after(late, together(1, { leftMs: 901, trouble: "Overloaded" })), MAX), 16)
  })

  it("grows by one with each round of answers after that", () => {
    const once = after(fresh, together(64, { trouble: "Overloaded" }))
    const round = after(once, together(33, { leftMs: 300, endedMs: 400 }))
    assert.strictEqual(placesOf(round, MAX), 33)
  })

  it("is one where nothing is answered, with a longer pause before each probe, and doubles when something is", () => {
    let limit = after(fresh, together(64, { trouble: "NoAnswer" }))
    assert.deepStrictEqual([placesOf(limit, MAX), openAtMs(limit)], [1, 5_200])
    limit = after(limit, together(1, { leftMs: 5_200, endedMs: 5_201, trouble: "NoAnswer" }))
    assert.deepStrictEqual([placesOf(limit, MAX), openAtMs(limit)], [1, 15_201])
    limit = after(limit, together(1, { leftMs: 15_201, endedMs: 15_202, trouble: "NoAnswer" }))
    assert.deepStrictEqual([placesOf(limit, MAX), openAtMs(limit)], [1, 30_202])
    limit = after(limit, together(1, { leftMs: 30_202, endedMs: 30_300 }))
    assert.deepStrictEqual([placesOf(limit, MAX), openAtMs(limit)], [2, Number.NEGATIVE_INFINITY])
    limit = after(limit, together(2, { leftMs: 30_300, endedMs: 30_400 }))
    assert.strictEqual(placesOf(limit, MAX), 4)
    limit = wellFor(5, limit)
    assert.strictEqual(placesOf(limit, MAX), MAX)
  })

  it("is halved, and no more, by requests without an answer while others have one", () => {
    const answered = after(fresh, together(1, { endedMs: 150 }))
    assert.strictEqual(placesOf(after(answered, together(20, { trouble: "NoAnswer" })), MAX), 32)
  })

  it("leaves a server alone for as long as it asks, and no longer than five minutes", () => {
    const asked = (retryAfterMs: number) =>
      openAtMs(after(fresh, together(3, { trouble: "Overloaded", retryAfterMs }))) - 200
    assert.deepStrictEqual([0, 7_000, 86_400_000].map(asked), [0, 7_000, RETRY_AFTER_MS_MAX])
    const answered = after(fresh, [
      ...together(1, { trouble: "Overloaded", retryAfterMs: 7_000 }),
      ...together(9, { endedMs: 300 })
    ])
    assert.strictEqual(openAtMs(answered), 7_200, "an answer to what left before changes nothing about that")
  })

  it("is halved where answers take four times as long as they did, and five seconds more", () => {
    const usual = after(fresh, together(50, { kind: "pay", leftMs: 0, endedMs: 2_000 }))
    assert.strictEqual(placesOf(usual, MAX), MAX)
    const longer = after(usual, together(50, { kind: "pay", leftMs: 3_000, endedMs: 9_500 }))
    assert.strictEqual(placesOf(longer, MAX), MAX)
    const slow = after(longer, together(50, { kind: "pay", leftMs: 10_000, endedMs: 22_000 }))
    assert.strictEqual(placesOf(slow, MAX), 32)
    // The pace that it has for good is what it is measured by in the end.
    assert.strictEqual(placesOf(wellFor(200, slow), MAX), MAX)
  })

  it("follows a maximum that changes", () => {
    assert.strictEqual(placesOf(fresh, 16), 16)
    assert.strictEqual(placesOf(after(fresh, together(16, { trouble: "Overloaded" }), 16), 16), 8)
    assert.strictEqual(placesOf(wellFor(200, initialLimit(16)), 64), 64)
  })
})
