import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { FAR_MS } from "../../domain/transferPace.ts"
import { instantOf } from "./TimeColumns.ts"
import { pausedFor } from "./locks.ts"
import { type Statements, rowsOf } from "./statements.ts"

/**
 * All that an executor may do now, as rows of `wallet_id, at, is_order`. `at` is null where nothing was ever put off. A
 * batch that is in flight, or whose price is asked, gives its order nothing else to do, nor any other order of the same
 * token and wallet: those wait for it, as do orders that are held, and payments of what is stopped or paused. Only of
 * wallets that are asked for, where not all are.
 */
export const dueWork = (
  sql: SqlClient.SqlClient,
  nowMs: number,
  isAsked: (walletId: Fragment) => Fragment = () => sql`true`
): Fragment => {
  const now = instantOf(sql, nowMs)
  const far = instantOf(sql, nowMs + FAR_MS)
  const busy = (which: Fragment) => sql`
    EXISTS (SELECT 1 FROM ai_agent_batches b WHERE (b.status IN ('signed', 'accepted', 'unknown', 'paid')
      OR (b.status = 'planned' AND b.answer_by > ${now} AND b.answer_by <= ${far})) AND ${which})`
  const answered = sql`
    (SELECT max(b.answer_by) FROM ai_agent_batches b
      WHERE b.task_id = t.id AND b.status = 'planned' AND b.answer_by <= ${now})`
  return sql`
    SELECT b.wallet_id, least(b.next_action_at, ${now}) AS at, false AS is_order
    FROM ai_agent_batches b
    WHERE ${isAsked(sql`b.wallet_id`)} AND b.status IN ('signed', 'accepted', 'unknown', 'paid')
      AND (b.next_action_at <= ${now} OR b.next_action_at > ${far})
    UNION ALL
    SELECT r.wallet_id, least(r.next_action_at, ${now}), false
    FROM ai_agent_refunds r LEFT JOIN ai_agent_wallet_state ws USING (wallet_id)
    WHERE ${isAsked(sql`r.wallet_id`)} AND r.status IN ('planned', 'signed') AND (r.next_action_at <= ${now} OR r.next_action_at > ${far})
      AND (r.status = 'signed' OR (ws.stopped_at IS NULL AND NOT ${pausedFor(sql, sql`r.wallet_id`)}))
    UNION ALL
    SELECT t.agent_wallet_id, greatest(s.next_action_at, ${answered}), true
    FROM ai_agent_tasks t
    LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
    LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = t.agent_wallet_id
    WHERE ${isAsked(sql`t.agent_wallet_id`)}
      AND t.status IN ('funded', 'processing') AND s.held_at IS NULL AND ws.stopped_at IS NULL
      AND (s.next_action_at IS NULL OR s.next_action_at <= ${now})
      AND NOT ${busy(sql`b.task_id = t.id`)}
      AND NOT ${busy(sql`b.wallet_id = t.agent_wallet_id AND lower(b.token) = lower(t.token_address)`)}
      AND NOT ${pausedFor(sql, sql`t.agent_wallet_id`, sql`t.token_address`)}`
}

const Due = Schema.Array(Schema.Struct({ due_ms: Schema.NullOr(Schema.Number) }))

/**
 * Since when the longest overdue of it has been due. An order waits until its wallet has time for it, which does one
 * thing after another: it is due since the last step of any order of that wallet, if that was later.
 */
export const oldestDueMs = Effect.fnUntraced(function* ({ sql, time }: Statements, nowMs: number) {
  const atMs = sql`(extract(epoch FROM due.at) * 1000)::float8`
  const stepMs = sql`coalesce(${time.read("ai_agent_tasks", "updated_at", "t")},
    ${time.read("ai_agent_tasks", "created_at", "t")})`
  const rows = yield* rowsOf(Due)(sql`
    SELECT min(least(w.own_ms, CASE WHEN w.order_ms IS NOT NULL THEN greatest(w.order_ms,
      (SELECT max(${stepMs}) FROM ai_agent_tasks t WHERE t.agent_wallet_id = w.wallet_id
        AND t.status IN ('funded', 'processing', 'completed', 'failed'))) END)) AS due_ms
    FROM (
      SELECT due.wallet_id, min(${atMs}) FILTER (WHERE NOT due.is_order) AS own_ms,
        min(coalesce(${atMs}, 0)) FILTER (WHERE due.is_order) AS order_ms
      FROM (${dueWork(sql, nowMs)}) due GROUP BY due.wallet_id
    ) w`)
  return rows[0]?.due_ms ?? undefined
})
