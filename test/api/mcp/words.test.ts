import { assert, describe, it } from "@effect/vitest"
import { orderWords } from "../../../src/api/mcp/words.ts"
import { zero } from "../../../src/domain/Usdc.ts"
import type { TaskReport } from "../../../src/operator/reports/tasks.ts"
import { completed, unpaid } from "./given.ts"

const paid: TaskReport = {
  ...completed,
  status: "processing",
  mintsCompleted: 2,
  paymentState: "in_flight",
  nextAction: "wait"
}

const cases: ReadonlyArray<readonly [string, TaskReport, string]> = [
  [
    "is paid for, and being minted",
    paid,
    `is being minted: 2 of 5 mints are delivered to ${unpaid.userAddress}. Next: call wait_for_order.`
  ],
  ["begins", { ...paid, status: "funded" }, "is paid, and its minting begins. Next: call wait_for_order."],
  [
    "has its money, which is not confirmed yet",
    { ...unpaid, paymentState: "partial", nextAction: "wait", amountDue: zero },
    "has money, which is being confirmed: do not pay again. Next: call wait_for_order."
  ],
  [
    "cannot be paid for now",
    { ...unpaid, nextAction: "wait", amountDue: undefined },
    "is not paid, and cannot be paid now: do not pay. Next: call wait_for_order."
  ],
  [
    "is completed",
    completed,
    `is completed: 5 of 5 mints are delivered to ${unpaid.userAddress}. There is nothing left to do.`
  ],
  [
    "is held",
    { ...paid, nextAction: "ask_operator", held: { reason: "the nonce is cancelled", since: 0 } },
    "is processing and waits for an operator: the nonce is cancelled. Money that was paid is safe: do not pay for it now, and do not order again. " +
      "Next: tell the person, and give the operator the order's id."
  ],
  [
    "failed, with credit left",
    {
      ...completed,
      status: "failed",
      mintsCompleted: 1,
      errorMessage: "refused",
      paymentState: "refundable",
      nextAction: "new_order"
    },
    `failed: refused. 1 of 5 mints are delivered to ${unpaid.userAddress}. Do not pay for it. USDC is left in the person's agent ` +
      "wallet: a new order uses it, and the operator can send it back. Next: place a new order if the person still wants the mints."
  ],
  [
    "is cancelled",
    {
      ...completed,
      status: "cancelled",
      errorMessage: "Payment timeout",
      paymentState: "unpaid",
      nextAction: "new_order"
    },
    "is cancelled: Payment timeout. Do not pay for it. Next: place a new order if the person still wants the mints."
  ]
]

describe("what an agent is told of an order that", () => {
  it.each(cases)("%s", (_, order, words) => {
    assert.strictEqual(orderWords(order, 0), `Order ${order.id} ${words}`)
  })
})
