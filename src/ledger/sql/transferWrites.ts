import type { Fragment } from "effect/sql/Statement"
import type { Batch } from "../../domain/Batch.ts"
import type { Refund } from "../../domain/Refund.ts"
import { type TaskId } from "../../domain/Task.ts"
import { type DeliveredMint, mintRowKey } from "../TaskRepo.ts"
import { instantOf } from "./TimeColumns.ts"
import { isStopped, pausedFor } from "./locks.ts"
import { jsonOf, type Statements } from "./statements.ts"

/** From this step on a payment, or the transfer of a refund, may exist. */
export const isClaim = (before: Pick<Batch | Refund, "status">, after: Pick<Batch | Refund, "status">): boolean =>
  before.status === "planned" && after.status === "signed"

/** Batch rows, if the condition holds. Gives their numbers. */
export const insertBatches = ({ sql }: Statements, batches: ReadonlyArray<Batch>, condition: Fragment) => {
  const rows = batches.map((batch) => ({
    task_id: batch.taskId,
    number: batch.number,
    wallet_id: batch.walletId,
    first_mint: batch.firstMint,
    quantity: batch.quantity,
    amount: batch.amount.toString(),
    token: batch.token,
    payer: batch.payer,
    pay_to: batch.payTo,
    recipient: batch.recipient,
    portion: batch.portion?.toString() ?? null,
    nonce: batch.nonce,
    status: batch.status,
    payment_tx: batch.paymentTx ?? null,
    payment_block: batch.paymentBlock?.toString() ?? null,
    paid_amount: batch.paidAmount?.toString() ?? null,
    reason: batch.reason ?? null,
    next_ms: batch.nextActionAtMs ?? null,
    since_ms: batch.statusSinceMs,
    signed_ms: batch.signedAtMs ?? null,
    key_id: batch.keyId ?? null
  }))
  return sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, portion, nonce, status, payment_tx, payment_block, paid_amount, reason, next_action_at, status_since,
      signed_at, key_id)
    SELECT task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, portion, nonce, status, payment_tx, payment_block, paid_amount, reason,
      to_timestamp(next_ms / 1000), to_timestamp(since_ms / 1000), to_timestamp(signed_ms / 1000), key_id
    FROM jsonb_to_recordset(${jsonOf(rows)}::text::jsonb) AS x(task_id uuid, number int, wallet_id uuid,
      first_mint int, quantity int, amount bigint, token text, payer text, pay_to text, recipient text,
      portion numeric, nonce text,
      status text, payment_tx text, payment_block bigint, paid_amount bigint, reason text, next_ms float8,
      since_ms float8, signed_ms float8, key_id uuid)
    WHERE ${condition}
    RETURNING number`
}

/** The row of `before` becomes `after`, under the same conditions as a batch's: see `updateBatches`. */
export const updateRefund = (on: Statements, before: Refund, after: Refund, nowMs: number) => {
  const { sql } = on
  return sql`
    UPDATE ai_agent_refunds r SET status = ${after.status}, version = version + 1,
      valid_after = ${after.window?.validAfter ?? null}::bigint,
      valid_before = ${after.window?.validBefore ?? null}::bigint,
      signed_block = ${after.window?.block ?? null}::bigint,
      sends = ${after.sends}::int, looks = ${after.looks}::int, voids = ${after.voids}::int,
      keeps_money = ${after.keepsMoney}::boolean, tx_hash = ${after.paymentTx ?? null}::text,
      block = ${after.paymentBlock ?? null}::bigint, next_action_at = ${instantOf(sql, after.nextActionAtMs ?? null)},
      reason = ${after.reason ?? null}::text, updated_at = ${instantOf(sql, nowMs)}
    WHERE id = ${before.id}::uuid AND version = ${before.version}::int AND status = ${before.status}
      AND NOT (${isClaim(before, after)}::boolean
        AND (${isStopped(on, sql`r.wallet_id`)} OR ${pausedFor(sql, sql`r.wallet_id`)}))
    RETURNING id`
}

/** Mints that are a batch's, when they were recorded. */
export interface Minted {
  readonly batch: Batch
  readonly mints: ReadonlyArray<DeliveredMint>
  readonly nowMs: number
}

/**
 * Marks mints as those of their batches, and writes v1.1's record of each. Those that another batch has stay with it, and
 * what a person set aside is no batch's. Gives how many mints each batch has then.
 */
export const attributeMints = ({ sql, time }: Statements, minted: ReadonlyArray<Minted>) => {
  const rows = minted.flatMap(({ batch, mints, nowMs }) =>
    mints.map((m) => ({
      task_id: batch.taskId,
      number: batch.number,
      token: batch.token,
      recipient: batch.recipient,
      key: mintRowKey(batch, m),
      tx: m.tx,
      part: m.part,
      log_index: m.logIndex,
      mint_number: m.mintNumber,
      block: m.block?.toString() ?? null,
      now_ms: nowMs
    }))
  )
  return sql<{ readonly taskId: TaskId; readonly number: number; readonly mints: number }>`
    WITH x AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${jsonOf(rows)}::text::jsonb) AS x(task_id uuid, number int, token text,
        recipient text, key text, tx text, part int, log_index int, mint_number int, block bigint, now_ms float8)
    ), taken AS (
      INSERT INTO ai_agent_batch_mints
        (tx_hash, token, recipient, part, log_index, task_id, batch_number, mint_number, block)
      SELECT x.tx, x.token, x.recipient, x.part, x.log_index, x.task_id, x.number, x.mint_number, x.block FROM x
      WHERE NOT EXISTS (SELECT 1 FROM ai_agent_stray_mints stray WHERE stray.mint_key = x.key)
      ORDER BY x.tx, x.token, x.recipient, x.part
      ON CONFLICT DO NOTHING
      RETURNING task_id, batch_number, mint_number, tx_hash
    ), records AS (
      INSERT INTO ai_agent_mint_records (task_id, mint_number, status, tx_hash, created_at, completed_at)
      SELECT taken.task_id, taken.mint_number, 'completed', taken.tx_hash,
        ${time.write("ai_agent_mint_records", "created_at", sql`of.now_ms`)},
        ${time.write("ai_agent_mint_records", "completed_at", sql`of.now_ms`)}
      FROM taken JOIN (SELECT DISTINCT ON (task_id, number) * FROM x) of
        ON of.task_id = taken.task_id AND of.number = taken.batch_number
    )
    SELECT of.task_id AS "taskId", of.number, (coalesce(new.mints, 0) +
        (SELECT count(*) FROM ai_agent_batch_mints m WHERE m.task_id = of.task_id AND m.batch_number = of.number)
      )::int AS mints
    FROM (SELECT DISTINCT task_id, number FROM x) of
    LEFT JOIN (SELECT task_id, batch_number, count(*) AS mints FROM taken GROUP BY 1, 2) new
      ON new.task_id = of.task_id AND new.batch_number = of.number`
}

/** What orders count follows from their batch rows. */
export const countMints = (
  { sql, time }: Statements,
  counts: ReadonlyArray<{ readonly taskId: TaskId; readonly nowMs: number }>
) => {
  const rows = counts.map(({ taskId, nowMs }) => ({ task_id: taskId, now_ms: nowMs }))
  return sql`
    UPDATE ai_agent_tasks t SET
      mints_completed = (SELECT min(b.first_mint) - 1 + sum(b.minted) FROM ai_agent_batches b WHERE b.task_id = t.id),
      updated_at = ${time.write("ai_agent_tasks", "updated_at", sql`x.now_ms`)}
    FROM jsonb_to_recordset(${jsonOf(rows)}::text::jsonb) AS x(task_id uuid, now_ms float8) WHERE t.id = x.task_id`
}
