import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import type { WalletRange } from "../../domain/Part.ts"
import type { WalletId } from "../../domain/Wallet.ts"

/** Ranges that one page is read from: each is a walk of its own. */
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
 * The first wallets of these ranges after the cursor, `walletsMax` at most, in the order of ids. `walk` gives the wallets
 * that are asked for, in that order, as `wallet_id`: it gets the condition on the column that it walks along.
 *
 * A walk has no upper bound: between two bounds the planner expects so few rows that it collects and sorts them all for
 * each page. What it finds beyond its range is left out.
 */
export const walkRanges = (
  sql: SqlClient.SqlClient,
  { read, cursor, walletsMax }: WalkOptions,
  walk: (isAsked: (walletId: Fragment) => Fragment, limit: Fragment) => Fragment
): Fragment => {
  const limit = sql`LIMIT ${walletsMax}::int`
  const walks = read.map(({ first, last }) => {
    const isAsked = (walletId: Fragment) =>
      cursor !== undefined && cursor >= first ? sql`${walletId} > ${cursor}::uuid` : sql`${walletId} >= ${first}::uuid`
    return sql`SELECT wallet_id FROM (${walk(isAsked, limit)}) walked WHERE wallet_id <= ${last}::uuid`
  })
  return sql`SELECT wallet_id FROM (${sql.join(" UNION ALL ", false)(walks)}) walked ORDER BY 1 ${limit}`
}

interface WalkOptions {
  readonly read: ReadonlyArray<WalletRange>
  readonly cursor: WalletId | undefined
  readonly walletsMax: number
}
