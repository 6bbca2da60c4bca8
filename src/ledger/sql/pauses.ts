import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { messages, type TaskId } from "../../domain/Task.ts"
import type { Decision, Pause, PauseScope } from "../DecisionRepo.ts"
import { noteDecision } from "./decide.ts"
import { changePauses, pausesOf } from "./paused.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"
import { orOutrun, transact } from "./transact.ts"

const Rows = Schema.Array(Schema.Struct({ scope: Schema.String, reason: Schema.String, since_ms: Schema.Number }))

const Ids = Schema.Array(Schema.Struct({ id: Schema.String }))

export const pauses = Effect.fnUntraced(function* ({ sql }: Statements) {
  const raw = yield* sql`
    SELECT scope, reason, (extract(epoch FROM since) * 1000)::float8 AS since_ms
    FROM ai_agent_pauses ORDER BY since, scope`
  const rows = yield* Schema.decodeUnknownEffect(Rows)(raw)
  return rows.map((row): Pause => ({ scope: row.scope as PauseScope, reason: row.reason, sinceMs: row.since_ms }))
})

/**
 * What an order that a pause keeps waiting should say in its row, and `null` for one that says so and waits no longer. The
 * row that v1.1 left stays as it is: a trigger of v1.1's would take any change of it for v1.1's work. A stopped wallet's
 * orders say that.
 */
const pauseNotes = (sql: SqlClient.SqlClient): Fragment => {
  const saying = messages.waiting(messages.paused(""))
  return sql`
    SELECT n.id, n.message FROM (
      SELECT t.id, t.error_message, ${saying}::text ||
        (${pausesOf(sql, sql`t.agent_wallet_id`, sql`t.token_address`)} ORDER BY p.scope LIMIT 1) AS message
      FROM ai_agent_tasks t
      LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
      LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = t.agent_wallet_id
      WHERE t.status IN ('funded', 'processing') AND s.held_at IS NULL AND ws.stopped_at IS NULL
        AND (t.status = 'funded' OR EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id))
        AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b
          WHERE b.task_id = t.id AND b.status IN ('signed', 'accepted', 'unknown', 'paid'))
    ) n
    WHERE CASE WHEN n.message IS NULL THEN starts_with(n.error_message, ${saying}::text)
      ELSE n.error_message IS DISTINCT FROM n.message END`
}

export const unnotedPauses = Effect.fnUntraced(function* ({ sql }: Statements, limit: number) {
  const rows = yield* Schema.decodeUnknownEffect(Ids)(yield* sql`${pauseNotes(sql)} ORDER BY n.id LIMIT ${limit}::int`)
  return rows.map(({ id }) => ({ taskId: id }))
})

export const notePauses = Effect.fnUntraced(function* ({ sql }: Statements, taskIds: ReadonlyArray<TaskId>) {
  const wanted = sql`ANY(${taskIds}::uuid[])`
  const write = Effect.andThen(
    sql`SELECT id FROM ai_agent_tasks WHERE id = ${wanted} ORDER BY id FOR NO KEY UPDATE`,
    sql`
      UPDATE ai_agent_tasks t SET error_message = n.message FROM (${pauseNotes(sql)}) n
      WHERE n.id = t.id AND t.id = ${wanted} RETURNING t.id`
  )
  const rows = yield* Schema.decodeUnknownEffect(Ids)(yield* sql.withTransaction(write))
  return rows.map(({ id }): TaskId => id)
})

export const pause = (on: Statements, { scope, reason, sinceMs }: Pause, decision: Decision) =>
  transact(
    on,
    Effect.gen(function* () {
      yield* changePauses(on.sql)
      yield* orOutrun(on.sql`
        INSERT INTO ai_agent_pauses (scope, reason, since) VALUES (${scope}, ${reason}, ${instantOf(on.sql, sinceMs)})
        ON CONFLICT DO NOTHING RETURNING scope`)
      yield* noteDecision(on, decision, {}, sinceMs)
    })
  )

export const resume = (on: Statements, scope: PauseScope, decision: Decision, nowMs: number) =>
  transact(
    on,
    Effect.gen(function* () {
      yield* orOutrun(on.sql`DELETE FROM ai_agent_pauses WHERE scope = ${scope} RETURNING scope`)
      yield* noteDecision(on, decision, {}, nowMs)
    })
  )
