import { Clock, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { parse } from "../../../domain/Address.ts"
import { type AttentionItem, type WatchRepo } from "../../WatchRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { agentAddress } from "../rows.ts"
import { type Methods, rowsOf } from "../statements.ts"
import { messages, TaskId } from "../../../domain/Task.ts"
import { WalletId } from "../../../domain/Wallet.ts"

const Items = Schema.Array(
  Schema.Struct({
    kind: Schema.Literals(["held", "undelivered", "unknown", "stopped", "refund", "limit"]),
    task_id: Schema.NullOr(TaskId),
    wallet_id: Schema.NullOr(WalletId),
    agent_address: Schema.NullOr(Schema.String),
    batch: Schema.NullOr(Schema.Number),
    since_ms: Schema.NullOr(Schema.Number),
    reason: Schema.NullOr(Schema.String),
    alike: Schema.Number
  })
)

/** A refund is on chain within a minute or two, where there is gas and its wallet may pay. */
const REFUND_MS = 10 * 60_000

/** A payment is proven and its mints are found within seconds: what takes longer may need a person. */
const BATCH_MS = 60_000

/** An order that waits for a limit looks again now and then, and has its turn within seconds: it is one wait all the same. */
const LOOK_MS = 60_000

/** So many of one cause come before those of others: an outage of one thing must not hide everything else. */
const ALIKE_FIRST = 5

/** Of a reason, what two orders that are held for the same have in common: neither names nor numbers. */
const causeIn = (sql: SqlClient.SqlClient) =>
  sql`a.kind, regexp_replace(left(coalesce(a.reason, ''), 200), '0x[0-9a-fA-F]+|[0-9]+', '#', 'g')`

/**
 * All that needs attention now. A held refund that keeps its money waits until it is withdrawn. Another one is final, and has
 * been dealt with where its wallet has a newer one.
 */
export const attentionNow = (sql: SqlClient.SqlClient, nowMs: number): Fragment => sql`
  SELECT 'held' AS kind, t.id AS task_id, t.agent_wallet_id AS wallet_id, NULL::int AS batch, s.held_at AS since,
    s.held_reason AS reason, NULL::uuid AS refund
  FROM ai_agent_tasks t JOIN ai_agent_task_state s ON s.task_id = t.id
  WHERE s.held_at IS NOT NULL AND t.status IN ('pending_payment', 'funded', 'processing')
  UNION ALL
  SELECT 'held', b.task_id, b.wallet_id, b.number, b.status_since, b.reason, NULL
  FROM ai_agent_batches b JOIN ai_agent_tasks t ON t.id = b.task_id
  WHERE b.status = 'held' AND t.status = 'completed'
  UNION ALL
  SELECT CASE WHEN b.status = 'paid' THEN 'undelivered' ELSE 'unknown' END, b.task_id, b.wallet_id, b.number,
    b.status_since, b.reason, NULL
  FROM ai_agent_batches b
  WHERE b.status IN ('unknown', 'paid') AND b.status_since < ${instantOf(sql, nowMs - BATCH_MS)}
  UNION ALL
  SELECT 'stopped', NULL, ws.wallet_id, NULL, ws.stopped_at, ws.stopped_reason, NULL
  FROM ai_agent_wallet_state ws WHERE ws.stopped_at IS NOT NULL
  UNION ALL
  SELECT 'refund', NULL, r.wallet_id, NULL, r.created_at, r.reason, r.id
  FROM ai_agent_refunds r
  WHERE r.status IN ('planned', 'signed') AND r.created_at < ${instantOf(sql, nowMs - REFUND_MS)}
  UNION ALL
  SELECT 'refund', NULL, r.wallet_id, NULL, r.updated_at, r.reason, r.id
  FROM ai_agent_refunds r
  WHERE r.status = 'held' AND (r.keeps_money OR NOT EXISTS (SELECT 1 FROM ai_agent_refunds newer
    WHERE newer.wallet_id = r.wallet_id AND newer.created_at > r.created_at))
  UNION ALL
  SELECT 'limit', t.id, t.agent_wallet_id, NULL, s.limited_since, t.error_message, NULL
  FROM ai_agent_task_state s JOIN ai_agent_tasks t ON t.id = s.task_id
  WHERE ${isLimited(sql, nowMs)}`

/** Whether the order `t` with its state `s` waits for a limit. */
export const isLimited = (sql: SqlClient.SqlClient, nowMs: number): Fragment => sql`
  s.limited_since IS NOT NULL AND s.held_at IS NULL AND t.status IN ('funded', 'processing')
    AND s.next_action_at > ${instantOf(sql, nowMs - LOOK_MS)}
    AND starts_with(t.error_message, ${messages.waiting(messages.limited)}::text)`

export const attention = {
  attention: ({ once, sql }) =>
    once("read what needs attention", function* (limit) {
      const nowMs = yield* Clock.currentTimeMillis
      const rows = yield* rowsOf(Items)(sql`
        SELECT a.kind, a.task_id, a.wallet_id, ${agentAddress(sql)} AS agent_address, a.batch,
          (extract(epoch FROM a.since) * 1000)::float8 AS since_ms, a.reason, a.alike::int
        FROM (SELECT a.*, count(*) OVER (PARTITION BY ${causeIn(sql)}) AS alike,
          row_number() OVER (PARTITION BY ${causeIn(sql)} ORDER BY a.since, a.task_id, a.batch) AS nth FROM (
          ${attentionNow(sql, nowMs)}
        ) a) a LEFT JOIN ai_agent_wallets w ON w.id = a.wallet_id
        ORDER BY a.nth > ${ALIKE_FIRST}::int, a.since, a.task_id, a.batch LIMIT ${limit}::int`)
      return rows.map((row): AttentionItem => ({
        kind: row.kind,
        taskId: row.task_id ?? undefined,
        walletId: row.wallet_id ?? undefined,
        agentAddress: parse(row.agent_address ?? ""),
        batch: row.batch ?? undefined,
        sinceMs: row.since_ms ?? undefined,
        reason: row.reason ?? "",
        alike: row.alike
      }))
    })
} satisfies Methods<WatchRepo["Service"]>
