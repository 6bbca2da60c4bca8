import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"

/** The reasons of the pauses that cover what belongs to this wallet and, where one is given, to this token. */
export const pausesOf = (sql: SqlClient.SqlClient, wallet: Fragment, token?: Fragment): Fragment => {
  const ofToken = token === undefined ? sql`` : sql`, 'token:' || lower(${token})`
  return sql`SELECT p.reason FROM ai_agent_pauses p WHERE p.scope IN ('all', 'wallet:' || ${wallet}${ofToken})`
}

export const pausedFor = (sql: SqlClient.SqlClient, wallet: Fragment, token?: Fragment): Fragment =>
  sql`EXISTS (${pausesOf(sql, wallet, token)})`
