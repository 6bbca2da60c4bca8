import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"

/** The tables whose time columns v1.1 may have created without a time zone. */
const TABLES = ["ai_agent_tasks", "ai_agent_wallets", "ai_agent_mint_records"] as const
type Table = (typeof TABLES)[number]

/**
 * Times as milliseconds since 1970, for either type of column. v1.1 made its time columns `timestamp` without time zone
 * and filled them with `now()`: they hold the wall time of the database's default zone. They are converted inside SQL,
 * in that zone, and so the zone of this process never matters.
 */
export interface TimeColumns {
  /**
   * The column as milliseconds, for a select list: `read("ai_agent_tasks", "created_at", "t")`. Null where that is no time
   * that a clock can show: `infinity`, or a year that JavaScript has not (ECMA-262: 8.64e15 ms about 1970).
   */
  readonly read: (table: Table, column: string, alias: string) => Fragment
  /** The same with such times as they are, for what is sorted by them. */
  readonly readAny: (table: Table, column: string, alias: string) => Fragment
  /** A time in milliseconds (a parameter or an expression) as a value of the column. */
  readonly write: (table: Table, column: string, ms: number | Fragment) => Fragment
}

interface ColumnRow {
  readonly name: string
}

export const detect = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, zone: string | undefined) {
  const rows = yield* sql<ColumnRow>`
    SELECT n.name || '.' || a.attname AS name
    FROM unnest(${TABLES}::text[]) AS n(name)
    JOIN pg_attribute a ON a.attrelid = to_regclass(n.name) AND a.attnum > 0 AND NOT a.attisdropped
    WHERE a.atttypid = 'timestamp'::regtype`
  const zoneless = new Set(rows.map((row) => row.name))
  const settings = yield* sql<ColumnRow>`SELECT reset_val AS name FROM pg_settings WHERE name = 'TimeZone'`
  const wallZone = zone ?? settings[0]?.name ?? "UTC"
  const isZoneless = (table: Table, column: string) => zoneless.has(`${table}.${column}`)
  const readAny = (table: Table, column: string, alias: string): Fragment => {
    const value = sql(`${alias}.${column}`)
    const instant = isZoneless(table, column) ? sql`(${value} AT TIME ZONE ${wallZone}::text)` : value
    return sql`(extract(epoch FROM ${instant})::float8 * 1000)`
  }
  return {
    readAny,
    read: (table, column, alias) =>
      sql`(SELECT CASE WHEN abs(e.ms) <= 8.64e15::float8 THEN e.ms END FROM (SELECT ${readAny(table, column, alias)} AS ms) AS e)`,
    write: (table, column, ms) => {
      const instant = instantOf(sql, ms)
      return isZoneless(table, column) ? sql`(${instant} AT TIME ZONE ${wallZone}::text)` : instant
    }
  } satisfies TimeColumns
})

/** Milliseconds as a `timestamptz`. */
export const instantOf = (sql: SqlClient.SqlClient, ms: number | Fragment | null): Fragment =>
  typeof ms === "number" || ms === null ? sql`to_timestamp(${ms}::float8 / 1000)` : sql`to_timestamp(${ms} / 1000)`
