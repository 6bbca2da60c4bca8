import { assert, describe, it } from "@effect/vitest"
import { blockBefore, notAheadOf, onLedgerTime } from "../../src/domain/Block.ts"
import { between, NOW_MS } from "./given.ts"

describe("where a search of logs starts", () => {
  it.prop(
    "is before the time in question at the network's pace, and never before block 0",
    [between(0, 100_000), between(1, 12)],
    ([agoSeconds, blockSeconds]) => {
      const start = blockBefore({ number: 60_000n, timeMs: NOW_MS }, NOW_MS - agoSeconds * 1_000, blockSeconds)
      const blocks = BigInt(Math.ceil(agoSeconds / blockSeconds))
      assert.isTrue(start >= 0n)
      assert.isTrue(start === 0n || start <= 60_000n - blocks)
    }
  )

  it("has a margin even for what is yet to come: clocks differ", () => {
    const tip = { number: 1_000n, timeMs: NOW_MS }
    assert.strictEqual(blockBefore(tip, NOW_MS + 60_000, 2), 850n)
    assert.strictEqual(blockBefore(tip, NOW_MS - 20_000, 2), 840n)
    assert.strictEqual(blockBefore({ ...tip, number: 10n }, NOW_MS, 2), 0n)
  })
})

const block = { number: 1n, timeMs: 1_000_000 }

describe("the time line of the ledger", () => {
  it("has a deposit when the database would have written it down", () => {
    assert.strictEqual(onLedgerTime({ block }, 120_000).block.timeMs, 1_120_000)
    assert.strictEqual(onLedgerTime({ block }, -120_000).block.timeMs, 880_000)
  })

  it("makes a deadline later where the chain is ahead, and never earlier than the chain says", () => {
    assert.strictEqual(notAheadOf(block, -120_000).timeMs, 880_000)
    assert.strictEqual(notAheadOf(block, 120_000).timeMs, 1_000_000)
  })
})
