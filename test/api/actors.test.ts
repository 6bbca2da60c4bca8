import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { actorWords } from "../../src/operator/Caller.ts"
import { LogLines } from "../support/executor.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { serving, stories, withToken } from "./served.ts"

const V1_TOKEN = "another-token-of-more-than-16-chars"

const madeBy = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<{ readonly command: string; readonly made_by: string }>`
    SELECT command, made_by FROM ai_agent_decisions ORDER BY id`
)

layer(Postgres.session())("a decision", (it) => {
  const { served } = stories(it)
  served("is written down, logged and told with the token, the address and the name that it came with", function* () {
    const { ask } = yield* serving({ ...withToken, v1Token: Redacted.make(V1_TOKEN) })
    const ann = yield* person("ann")
    const [one, two, three] = [yield* order(ann, 5), yield* order(ann, 5), yield* order(ann, 5)]
    const why = { why: "the user asked" }
    yield* ask(`/api/tasks/${one}/cancel`, { body: why, headers: { "x-operator": "alice" } })
    yield* ask(`/api/tasks/${two}/cancel`, {
      body: why,
      headers: { "x-operator": `b;$(id)\u0085 ob${"x".repeat(99)}` }
    })
    yield* ask(`/api/ai-agent/task/${three}/cancel`, { method: "POST", token: V1_TOKEN })
    yield* ask("/api/pause", { body: why })
    assert.deepStrictEqual(yield* madeBy, [
      { command: "cancel", made_by: "alice with OPS_TOKEN from 127.0.0.1" },
      { command: "cancel", made_by: `bidob${"x".repeat(59)} with OPS_TOKEN from 127.0.0.1` },
      { command: "cancel", made_by: "V1_TOKEN from 127.0.0.1, by the routes of v1.1" },
      { command: "pause", made_by: "OPS_TOKEN from 127.0.0.1" }
    ])
    const { all } = yield* LogLines
    const by = "by alice with OPS_TOKEN from 127.0.0.1"
    assert.lengthOf(
      all.filter((line) => line.includes(`👤 cancel: task ${one} is cancelled. "the user asked" (${by})`)),
      1
    )
    const { json } = yield* ask(`/api/tasks/${one}/explain`)
    const steps = json.steps.filter(({ kind }: { kind: string }) => kind === "decision")
    assert.deepStrictEqual(
      steps.map(({ text }: { text: string }) => text),
      [`cancel ${by}: task ${one} is cancelled. "the user asked"`]
    )
    const { lately } = (yield* ask("/api/overview")).json
    assert.deepInclude(lately.find(({ taskId }: { taskId: string }) => taskId === one).detail, {
      by: "alice with OPS_TOKEN from 127.0.0.1"
    })
    const { decisions } = (yield* ask(`/api/wallets/${ann.agentAddress}`)).json
    assert.deepInclude(decisions.at(-1), { by: "alice with OPS_TOKEN from 127.0.0.1" })
  })

  served("that is refused names nobody, as nothing is decided", function* () {
    const { ask } = yield* serving(withToken)
    const task = yield* order(yield* person("ann"), 5)
    assert.strictEqual((yield* ask(`/api/tasks/${task}/retry`, { body: { why: "so" } })).status, 409)
    assert.deepStrictEqual(yield* madeBy, [])
    assert.isEmpty((yield* LogLines).all.filter((line) => line.includes("👤")))
  })

  it.effect("has the names of accounts and addresses as they are, and of others what is left of them", () =>
    Effect.sync(() => {
      const named = (name: string) => actorWords(name, "OPS_TOKEN from ::1")
      assert.strictEqual(named("alice.b+c@example-1.com"), "alice.b+c@example-1.com with OPS_TOKEN from ::1")
      assert.strictEqual(named("\u202e\u001b[31m with no token"), "31mwithnotoken with OPS_TOKEN from ::1")
      assert.strictEqual(named("«»\n"), "OPS_TOKEN from ::1")
    })
  )
})
