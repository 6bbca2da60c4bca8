import { Effect, Schema } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import type { TaskId } from "../../domain/Task.ts"
import type { WalletId } from "../../domain/Wallet.ts"
import type { Spent } from "../../domain/Spent.ts"
import type { Statements } from "./statements.ts"

/** Somebody else changed the row first: the transaction is undone and nothing has happened. */
class Outrun extends Schema.TaggedError<Outrun>()("Outrun", {}) {}

export const transact = <E>(
  { sql }: Statements,
  changes: Effect.Effect<void, E | Outrun | SqlError>
): Effect.Effect<boolean, Exclude<E, Outrun> | SqlError> =>
  sql.withTransaction(changes).pipe(
    Effect.as(true),
    Effect.catchTag("Outrun", () => Effect.succeed(false))
  ) as Effect.Effect<boolean, Exclude<E, Outrun> | SqlError>

/**
 * The wallet's row comes first in every transaction that moves money: two of them on one wallet go one after the other.
 * What left before the books were opened is not in their opening balance.
 */
export const touchWallet = ({ sql }: Statements, walletId: WalletId, spent?: Spent) => sql`
  INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version, proven_block)
  VALUES (${walletId}::uuid, 1, ${spent?.block ?? 0n}::bigint)
  ON CONFLICT (wallet_id) DO UPDATE SET version = ws.version + 1,
    proven_block = greatest(ws.proven_block, excluded.proven_block),
    book_balance = CASE WHEN ws.opened_block < excluded.proven_block
      THEN ws.book_balance - ${spent?.amount ?? 0n}::bigint ELSE ws.book_balance END`

/**
 * Lock, then test. Every statement sees what was committed when it began, and one that waits for a row sees only that row
 * anew when it gets it: what it tests of other rows is as old as its beginning. So the rows that say whether something may
 * be done are locked by one statement and tested by the next: the wallet's first, then its tasks' by id. Whoever holds an
 * order, ends its hold, stops a wallet or places an order takes the same locks.
 */
export const lockTask = ({ sql }: Statements, taskId: TaskId) =>
  sql`SELECT id FROM ai_agent_tasks WHERE id = ${taskId}::uuid FOR NO KEY UPDATE`

/** The lock of a wallet for what moves no money of it. */
export const lockWallet = ({ sql }: Statements, walletId: WalletId) => sql`
  INSERT INTO ai_agent_wallet_state AS ws (wallet_id) VALUES (${walletId}::uuid)
  ON CONFLICT (wallet_id) DO UPDATE SET version = ws.version`

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
