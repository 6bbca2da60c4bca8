import { Clock, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SettingsShape } from "../config/Settings.ts"
import { counted } from "../domain/text.ts"
import { isOverdue } from "../domain/requirements.ts"
import { duration } from "../domain/time.ts"
import { detect } from "../ledger/sql/TimeColumns.ts"
import { oldestDueMs } from "../ledger/sql/due.ts"
import { type Finding, reportOn } from "./Finding.ts"

const report = reportOn("database")

const Counts = Schema.Tuple([
  Schema.Struct({
    open: Schema.Int,
    held: Schema.Int,
    stopped: Schema.Int,
    paused: Schema.Array(Schema.String)
  })
])

const readWork = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* Schema.decodeUnknownEffect(Counts)(
    yield* sql`
    SELECT count(*)::int AS open, (count(*) FILTER (WHERE s.held_at IS NOT NULL))::int AS held,
      (SELECT count(*) FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL)::int AS stopped,
      ARRAY(SELECT CASE p.scope WHEN 'all' THEN 'anything' ELSE p.scope END || ' (' || p.reason || ')'
        FROM ai_agent_pauses p ORDER BY p.since, p.scope) AS paused
    FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
    WHERE t.status IN ('pending_payment', 'funded', 'processing')`
  )
  return found
})

/** Since when the oldest work is due that the ledger would give to an executor. */
const readDue = Effect.fnUntraced(function* (settings: SettingsShape, nowMs: number) {
  const sql = yield* SqlClient.SqlClient
  return yield* oldestDueMs({ sql, time: yield* detect(sql, settings.databaseTimezone) }, nowMs)
})

/** What waits for the executor or for a person. Needs our own tables. */
export const work = Effect.fnUntraced(function* (settings: SettingsShape) {
  const nowMs = yield* Clock.currentTimeMillis
  const found = yield* readWork
  return [
    report.ok({
      what: "open orders",
      detail: found.held === 0 ? `${found.open}` : `${found.open}, ${found.held} of them held`
    }),
    ...overdue(yield* readDue(settings, nowMs), nowMs),
    ...held(found.held),
    ...stopped(found.stopped),
    ...paused(found.paused)
  ]
})

const overdue = (dueSinceMs: number | undefined, nowMs: number): ReadonlyArray<Finding> => {
  if (!isOverdue(dueSinceMs, nowMs)) return []
  const detail = `the oldest that is due has waited for ${duration(nowMs - dueSinceMs)}: no executor works on it, or it is stuck`
  return [report.warn({ what: "work", detail, remedy: "See below whether an executor runs, and look at its log." })]
}

const held = (count: number): ReadonlyArray<Finding> => {
  if (count === 0) return []
  const remedy = "ai-mint tasks list --held tells which and why; docs/runbook.md tells what to do."
  return [report.warn({ what: "held orders", detail: `${counted(count, "order")}, until a person decides`, remedy })]
}

const stopped = (count: number): ReadonlyArray<Finding> => {
  if (count === 0) return []
  const detail = `${counted(count, "wallet")}: nothing is funded, paid or refunded`
  const remedy =
    'ai-mint status says why each is stopped. When that is clear: ai-mint resolve --wallet <wallet> --why "…".'
  return [report.warn({ what: "stopped wallets", detail, remedy })]
}

/** More than these are not worth a longer line. */
const PAUSES_MAX = 5

const paused = (pauses: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  if (pauses.length === 0) return []
  const more = pauses.length > PAUSES_MAX ? `, and ${pauses.length - PAUSES_MAX} more` : ""
  const detail = `nothing is paid for ${pauses.slice(0, PAUSES_MAX).join(", ")}${more}`
  return [report.warn({ what: "paused", detail, remedy: "A person decided that, and ai-mint resume ends it." })]
}
