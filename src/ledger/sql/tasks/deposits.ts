import { Effect, Schema } from "effect"
import { Bytes32 } from "../../../domain/Address.ts"
import type { Block } from "../../../domain/Block.ts"
import { type CountedWallet, type FoundDeposit, type TaskRepo } from "../../TaskRepo.ts"
import { lockWallets } from "../locks.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"
import { depositsFrom } from "../transferRows.ts"

export const Keys = Schema.Array(Schema.Struct({ tx_hash: Bytes32, log_index: Schema.Number }))

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
  const rows = yield* rowsOf(Keys)(sql`
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
    SELECT tx AS tx_hash, log_index FROM arrived`)
  return rows
})

const Nonces = Schema.Array(Schema.Struct({ nonce: Bytes32 }))

/** Deposits and the books of wallets. */
export const deposits = {
  /**
   * A deposit from before the books were opened is in their opening balance, and only remembered. Where the books are not
   * open yet, this opens them, unless the wallet has changed since it was read or the balance is older than what is known
   * of it: then a payment that was proven since, or a deposit that was recorded, would be in the books twice or not at all.
   *
   * Nodes may count the indexes of logs differently, and a transaction that is mined again gets others: what is known and
   * what was found are held against each other by content. The index in the row is the one that it was first seen under,
   * and only names it.
   */
  recordDeposits: (on) =>
    on.transact("record deposits", function* (found, counted, block) {
      const walletIds = [...new Set([...found, ...counted].map(({ walletId }) => walletId))]
      if (walletIds.length === 0) return []
      yield* lockWallets(on, walletIds)
      const keys = yield* writeDeposits(on, found, counted, block)
      const arrived = new Set(keys.map((row) => `${row.tx_hash}:${row.log_index}`))
      return found.filter((deposit) => arrived.delete(`${deposit.tx}:${deposit.logIndex}`))
    }),

  unspentDeposits: (on) =>
    on.read("read unspent deposits", function* (walletIds) {
      if (walletIds.length === 0) return []
      return yield* depositsFrom(
        on,
        on.sql`
          d.wallet_id = ANY(${walletIds}::uuid[]) AND d.remaining > 0 ORDER BY d.block, d.tx_hash, d.log_index`
      )
    }),

  knownNonces: ({ read, sql }) =>
    read("look up nonces", function* (nonces) {
      if (nonces.length === 0) return new Set<Bytes32>()
      const rows = yield* rowsOf(Nonces)(sql`
        SELECT nonce FROM ai_agent_batches WHERE nonce = ANY(${nonces}::text[])
        UNION SELECT nonce FROM ai_agent_refunds WHERE nonce = ANY(${nonces}::text[])`)
      return new Set(rows.map((row) => row.nonce))
    })
} satisfies Methods<TaskRepo["Service"]>
