import { assert, describe, it } from "@effect/vitest"
import { countsFor, LIMIT_WINDOW_MS, limitReached, type LimitUse } from "../../src/domain/Limit.ts"
import { limitWords } from "../../src/domain/NextStep.ts"
import { expire, sign } from "../../src/domain/transferTransitions.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NOW_MS, plannedBatch } from "./given.ts"

const batch = plannedBatch()
const dollars = (amount: number) => usdc(BigInt(amount) * 1_000_000n)

const limit = (change: Partial<LimitUse> = {}): LimitUse => ({
  scope: "all",
  perDay: dollars(10),
  used: dollars(10),
  frees: [],
  ...change
})

describe("a limit of a day", () => {
  it("has room as soon as enough of the oldest payments count no longer", () => {
    const frees = [
      { atMs: NOW_MS + 1, amount: dollars(5) },
      { atMs: NOW_MS + 2, amount: dollars(1) },
      { atMs: NOW_MS + 3, amount: dollars(4) }
    ]
    assert.strictEqual(limitReached([limit({ frees })], batch)?.freeAtMs, NOW_MS + 2)
    assert.isUndefined(limitReached([limit({ used: dollars(4), frees })], batch))
  })

  it("keeps a batch waiting for the last of those that have no room", () => {
    const soon = limit({ frees: [{ atMs: NOW_MS + 1, amount: dollars(10) }] })
    const later = limit({ scope: `token:${batch.token}`, frees: [{ atMs: NOW_MS + 2, amount: dollars(10) }] })
    assert.strictEqual(limitReached([soon, later], batch)?.scope, later.scope)
    const never = limit({ scope: `user:${batch.recipient}`, perDay: dollars(5), used: dollars(0) })
    const reached = limitReached([soon, never, later], batch)
    assert.strictEqual(reached?.scope, never.scope)
    assert.isUndefined(reached?.freeAtMs)
  })

  it("counts a payment from its signature on for 24 hours, at what was signed, and not once it is void", () => {
    const window = { amount: dollars(2), payTo: batch.payTo, validAfter: 1, validBefore: 2, block: 1n }
    const signed = sign(batch, window, NOW_MS)
    assert.strictEqual(countsFor(batch, NOW_MS), 0n)
    assert.strictEqual(countsFor(signed, NOW_MS), dollars(2))
    assert.strictEqual(countsFor(signed, NOW_MS + LIMIT_WINDOW_MS - 1), dollars(2))
    assert.strictEqual(countsFor(signed, NOW_MS + LIMIT_WINDOW_MS), 0n)
    const lapsed = expire(signed, { nowMs: NOW_MS, block: { number: 9n, timeMs: NOW_MS } })
    assert.strictEqual(countsFor(lapsed, NOW_MS), 0n)
    assert.strictEqual(countsFor(sign(lapsed, window, NOW_MS + 5), NOW_MS + 5), dollars(2))
  })

  it("says which it is and when there is room, and nothing of what other people buy", () => {
    const frees = [{ atMs: NOW_MS, amount: dollars(10) }]
    const reached = limitReached([limit({ scope: `token:${batch.token}`, frees })], batch)
    assert.isDefined(reached)
    assert.strictEqual(
      limitWords(reached),
      `the limit of 10.00 USDC a day for token ${batch.token} is used: ` +
        `the next batch may cost 6.00 USDC, there is room at ${new Date(NOW_MS).toISOString()}`
    )
    const own = limitWords({ ...reached, scope: `user:${batch.recipient}` })
    assert.include(own, "is used: 10.00 USDC were signed in the last 24 hours, the next batch", "the person's own")
    assert.include(limitWords({ ...reached, freeAtMs: undefined }), "is less than one batch")
  })
})
