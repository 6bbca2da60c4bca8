import type { Fragment } from "effect/sql/Statement"
import { mayMove, type Task } from "../../../domain/Task.ts"
import type { TaskChange } from "../../TaskRepo.ts"
import { isHeld } from "../locks.ts"
import { jsonOf, type Statements } from "../statements.ts"

/** What an order becomes, if it is as expected. */
export interface OrderChange {
  readonly expected: Task
  readonly change: TaskChange
  readonly nowMs: number
}

const rowOf = ({ expected, change, nowMs }: OrderChange, index: number) => {
  const { status } = change
  if (status !== undefined && status !== expected.status && !mayMove(expected.status, status)) {
    throw new Error(`a task never goes from ${expected.status} to ${status}`)
  }
  return { i: index, task_id: expected.id, was: expected.status, now_ms: nowMs, change }
}

/** Whether some of the changes have this key: columns that no row changes are not in the statement. */
const someHave = (changes: ReadonlyArray<OrderChange>, ...keys: ReadonlyArray<keyof TaskChange>): boolean =>
  changes.some(({ change }) => keys.some((key) => change[key] !== undefined))

/**
 * Changes orders that still have the expected status and are not held, their rows locked before: v1.1's columns, and ours
 * beside them. Beside the expected status, the end of an order has a condition of its own. Gives the indices of those that
 * were changed.
 */
export const changeOrders = (on: Statements, changes: ReadonlyArray<OrderChange>) => {
  const { sql } = on
  return sql<{ readonly i: number }>`
    WITH x AS MATERIALIZED (
      SELECT x.* FROM jsonb_to_recordset(${jsonOf(changes.map(rowOf))}::text::jsonb)
        AS x(i int, task_id uuid, was text, now_ms float8, change jsonb)
      JOIN ai_agent_tasks t ON t.id = x.task_id
      WHERE t.status = x.was AND NOT ${isHeld(on, sql`t.id`)} AND ${mayEnd(on, changes)}
    )
    ${inTasks(on, changes)} ${inState(on, changes)}
    SELECT i FROM x`
}

const mayEnd = ({ sql }: Statements, changes: ReadonlyArray<OrderChange>): Fragment => {
  if (!someHave(changes, "status")) return sql`true`
  const noBatch = (which: Fragment) =>
    sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id AND ${which})`
  return sql`
    CASE x.change->>'status'
      WHEN 'completed' THEN t.mints_completed = t.quantity AND ${noBatch(sql`b.status NOT IN ('delivered', 'resolved')`)}
      WHEN 'failed' THEN ${noBatch(sql`b.status IN ('signed', 'accepted', 'unknown', 'paid')`)}
      ELSE true
    END`
}

/** v1.1's columns. */
const inTasks = ({ sql, time }: Statements, changes: ReadonlyArray<OrderChange>): Fragment => {
  const at = (column: string, ms = sql`x.now_ms`) => time.write("ai_agent_tasks", column, ms)
  const sets: Array<Fragment> = []
  if (someHave(changes, "status")) {
    const completed = sql`coalesce((x.change->>'completedAtMs')::float8, x.now_ms)`
    sets.push(sql`
      status = coalesce(x.change->>'status', t.status),
      started_at = CASE WHEN x.change->>'status' = 'processing' THEN coalesce(t.started_at, ${at("started_at")})
        ELSE t.started_at END,
      completed_at = CASE WHEN x.change->>'status' IN ('completed', 'failed', 'cancelled')
          THEN ${at("completed_at", completed)}
        WHEN x.change->>'status' = 'funded' THEN NULL ELSE t.completed_at END,
      mints_failed = CASE x.change->>'status' WHEN 'failed' THEN t.quantity - coalesce(t.mints_completed, 0)
        WHEN 'funded' THEN 0 ELSE t.mints_failed END`)
  }
  if (someHave(changes, "retryCount"))
    sets.push(sql`retry_count = coalesce((x.change->>'retryCount')::int, t.retry_count)`)
  if (someHave(changes, "errorMessage", "waiting")) {
    sets.push(sql`error_message = CASE WHEN x.change ? 'waiting' THEN x.change->>'waiting'
      WHEN x.change ? 'errorMessage' THEN x.change->>'errorMessage' ELSE t.error_message END`)
  }
  if (sets.length === 0) return sql``
  // A pause is ours alone: `updated_at` goes on telling when v1.1 last worked on a task that it left behind.
  if (someHave(changes, "status", "retryCount", "errorMessage")) {
    sets.push(sql`updated_at = CASE WHEN x.change ?| '{status,retryCount,errorMessage}' THEN ${at("updated_at")}
      ELSE t.updated_at END`)
  }
  return sql`
    , tasks AS (
      UPDATE ai_agent_tasks t SET ${sql.csv(sets)} FROM x
      WHERE t.id = x.task_id AND x.change ?| '{status,retryCount,errorMessage,waiting}'
    )`
}

/** Our own columns beside the order. All that writes them has locked the order. */
const inState = ({ sql }: Statements, changes: ReadonlyArray<OrderChange>): Fragment => {
  if (!someHave(changes, "status", "nextActionAtMs", "refusal", "stalledSinceMs", "limitedSinceMs")) return sql``
  const instant = (key: string, column: string) => sql`CASE WHEN x.change ? ${key}::text
    THEN to_timestamp((x.change->>${key}::text)::float8 / 1000) ELSE ${sql(column)} END`
  return sql`
    , state AS (
      INSERT INTO ai_agent_task_state
        (task_id, reserved_at_block, next_action_at, refusal, refused_at, stalled_since, limited_since)
      SELECT x.task_id, CASE WHEN x.change->>'status' = 'failed' THEN NULL ELSE s.reserved_at_block END,
        ${instant("nextActionAtMs", "s.next_action_at")}, coalesce(x.change->>'refusal', s.refusal),
        CASE WHEN x.change ? 'refusal' THEN to_timestamp(x.now_ms / 1000) ELSE s.refused_at END,
        ${instant("stalledSinceMs", "s.stalled_since")}, ${instant("limitedSinceMs", "s.limited_since")}
      FROM x LEFT JOIN ai_agent_task_state s ON s.task_id = x.task_id
      WHERE x.change ?| '{nextActionAtMs,refusal,stalledSinceMs,limitedSinceMs}'
        OR (x.change->>'status' = 'failed' AND s.task_id IS NOT NULL)
      ON CONFLICT (task_id) DO UPDATE SET reserved_at_block = excluded.reserved_at_block,
        next_action_at = excluded.next_action_at, refusal = excluded.refusal, refused_at = excluded.refused_at,
        stalled_since = excluded.stalled_since, limited_since = excluded.limited_since
    )`
}
