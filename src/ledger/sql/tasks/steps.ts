import { Effect } from "effect"
import type { Fragment } from "effect/sql/Statement"
import type { Batch } from "../../../domain/Batch.ts"
import { movesMoney, paymentIn } from "../../../domain/transferTransitions.ts"
import { mayMove, type Task, type TaskId } from "../../../domain/Task.ts"
import { type BatchSave, type DeliveredMint, type TaskChange, type TaskRepo } from "../../TaskRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { isHeld, isStopped, keepPauses, lockTask, orOutrun, touchWallet } from "../locks.ts"
import type { Methods, Statements } from "../statements.ts"
import {
  attributeMints,
  countMints,
  insertBatches,
  isClaim,
  ownedMints,
  updateBatch,
  updateRefund
} from "../transferWrites.ts"

/** A plan leaves out what was minted when it was made; and of a wallet that is stopped nothing is begun. */
const stillUncounted = (on: Statements, { id, walletId, mintsCompleted }: Task) => on.sql`
  SELECT t.id FROM ai_agent_tasks t
  WHERE t.id = ${id}::uuid AND coalesce(t.mints_completed, 0) = ${mintsCompleted}::int
    AND NOT ${isStopped(on, on.sql`${walletId}::uuid`)}`

const touchesTask = ({ onlyFor, task, mints = [], withdrawsMints, endsHold }: BatchSave): boolean =>
  onlyFor !== undefined || task !== undefined || mints.length > 0 || withdrawsMints === true || endsHold !== undefined

/** The batch rows of a task in one statement. Where there are any already, another program planned it. */
const insertPlan = (on: Statements, taskId: TaskId, batches: ReadonlyArray<Batch>) => {
  if (batches.length === 0) return Effect.void
  const isFirst = on.sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches WHERE task_id = ${taskId}::uuid)`
  return orOutrun(insertBatches(on, batches, isFirst))
}

const stillOpen = (on: Statements, task: Task) => on.sql`
  SELECT t.id FROM ai_agent_tasks t
  WHERE t.id = ${task.id}::uuid AND t.status = ${task.status} AND NOT ${isHeld(on, on.sql`t.id`)}`

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

/** One step of an order or of a batch. */
export const steps = {
  plan: (on) =>
    on.transact("plan a task", function* (task, batches, nowMs) {
      const { sql } = on
      yield* touchWallet(on, task.walletId)
      for (const { paidAmount: amount, paymentBlock: block } of batches) {
        if (amount !== undefined && block !== undefined) yield* touchWallet(on, task.walletId, { amount, block })
      }
      yield* lockTask(on, task.id)
      yield* orOutrun(stillUncounted(on, task))
      yield* orOutrun(updateTask(on, task, { status: "processing", retryCount: 0, errorMessage: null }, nowMs))
      yield* insertPlan(on, task.id, batches)
      yield* sql`
        INSERT INTO ai_agent_task_state AS s (task_id, next_action_at) VALUES (${task.id}::uuid, NULL)
        ON CONFLICT (task_id) DO UPDATE SET next_action_at = NULL`
    }),

  saveBatch: (on) =>
    on.transact("save a batch", function* (save, nowMs) {
      const { before, after, mints = [] } = save
      // A lookup that moves no money reserves and releases nothing.
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
    }),

  saveTask: (on) =>
    on.transact("save a task", function* (expected, change, nowMs) {
      if (change.status !== undefined) yield* touchWallet(on, expected.walletId)
      yield* lockTask(on, expected.id)
      yield* orOutrun(updateTask(on, expected, change, nowMs))
      yield* updateState(on, expected.id, change, nowMs)
    }),

  saveRefund: (on) =>
    on.transact("save a refund", function* ({ before, after }, nowMs) {
      if (movesMoney(before, after)) yield* touchWallet(on, before.walletId, paymentIn(before, after))
      if (isClaim(before, after)) yield* keepPauses(on.sql)
      yield* orOutrun(updateRefund(on, before, after, nowMs))
    })
} satisfies Methods<TaskRepo["Service"]>
