import { Schema } from "effect"
import { type LimitScope, type LimitState } from "../../../domain/Limit.ts"
import { usdc } from "../../../domain/Usdc.ts"
import { type DecisionRepo } from "../../DecisionRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { usedOf } from "../limits.ts"
import { changePauses, orOutrun } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import { type Methods, rowsOf, type Statements } from "../statements.ts"

const Rows = Schema.Array(
  Schema.Struct({
    scope: Schema.String,
    per_day: Schema.BigInt,
    reason: Schema.String,
    since_ms: Schema.Number,
    used: Schema.BigInt
  })
)

/**
 * Orders that wait for a limit are due at once. One whose row another program has is left out: it looks again by itself
 * within minutes. Tasks are locked before what is kept beside them, as everywhere.
 */
const wakeLimited = ({ sql }: Statements) => sql`
  WITH waiting AS MATERIALIZED (
    SELECT t.id FROM ai_agent_task_state s JOIN ai_agent_tasks t ON t.id = s.task_id
    WHERE s.limited_since IS NOT NULL ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED
  )
  UPDATE ai_agent_task_state s SET next_action_at = NULL FROM waiting WHERE s.task_id = waiting.id`

export const limitDecisions = {
  limits: ({ once, sql }) =>
    once("read the limits", function* (nowMs) {
      const rows = yield* rowsOf(Rows)(sql`
        SELECT l.scope, l.per_day, l.reason, (extract(epoch FROM l.since) * 1000)::float8 AS since_ms,
          ${usedOf(sql, nowMs)} AS used
        FROM ai_agent_limits l ORDER BY l.scope`)
      return rows.map((row): LimitState => ({
        scope: row.scope as LimitScope,
        perDay: usdc(row.per_day),
        reason: row.reason,
        sinceMs: row.since_ms,
        used: usdc(row.used)
      }))
    }),

  setLimit: (on) =>
    on.transact("set a limit", function* ({ scope, perDay, reason, sinceMs }, decision) {
      yield* changePauses(on.sql)
      yield* orOutrun(on.sql`
        INSERT INTO ai_agent_limits AS l (scope, per_day, reason, since)
        VALUES (${scope}, ${perDay}::bigint, ${reason}, ${instantOf(on.sql, sinceMs)})
        ON CONFLICT (scope) DO UPDATE SET per_day = excluded.per_day, reason = excluded.reason, since = excluded.since
        WHERE l.per_day <> excluded.per_day
        RETURNING scope`)
      yield* wakeLimited(on)
      yield* noteDecision(on, decision, {}, sinceMs)
    }),

  removeLimit: (on) =>
    on.transact("remove a limit", function* (scope, decision, nowMs) {
      yield* changePauses(on.sql)
      yield* orOutrun(on.sql`DELETE FROM ai_agent_limits WHERE scope = ${scope} RETURNING scope`)
      yield* wakeLimited(on)
      yield* noteDecision(on, decision, {}, nowMs)
    })
} satisfies Methods<DecisionRepo["Service"]>
