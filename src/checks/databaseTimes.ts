import { Duration, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SettingsShape } from "../config/Settings.ts"
import { duration } from "../domain/time.ts"
import { detect } from "../ledger/sql/TimeColumns.ts"
import { type Finding, reportOn } from "./Finding.ts"
import type { Tables } from "./databaseTables.ts"

const report = reportOn("database")

/** Clocks of two machines may differ by less than this: no zone differs from another by so little. */
const FUTURE_MS = 60_000

/** How much longer than `PAYMENT_TIMEOUT` orders may have lived that were cancelled for it: zones differ by this at least. */
const LATE_MS = 15 * 60_000

/** So many cancelled orders in a row are not the effect of one restart. */
const CANCELLED_ROWS = 3

const ZONE_REMEDY =
  "Set DATABASE_TIMEZONE to the zone of the program that writes the orders: a wrong one cancels orders at birth."

const Zones = Schema.Tuple([Schema.Struct({ zone: Schema.NullOr(Schema.String) })])
const Newest = Schema.Tuple([Schema.Struct({ age_ms: Schema.NullOr(Schema.Number) })])
const Lives = Schema.Array(Schema.Struct({ life_ms: Schema.NullOr(Schema.Number) }))

/** The zone in which the times of orders are read, and whether the results make sense. */
export const times = Effect.fnUntraced(function* (settings: SettingsShape, { tables }: Tables) {
  const sql = yield* SqlClient.SqlClient
  const column = yield* detect(sql, settings.databaseTimezone)
  const [{ zone }] = yield* Schema.decodeUnknownEffect(Zones)(
    yield* sql`SELECT (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone') AS zone`
  )
  const createdMs = column.read("ai_agent_tasks", "created_at", "t")
  const [{ age_ms }] = yield* Schema.decodeUnknownEffect(Newest)(
    yield* sql`
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 - max(${createdMs}) AS age_ms FROM ai_agent_tasks t`
  )
  const lives = yield* Schema.decodeUnknownEffect(Lives)(
    yield* sql`
    SELECT ${column.read("ai_agent_tasks", "completed_at", "t")} - ${createdMs} AS life_ms FROM ai_agent_tasks t
    WHERE t.status = 'cancelled' AND t.error_message LIKE 'Payment timeout:%' AND t.completed_at IS NOT NULL
    ORDER BY t.completed_at DESC LIMIT ${CANCELLED_ROWS}::int`
  )
  return [
    zoneFinding(settings, tables.get("ai_agent_tasks")?.isZoneless === true, zone ?? "UTC"),
    newest(age_ms),
    ...cancelledAtBirth(
      settings,
      lives.map(({ life_ms }) => life_ms ?? 0)
    )
  ]
})

const zoneFinding = ({ databaseTimezone }: SettingsShape, isZoneless: boolean, zone: string): Finding => {
  const what = "time zone"
  if (!isZoneless) return report.ok({ what, detail: "times are stored with theirs" })
  const read =
    databaseTimezone === undefined ? `${zone}, the database's own` : `${databaseTimezone} (DATABASE_TIMEZONE)`
  return report.ok({ what, detail: `times are stored without one, and read as ${read}` })
}

const newest = (ageMs: number | null): Finding => {
  const what = "newest order"
  if (ageMs === null) return report.ok({ what, detail: "there is none yet" })
  if (ageMs >= -FUTURE_MS) return report.ok({ what, detail: `was placed ${duration(ageMs)} ago` })
  const detail = `was placed ${duration(-ageMs)} from now: its time is read in a zone that it was not written in`
  return report.warn({ what, detail, remedy: ZONE_REMEDY })
}

/** An order that is read as hours old is cancelled at the first sweep: it seems to have lived for those hours. */
const cancelledAtBirth = (
  { paymentTimeout }: SettingsShape,
  livesMs: ReadonlyArray<number>
): ReadonlyArray<Finding> => {
  const extraMs = Math.min(...livesMs) - Duration.toMillis(paymentTimeout)
  if (livesMs.length < CANCELLED_ROWS || extraMs < LATE_MS) return []
  const detail =
    `the last ${livesMs.length} orders that were not paid were cancelled ${duration(extraMs)} or more after their ` +
    "deadline: no executor ran then, or their times are read in a wrong zone"
  return [report.warn({ what: "cancellations", detail, remedy: ZONE_REMEDY })]
}
