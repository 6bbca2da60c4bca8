import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import type { Block } from "../../domain/Block.ts"
import type { Spent } from "../../domain/transferTransitions.ts"
import { type TaskId } from "../../domain/Task.ts"
import { type WalletId } from "../../domain/Wallet.ts"
import { Outrun } from "../TaskRepo.ts"
import type { Statements } from "./statements.ts"

/**
 * The wallet's row comes first in every transaction that moves money: two of them on one wallet go one after the other.
 * What left before the books were opened is not in their opening balance.
 */
export const touchWallet = ({ sql }: Statements, walletId: WalletId, spent?: Spent) => sql`
  INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version, proven_block)
  VALUES (${walletId}::uuid, 1, ${spent?.block ?? 0n}::bigint)
  ON CONFLICT (wallet_id) DO UPDATE SET version = ws.version + 1,
    ${bookSpent(sql, sql`excluded.proven_block`, sql`${spent?.amount ?? 0n}::bigint`)}`

/** What a payment that was proven in this block changes in the row of its wallet, `ws`. */
export const bookSpent = (sql: SqlClient.SqlClient, block: Fragment, amount: Fragment): Fragment => sql`
  proven_block = greatest(ws.proven_block, ${block}),
  book_balance = CASE WHEN ws.opened_block < ${block} THEN ws.book_balance - ${amount} ELSE ws.book_balance END`

/**
 * Lock, then test. Every statement sees what was committed when it began, and one that waits for a row sees only that row
 * anew when it gets it: what it tests of other rows is as old as its beginning. So the rows that say whether something may
 * be done are locked by one statement and tested by the next: the wallet's first, then its tasks' by id. Every write that
 * holds an order, ends its hold, stops a wallet or places an order takes the same locks.
 */
export const lockTask = ({ sql }: Statements, taskId: TaskId) =>
  sql`SELECT id FROM ai_agent_tasks WHERE id = ${taskId}::uuid FOR NO KEY UPDATE`

/** The lock of a wallet for what moves no money of it. */
export const lockWallet = ({ sql }: Statements, walletId: WalletId) => sql`
  INSERT INTO ai_agent_wallet_state AS ws (wallet_id) VALUES (${walletId}::uuid)
  ON CONFLICT (wallet_id) DO UPDATE SET version = ws.version`

/** Lock, then look: two programs that found the same deposit under different indexes would else both be first. */
export const lockWallets = Effect.fnUntraced(function* ({ sql }: Statements, walletIds: ReadonlyArray<WalletId>) {
  yield* sql`
    INSERT INTO ai_agent_wallet_state (wallet_id)
    SELECT id FROM unnest(${walletIds}::uuid[]) AS id ORDER BY id
    ON CONFLICT DO NOTHING`
  yield* sql`
    SELECT 1 FROM ai_agent_wallet_state WHERE wallet_id = ANY(${walletIds}::uuid[]) ORDER BY wallet_id
    FOR NO KEY UPDATE`
})

/**
 * A new version for a wallet that is still as it was read, not stopped, and of which no payment was proven after the
 * block. Nothing where it is not so.
 */
export const claimWallet = (
  { sql }: Statements,
  { walletId, version }: { readonly walletId: WalletId; readonly version: bigint },
  block: Block
) => sql`
  INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version)
  SELECT p.id, ${version}::bigint + 1 FROM (SELECT ${walletId}::uuid AS id) p
  WHERE ${version}::bigint = 0 OR EXISTS (SELECT 1 FROM ai_agent_wallet_state known WHERE known.wallet_id = p.id)
  ON CONFLICT (wallet_id) DO UPDATE SET version = excluded.version
  WHERE ws.version = excluded.version - 1 AND ws.proven_block <= ${block.number}::bigint AND ws.stopped_at IS NULL
  RETURNING ws.wallet_id`

/** Tested after the task of this id was locked. */
export const isHeld = ({ sql }: Statements, taskId: Fragment): Fragment =>
  sql`EXISTS (SELECT 1 FROM ai_agent_task_state held WHERE held.task_id = ${taskId} AND held.held_at IS NOT NULL)`

/**
 * Tested after the row of the wallet of this id was locked. A column must come with its table: a bare `wallet_id` would be
 * the one in here, and any stopped wallet would stop all.
 */
export const isStopped = ({ sql }: Statements, walletId: Fragment): Fragment => sql`
  EXISTS (SELECT 1 FROM ai_agent_wallet_state stopped
    WHERE stopped.wallet_id = ${walletId} AND stopped.stopped_at IS NOT NULL)`

export const orOutrun = <E>(rows: Effect.Effect<ReadonlyArray<unknown>, E>): Effect.Effect<void, E | Outrun> =>
  Effect.flatMap(rows, (found) => (found.length === 0 ? Effect.fail(new Outrun()) : Effect.void))

/** Any number that no other program uses as an advisory lock. */
const LOCK = 4_021_600_613n

/** What is paused stays as it is until the transaction ends: once a pause is reported, no claim runs beside it. */
export const keepPauses = (sql: SqlClient.SqlClient) => sql`SELECT pg_advisory_xact_lock_shared(${LOCK}::bigint)`

/** The same without waiting: whether nothing was being paused or resumed. */
export const claimPauses = (sql: SqlClient.SqlClient): Fragment =>
  sql`pg_try_advisory_xact_lock_shared(${LOCK}::bigint)`

/** Waits until no claim is under way. */
export const changePauses = (sql: SqlClient.SqlClient) => sql`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`

/** The reasons of the pauses that cover what belongs to this wallet and, where one is given, to this token. */
export const pausesOf = (sql: SqlClient.SqlClient, wallet: Fragment, token?: Fragment): Fragment => {
  const ofToken = token === undefined ? sql`` : sql`, 'token:' || lower(${token})`
  return sql`SELECT p.reason FROM ai_agent_pauses p WHERE p.scope IN ('all', 'wallet:' || ${wallet}${ofToken})`
}

export const pausedFor = (sql: SqlClient.SqlClient, wallet: Fragment, token?: Fragment): Fragment =>
  sql`EXISTS (${pausesOf(sql, wallet, token)})`
