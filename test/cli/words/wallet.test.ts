import { assert, describe, it } from "@effect/vitest"
import { usdc } from "../../../src/domain/Usdc.ts"
import { eventWords } from "../../../src/cli/words/event.ts"
import { pausedWords } from "../../../src/cli/words/pauses.ts"
import { walletWords } from "../../../src/cli/words/wallet.ts"
import { ADDRESS, assertFits, HASH, ID, LONG, LOOK, NOW, taskOf, walletOf } from "./given.ts"

describe("a wallet", () => {
  it("is told with the chain beside the ledger", () => {
    const lines = walletWords(walletOf(), LOOK)
    assertFits(lines)
    const text = lines.join("\n")
    assert.match(text, /^on chain +12\.50 {2}in block 24518811, 2026-11-28 12:00:00 UTC$/m)
    assert.match(text, /^the ledger expects +12\.50 {2}counted up to block 24518800$/m)
    assert.match(text, /^reserved +10\.00$/m)
    assert.match(text, /^free credit +2\.50$/m)
    assert.notMatch(text, /Stopped|Deposits|Refunds|Decisions|Open orders/)
  })

  it("is told with all that happened to its money", () => {
    const deposit = { tx: HASH, from: ADDRESS, amount: usdc(5_000_000n), left: usdc(1n), block: 7n, at: NOW }
    const refund = {
      id: ID,
      status: "held",
      amount: usdc(1n),
      to: ADDRESS,
      tx: HASH,
      reason: LONG,
      createdAt: NOW
    } as const
    const lines = walletWords(
      walletOf({
        stopped: { reason: LONG, since: NOW },
        chain: undefined,
        credit: undefined,
        tasks: [taskOf()],
        deposits: [deposit],
        refunds: [refund],
        decisions: [{ at: NOW, command: "retry", said: LONG, why: LONG, by: LONG }]
      }),
      LOOK
    )
    assertFits(lines)
    const text = lines.join("\n")
    assert.match(text, /^🛑 Stopped since 2026-11-28 12:00:00 UTC: the facilitator said:/m)
    assert.match(text, /^ {3}→ ai-mint resolve --wallet 0x(ef)+ --why "…"$/m)
    assert.match(text, /^on chain +\? {2}the chain does not answer$/m)
    assert.match(text.replaceAll(/\s+/g, " "), /5\.00 USDC from 0x(ab)+, in block 7, 0\.000001 USDC of it not used yet/)
    assert.include(text, `      ${HASH}`)
    assert.match(text, /b3319f58, held: 0\.000001 USDC to/)
  })
})

describe("pauses", () => {
  const pause = { scope: "all", reason: LONG, since: NOW }

  it("are told after what was done", () => {
    const lines = pausedWords({ command: "pause", scope: "all", did: true, pauses: [pause] }, LOOK)
    assertFits(lines)
    assert.match(lines[0] ?? "", /^⏸️ Paused: all orders\. No new payment is signed;/)
    assert.match(lines.join("\n"), /^all orders {2}2026-11-28 12:00:00 UTC {2}the facilitator said:/m)
  })

  it("name what is paused in full", () => {
    const token = { ...pause, scope: `token:${ADDRESS}` }
    const lines = pausedWords({ command: "pauses", scope: undefined, did: false, pauses: [token] }, LOOK)
    assertFits(lines)
    assert.include(lines.join("\n"), `token ${ADDRESS}  2026-11-28 12:00:00 UTC  `)
  })

  it("say where nothing changed, and where nothing is paused", () => {
    const scope = `wallet:${ID}`
    assert.deepStrictEqual(pausedWords({ command: "resume", scope, did: false, pauses: [] }, LOOK), [
      `▶️ Not paused: wallet ${ID}.`,
      "Nothing is paused."
    ])
    assert.deepStrictEqual(pausedWords({ command: "pauses", scope: undefined, did: false, pauses: [] }, LOOK), [
      "Nothing is paused."
    ])
  })
})

describe("an event", () => {
  const event = { id: 1, at: NOW, taskId: ID, walletId: ID, batch: undefined, detail: {} }

  it.each([
    ["task.created", { quantity: 5, cost: "5000000" }, "🛒 ordered: 5 mints for 5.00 USDC"],
    ["task.refused", { message: "Retry 1/3: sold out" }, "refused: Retry 1/3: sold out"],
    ["task.cancelled", { message: null }, "cancelled"],
    ["batch.planned", { batches: 2, quantity: 12 }, "cut into 2 batches, 12 mints in all"],
    ["refund.paid", { amount: "1", to: ADDRESS }, "↩️ refund paid: 0.000001 USDC to 0xabab…abab"],
    ["decision.made", { command: "retry", said: "so", why: "y" }, '👤 retry: "y" (so)'],
    ["decision.made", { command: "retry", said: "so", why: "y", by: "me" }, '👤 retry by me: "y" (so)'],
    ["task.funded", {}, "💰 funded, ? mints to be made"],
    ["moon.full", {}, "moon.full"]
  ] as const)("%s is a line of words", (kind, detail, words) => {
    assert.strictEqual(eventWords({ ...event, kind, detail }, LOOK), `12:00:00 UTC  b3319f58         ${words}`)
  })

  it("of a batch or a wallet says which", () => {
    const batch = { ...event, kind: "batch.delivered", batch: 3, detail: { minted: 10, quantity: 10 } }
    assert.include(eventWords(batch, LOOK), "🪙 batch 3: delivered, 10 of 10 mints")
    const wallet = { ...event, taskId: undefined, kind: "wallet.stopped", detail: { reason: "theft" } }
    assert.strictEqual(eventWords(wallet, LOOK), "12:00:00 UTC  wallet b3319f58  🛑 stopped: theft")
  })

  it("never takes more than a line", () => {
    assert.lengthOf(eventWords({ ...event, kind: "task.held", detail: { reason: LONG } }, LOOK), 100)
    for (const kind of [
      "task.held",
      "batch.noted",
      "batch.unknown",
      "refund.held",
      "decision.made",
      "deposit.arrived"
    ]) {
      const detail = { reason: LONG, said: LONG, why: LONG, from: LONG, amount: "x" }
      assertFits([eventWords({ ...event, batch: 1, kind, detail }, LOOK)])
    }
  })
})
