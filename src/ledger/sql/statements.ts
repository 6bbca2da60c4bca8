import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../../config/Settings.ts"
import { bounded } from "./failure.ts"
import { detect, type TimeColumns } from "./TimeColumns.ts"

/** What every statement is made with. */
export interface Statements {
  readonly sql: SqlClient.SqlClient
  readonly time: TimeColumns
}

/** What a ledger's statements are made with, and what bounds each of them by `DATABASE_TIMEOUT`. */
export const openStatements = Effect.gen(function* () {
  const { databaseTimeout, databaseTimezone } = yield* Settings
  const sql = yield* SqlClient.SqlClient
  const bound = bounded(databaseTimeout)
  const time = yield* bound("read the columns", detect(sql, databaseTimezone))
  return { on: { sql, time } satisfies Statements as Statements, bound }
})
