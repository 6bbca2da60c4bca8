import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import { LogLines, onWorld, pass, start } from "../support/executor.ts"
import { order, paidOrder, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { lost } from "../operator/given.ts"

const OPERATING = new URL("../../docs/operating.md", import.meta.url)

/** What docs/operating.md has an operator search the log for. */
const greps = [...readFileSync(OPERATING, "utf8").matchAll(/^pm2 logs ai-mint-executor \| grep "([^"]+)"/gm)].map(
  ([, pattern = ""]) => pattern
)

layer(Postgres.session())("the searches of the log that docs/operating.md shows", (it) => {
  it.effect("find what they say, and nothing else", () =>
    Effect.gen(function* () {
      const world = yield* World
      const sql = yield* SqlClient.SqlClient
      const unpaid = yield* order(yield* person("ann"), 5)
      const bad = yield* order(yield* person("bob"), 5)
      yield* sql`UPDATE ai_agent_tasks SET total_cost = 7 WHERE id = ${bad}::uuid`
      const { task: undelivered } = yield* paidOrder("eve", 5)
      world.manners.pay = ({ settle }) => {
        settle()
        return lost
      }
      yield* start
      yield* pass(700)
      const { all } = yield* LogLines
      const found = (pattern: string) => {
        const lines = all.filter((line) => new RegExp(pattern).test(line))
        const named = [unpaid, bad, undelivered].filter((id) => lines.some((line) => line.includes(id.slice(0, 8))))
        return { named, lines: lines.length }
      }
      assert.deepStrictEqual(greps, ["→ cancelled", "Found.*task", "is held:", "paid and not delivered", "🚨"])
      assert.deepStrictEqual(found("→ cancelled"), { named: [unpaid], lines: 1 })
      assert.isAbove(found("Found.*task").lines, 50)
      assert.deepStrictEqual(found("is held:").named, [bad, undelivered])
      assert.deepStrictEqual(found("paid and not delivered").named, [undelivered])
      assert.deepStrictEqual(found("🚨").named, [bad, undelivered])
      assert.isTrue(all.filter((line) => line.includes("is held:")).every((line) => line.includes("[ERROR]")))
    }).pipe(onWorld())
  )
})
