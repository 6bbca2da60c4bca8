import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { KeyList } from "../../src/operator/reports/keys.ts"
import { EventReport, StatusReport } from "../../src/operator/reports/status.ts"
import { Explanation } from "../../src/operator/reports/tasks.ts"
import { DeliveryList, WebhookList } from "../../src/operator/reports/webhooks.ts"
import { at, DELIVERIES, explanation, KEYS, LIMITS, minting, overview, taskId, WEBHOOKS } from "./sample.ts"

describe("what the fake executor says", () => {
  it("is what the contract says, there and back", () => {
    const all = overview()
    assert.deepStrictEqual(Schema.encodeSync(StatusReport)(Schema.decodeUnknownSync(StatusReport)(all)), all)
    const limited = overview({ limits: LIMITS })
    assert.deepStrictEqual(Schema.encodeSync(StatusReport)(Schema.decodeUnknownSync(StatusReport)(limited)), limited)
    const keys = { keys: KEYS }
    assert.deepStrictEqual(Schema.encodeSync(KeyList)(Schema.decodeUnknownSync(KeyList)(keys)), keys)
    const webhooks = { command: "webhooks", webhooks: WEBHOOKS } as const
    assert.deepStrictEqual(Schema.encodeSync(WebhookList)(Schema.decodeUnknownSync(WebhookList)(webhooks)), webhooks)
    const deliveries = { command: "deliveries", deliveries: DELIVERIES } as const
    assert.deepStrictEqual(
      Schema.encodeSync(DeliveryList)(Schema.decodeUnknownSync(DeliveryList)(deliveries)),
      deliveries
    )
    const told = explanation(minting("5c2d9e10"))
    assert.deepStrictEqual(Schema.encodeSync(Explanation)(Schema.decodeUnknownSync(Explanation)(told)), told)
    const event = {
      id: 1,
      at: at(0),
      kind: "task.seen",
      text: "Seen",
      taskId: taskId("5c2d9e10"),
      walletId: null,
      batch: null,
      detail: {}
    }
    assert.deepStrictEqual(Schema.encodeSync(EventReport)(Schema.decodeUnknownSync(EventReport)(event)), event)
    const { text: _, ...older } = event
    assert.strictEqual(Schema.decodeUnknownSync(EventReport)(older).text, "Seen")
  })
})
