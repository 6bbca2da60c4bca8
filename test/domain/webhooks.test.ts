import { assert, describe, it } from "@effect/vitest"
import {
  type Happened,
  messageOf,
  PAUSES_MS,
  pauseAfter,
  WEBHOOK_EVENTS,
  webhookEventOf
} from "../../src/domain/webhooks.ts"

const event = (changes: Partial<Happened>): Happened => ({
  id: 7,
  atMs: 1_761_974_130_000,
  kind: "task.completed",
  taskId: "22222222-2222-4222-8222-222222222222",
  walletId: "11111111-1111-4111-8111-111111111111",
  user: `0x${"aa".repeat(20)}`,
  batch: undefined,
  detail: {},
  ...changes
})

const dataOf = (changes: Partial<Happened>) => JSON.parse(messageOf(event(changes))?.body ?? "null").data

describe("what a webhook is told", () => {
  it("is an event of the public list, each of which something leads to", () => {
    const kinds = [
      ...["created", "funded", "processing", "completed", "failed", "cancelled"].map((status) => `task.${status}`),
      "deposit.arrived",
      ...["signed", "paid", "delivered"].map((status) => `batch.${status}`),
      "refund.signed",
      "refund.paid",
      "attention.opened",
      "attention.closed"
    ]
    assert.sameMembers(kinds.map(webhookEventOf), [...WEBHOOK_EVENTS])
    for (const kind of ["batch.noted", "decision.made", "task.held", "task.constructor", ""]) {
      assert.isUndefined(messageOf(event({ kind })), kind)
    }
  })

  it("is thin: no reason, no nonce, no message of a server", () => {
    const detail = { from: "processing", message: "secret", reason: "secret", nonce: "0x1", amount: "5", tx: "0x2" }
    assert.deepStrictEqual(dataOf({ detail }), {
      sequence: 7,
      orderId: "22222222-2222-4222-8222-222222222222",
      walletId: "11111111-1111-4111-8111-111111111111",
      user: `0x${"aa".repeat(20)}`,
      status: "completed"
    })
    assert.deepInclude(dataOf({ kind: "batch.paid", batch: 2, detail }), { batch: 2, amount: "5", tx: "0x2" })
    assert.notProperty(dataOf({ kind: "batch.paid", batch: 2, detail }), "nonce")
    assert.deepInclude(dataOf({ kind: "attention.opened", detail: { about: "held", reason: "x" } }), { about: "held" })
  })
})

describe("the pause behind an attempt that failed", () => {
  it("grows to a day, and there is none behind the tenth", () => {
    const minutes = PAUSES_MS.map((ms) => ms / 60_000)
    assert.deepStrictEqual(minutes, [5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440])
    assert.deepStrictEqual(
      [1, 9, 10].map((attempt) => pauseAfter(attempt, 0)),
      [5_000, 86_400_000, undefined]
    )
  })

  it("is up to a tenth longer by chance", () => {
    assert.strictEqual(pauseAfter(2, 1), 330_000)
  })

  it("is as long as the endpoint asks for, to a day, and never shorter", () => {
    assert.strictEqual(pauseAfter(1, 0, 60_000), 60_000)
    assert.strictEqual(pauseAfter(2, 0, 1_000), 300_000)
    assert.strictEqual(pauseAfter(1, 0, 1e12), 86_400_000)
  })
})
