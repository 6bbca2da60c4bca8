import { Effect, Schema } from "effect"
import { type Address, type Bytes32, parse } from "../../domain/Address.ts"
import type { Block } from "../../domain/Block.ts"
import type { UnspentDeposit } from "../../domain/Deposit.ts"
import { messages } from "../../domain/Task.ts"
import { usdc } from "../../domain/Usdc.ts"
import type { WalletId } from "../../domain/Wallet.ts"
import type { CountedWallet, FoundDeposit } from "../TaskRepo.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

const Keys = Schema.Array(Schema.Struct({ tx_hash: Schema.String, log_index: Schema.Number }))

export const DepositFields = {
  wallet_id: Schema.String,
  agent_address: Schema.NullOr(Schema.String),
  tx_hash: Schema.String,
  log_index: Schema.Number,
  sender: Schema.String,
  amount: Schema.BigInt,
  remaining: Schema.BigInt,
  block: Schema.BigInt,
  block_ms: Schema.Number
}
const DepositRecords = Schema.Array(Schema.Struct(DepositFields))
type DepositRecord = (typeof DepositRecords.Type)[number]

/** Select list for `ai_agent_deposits d LEFT JOIN ai_agent_wallets w`. */
export const depositColumns = ({ sql }: Statements) => sql`
  d.wallet_id, w.agent_address, d.tx_hash, d.log_index, d.sender, d.amount, d.remaining, d.block,
  (extract(epoch FROM d.block_at) * 1000)::float8 AS block_ms`

/** Our own rows: their texts are of the right form. */
export const depositOf = (row: DepositRecord): UnspentDeposit & { readonly walletId: WalletId } => ({
  walletId: row.wallet_id,
  wallet: (parse(row.agent_address ?? "") ?? "") as Address,
  from: row.sender as Address,
  amount: usdc(row.amount),
  left: usdc(row.remaining),
  tx: row.tx_hash as Bytes32,
  logIndex: row.log_index,
  block: { number: row.block, timeMs: row.block_ms }
})

/**
 * One statement. A deposit from before the books were opened is in their opening balance, and only remembered. Where the
 * books are not open yet, this opens them.
 */
export const recordDeposits = Effect.fnUntraced(function* (
  { sql }: Statements,
  found: ReadonlyArray<FoundDeposit>,
  counted: ReadonlyArray<CountedWallet>,
  block: Block
) {
  const deposits = found.map((deposit) => ({
    wallet_id: deposit.walletId,
    tx: deposit.tx,
    log_index: deposit.logIndex,
    sender: deposit.from,
    amount: deposit.amount.toString(),
    block: deposit.block.number.toString(),
    block_ms: deposit.block.timeMs
  }))
  const wallets = counted.map(({ walletId, balance, isWhole }) => ({
    wallet_id: walletId,
    balance: balance.toString(),
    is_whole: isWhole
  }))
  const raw = yield* sql`
    WITH fresh AS (
      INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
      SELECT x.tx, x.log_index, x.wallet_id, x.sender, x.amount, x.amount, x.block, to_timestamp(x.block_ms / 1000)
      FROM jsonb_to_recordset(${JSON.stringify(deposits)}::text::jsonb) AS x(wallet_id uuid, tx text, log_index int,
        sender text, amount bigint, block bigint, block_ms float8)
      ORDER BY x.tx, x.log_index
      ON CONFLICT DO NOTHING
      RETURNING wallet_id, tx_hash, log_index, amount, block
    ), counted AS (
      INSERT INTO ai_agent_wallet_state AS ws (wallet_id, opened_block, counted_block, book_balance)
      SELECT x.wallet_id, ${block.number}::bigint, CASE WHEN x.is_whole THEN ${block.number}::bigint END, x.balance
      FROM jsonb_to_recordset(${JSON.stringify(wallets)}::text::jsonb) AS x(wallet_id uuid, balance bigint,
        is_whole boolean)
      ORDER BY x.wallet_id
      ON CONFLICT (wallet_id) DO UPDATE SET
        opened_block = coalesce(ws.opened_block, excluded.opened_block),
        counted_block = greatest(ws.counted_block, excluded.counted_block),
        book_balance = coalesce(ws.book_balance + (SELECT coalesce(sum(fresh.amount), 0)::bigint FROM fresh
          WHERE fresh.wallet_id = ws.wallet_id AND fresh.block > ws.opened_block), excluded.book_balance)
    )
    SELECT tx_hash, log_index FROM fresh`
  const fresh = new Set((yield* Schema.decodeUnknownEffect(Keys)(raw)).map((row) => `${row.tx_hash}:${row.log_index}`))
  return found.filter((deposit) => fresh.has(`${deposit.tx}:${deposit.logIndex}`))
})

export const unspentDeposits = Effect.fnUntraced(function* (on: Statements, walletIds: ReadonlyArray<WalletId>) {
  if (walletIds.length === 0) return []
  const raw = yield* on.sql`
    SELECT ${depositColumns(on)}
    FROM ai_agent_deposits d LEFT JOIN ai_agent_wallets w ON w.id = d.wallet_id
    WHERE d.wallet_id = ANY(${walletIds}::uuid[]) AND d.remaining > 0
    ORDER BY d.block, d.tx_hash, d.log_index`
  return (yield* Schema.decodeUnknownEffect(DepositRecords)(raw)).map(depositOf)
})

export const stopWallet = Effect.fnUntraced(function* (
  { sql, time }: Statements,
  stop: { readonly walletId: WalletId; readonly version: bigint; readonly reason: string },
  nowMs: number
) {
  const rows = yield* sql`
    WITH stopped AS (
      UPDATE ai_agent_wallet_state SET version = version + 1, stopped_at = ${instantOf(sql, nowMs)},
        stopped_reason = ${stop.reason}
      WHERE wallet_id = ${stop.walletId}::uuid AND version = ${stop.version}::bigint AND stopped_at IS NULL
      RETURNING wallet_id
    ), open AS (
      SELECT t.id FROM ai_agent_tasks t JOIN stopped ON t.agent_wallet_id = stopped.wallet_id
      WHERE t.status IN ('pending_payment', 'funded', 'processing')
      ORDER BY t.id FOR NO KEY UPDATE OF t
    ), told AS (
      UPDATE ai_agent_tasks t SET error_message = ${messages.stopped(stop.reason)},
        updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
      FROM open WHERE t.id = open.id
    )
    SELECT wallet_id FROM stopped`
  return rows.length > 0
})

const Nonces = Schema.Array(Schema.Struct({ nonce: Schema.String }))

export const knownNonces = Effect.fnUntraced(function* ({ sql }: Statements, nonces: ReadonlyArray<Bytes32>) {
  if (nonces.length === 0) return new Set<Bytes32>()
  const raw = yield* sql`
    SELECT nonce FROM ai_agent_batches WHERE nonce = ANY(${nonces}::text[])
    UNION SELECT nonce FROM ai_agent_refunds WHERE nonce = ANY(${nonces}::text[])`
  return new Set((yield* Schema.decodeUnknownEffect(Nonces)(raw)).map((row) => row.nonce as Bytes32))
})
