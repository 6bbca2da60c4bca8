import { Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { LIMIT_WINDOW_MS, type LimitScope, type LimitUse } from "../../domain/Limit.ts"
import { usdc } from "../../domain/Usdc.ts"
import { instantOf } from "./TimeColumns.ts"

/**
 * Locks the rows of these limits until the transaction ends, and gives the scopes of those that are set. Two claims under
 * one limit go one after the other, in all executors: this comes last of all locks, and in the order of the scopes.
 */
export const lockLimits = (sql: SqlClient.SqlClient, scopes: ReadonlyArray<LimitScope>): Fragment => sql`
  SELECT l.scope FROM ai_agent_limits l WHERE l.scope = ANY(${scopes}::text[]) ORDER BY l.scope FOR NO KEY UPDATE`

/**
 * The payments that count against the limit `l`, as rows of `at, amount`: each kind of limit by the index that has them.
 * Source of the cost: only the branch of the kind of `l` is read ("One-Time Filter" in the plan).
 */
const signedUnder = (sql: SqlClient.SqlClient, nowMs: number): Fragment => {
  const since = instantOf(sql, nowMs - LIMIT_WINDOW_MS)
  const branch = (ofKind: Fragment, which: Fragment) => sql`
    SELECT b.signed_at AS at, coalesce(b.signed_amount, b.paid_amount, 0) AS amount FROM ai_agent_batches b
    WHERE ${ofKind} AND ${which} AND b.signed_at > ${since}`
  return sql`
    ${branch(sql`l.scope = 'all'`, sql`true`)}
    UNION ALL ${branch(sql`starts_with(l.scope, 'token:')`, sql`b.token = substr(l.scope, 7)`)}
    UNION ALL ${branch(sql`starts_with(l.scope, 'user:')`, sql`b.recipient = substr(l.scope, 6)`)}
    UNION ALL ${branch(
      sql`starts_with(l.scope, 'key:')`,
      sql`b.key_id = CASE WHEN starts_with(l.scope, 'key:') THEN substr(l.scope, 5)::uuid END`
    )}`
}

/** What is used of the limit `l`. */
export const usedOf = (sql: SqlClient.SqlClient, nowMs: number): Fragment =>
  sql`(SELECT coalesce(sum(u.amount), 0)::bigint FROM (${signedUnder(sql, nowMs)}) u)`

/** So many payments at the most are looked through for the moment at which enough is free. */
const FREES_MAX = 1_000

/**
 * These limits with their use, as rows of `scope, per_day, used, frees`: where one has no room for `amount`, the oldest
 * payments first, up to that. `OFFSET 0` keeps what is used from being summed up again for each mention of it.
 */
export const limitUses = (
  sql: SqlClient.SqlClient,
  { nowMs, scopes, amount }: { readonly nowMs: number; readonly scopes: Fragment; readonly amount: Fragment }
): Fragment => sql`
  SELECT l.scope, l.per_day, l.used, CASE WHEN l.used + ${amount} > l.per_day THEN (
    SELECT coalesce(json_agg(json_build_object('at_ms', extract(epoch FROM f.at) * 1000, 'amount', f.amount::text)
      ORDER BY f.at), '[]')
    FROM (
      SELECT u.at, u.amount, sum(u.amount) OVER (ORDER BY u.at ROWS UNBOUNDED PRECEDING) - u.amount AS before
      FROM (${signedUnder(sql, nowMs)} ORDER BY at LIMIT ${FREES_MAX}::int) u
    ) f WHERE f.before < l.used + ${amount} - l.per_day
  ) ELSE '[]' END AS frees
  FROM (
    SELECT l.scope, l.per_day, ${usedOf(sql, nowMs)} AS used FROM ai_agent_limits l WHERE l.scope IN (${scopes}) OFFSET 0
  ) l`

const FreedRecord = Schema.Struct({ at_ms: Schema.Number, amount: Schema.BigIntFromString })

/** Inside JSON. */
export const LimitUseRecords = Schema.Array(
  Schema.Struct({
    scope: Schema.String,
    per_day: Schema.BigIntFromString,
    used: Schema.BigIntFromString,
    frees: Schema.Array(FreedRecord)
  })
)

export const limitUseOf = (row: (typeof LimitUseRecords.Type)[number]): LimitUse => ({
  scope: row.scope as LimitScope,
  perDay: usdc(row.per_day),
  used: usdc(row.used),
  frees: row.frees.map(({ at_ms, amount }) => ({ atMs: at_ms + LIMIT_WINDOW_MS, amount: usdc(amount) }))
})
