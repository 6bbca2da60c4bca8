import { assert, describe, it } from "@effect/vitest"
import { usdc } from "../../../src/domain/Usdc.ts"
import { eventLine } from "../../../src/cli/words/event.ts"
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
    ["task.created", "Ordered", "🛒 Ordered"],
    ["deposit.arrived", "1.00 USDC arrived", "💵 1.00 USDC arrived"],
    ["moon.full", "moon.full", "moon.full"]
  ] as const)("%s is a line: its sentence, behind an icon", (kind, text, words) => {
    assert.strictEqual(eventLine({ ...event, kind, text }, LOOK), `12:00:00 UTC  b3319f58         ${words}`)
  })

  it("of a wallet says which", () => {
    const stopped = { ...event, taskId: undefined, kind: "wallet.stopped", text: "The wallet is stopped: theft" }
    assert.strictEqual(eventLine(stopped, LOOK), "12:00:00 UTC  wallet b3319f58  🛑 The wallet is stopped: theft")
  })

  it("never takes more than a line", () => {
    assert.lengthOf(eventLine({ ...event, kind: "task.held", text: LONG }, LOOK), 100)
  })
})
