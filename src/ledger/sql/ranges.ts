import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import type { WalletRange } from "../../domain/Part.ts"
import type { WalletId } from "../../domain/Wallet.ts"

/**
 * Ranges that one page is read from. The planner takes a walk through each of them for cheap, and with 64 of them it takes
 * another way: two seconds instead of some hundredths for 2,000 of 100,000 wallets.
 */
export const RANGES_MAX = 5

/** Whether a wallet is in one of the ranges. */
export const inRanges =
  (sql: SqlClient.SqlClient, ranges: ReadonlyArray<WalletRange>) =>
  (walletId: Fragment): Fragment =>
    ranges.length === 0
      ? sql`false`
      : sql`(${sql.or(ranges.map(({ first, last }) => sql`${walletId} BETWEEN ${first}::uuid AND ${last}::uuid`))})`

/** The ranges that a page is read from: those that the walk has not passed, `RANGES_MAX` at most. */
export const rangesAfter = (ranges: ReadonlyArray<WalletRange>, cursor: WalletId | undefined) => {
  const left = ranges.filter(({ last }) => cursor === undefined || last > cursor)
  const read = left.slice(0, RANGES_MAX)
  return {
    read,
    /** Where the walk is when they are read to their end; `undefined` where none comes after them. */
    end: left.length > read.length ? read.at(-1)?.last : undefined
  }
}

/**
 * The first wallets of these ranges after the cursor, `walletsMax` at most, in the order of ids. `walk` gives those of one
 * range, in that order, as `wallet_id`: it gets the condition on the column that it walks along.
 */
export const walkRanges = (
  sql: SqlClient.SqlClient,
  { read, cursor, walletsMax }: WalkOptions,
  walk: (isAsked: (walletId: Fragment) => Fragment, limit: Fragment) => Fragment
): Fragment => {
  const after = sql`${cursor ?? null}::uuid`
  const limit = sql`LIMIT ${walletsMax}::int`
  const isAsked = (walletId: Fragment) =>
    sql`${walletId} BETWEEN range.first AND range.last AND (${after} IS NULL OR ${walletId} > ${after})`
  return sql`
    SELECT walked.wallet_id
    FROM unnest(${read.map(({ first }) => first)}::uuid[], ${read.map(({ last }) => last)}::uuid[]) AS range(first, last)
    CROSS JOIN LATERAL (${walk(isAsked, limit)}) walked
    ORDER BY 1 ${limit}`
}

interface WalkOptions {
  readonly read: ReadonlyArray<WalletRange>
  readonly cursor: WalletId | undefined
  readonly walletsMax: number
}
