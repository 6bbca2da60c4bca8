import { Result, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { messages, TaskId } from "../../../domain/Task.ts"
import { type HeldForKey, type TaskRepo } from "../../TaskRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { pausesOf } from "../locks.ts"
import { WalletFields, idsOf, readWallet, walletColumns } from "../rows.ts"
import { type Methods, rowsOf } from "../statements.ts"

const HeldRecords = Schema.Array(Schema.Struct({ id: TaskId, held_reason: Schema.String, ...WalletFields }))

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

export const holds = {
  heldForKeys: ({ read, sql }) =>
    read("read orders held for a key", function* (limit) {
      const rows = yield* rowsOf(HeldRecords)(sql`
        SELECT t.id, s.held_reason, ${walletColumns(sql)}
        FROM ai_agent_task_state s
        JOIN ai_agent_tasks t ON t.id = s.task_id
        JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
        WHERE s.held_at IS NOT NULL AND starts_with(s.held_reason, ${messages.heldForKey})
          AND t.status IN ('pending_payment', 'funded', 'processing')
        ORDER BY s.held_at, t.id LIMIT ${limit}::int`)
      return rows.flatMap((row): ReadonlyArray<HeldForKey> => {
        const wallet = readWallet(row.wallet_id ?? "", row)
        return Result.isFailure(wallet) ? [] : [{ taskId: row.id, reason: row.held_reason, wallet: wallet.success }]
      })
    }),

  /** Tasks are locked before what is kept beside them, as everywhere. */
  endHolds: ({ once, sql, time }) =>
    once("end holds", function* (holds, nowMs) {
      if (holds.length === 0) return []
      const rows = holds.map(({ taskId, reason }) => ({ task_id: taskId, reason }))
      return yield* idsOf(sql`
        WITH want AS (
          SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(task_id uuid, reason text)
        ), locked AS (
          SELECT t.id, want.reason FROM ai_agent_tasks t JOIN want ON want.task_id = t.id
          WHERE t.status IN ('pending_payment', 'funded', 'processing')
          ORDER BY t.id FOR NO KEY UPDATE OF t
        ), ended AS (
          UPDATE ai_agent_task_state s SET held_at = NULL, held_reason = NULL
          FROM locked WHERE s.task_id = locked.id AND s.held_reason = locked.reason
          RETURNING s.task_id
        )
        UPDATE ai_agent_tasks t SET error_message = NULL,
          updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
        FROM ended WHERE t.id = ended.task_id
        RETURNING t.id`)
    }),

  hold: ({ once, sql, time }) =>
    once("hold tasks", function* (tasks, nowMs, { inRow = true } = {}) {
      const rows = tasks.map((task) => ({ task_id: task.taskId, reason: task.reason }))
      return yield* idsOf(sql`
        WITH want AS (
          SELECT DISTINCT ON (task_id) *
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(task_id uuid, reason text)
        ), open AS (
          SELECT t.id, want.reason
          FROM ai_agent_tasks t JOIN want ON want.task_id = t.id
          WHERE t.status IN ('pending_payment', 'funded', 'processing')
          ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED
        ), held AS (
          INSERT INTO ai_agent_task_state AS s (task_id, held_at, held_reason)
          SELECT id, ${instantOf(sql, nowMs)}, reason FROM open
          ON CONFLICT (task_id) DO UPDATE SET held_at = excluded.held_at, held_reason = excluded.held_reason
          WHERE s.held_at IS NULL
          RETURNING s.task_id, s.held_reason
        ), noted AS (
          UPDATE ai_agent_tasks t SET error_message = held.held_reason,
            updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
          FROM held WHERE t.id = held.task_id AND ${inRow}::boolean
        )
        SELECT task_id AS id FROM held`)
    }),

  unnotedPauses: ({ read, sql }) =>
    read("read orders that a pause keeps waiting", function* (limit) {
      const ids = yield* idsOf(sql`${pauseNotes(sql)} ORDER BY n.id LIMIT ${limit}::int`)
      return ids.map((taskId) => ({ taskId }))
    }),

  notePauses: ({ transact, sql }) =>
    transact("note pauses", function* (taskIds) {
      const wanted = sql`ANY(${taskIds}::uuid[])`
      yield* sql`SELECT id FROM ai_agent_tasks WHERE id = ${wanted} ORDER BY id FOR NO KEY UPDATE`
      return yield* idsOf(sql`
        UPDATE ai_agent_tasks t SET error_message = n.message FROM (${pauseNotes(sql)}) n
        WHERE n.id = t.id AND t.id = ${wanted} RETURNING t.id`)
    })
} satisfies Methods<TaskRepo["Service"]>
