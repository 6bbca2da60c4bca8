import { assert, describe, it } from "@effect/vitest"
import { explanationWords } from "../../../src/cli/words/explain.ts"
import { taskListWords, taskWords } from "../../../src/cli/words/tasks.ts"
import { ADDRESS, assertFits, explanationOf, HASH, ID, LONG, LOOK, NOW, taskOf } from "./given.ts"

describe("the list of orders", () => {
  it("tells an order in a line, whatever there is to say about it", () => {
    const list = [
      taskOf(),
      taskOf({ status: "processing", held: { reason: LONG, since: NOW }, mintsCompleted: 999, quantity: 1000 }),
      taskOf({ status: "failed", errorMessage: LONG, totalCost: 1_000_000_000_000_001n, createdAt: undefined })
    ]
    const lines = taskListWords({ tasks: list, next: undefined }, LOOK)
    assertFits(lines)
    assert.lengthOf(lines, 4)
    assert.match(
      lines[1] ?? "",
      /^b3319f58 {2}pending_payment +0\/10 +10\.00 +2m 15s {2}0xabab…abab {2}7m 45s left to pay$/
    )
    assert.match(lines[2] ?? "", /999\/1000 .* held: the facil.*…$/)
    assert.match(lines[3] ?? "", /failed .* 1000000000\.000001 +- /)
  })

  it("says so where there is none", () => {
    assert.deepStrictEqual(taskListWords({ tasks: [], next: undefined }, LOOK), ["There is no such order."])
  })
})

describe("an order", () => {
  it("is told with whole ids and addresses, and what is not known is left out", () => {
    const lines = taskWords(
      taskOf({
        held: { reason: LONG, since: NOW },
        errorMessage: LONG,
        retryCount: 2,
        fundingTx: HASH,
        startedAt: NOW
      }),
      LOOK
    )
    assertFits(lines)
    const text = lines.join("\n")
    for (const whole of [ID, ADDRESS, HASH]) assert.include(text, whole)
    assert.match(text, /^ {3}Created: +2026-11-28 11:57:45 UTC \(2m 15s ago\)$/m)
    assert.match(text, /^ {3}To be paid by: 2026-11-28 12:07:45 UTC$/m)
    assert.notMatch(text, /Ended|undefined/)
  })

  it("says where nobody can pay", () => {
    const text = taskWords(taskOf({ agentAddress: undefined }), LOOK).join(" ")
    assert.match(text, /Pays to: +unknown: there is no agent wallet/)
  })
})

describe("an explanation", () => {
  const step = { at: NOW, kind: "signed", text: LONG, batch: 1, txs: [HASH] }

  it("tells summary, times, batches, money, and what to type", () => {
    const lines = explanationWords(
      explanationOf({
        summary: `${LONG} ${LONG}`,
        steps: [{ ...step, at: NOW - 86_400_000, text: "Ordered" }, step, { ...step, at: undefined, text: "Undated" }],
        next: { text: LONG, at: NOW, commands: [`resolve --wallet ${ADDRESS} --why "${LONG}"`, "retry b3319f58"] }
      }),
      LOOK
    )
    assertFits(lines)
    const text = lines.join("\n")
    assert.match(text, /^ {3}2026-11-27\n {3}12:00:00 UTC {2}Ordered$/m)
    assert.match(text, /^ {3}2026-11-28\n {3}12:00:00 UTC {2}the facilitator said:$/m)
    assert.match(text, new RegExp(`^ {17}${HASH}$`, "m"))
    assert.match(text, /^ {17}Undated$/m)
    assert.match(text, /^Batches\n {3}batch {2}status/m)
    assert.match(text, /^ {3}Still needed: /m)
    assert.match(text, /^ {3}At 2026-11-28 12:00:00 UTC$/m)
    assert.match(text, /^ {3}→ ai-mint retry b3319f58$/m)
  })

  it("says where the chain does not answer", () => {
    const money = { ...explanationOf().money, onChain: undefined, block: undefined }
    assert.match(
      explanationWords(explanationOf({ money }), LOOK).join("\n"),
      /On chain: +not known: the chain does not/
    )
  })
})
