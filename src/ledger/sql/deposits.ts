import { Effect, Schema } from "effect"
import { type Address, type Bytes32, parse } from "../../domain/Address.ts"
import type { Block } from "../../domain/Block.ts"
import type { UnspentDeposit } from "../../domain/Deposit.ts"
import { messages } from "../../domain/Task.ts"
import { usdc } from "../../domain/Usdc.ts"
import type { WalletId } from "../../domain/Wallet.ts"
import type { CountedWallet, FoundDeposit } from "../TaskRepo.ts"
import { agentAddress } from "./rows.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

export const Keys = Schema.Array(Schema.Struct({ tx_hash: Schema.String, log_index: Schema.Number }))

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
  d.wallet_id, ${agentAddress(sql)} AS agent_address, d.tx_hash, d.log_index, d.sender, d.amount, d.remaining, d.block,
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
 * A deposit from before the books were opened is in their opening balance, and only remembered. Where the books are not
 * open yet, this opens them, unless the wallet has changed since it was read or the balance is older than what is known
 * of it: then a payment that was proven since, or a deposit that was recorded, would be in the books twice or not at all.
 *
 * Nodes may count the indexes of logs differently, and a transaction that is mined again gets others: what is known and
 * what was found are held against each other by content. The index in the row is the one that it was first seen under,
 * and only names it.
 */
export const recordDeposits = Effect.fnUntraced(function* (
  on: Statements,
  found: ReadonlyArray<FoundDeposit>,
  counted: ReadonlyArray<CountedWallet>,
  block: Block
) {
  const walletIds = [...new Set([...found, ...counted].map(({ walletId }) => walletId))]
  if (walletIds.length === 0) return []
  const keys = yield* on.sql.withTransaction(
    Effect.andThen(lockWallets(on, walletIds), writeDeposits(on, found, counted, block))
  )
  const arrived = new Set(keys.map((row) => `${row.tx_hash}:${row.log_index}`))
  return found.filter((deposit) => arrived.delete(`${deposit.tx}:${deposit.logIndex}`))
})

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

const depositRow = ({ walletId, tx, logIndex, from, amount, block }: FoundDeposit) => ({
  wallet_id: walletId,
  tx,
  log_index: logIndex,
  sender: from,
  amount: amount.toString(),
  block: block.number.toString(),
  block_ms: block.timeMs
})

const countedRow = ({ walletId, version, balance, isWhole }: CountedWallet) => ({
  wallet_id: walletId,
  version: version.toString(),
  balance: balance.toString(),
  is_whole: isWhole
})

const writeDeposits = Effect.fnUntraced(function* (
  { sql }: Statements,
  found: ReadonlyArray<FoundDeposit>,
  counted: ReadonlyArray<CountedWallet>,
  block: Block
) {
  const at = sql`${block.number}::bigint`
  const raw = yield* sql`
    WITH given AS (
      SELECT DISTINCT ON (x.tx, x.log_index) x.*
      FROM jsonb_to_recordset(${JSON.stringify(found.map(depositRow))}::text::jsonb) AS x(wallet_id uuid, tx text, log_index int,
        sender text, amount bigint, block bigint, block_ms float8)
      ORDER BY x.tx, x.log_index
    ), found AS (
      SELECT *, row_number() OVER (PARTITION BY tx, wallet_id, sender, amount ORDER BY log_index) AS nth FROM given
    ), known AS (
      SELECT d.*, row_number() OVER (PARTITION BY d.tx_hash, d.wallet_id, d.sender, d.amount ORDER BY d.log_index) AS nth
      FROM ai_agent_deposits d WHERE d.tx_hash IN (SELECT tx FROM given)
    ), matched AS (
      SELECT f.*, k.log_index AS known_index, k.block AS known_block, k.withdrawn_at IS NOT NULL AS is_back
      FROM found f LEFT JOIN known k ON k.tx_hash = f.tx AND k.wallet_id = f.wallet_id AND k.sender = f.sender
        AND k.amount = f.amount AND k.nth = f.nth
    ), named AS (
      SELECT m.*, CASE WHEN EXISTS (SELECT 1 FROM known k WHERE k.tx_hash = m.tx AND k.log_index = m.log_index)
        THEN (SELECT max(log_index) FROM (SELECT log_index FROM known WHERE tx_hash = m.tx
          UNION ALL SELECT log_index FROM given WHERE tx = m.tx) taken) + 1 + m.log_index
        ELSE m.log_index END AS name
      FROM matched m WHERE m.known_index IS NULL
    ), fresh AS (
      INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
      SELECT tx, name, wallet_id, sender, amount, amount, block, to_timestamp(block_ms / 1000)
      FROM named ORDER BY tx, name
      ON CONFLICT DO NOTHING
      RETURNING tx_hash, log_index AS name
    ), again AS (
      UPDATE ai_agent_deposits d SET block = m.block, block_at = to_timestamp(m.block_ms / 1000), withdrawn_at = NULL
      FROM matched m JOIN ai_agent_wallet_state ws ON ws.wallet_id = m.wallet_id
      WHERE d.tx_hash = m.tx AND d.log_index = m.known_index AND (m.is_back OR (m.block <> m.known_block
        AND coalesce(m.block > ws.opened_block, false) = coalesce(m.known_block > ws.opened_block, false)))
      RETURNING d.wallet_id, m.tx, m.log_index, d.amount, d.block, m.is_back
    ), arrived AS (
      SELECT n.wallet_id, n.tx, n.log_index, n.amount, n.block
      FROM named n JOIN fresh ON fresh.tx_hash = n.tx AND fresh.name = n.name
      UNION ALL SELECT wallet_id, tx, log_index, amount, block FROM again WHERE is_back
    ), counted AS (
      SELECT x.*, ws.opened_block IS NULL AND ws.version = x.version AND ws.proven_block <= ${at} AS opens
      FROM jsonb_to_recordset(${JSON.stringify(counted.map(countedRow))}::text::jsonb) AS x(wallet_id uuid, version bigint,
        balance bigint, is_whole boolean) JOIN ai_agent_wallet_state ws ON ws.wallet_id = x.wallet_id
    ), books AS (
      UPDATE ai_agent_wallet_state ws SET
        opened_block = CASE WHEN c.opens THEN ${at} ELSE ws.opened_block END,
        counted_block = CASE WHEN c.is_whole AND ws.version = c.version AND (c.opens OR ws.opened_block IS NOT NULL)
          THEN greatest(ws.counted_block, ${at}) ELSE ws.counted_block END,
        book_balance = CASE WHEN c.opens THEN c.balance
          ELSE ws.book_balance + (SELECT coalesce(sum(a.amount), 0)::bigint FROM arrived a
            WHERE a.wallet_id = ws.wallet_id AND a.block > ws.opened_block) END,
        proven_block = greatest(ws.proven_block, (SELECT max(g.block) FROM given g WHERE g.wallet_id = ws.wallet_id))
      FROM counted c WHERE ws.wallet_id = c.wallet_id
    )
    SELECT tx AS tx_hash, log_index FROM arrived`
  return yield* Schema.decodeUnknownEffect(Keys)(raw)
})

export const unspentDeposits = Effect.fnUntraced(function* (on: Statements, walletIds: ReadonlyArray<WalletId>) {
  if (walletIds.length === 0) return []
  const raw = yield* on.sql`
    SELECT ${depositColumns(on)}
    FROM ai_agent_deposits d LEFT JOIN ai_agent_wallets w ON w.id = d.wallet_id
    WHERE d.wallet_id = ANY(${walletIds}::uuid[]) AND d.remaining > 0 AND d.withdrawn_at IS NULL
    ORDER BY d.block, d.tx_hash, d.log_index`
  return (yield* Schema.decodeUnknownEffect(DepositRecords)(raw)).map(depositOf)
})

export const stopWallet = Effect.fnUntraced(function* (
  on: Statements,
  stop: { readonly walletId: WalletId; readonly version: bigint; readonly reason: string },
  nowMs: number
) {
  const { sql } = on
  return yield* sql.withTransaction(
    Effect.gen(function* () {
      const stopped = yield* sql`
        UPDATE ai_agent_wallet_state SET version = version + 1, stopped_at = ${instantOf(sql, nowMs)},
          stopped_reason = ${stop.reason}
        WHERE wallet_id = ${stop.walletId}::uuid AND version = ${stop.version}::bigint AND stopped_at IS NULL
        RETURNING wallet_id`
      if (stopped.length > 0) yield* tellStopped(on, stop, nowMs)
      return stopped.length > 0
    })
  )
})

/** The stop holds whether or not its orders can say so: a row that cannot be written, or that another program has, does not. */
export const tellStopped = Effect.fnUntraced(function* (
  { sql, time }: Statements,
  { walletId, reason }: { readonly walletId: WalletId; readonly reason: string },
  nowMs: number
) {
  const tell = (ids: ReadonlyArray<string>) =>
    sql.withTransaction(sql`
      UPDATE ai_agent_tasks t SET error_message = ${messages.stopped(reason)},
        updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
      WHERE t.id = ANY(${ids}::uuid[])`)
  const rows = yield* sql<{ readonly id: string }>`
    SELECT t.id FROM ai_agent_tasks t
    WHERE t.agent_wallet_id = ${walletId}::uuid AND t.status IN ('pending_payment', 'funded', 'processing')
    ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED`
  const ids = rows.map(({ id }) => id)
  yield* Effect.catch(tell(ids), () => Effect.forEach(ids, (id) => Effect.ignore(tell([id])), { discard: true }))
})

const Nonces = Schema.Array(Schema.Struct({ nonce: Schema.String }))

export const knownNonces = Effect.fnUntraced(function* ({ sql }: Statements, nonces: ReadonlyArray<Bytes32>) {
  if (nonces.length === 0) return new Set<Bytes32>()
  const raw = yield* sql`
    SELECT nonce FROM ai_agent_batches WHERE nonce = ANY(${nonces}::text[])
    UNION SELECT nonce FROM ai_agent_refunds WHERE nonce = ANY(${nonces}::text[])`
  return new Set((yield* Schema.decodeUnknownEffect(Nonces)(raw)).map((row) => row.nonce as Bytes32))
})
