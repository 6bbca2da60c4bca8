import { Effect, Schema } from "effect"
import type { Bytes32 } from "../../domain/Address.ts"
import type { Anchor, KeptAnchor } from "../../domain/Anchor.ts"
import { type GoneDeposit, placeKey, type RecordedAbove } from "../TaskRepo.ts"
import { DepositFields, depositColumns, depositOf, Keys, lockWallets } from "./deposits.ts"
import { refundColumns, refundOf, RefundRecords } from "./refunds.ts"
import { batchColumns, batchOf, BatchRecords } from "./rows.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

const Anchors = Schema.Array(Schema.Struct({ block: Schema.BigInt, hash: Schema.String, is_proof: Schema.Boolean }))
const Deposits = Schema.Array(Schema.Struct(DepositFields))
const Completed = Schema.Array(Schema.Struct({ is_completed: Schema.NullOr(Schema.Boolean) }))
const Mints = Schema.Array(
  Schema.Struct({
    task_id: Schema.String,
    batch_number: Schema.Number,
    tx_hash: Schema.String,
    part: Schema.Number
  })
)

/** Newest first. */
export const anchors = Effect.fnUntraced(function* ({ sql }: Statements) {
  const raw = yield* sql`SELECT block, hash, is_proof FROM ai_agent_anchors ORDER BY block DESC`
  const rows = yield* Schema.decodeUnknownEffect(Anchors)(raw)
  return rows.map((row): KeptAnchor => ({ block: row.block, hash: row.hash as Bytes32, isProof: row.is_proof }))
})

export const addAnchor = ({ sql }: Statements, anchor: Anchor, superfluous: ReadonlyArray<bigint>) =>
  Effect.asVoid(sql`
    WITH dropped AS (
      DELETE FROM ai_agent_anchors WHERE block = ANY(${superfluous.map(String)}::bigint[]) AND block <> ${anchor.block}
    )
    INSERT INTO ai_agent_anchors AS a (block, hash, is_proof) VALUES (${anchor.block}::bigint, ${anchor.hash}, false)
    ON CONFLICT (block) DO UPDATE SET is_proof = false WHERE a.hash = EXCLUDED.hash`)

export const noteProofs = ({ sql }: Statements, blocks: ReadonlyArray<Anchor>) => {
  if (blocks.length === 0) return Effect.void
  const rows = blocks.map(({ block, hash }) => ({ block: block.toString(), hash }))
  return Effect.asVoid(sql`
    INSERT INTO ai_agent_anchors (block, hash, is_proof)
    SELECT x.block, x.hash, true FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(block bigint, hash text)
    ORDER BY x.block
    ON CONFLICT DO NOTHING`)
}

export const recordedAbove = Effect.fnUntraced(function* (on: Statements, fork: bigint) {
  const { sql } = on
  const payments = yield* sql`
    SELECT ${batchColumns(sql)}, t.status = 'completed' AS is_completed
    FROM ai_agent_batches b LEFT JOIN ai_agent_tasks t ON t.id = b.task_id
    WHERE b.payment_block > ${fork}::bigint AND b.payment_tx IS NOT NULL ORDER BY b.task_id, b.number`
  const refunds = yield* sql`
    SELECT ${refundColumns(on)} FROM ai_agent_refunds r WHERE r.status = 'paid' AND r.block > ${fork}::bigint ORDER BY r.id`
  const deposits = yield* sql`
    SELECT ${depositColumns(on)} FROM ai_agent_deposits d LEFT JOIN ai_agent_wallets w ON w.id = d.wallet_id
    WHERE d.block > ${fork}::bigint AND d.withdrawn_at IS NULL ORDER BY d.block, d.tx_hash, d.log_index`
  const minting = sql`
    SELECT m.task_id, m.batch_number FROM ai_agent_batch_mints m
    JOIN ai_agent_batches p ON p.task_id = m.task_id AND p.number = m.batch_number
    WHERE coalesce(m.block, p.payment_block) > ${fork}::bigint`
  const minted = yield* sql`
    SELECT ${batchColumns(sql)} FROM ai_agent_batches b
    WHERE (b.task_id, b.number) IN (${minting}) ORDER BY b.task_id, b.number`
  const mints = yield* sql`
    SELECT m.task_id, m.batch_number, m.tx_hash, m.part FROM ai_agent_batch_mints m
    JOIN ai_agent_batches p ON p.task_id = m.task_id AND p.number = m.batch_number
    WHERE coalesce(m.block, p.payment_block) > ${fork}::bigint`
  const completed = yield* Schema.decodeUnknownEffect(Completed)(payments)
  const mintRows = yield* Schema.decodeUnknownEffect(Mints)(mints)
  return {
    payments: (yield* Schema.decodeUnknownEffect(BatchRecords)(payments)).map((row, index) => ({
      batch: batchOf(row),
      isCompleted: completed[index]?.is_completed === true
    })),
    refunds: (yield* Schema.decodeUnknownEffect(RefundRecords)(refunds)).map(refundOf),
    deposits: (yield* Schema.decodeUnknownEffect(Deposits)(deposits)).map(depositOf),
    minted: (yield* Schema.decodeUnknownEffect(BatchRecords)(minted)).map(batchOf).map((batch) => ({
      batch,
      mints: mintRows
        .filter((row) => row.task_id === batch.taskId && row.batch_number === batch.number)
        .map((row) => ({ tx: row.tx_hash as Bytes32, part: row.part }))
    }))
  } satisfies RecordedAbove as RecordedAbove
})

/**
 * What was looked at above the fork is looked at anew. Versions go up, so that no decision is written that was made from
 * what was read before.
 */
export const rewind = ({ sql }: Statements, fork: bigint) => {
  const at = sql`${fork}::bigint`
  return sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`
        UPDATE ai_agent_wallet_state SET version = version + 1,
          book_balance = CASE WHEN opened_block > ${at} THEN NULL ELSE book_balance END,
          counted_block = CASE WHEN opened_block > ${at} THEN NULL ELSE least(counted_block, ${at}) END,
          opened_block = CASE WHEN opened_block > ${at} THEN NULL ELSE opened_block END
        WHERE counted_block > ${at} OR opened_block > ${at}`
      yield* sql`
        UPDATE ai_agent_batches SET version = version + 1,
          signed_block = CASE WHEN signed_block > ${at} THEN ${at} ELSE signed_block END,
          asked_since = CASE WHEN asked_since > ${at} THEN ${at} ELSE asked_since END
        WHERE signed_block > ${at} OR asked_since > ${at}`
      yield* sql`
        UPDATE ai_agent_refunds SET version = version + 1, signed_block = ${at} WHERE signed_block > ${at}`
    })
  )
}

/**
 * Those that are still recorded as given, where the wallet holds less than its books say: where it does not, the money is
 * there and the logs are short. What they paid for stays written: found again, they have paid for it.
 */
export const withdrawDeposits = Effect.fnUntraced(function* (
  on: Statements,
  gone: ReadonlyArray<GoneDeposit>,
  nowMs: number
) {
  const { sql } = on
  const rows = gone.map(({ tx, logIndex, block, balance }) => ({
    tx,
    log_index: logIndex,
    block: block.number.toString(),
    balance: balance.toString()
  }))
  const raw = yield* sql.withTransaction(
    Effect.andThen(
      lockWallets(on, [...new Set(gone.map(({ walletId }) => walletId))]),
      sql`
        WITH gone AS (
          UPDATE ai_agent_deposits d SET withdrawn_at = ${instantOf(sql, nowMs)}
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(tx text, log_index int, block bigint,
            balance bigint), ai_agent_wallet_state ws
          WHERE d.tx_hash = x.tx AND d.log_index = x.log_index AND d.block = x.block AND d.withdrawn_at IS NULL
            AND ws.wallet_id = d.wallet_id AND coalesce(ws.book_balance > x.balance, true)
          RETURNING d.wallet_id, d.tx_hash, d.log_index, d.amount, d.block
        ), booked AS (
          UPDATE ai_agent_wallet_state ws SET version = version + 1,
            book_balance = ws.book_balance - (SELECT coalesce(sum(g.amount), 0)::bigint FROM gone g
              WHERE g.wallet_id = ws.wallet_id AND g.block > ws.opened_block)
          WHERE ws.wallet_id IN (SELECT wallet_id FROM gone)
        )
        SELECT tx_hash, log_index FROM gone`
    )
  )
  const withdrawn = new Set(
    (yield* Schema.decodeUnknownEffect(Keys)(raw)).map((row) => `${row.tx_hash}:${row.log_index}`)
  )
  return gone.filter((deposit) => withdrawn.has(placeKey(deposit)))
})

/** The blocks above the fork are other ones now, and all that was recorded in them has been looked at. */
export const endReorganisation = (
  { sql }: Statements,
  { fork, block }: { readonly fork: bigint; readonly block: bigint },
  nowMs: number
) =>
  Effect.asVoid(sql`
    WITH forgotten AS (
      DELETE FROM ai_agent_anchors WHERE block > ${fork}::bigint RETURNING block
    )
    INSERT INTO ai_agent_reorganisations (noticed_at, fork_block, old_block, noticed_block)
    SELECT ${instantOf(sql, nowMs)}, ${fork}::bigint, max(block), ${block}::bigint FROM forgotten HAVING count(*) > 0`)
