import type { Fragment } from "effect/sql/Statement"
import type { Batch } from "../../domain/Batch.ts"
import type { Refund } from "../../domain/Refund.ts"
import { type TaskId } from "../../domain/Task.ts"
import { type DeliveredMint, mintRowKey } from "../TaskRepo.ts"
import { instantOf } from "./TimeColumns.ts"
import { isStopped, pausedFor } from "./locks.ts"
import type { Statements } from "./statements.ts"

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
    since_ms: batch.statusSinceMs
  }))
  return sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, portion, nonce, status, payment_tx, payment_block, paid_amount, reason, next_action_at, status_since)
    SELECT task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, portion, nonce, status, payment_tx, payment_block, paid_amount, reason,
      to_timestamp(next_ms / 1000), to_timestamp(since_ms / 1000)
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(task_id uuid, number int, wallet_id uuid,
      first_mint int, quantity int, amount bigint, token text, payer text, pay_to text, recipient text,
      portion numeric, nonce text,
      status text, payment_tx text, payment_block bigint, paid_amount bigint, reason text, next_ms float8,
      since_ms float8)
    WHERE ${condition}
    RETURNING number`
}

/**
 * The row of `before` becomes `after`, if it is still as it was read. Gives nothing where it is not, or where it would be
 * signed while its wallet is stopped, it is paused, or another payment of this wallet and token is in flight, whose mints
 * could not be distinguished from its own: the locks of wallet and pauses are taken before.
 */
export const updateBatch = (on: Statements, before: Batch, after: Batch) => {
  const { sql } = on
  const another = sql`EXISTS (SELECT 1 FROM ai_agent_batches o
    WHERE o.wallet_id = b.wallet_id AND o.token = b.token AND (o.task_id, o.number) <> (b.task_id, b.number)
      AND o.status IN ('signed', 'accepted', 'unknown', 'paid'))`
  const barred = sql`(${isStopped(on, sql`b.wallet_id`)} OR ${pausedFor(sql, sql`b.wallet_id`, sql`b.token`)} OR ${another})`
  return sql`
    UPDATE ai_agent_batches b SET
      status = ${after.status}, version = version + 1,
      signed_amount = ${after.window?.amount ?? null}::bigint, signed_pay_to = ${after.window?.payTo ?? null}::text,
      valid_after = ${after.window?.validAfter ?? null}::bigint,
      valid_before = ${after.window?.validBefore ?? null}::bigint,
      signed_block = ${after.window?.block ?? null}::bigint,
      sends = ${after.sends}::int, looks = ${after.looks}::int,
      asked_since = ${after.asked?.since ?? null}::bigint, asked_until = ${after.asked?.until ?? null}::bigint,
      tried_at = ${instantOf(sql, after.triedAtMs ?? null)}, answer_by = ${instantOf(sql, after.answerByMs ?? null)},
      claims = ${after.claims}::int, said = ${after.said}::text[],
      payment_tx = ${after.paymentTx ?? null}::text, payment_block = ${after.paymentBlock ?? null}::bigint,
      paid_amount = ${after.paidAmount ?? null}::bigint, mint_txs = ${after.mintTxs}::text[],
      reference = ${after.reference ?? null}::text,
      minted = ${after.minted}::int, next_action_at = ${instantOf(sql, after.nextActionAtMs ?? null)},
      reason = ${after.reason ?? null}::text, status_since = ${instantOf(sql, after.statusSinceMs)}
    WHERE task_id = ${before.taskId}::uuid AND number = ${before.number}::int
      AND version = ${before.version}::int AND status = ${before.status}
      AND NOT (${isClaim(before, after)}::boolean AND ${barred})
    RETURNING number`
}

/** The row of `before` becomes `after`, under the same conditions as a batch's. */
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

/** Marks mints as this batch's, and writes v1.1's record of each. Those that another batch has stay with it, and what a person
 * set aside is no batch's. */
export const attributeMints = (
  { sql, time }: Statements,
  batch: Batch,
  mints: ReadonlyArray<DeliveredMint>,
  nowMs: number
) => {
  const rows = JSON.stringify(
    mints.map((m) => ({
      key: mintRowKey(batch, m),
      tx: m.tx,
      part: m.part,
      log_index: m.logIndex,
      mint_number: m.mintNumber,
      block: m.block?.toString() ?? null
    }))
  )
  const task = sql`${batch.taskId}::uuid`
  return sql`
    WITH taken AS (
      INSERT INTO ai_agent_batch_mints
        (tx_hash, token, recipient, part, log_index, task_id, batch_number, mint_number, block)
      SELECT x.tx, ${batch.token}, ${batch.recipient}, x.part, x.log_index, ${task}, ${batch.number}::int, x.mint_number,
        x.block
      FROM jsonb_to_recordset(${rows}::text::jsonb)
        AS x(key text, tx text, part int, log_index int, mint_number int, block bigint)
      WHERE NOT EXISTS (SELECT 1 FROM ai_agent_stray_mints stray WHERE stray.mint_key = x.key)
      ORDER BY x.tx, x.part
      ON CONFLICT DO NOTHING
      RETURNING mint_number, tx_hash
    )
    INSERT INTO ai_agent_mint_records (task_id, mint_number, status, tx_hash, created_at, completed_at)
    SELECT ${task}, mint_number, 'completed', tx_hash,
      ${time.write("ai_agent_mint_records", "created_at", nowMs)},
      ${time.write("ai_agent_mint_records", "completed_at", nowMs)}
    FROM taken`
}

/** A row where the batch has so many mints. Else another one may have taken one of them: then it has to look again. */
export const ownedMints = ({ sql }: Statements, { taskId, number }: Batch, count: number) => sql`
  SELECT 1 FROM ai_agent_batch_mints WHERE task_id = ${taskId}::uuid AND batch_number = ${number}::int
  HAVING count(*) = ${count}::int`

/** What the order counts follows from its batch rows. */
export const countMints = ({ sql, time }: Statements, taskId: TaskId, nowMs: number) => sql`
  UPDATE ai_agent_tasks SET
    mints_completed = (SELECT min(b.first_mint) - 1 + sum(b.minted) FROM ai_agent_batches b
      WHERE b.task_id = ${taskId}::uuid),
    updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
  WHERE id = ${taskId}::uuid`
