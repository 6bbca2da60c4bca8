import { Clock, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { duration } from "../domain/time.ts"
import { detect, instantOf } from "../task/sql/TimeColumns.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("database")

/** Work that is due is begun within seconds. After this nobody is at it, or somebody is stuck. */
const OVERDUE_MS = 5 * 60_000

const Counts = Schema.Tuple([
  Schema.Struct({
    open: Schema.Int,
    held: Schema.Int,
    stopped: Schema.Int,
    due_ms: Schema.NullOr(Schema.Number),
    paused: Schema.Array(Schema.String)
  })
])

/** In one statement. Due is what `dueWallets` of the ledger would give to an executor, and its time. */
const readWork = Effect.fnUntraced(function* (settings: SettingsShape, nowMs: number) {
  const sql = yield* SqlClient.SqlClient
  const time = yield* detect(sql, settings.databaseTimezone)
  const now = instantOf(sql, nowMs)
  const ms = (column: string) => sql`(extract(epoch FROM ${sql(column)}) * 1000)::float8`
  const [found] = yield* Schema.decodeUnknownEffect(Counts)(
    yield* sql`
    WITH open AS (
      SELECT t.id, t.status, s.held_at, s.next_action_at,
        ws.stopped_at IS NOT NULL OR EXISTS (SELECT 1 FROM ai_agent_pauses p WHERE p.scope IN
          ('all', 'token:' || lower(t.token_address), 'wallet:' || t.agent_wallet_id)) AS is_stopped,
        ${time.read("ai_agent_tasks", "updated_at", "t")} AS updated_ms
      FROM ai_agent_tasks t
      LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
      LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = t.agent_wallet_id
      WHERE t.status IN ('pending_payment', 'funded', 'processing')
    ), due AS (
      SELECT ${ms("b.next_action_at")} AS at_ms FROM ai_agent_batches b
      WHERE b.status IN ('signed', 'accepted', 'unknown', 'paid') AND b.next_action_at <= ${now}
      UNION ALL
      SELECT ${ms("r.next_action_at")} FROM ai_agent_refunds r
      WHERE r.status = 'signed' AND r.next_action_at <= ${now}
      UNION ALL
      SELECT coalesce(${ms("o.next_action_at")}, o.updated_ms) FROM open o
      WHERE o.status IN ('funded', 'processing') AND o.held_at IS NULL AND NOT o.is_stopped
        AND (o.next_action_at IS NULL OR o.next_action_at <= ${now})
        AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b
          WHERE b.task_id = o.id AND b.status IN ('signed', 'accepted', 'unknown', 'paid'))
    )
    SELECT (SELECT count(*) FROM open)::int AS open,
      (SELECT count(*) FROM open WHERE held_at IS NOT NULL)::int AS held,
      (SELECT count(*) FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL)::int AS stopped,
      (SELECT min(at_ms) FROM due) AS due_ms,
      ARRAY(SELECT p.scope || ' (' || p.reason || ')' FROM ai_agent_pauses p ORDER BY p.since, p.scope) AS paused`
  )
  return found
})

/** What waits: for the executor, and for a person. Needs the tables of ours. */
export const work = Effect.fnUntraced(function* (settings: SettingsShape) {
  const nowMs = yield* Clock.currentTimeMillis
  const found = yield* readWork(settings, nowMs)
  return [
    say.ok({ what: "open orders", detail: `${found.open}, ${found.held} of them held` }),
    ...overdue(found.due_ms === null ? 0 : nowMs - found.due_ms),
    ...held(found.held),
    ...stopped(found.stopped),
    ...paused(found.paused)
  ]
})

const overdue = (ms: number): ReadonlyArray<Finding> => {
  if (ms <= OVERDUE_MS) return []
  const detail = `the oldest that is due has waited for ${duration(ms)}: nobody works, or somebody is stuck`
  return [say.warn({ what: "work", detail, remedy: "See below whether an executor runs, and look at its log." })]
}

const held = (count: number): ReadonlyArray<Finding> => {
  if (count === 0) return []
  const remedy = "ai-mint tasks list --held tells which and why; docs/runbook.md tells what to do."
  return [say.warn({ what: "held orders", detail: `${count} wait for a person`, remedy })]
}

const stopped = (count: number): ReadonlyArray<Finding> => {
  if (count === 0) return []
  const detail = `${count}: money left them that no order explains, and nothing of theirs goes on`
  const remedy =
    'ai-mint reconcile tells where it went. When that is clear: ai-mint resolve --wallet <wallet> --why "…".'
  return [say.warn({ what: "stopped wallets", detail, remedy })]
}

/** More than these are not read at three in the morning. */
const PAUSES_MAX = 5

const paused = (pauses: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  if (pauses.length === 0) return []
  const more = pauses.length > PAUSES_MAX ? `, and ${pauses.length - PAUSES_MAX} more` : ""
  const detail = `nothing is paid for ${pauses.slice(0, PAUSES_MAX).join(", ")}${more}`
  return [say.warn({ what: "paused", detail, remedy: "Somebody decided that. ai-mint resume ends it." })]
}
