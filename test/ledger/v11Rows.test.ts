import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { ledgerAndFixture } from "../support/LedgerSql.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"
import {
  cost,
  firstPage,
  givenOrder,
  givenWallet,
  NOW_MS,
  ordersOf,
  saveTask,
  taskOf,
  workOf
} from "./contract/given.ts"

const database = ledgerAndFixture().pipe(
  Layer.provide(Layer.effectDiscard(createV11Tables())),
  Layer.provideMerge(Postgres.layer())
)

/** Sets columns to what no program writes on purpose: `null`, `'infinity'`. */
const spoil = (assignments: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`UPDATE ai_agent_tasks SET ${sql.literal(assignments)}`)

describe("rows that v1.1 left behind", () => {
  layer(database)((it) => {
    const promises = (
      sentence: string,
      proof: () => Generator<Effect.Effect<unknown, unknown, Layer.Success<typeof database>>, void, never>
    ) =>
      it.effect(sentence, () =>
        Effect.andThen(
          Effect.flatMap(LedgerFixture, ({ clear }) => clear),
          Effect.gen(proof)
        )
      )

    promises("each of them is where its status says", function* () {
      const fixture = yield* LedgerFixture
      const wallet = yield* givenWallet()
      const at = Effect.fnUntraced(function* (status: Parameters<typeof fixture.editTask>[1]["status"] & string) {
        const id = yield* givenOrder(wallet)
        yield* fixture.editTask(id, { status })
        return id
      })
      const pending = yield* givenOrder(wallet)
      const open = [yield* at("funded"), yield* at("processing")]
      for (const status of ["completed", "failed", "cancelled"] as const) yield* at(status)
      const repo = yield* TaskRepo
      assert.deepStrictEqual(
        (yield* ordersOf(wallet)).pending.map(({ id }) => id),
        [pending]
      )
      assert.sameMembers(
        (yield* workOf(wallet)).tasks.map(({ id }) => id),
        open
      )
      assert.deepStrictEqual(yield* repo.dueWallets(NOW_MS, 10), [wallet.id])
      assert.deepStrictEqual(yield* repo.openTasks, { pendingPayment: 1, funded: 1, processing: 1, held: 0 })
    })

    promises("counters that hold null count as nothing done, and the row still keeps its money", function* () {
      const wallet = yield* givenWallet()
      const id = yield* givenOrder(wallet)
      yield* spoil("mints_completed = NULL, mints_failed = NULL, retry_count = NULL")
      assert.deepInclude((yield* ordersOf(wallet)).pending[0], { id, mintsCompleted: 0, retryCount: 0 })
      yield* (yield* LedgerFixture).editTask(id, { status: "funded" })
      const task = yield* taskOf(wallet, id)
      yield* givenOrder(wallet)
      assert.strictEqual((yield* ordersOf(wallet)).reserved, cost(4))
      assert.isTrue(yield* saveTask(task, { status: "failed" }))
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT mints_failed FROM ai_agent_tasks WHERE id = ${id}::uuid`, [
        { mints_failed: 4 }
      ])
    })

    for (const time of ["NULL", "'infinity'", "'-infinity'", "'294000-01-01'"]) {
      promises(`an order whose created_at is ${time} is bad, and no deadline is reckoned from it`, function* () {
        const id = yield* givenOrder(yield* givenWallet())
        yield* spoil(`created_at = ${time}`)
        const reason = "Held, this order cannot be carried out: created_at is not a time"
        assert.deepStrictEqual((yield* firstPage).bad, [{ taskId: id, reason }])
      })
    }
  })
})
