import { Effect, Schema } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { WalletId } from "../../domain/Wallet.ts"
import type { Spent } from "../TaskRepo.ts"
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

export const orOutrun = <E>(rows: Effect.Effect<ReadonlyArray<unknown>, E>): Effect.Effect<void, E | Outrun> =>
  Effect.flatMap(rows, (found) => (found.length === 0 ? Effect.fail(new Outrun()) : Effect.void))
