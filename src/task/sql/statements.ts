import type { SqlClient } from "effect/sql"
import type { TimeColumns } from "./TimeColumns.ts"

/** What every statement is made with. */
export interface Statements {
  readonly sql: SqlClient.SqlClient
  readonly time: TimeColumns
}
