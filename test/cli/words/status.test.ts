import { assert, describe, it } from "@effect/vitest"
import { directStatusWords, statusWords } from "../../../src/cli/words/status.ts"
import { coloured } from "../../../src/cli/words/paint.ts"
import { ADDRESS, assertFits, ID, LOOK, LONG, NOW, overviewOf, taskOf } from "./given.ts"

const textOf = (lines: ReadonlyArray<string>): string => lines.join("\n")

describe("the status", () => {
  it("says in a screen what runs, whether it is well, and what there is", () => {
    const lines = statusWords(
      overviewOf({ attention: [], attentionCount: 0, pauses: [], open: [], openCount: 0 }),
      LOOK
    )
    assertFits(lines)
    assert.isAtMost(lines.length, 20)
    const text = textOf(lines)
    assert.match(text, /^ai-mint-executor \d+\.\d+\.\d+ on base \(chain 8453\), up for /)
    assert.match(text, /^✅ Ready: database 3 ms, 2 of 2 nodes \(block 24518811, 2s old\), mint server 24 ms/m)
    assert.match(text, /^processing, held +1 +40\.00$/m)
    assert.match(text, /^completed +1842 +41967\.50$/m)
    assert.match(text.replaceAll(/\s+/g, " "), /42007\.50 USDC paid for mints, 318\.00 USDC refunded/)
    assert.notMatch(text, /Needs a look|Paused|Open orders/)
  })

  it("says nothing of an executor where none was asked", () => {
    const text = textOf(directStatusWords(overviewOf(), LOOK))
    assert.match(text, /^ai-mint-executor \S+ on base \(chain 8453\), without an executor$/m)
    assert.match(text, /^✅ Ready: database 3 ms, [^]*mint server 24 ms$/m)
    assert.notMatch(text, /up for|last sweep/)
  })

  it("says how many are alike where not all of them are shown", () => {
    const item = { kind: "held", taskId: ID, wallet: ADDRESS, batch: 4, since: NOW, text: "no key", alike: 3 } as const
    const all = { attention: Array.from({ length: 3 }, () => ({ ...item, command: "doctor" })), attentionCount: 3 }
    assert.notInclude(textOf(statusWords(overviewOf(all), LOOK)), "like it")
    assert.include(textOf(statusWords(overviewOf({ ...all, attentionCount: 4 }), LOOK)), "no key (3 like it in all)")
  })

  it("names every part that is not well", () => {
    const { readiness } = overviewOf()
    const [node, ...nodes] = readiness.rpc
    assert.isDefined(node)
    const broken = {
      ...readiness,
      ready: false,
      database: { ok: false, tookMs: 3000, problem: LONG },
      rpc: [{ ...node, ok: false, problem: "its newest block is 5m old" }, ...nodes],
      sweep: { ok: false, problem: "no sweep has gone through for 2m", last: undefined },
      due: { ok: false, problem: "what was due 10m ago is not done", since: NOW }
    }
    const lines = statusWords(overviewOf({ readiness: broken }), LOOK)
    assertFits(lines)
    const text = textOf(lines)
    assert.match(text, /^❌ Not ready: database does not answer, 1 of 2 nodes/m)
    assert.match(text, /^ {3}❌ Database: the facilitator said:/m)
    assert.match(text, /^ {3}❌ Node base-mainnet\.example\.org: its newest block is 5m old$/m)
    assert.match(text, /^ {3}❌ Sweeps: no sweep has gone through for 2m$/m)
    assert.match(text, /^ {3}❌ Overdue: what was due 10m ago is not done$/m)
  })

  it("says which nodes announce new blocks", () => {
    const { readiness } = overviewOf()
    const common = { ok: true, problem: undefined, head: undefined, heardAt: undefined }
    const announcements = [
      { ...common, host: "one.example", stage: "live", head: 24518812n, heardAt: NOW - 1_000 },
      { ...common, host: "two.example", stage: "unused" },
      { ...common, host: "three.example", stage: "connecting" },
      { ...common, host: "four.example", stage: "down", ok: false, problem: "Timeout (no new block within 6s)" }
    ] as const
    const lines = statusWords(overviewOf({ readiness: { ...readiness, announcements } }), LOOK)
    assertFits(lines)
    const text = textOf(lines)
    assert.match(text, /^✅ Ready/m)
    assert.match(text, /^ {3}📡 one\.example announces new blocks: 24518812, 1s ago$/m)
    assert.match(text, /^ {3}📡 two\.example announces new blocks when something waits for one$/m)
    assert.match(text, /^ {3}📡 three\.example is being connected to$/m)
    assert.match(text, /^ {3}❌ New blocks from four\.example: Timeout \(no new block within 6s\)$/m)
  })

  it("shows what needs a look with the command to type, and says how much more there is", () => {
    const item = { kind: "held", taskId: ID, wallet: ADDRESS, batch: 4, since: NOW - 60_000, text: LONG } as const
    const stopped = { ...item, taskId: undefined, batch: undefined, alike: 1, command: `wallets show ${ADDRESS}` }
    const many = Array.from({ length: 12 }, () => ({ ...item, alike: 1, command: "tasks explain b3319f58" }))
    const lines = statusWords(overviewOf({ attention: [stopped, ...many], attentionCount: 40 }), LOOK)
    assertFits(lines)
    const text = textOf(lines)
    assert.match(text, /^Needs a look \(40\)$/m)
    assert.match(text, /^⚠️ Task b3319f58, batch 4 \(1m\): the facilitator said:/m)
    assert.match(text, /^ {3}→ ai-mint tasks explain b3319f58$/m)
    assert.include(text, `→ ai-mint wallets show ${ADDRESS}`)
    assert.match(text, /^ {3}and 30 more: ai-mint tasks list --held$/m)
  })

  it("says what the environment keeps waiting, which is no wallet's", () => {
    const item = {
      kind: "incident",
      taskId: undefined,
      wallet: undefined,
      batch: undefined,
      since: NOW - 60_000,
      text: "USDC is paused",
      alike: 1,
      command: "doctor"
    } as const
    const { readiness } = overviewOf()
    const stopped = {
      ...readiness,
      ready: false,
      incidents: [{ ok: false, problem: "USDC is paused", since: NOW - 60_000 }]
    }
    const lines = statusWords(overviewOf({ attention: [item], attentionCount: 1, readiness: stopped }), LOOK)
    assertFits(lines)
    assert.include(textOf(lines), "⚠️ All (1m): USDC is paused\n   → ai-mint doctor")
    assert.match(textOf(lines), /^ {3}❌ Environment: USDC is paused$/m)
  })

  it("shows pauses and the newest open orders", () => {
    const pauses = [{ scope: `token:${ADDRESS}`, reason: LONG, since: NOW }]
    const open = Array.from({ length: 11 }, () => taskOf())
    const lines = statusWords(overviewOf({ pauses, open, openCount: 500 }), LOOK)
    assertFits(lines)
    const text = textOf(lines)
    assert.match(text, /^Paused \(1\)$/m)
    assert.match(text, /^token 0xab+/m)
    assert.match(text, /^and 490 more: ai-mint tasks list --status pending_payment,funded,processing$/m)
  })

  it("has colours where they are wanted, and says the same", () => {
    const painted = statusWords(overviewOf(), { ...LOOK, paint: coloured }).join("\n")
    assert.include(painted, "\u001b[32m✅ Ready\u001b[39m")
    assert.strictEqual(painted.replaceAll(/\u001b\[\d+m/g, ""), statusWords(overviewOf(), LOOK).join("\n"))
  })
})
