import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { duration, words } from "../../src/domain/time.ts"

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const Ms = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 * 24 * HOUR_MS }))

describe("an age", () => {
  it.each([
    [2 * MINUTE_MS + 15 * SECOND_MS, "2m 15s"],
    [45 * SECOND_MS, "45s"],
    [10 * MINUTE_MS, "10m"],
    [HOUR_MS + 3 * MINUTE_MS, "1h 3m"],
    [HOUR_MS + 59 * SECOND_MS, "1h"],
    [26 * HOUR_MS, "1d 2h"],
    [59_999, "59s"],
    [1_999, "1s"],
    [450, "450ms"],
    [0, "0s"],
    [-5_000, "0s"]
  ])("of %d ms is %s", (ms, told) => {
    assert.strictEqual(duration(ms), told)
  })

  it.prop("is never told longer than it is", [Ms], ([ms]) => {
    const units: Record<string, number> = { d: 24 * HOUR_MS, h: HOUR_MS, m: MINUTE_MS, s: SECOND_MS, ms: 1 }
    const told = [...duration(ms).matchAll(/(\d+)(ms|[dhms])/g)]
    const toldMs = told.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? Number.NaN), 0)
    assert.isAtMost(toldMs, ms)
    assert.isAbove(toldMs, ms - Math.max(SECOND_MS, ms / 24))
  })
})

describe("a length of time in words", () => {
  it.each([
    [10 * MINUTE_MS, "10 minutes"],
    [20 * SECOND_MS, "20 seconds"],
    [MINUTE_MS, "1 minute"],
    [90 * SECOND_MS, "90 seconds"],
    [90 * MINUTE_MS, "90 minutes"],
    [24 * HOUR_MS, "1 day"],
    [1_500, "1500 milliseconds"],
    [1, "1 millisecond"],
    [0, "0 seconds"]
  ])("of %d ms is %s", (ms, told) => {
    assert.strictEqual(words(ms), told)
  })
})
