import { Effect } from "effect"
import type { Fragment } from "effect/sql/Statement"
import type { Batch } from "../../domain/Batch.ts"
import { movesMoney, paymentIn } from "../../domain/Spent.ts"
import { mayMove, type Task, type TaskId } from "../../domain/Task.ts"
import { type BatchSave, type DeliveredMint, mintRowKey, type TaskChange } from "../TaskRepo.ts"
import { keepPauses, pausedFor } from "./paused.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"
import { isHeld, isStopped, lockTask, orOutrun, touchWallet, transact } from "./transact.ts"

export const plan = Effect.fnUntraced(function* (
  on: Statements,
  task: Task,
  batches: ReadonlyArray<Batch>,
  nowMs: number
) {
  const { sql } = on
  return yield* transact(
    on,
    Effect.gen(function* () {
      yield* touchWallet(on, task.walletId)
      for (const { paidAmount: amount, paymentBlock: block } of batches) {
        if (amount !== undefined && block !== undefined) yield* touchWallet(on, task.walletId, { amount, block })
      }
      yield* lockTask(on, task.id)
      yield* orOutrun(stillUncounted(on, task))
      yield* orOutrun(updateTask(on, task, { status: "processing", retryCount: 0, errorMessage: null }, nowMs))
      yield* insertBatches(on, task.id, batches)
      yield* sql`
        INSERT INTO ai_agent_task_state AS s (task_id, next_action_at) VALUES (${task.id}::uuid, NULL)
        ON CONFLICT (task_id) DO UPDATE SET next_action_at = NULL`
    })
  )
})

/** A plan leaves out what was minted when it was made; and of a wallet that is stopped nothing is begun. */
const stillUncounted = (on: Statements, { id, walletId, mintsCompleted }: Task) => on.sql`
  SELECT t.id FROM ai_agent_tasks t
  WHERE t.id = ${id}::uuid AND coalesce(t.mints_completed, 0) = ${mintsCompleted}::int
    AND NOT ${isStopped(on, on.sql`${walletId}::uuid`)}`

export const saveBatch = Effect.fnUntraced(function* (on: Statements, save: BatchSave, nowMs: number) {
  const { before, after, mints = [] } = save
  return yield* transact(
    on,
    Effect.gen(function* () {
      // Between two looks nothing is reserved and nothing released.
      if (movesMoney(before, after)) yield* touchWallet(on, before.walletId, paymentIn(before, after))
      if (touchesTask(save)) yield* lockTask(on, before.taskId)
      if (isClaim(before, after)) yield* keepPauses(on.sql)
      if (save.onlyFor !== undefined) yield* orOutrun(stillOpen(on, save.onlyFor))
      yield* orOutrun(updateBatch(on, before, after))
      if (save.withdrawsMints === true) yield* withdrawMints(on, before, nowMs)
      if (mints.length > 0) yield* recordMints(on, after, mints, nowMs)
      if (save.endsHold !== undefined) yield* endHold(on, before.taskId, save.endsHold)
      if (save.task !== undefined) {
        const { expected, change } = save.task
        const updated = yield* updateTask(on, expected, change, nowMs)
        if (updated.length > 0) yield* updateState(on, expected.id, change, nowMs)
      }
    })
  )
})

const touchesTask = ({ onlyFor, task, mints = [], withdrawsMints, endsHold }: BatchSave): boolean =>
  onlyFor !== undefined || task !== undefined || mints.length > 0 || withdrawsMints === true || endsHold !== undefined

/** From this step on a payment may exist. */
const isClaim = (before: Batch, after: Batch): boolean => before.status === "planned" && after.status === "signed"

export const saveTask = Effect.fnUntraced(function* (
  on: Statements,
  expected: Task,
  change: TaskChange,
  nowMs: number
) {
  return yield* transact(
    on,
    Effect.gen(function* () {
      if (change.status !== undefined) yield* touchWallet(on, expected.walletId)
      yield* lockTask(on, expected.id)
      yield* orOutrun(updateTask(on, expected, change, nowMs))
      yield* updateState(on, expected.id, change, nowMs)
    })
  )
})

/** The batch rows of a task in one statement. Where there are any already, they are somebody else's plan. */
const insertBatches = (on: Statements, taskId: TaskId, batches: ReadonlyArray<Batch>) => {
  if (batches.length === 0) return Effect.void
  const isFirst = on.sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches WHERE task_id = ${taskId}::uuid)`
  return orOutrun(insertRows(on, batches, isFirst))
}

/** Batch rows, if the condition holds. Gives their numbers. */
export const insertRows = ({ sql }: Statements, batches: ReadonlyArray<Batch>, condition: Fragment) => {
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

const stillOpen = (on: Statements, task: Task) => on.sql`
  SELECT t.id FROM ai_agent_tasks t
  WHERE t.id = ${task.id}::uuid AND t.status = ${task.status} AND NOT ${isHeld(on, on.sql`t.id`)}`

/**
 * The row of `before` becomes `after`, if it is still as it was read. Gives nothing where it is not, or where it would be
 * signed while its wallet is stopped, it is paused, or another payment of this wallet and token is in flight, whose mints
 * could not be told from its own: the locks of wallet and pauses are taken before.
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

/** Marks mints as this batch's, writes v1.1's record of each, and counts the task anew from its batch rows. */
const recordMints = Effect.fnUntraced(function* (
  on: Statements,
  batch: Batch,
  mints: ReadonlyArray<DeliveredMint>,
  nowMs: number
) {
  yield* attributeMints(on, batch, mints, nowMs)
  yield* orOutrun(ownedMints(on, batch, batch.minted))
  yield* countMints(on, batch.taskId, nowMs)
})

const withdrawMints = Effect.fnUntraced(function* (on: Statements, { taskId, number }: Batch, nowMs: number) {
  yield* on.sql`
    WITH gone AS (
      DELETE FROM ai_agent_batch_mints WHERE task_id = ${taskId}::uuid AND batch_number = ${number}::int
      RETURNING task_id, mint_number, tx_hash
    )
    DELETE FROM ai_agent_mint_records r USING gone
    WHERE r.task_id = gone.task_id AND r.mint_number = gone.mint_number AND r.tx_hash = gone.tx_hash`
  yield* countMints(on, taskId, nowMs)
})

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

const endHold = ({ sql }: Statements, taskId: TaskId, reason: string) => sql`
  WITH released AS (
    UPDATE ai_agent_task_state SET held_at = NULL, held_reason = NULL
    WHERE task_id = ${taskId}::uuid AND starts_with(held_reason, ${reason}::text)
    RETURNING task_id
  )
  UPDATE ai_agent_tasks SET error_message = NULL, retry_count = 0 FROM released WHERE id = released.task_id`

/** v1.1's columns, of a task that is not held. Beside the expected status, its end has a condition of its own. */
const updateTask = (on: Statements, expected: Task, change: TaskChange, nowMs: number) => {
  const { sql, time } = on
  const { status } = change
  if (status !== undefined && status !== expected.status && !mayMove(expected.status, status)) {
    return Effect.die(new Error(`a task never goes from ${expected.status} to ${status}`))
  }
  const asExpected = sql`
    t.id = ${expected.id}::uuid AND t.status = ${expected.status} AND ${endCondition(sql, status)}
    AND NOT ${isHeld(on, sql`t.id`)}`
  const sets = columnsOf(on, change, nowMs)
  // A pause is ours alone: `updated_at` goes on telling when v1.1 last worked on a task that it left behind.
  const isPause = sets.length === 0
  if (change.waiting !== undefined) sets.push(sql`error_message = ${change.waiting}::text`)
  if (sets.length === 0) return sql`SELECT t.id FROM ai_agent_tasks t WHERE ${asExpected} FOR NO KEY UPDATE`
  if (!isPause) sets.push(sql`updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}`)
  return sql`UPDATE ai_agent_tasks t SET ${sql.csv(sets)} WHERE ${asExpected} RETURNING t.id`
}

const columnsOf = ({ sql, time }: Statements, change: TaskChange, nowMs: number): Array<Fragment> => {
  const sets: Array<Fragment> = []
  const { status } = change
  if (status !== undefined) sets.push(sql`status = ${status}`)
  if (status === "processing") {
    sets.push(sql`started_at = coalesce(started_at, ${time.write("ai_agent_tasks", "started_at", nowMs)})`)
  }
  if (status === "completed" || status === "failed" || status === "cancelled") {
    sets.push(sql`completed_at = ${time.write("ai_agent_tasks", "completed_at", change.completedAtMs ?? nowMs)}`)
  }
  if (status === "failed") sets.push(sql`mints_failed = quantity - coalesce(mints_completed, 0)`)
  if (status === "funded") sets.push(sql`mints_failed = 0, completed_at = NULL`)
  if (change.retryCount !== undefined) sets.push(sql`retry_count = ${change.retryCount}::int`)
  if (change.errorMessage !== undefined) sets.push(sql`error_message = ${change.errorMessage}::text`)
  return sets
}

const endCondition = (sql: Statements["sql"], status: TaskChange["status"]): Fragment => {
  const noBatch = (which: Fragment) =>
    sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id AND ${which})`
  switch (status) {
    case "completed":
      return sql`t.mints_completed = t.quantity AND ${noBatch(sql`b.status NOT IN ('delivered', 'resolved')`)}`
    case "failed":
      return noBatch(sql`b.status IN ('signed', 'accepted', 'unknown', 'paid')`)
    default:
      return sql`true`
  }
}

/** Our own columns beside the task. */
const updateState = Effect.fnUntraced(function* (
  { sql }: Statements,
  taskId: TaskId,
  change: TaskChange,
  nowMs: number
) {
  if (change.status === "failed") {
    yield* sql`UPDATE ai_agent_task_state SET reserved_at_block = NULL WHERE task_id = ${taskId}::uuid`
  }
  const sets: Array<Fragment> = []
  if (change.nextActionAtMs !== undefined) sets.push(sql`next_action_at = excluded.next_action_at`)
  if (change.refusal !== undefined) sets.push(sql`refusal = excluded.refusal, refused_at = excluded.refused_at`)
  if (change.stalledSinceMs !== undefined) sets.push(sql`stalled_since = excluded.stalled_since`)
  if (sets.length === 0) return
  yield* sql`
    INSERT INTO ai_agent_task_state (task_id, next_action_at, refusal, refused_at, stalled_since)
    VALUES (${taskId}::uuid, ${instantOf(sql, change.nextActionAtMs ?? null)}, ${change.refusal ?? null}::text,
      ${instantOf(sql, change.refusal === undefined ? null : nowMs)}, ${instantOf(sql, change.stalledSinceMs ?? null)})
    ON CONFLICT (task_id) DO UPDATE SET ${sql.csv(sets)}`
})
