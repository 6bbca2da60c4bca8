import { assert, describe, it } from "@effect/vitest"
import { eventSentence } from "../../src/operator/events.ts"

describe("an event of the ledger, in a sentence", () => {
  it.each([
    ["task.created", { quantity: 5, cost: "5000000" }, "Ordered: 5 mints for 5.00 USDC"],
    ["task.funded", {}, "Paid: its cost is reserved, ? mints to be made"],
    ["task.refused", { message: "Retry 1/3: sold out" }, "Refused: Retry 1/3: sold out"],
    ["task.held", { reason: "Held for the operator: so" }, "Held for a person: so"],
    ["task.cancelled", { message: null }, "Cancelled"],
    ["task.failed", { message: "Failed by the operator: so" }, "Failed by the operator: so"],
    [
      "batch.planned",
      { batches: 2, quantity: 12, amount: "1" },
      "Cut into 2 batches for 12 mints, at most 0.000001 USDC"
    ],
    ["deposit.arrived", { amount: "x", from: "0x1", block: "7" }, "0.00 USDC arrived from 0x1 in block 7"],
    [
      "pay_in.placed",
      { amount: "2000000", from: "0x1", validBefore: 1_761_974_130 },
      "The payment of 2.00 USDC that 0x1 signed for this order is under way, valid until 2025-11-01 05:15:30 UTC"
    ],
    [
      "pay_in.settled",
      { amount: "2000000", from: "0x1", block: "7" },
      "The payment of 2.00 USDC that 0x1 signed for this order arrived in block 7"
    ],
    [
      "pay_in.live",
      { amount: "2000000", from: "0x1" },
      "The payment of 2.00 USDC that 0x1 signed for this order is under way again: what was known of it is no longer on chain"
    ],
    [
      "pay_in.void",
      { amount: "2000000", from: "0x1", reason: "its window passed" },
      "The payment of 2.00 USDC that 0x1 signed for this order does not come: its window passed"
    ],
    ["refund.held", { amount: "1", to: "0x2", reason: "so" }, "Refund held: 0.000001 USDC to 0x2: so"],
    ["wallet.stopped", { reason: "theft" }, "The wallet is stopped: theft"],
    ["decision.made", { command: "retry", said: "so", why: "y" }, 'retry: so. "y"'],
    ["decision.made", { command: "retry", said: "so", why: "y", by: "me" }, 'retry by me: so. "y"'],
    ["moon.full", {}, "moon.full"]
  ] as const)("%s %j", (kind, detail, sentence) => {
    assert.strictEqual(eventSentence({ kind, batch: undefined, detail }), sentence)
  })

  it("names its batch", () => {
    const event = { kind: "batch.delivered", batch: 3, detail: { minted: 10, quantity: 10 } }
    assert.strictEqual(eventSentence(event), "Batch 3: delivered, all 10 mints")
  })
})
