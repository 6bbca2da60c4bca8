import { Effect } from "effect"
import { SqlClient } from "effect/sql"

const TABLES = [
  "ai_agent_tasks",
  "ai_agent_mint_records",
  "ai_agent_wallet_state",
  "ai_agent_task_state",
  "ai_agent_batches",
  "ai_agent_batch_mints",
  "ai_agent_stray_mints",
  "ai_agent_deposits",
  "ai_agent_deposit_uses",
  "ai_agent_refunds",
  "ai_agent_pay_ins"
] as const

/** What `pg_dump` would have kept now: gives what restores it. */
export const backup = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const kept = yield* Effect.forEach(TABLES, (table) =>
    Effect.map(
      sql<{ rows: string }>`SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${sql(table)} t`,
      ([found]) => [table, found!.rows] as const
    )
  )
  return Effect.forEach(kept, ([table, rows]) =>
    Effect.andThen(
      sql`TRUNCATE ${sql(table)}`,
      sql`INSERT INTO ${sql(table)} SELECT * FROM json_populate_recordset(null::${sql(table)}, ${rows}::text::json)`
    )
  )
})
