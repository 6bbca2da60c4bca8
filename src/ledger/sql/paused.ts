import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"

/** Any number that no other program uses as an advisory lock. */
const LOCK = 4_021_600_613n

/** What is paused stays as it is until the transaction ends: a pause that is told to be in force has no claim beside it. */
export const keepPauses = (sql: SqlClient.SqlClient) => sql`SELECT pg_advisory_xact_lock_shared(${LOCK}::bigint)`

/** Waits until no claim is under way. */
export const changePauses = (sql: SqlClient.SqlClient) => sql`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`

/** The reasons of the pauses that cover what belongs to this wallet and, where one is given, to this token. */
export const pausesOf = (sql: SqlClient.SqlClient, wallet: Fragment, token?: Fragment): Fragment => {
  const ofToken = token === undefined ? sql`` : sql`, 'token:' || lower(${token})`
  return sql`SELECT p.reason FROM ai_agent_pauses p WHERE p.scope IN ('all', 'wallet:' || ${wallet}${ofToken})`
}

export const pausedFor = (sql: SqlClient.SqlClient, wallet: Fragment, token?: Fragment): Fragment =>
  sql`EXISTS (${pausesOf(sql, wallet, token)})`
