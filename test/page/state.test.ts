import { assert, describe, it } from "@effect/vitest"
import * as state from "../../src/page/state.ts"
import { minting, overview, task, taskId } from "./sample.ts"

const NOW = Date.parse("2026-11-28T12:00:00.000Z")
const seen = state.withOverview(state.initial, overview({ now: "2026-11-28T12:00:05.000Z" }), NOW)
const live = { ...seen, isStreaming: true }

describe("what is known of the connection", () => {
  it("is live while events stream and overviews come", () => {
    assert.strictEqual(state.connection(state.initial, NOW), "connecting")
    assert.strictEqual(state.connection(seen, NOW), "reconnecting")
    assert.strictEqual(state.connection(live, NOW + 20_000), "live")
    assert.strictEqual(state.connection(live, NOW + 60_000), "reconnecting")
  })

  it("tells an executor that is away from one that has a problem", () => {
    assert.strictEqual(state.connection(state.withProblem(live, 0, "no answer", false), NOW), "offline")
    const troubled = state.withProblem(live, 503, "the database does not answer", false)
    assert.strictEqual(state.connection(troubled, NOW), "reconnecting")
    assert.isTrue(state.isStale(troubled, NOW))
    assert.isFalse(state.isStale(state.withOverview(troubled, overview(), NOW), NOW))
  })

  it("asks for the token once it is asked for, and says that it was wrong only if there was one", () => {
    assert.deepStrictEqual(state.withProblem(live, 401, "", false).access, { kind: "token", wasWrong: false })
    assert.deepStrictEqual(state.withProblem(live, 401, "", true).access, { kind: "token", wasWrong: true })
    assert.deepStrictEqual(state.withProblem(live, 403, "off", false).access, { kind: "closed", detail: "off" })
    assert.strictEqual(state.connection(state.withProblem(live, 403, "off", false), NOW), "locked")
    const lacking = { kind: "token", wasWrong: true, lacks: "it lacks orders:read" }
    assert.deepStrictEqual(state.withProblem(live, 403, "it lacks orders:read", true).access, lacking as state.Access)
  })

  it("keeps what the server's clock is ahead", () => {
    assert.strictEqual(seen.skewMs, 5000)
  })
})

describe("what is known of the orders", () => {
  it("counts all that are open, and lists those that were asked for", () => {
    const all = overview()
    const counts = state.FILTERS.map((filter) => state.openCount(all, filter))
    assert.deepStrictEqual(counts, [7, 3, 1, 3, 1])
    const listed = state.FILTERS.map((filter) => state.filtered(all.open, filter).length)
    assert.deepStrictEqual(listed, counts)
  })

  it("tells what waits for a person since a moment ago", () => {
    const before = overview()
    const one = before.attention[0]!
    const stopped = { ...one, kind: "stopped", taskId: null, wallet: "w", batch: null } as const
    const after = overview({ attention: [...before.attention, stopped] })
    assert.deepStrictEqual(state.newAttention(before, after), [stopped])
    assert.deepStrictEqual(state.newAttention(before, { ...after, attention: [one] }), [])
    assert.deepStrictEqual(state.newAttention(undefined, after), [])
  })

  it("keeps the last events, each once", () => {
    const event = {
      id: 1,
      at: "",
      kind: "task.funded",
      text: "",
      taskId: null,
      walletId: null,
      batch: null,
      detail: {}
    }
    const ids = [1, 2, 2, ...Array.from({ length: 20 }, (_, n) => n + 3)]
    const after = ids.reduce((known, id) => state.withEvent(known, { ...event, id }), live)
    assert.deepStrictEqual(
      after.recentEvents.map(({ id }) => id),
      Array.from({ length: 12 }, (_, n) => 22 - n)
    )
  })

  it("shows what happened before it was opened, and what it heard of itself once", () => {
    const event = {
      id: 7,
      at: "",
      kind: "task.funded",
      text: "",
      taskId: null,
      walletId: null,
      batch: null,
      detail: {}
    }
    const lately = [event, { ...event, id: 5 }]
    const opened = state.withOverview(state.initial, overview({ lately }), NOW)
    const later = state.withOverview(state.withEvent(opened, { ...event, id: 8 }), overview({ lately }), NOW)
    assert.deepStrictEqual(
      later.recentEvents.map(({ id }) => id),
      [8, 7, 5]
    )
  })

  it("puts together what is held for one cause, where that is many", () => {
    const [one] = overview().attention
    const alike = (n: number, text: string, many: number) => ({
      ...one!,
      taskId: taskId(`0000000${n}`),
      text,
      alike: many
    })
    const keys = [1, 2, 3, 4].map((n) => alike(n, `the key of agent wallet 0xab${n} does not decrypt`, 1199))
    const few = [5, 6].map((n) => alike(n, `batch ${n}: its nonce was cancelled`, 2))
    assert.deepStrictEqual(state.grouped([...keys, ...few]), [keys, ...few.map((item) => [item])])
  })

  it("filters by what a row is, held or not", () => {
    const held = minting("0000000b", { held: { reason: "r", since: overview().now } })
    const tasks = [task("0000000a"), held]
    assert.deepStrictEqual(state.filtered(tasks, "processing"), [held])
    assert.deepStrictEqual(state.filtered(tasks, "held"), [held])
  })
})

describe("the address of an order", () => {
  it("goes to and fro", () => {
    assert.strictEqual(state.taskOfHash(state.hashOfTask("abc12345")), "abc12345")
    assert.strictEqual(state.taskOfHash("#task=ABC12345"), "abc12345")
    assert.isUndefined(state.taskOfHash("#main"))
    assert.isUndefined(state.taskOfHash("#task="))
    assert.isUndefined(state.taskOfHash(""))
  })

  it("is an id or the first eight digits of one", () => {
    assert.isTrue([taskId("5c2d9e10"), "5C2D9E10", " 5c2d9e10 "].every(state.isTaskName))
    assert.isFalse(["5c2d9e1", "5c2d9e10-", "../../x", "", `${taskId("5c2d9e10")}0`].some(state.isTaskName))
  })
})
