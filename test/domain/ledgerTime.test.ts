import { assert, describe, it } from "@effect/vitest"
import { notAheadOf, onLedgerTime } from "../../src/domain/ledgerTime.ts"

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
