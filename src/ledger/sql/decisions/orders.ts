import { Effect } from "effect"
import type { Fragment } from "effect/sql/Statement"
import { type TaskId } from "../../../domain/Task.ts"
import { type Decision, type DecisionRepo, type NewOrder } from "../../DecisionRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { claimWallet, lockTask, lockWallet, orOutrun, touchWallet } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import type { Methods, Statements } from "../statements.ts"
import { cancelTasks } from "../tasks/sweep.ts"

const IN_FLIGHT = ["signed", "accepted", "unknown", "paid"]
const IN_FLIGHT_OR_HELD = [...IN_FLIGHT, "held"]

/** No batch of the task `t` has one of these states. */
const without = ({ sql }: Statements, statuses: ReadonlyArray<string>): Fragment =>
  sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id AND b.status = ANY(${statuses}::text[]))`

const endHoldOf = ({ sql }: Statements, taskId: TaskId) => sql`
  UPDATE ai_agent_task_state SET held_at = NULL, held_reason = NULL, next_action_at = NULL
  WHERE task_id = ${taskId}::uuid`

/** Ends the hold of a task of which no batch is held any more. */
export const endHold = Effect.fnUntraced(function* (on: Statements, taskId: TaskId, nowMs: number) {
  const { sql, time } = on
  const freed = yield* sql`
    UPDATE ai_agent_tasks t SET error_message = NULL, retry_count = 0,
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    WHERE t.id = ${taskId}::uuid AND t.status IN ('pending_payment', 'funded', 'processing') AND ${without(on, ["held"])}
      AND EXISTS (SELECT 1 FROM ai_agent_task_state s WHERE s.task_id = t.id AND s.held_at IS NOT NULL)
    RETURNING t.id`
  if (freed.length > 0) yield* endHoldOf(on, taskId)
})

/** Fails an open task and frees what it reserved. Nothing where it is not open, or a batch of it is in flight. */
export const failTask = Effect.fnUntraced(function* (on: Statements, taskId: TaskId, failure: string, nowMs: number) {
  const { sql, time } = on
  const failed = yield* sql`
    UPDATE ai_agent_tasks t SET status = 'failed', error_message = ${failure},
      mints_failed = quantity - coalesce(mints_completed, 0),
      completed_at = ${time.write("ai_agent_tasks", "completed_at", nowMs)},
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    WHERE t.id = ${taskId}::uuid AND t.status IN ('funded', 'processing') AND ${without(on, IN_FLIGHT)}
    RETURNING t.id`
  if (failed.length > 0) {
    yield* endHoldOf(on, taskId)
    yield* sql`UPDATE ai_agent_task_state SET reserved_at_block = NULL WHERE task_id = ${taskId}::uuid`
  }
  return failed
})

/** With which key an order was placed: what the key may spend in a day counts its orders. */
const noteKey = ({ sql }: Statements, taskId: TaskId, { keyId }: Decision) =>
  keyId === undefined
    ? Effect.void
    : sql`INSERT INTO ai_agent_task_state (task_id, key_id) VALUES (${taskId}::uuid, ${keyId}::uuid)
        ON CONFLICT (task_id) DO UPDATE SET key_id = excluded.key_id`

/** A quote is good for one order, in its time. */
const useQuote = ({ sql }: Statements, { id, quoteId }: NewOrder, nowMs: number) =>
  quoteId === undefined
    ? Effect.void
    : orOutrun(sql`
        UPDATE ai_agent_quotes SET task_id = ${id}::uuid
        WHERE id = ${quoteId}::uuid AND task_id IS NULL AND expires_at > ${instantOf(sql, nowMs)} RETURNING id`)

/**
 * Writes an order down, with the columns that every writer of orders fills and the times of this one's clock. `Outrun`
 * where there is one with this id.
 */
export const placeOrder = function* (on: Statements, order: NewOrder, decision: Decision, nowMs: number) {
  const { sql, time } = on
  const { id, wallet, token, quantity, pricePerMint } = order
  // A refund that is asked for at this moment sees this order, or this order waits for it.
  yield* lockWallet(on, wallet.id)
  yield* orOutrun(sql`
    INSERT INTO ai_agent_tasks (id, user_address, agent_wallet_id, token_address, quantity, price_per_mint,
      total_cost, status, created_at, updated_at)
    VALUES (${id}::uuid, ${wallet.userAddress}, ${wallet.id}::uuid, ${token}, ${quantity}::int,
      ${pricePerMint}::bigint, ${pricePerMint * BigInt(quantity)}::bigint, 'pending_payment',
      ${time.write("ai_agent_tasks", "created_at", nowMs)}, ${time.write("ai_agent_tasks", "updated_at", nowMs)})
    ON CONFLICT (id) DO NOTHING RETURNING id`)
  yield* useQuote(on, order, nowMs)
  yield* noteKey(on, id, decision)
  yield* noteDecision(on, decision, { taskId: id, walletId: wallet.id }, nowMs)
}

export const orderDecisions = {
  cancel: (on) =>
    on.transact("cancel a task", function* (cancellation, block, decision, nowMs) {
      yield* orOutrun(cancelTasks(on, [cancellation], block, nowMs, { evenHeld: true }))
      yield* endHoldOf(on, cancellation.taskId)
      yield* noteDecision(on, decision, cancellation, nowMs)
    }),

  retry: (on) =>
    on.transact("retry a task", function* ({ task, version }, block, decision, nowMs) {
      const { sql, time } = on
      yield* orOutrun(claimWallet(on, { walletId: task.walletId, version }, block))
      yield* lockTask(on, task.id)
      yield* orOutrun(sql`
        UPDATE ai_agent_tasks t SET status = 'funded', retry_count = 0, mints_failed = 0, error_message = NULL,
          completed_at = NULL, updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
        WHERE t.id = ${task.id}::uuid AND t.status = 'failed' AND ${without(on, IN_FLIGHT_OR_HELD)}
        RETURNING t.id`)
      yield* sql`
        INSERT INTO ai_agent_task_state (task_id, reserved_at_block)
        VALUES (${task.id}::uuid, ${block.number}::bigint)
        ON CONFLICT (task_id) DO UPDATE SET reserved_at_block = excluded.reserved_at_block, next_action_at = NULL,
          held_at = NULL, held_reason = NULL`
      yield* noteDecision(on, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
    }),

  release: (on) =>
    on.transact("release a task", function* ({ task, adopt }, decision, nowMs) {
      const { sql, time } = on
      const mayBe =
        adopt === undefined
          ? sql`t.status IN ('pending_payment', 'funded', 'processing') AND EXISTS (SELECT 1 FROM ai_agent_task_state s
          WHERE s.task_id = t.id AND s.held_at IS NOT NULL) AND ${without(on, ["held"])}`
          : sql`t.status IN ('funded', 'processing')
          AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id)`
      // First, as ever: nothing is planned or signed for the wallet meanwhile.
      yield* touchWallet(on, task.walletId)
      yield* lockTask(on, task.id)
      yield* orOutrun(sql`
        UPDATE ai_agent_tasks t SET error_message = NULL, retry_count = 0,
          mints_completed = coalesce(${adopt?.mintsCompleted ?? null}::int, mints_completed),
          updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
        WHERE t.id = ${task.id}::uuid AND ${mayBe}
        RETURNING t.id`)
      yield* endHoldOf(on, task.id)
      yield* sql`
        UPDATE ai_agent_batches SET sends = 0, claims = 0, version = version + 1, next_action_at = ${instantOf(sql, nowMs)}
        WHERE task_id = ${task.id}::uuid AND status = 'paid'`
      if (adopt !== undefined) {
        yield* sql`
          INSERT INTO ai_agent_task_state (task_id, adopted_at) VALUES (${task.id}::uuid, ${instantOf(sql, nowMs)})
          ON CONFLICT (task_id) DO UPDATE SET adopted_at = excluded.adopted_at`
      }
      yield* noteDecision(on, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
    }),

  fail: (on) =>
    on.transact("fail a task", function* ({ task, failure }, decision, nowMs) {
      yield* touchWallet(on, task.walletId)
      yield* lockTask(on, task.id)
      yield* orOutrun(failTask(on, task.id, failure, nowMs))
      yield* noteDecision(on, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
    }),

  createTask: (on) => on.transact("create a task", (order, decision, nowMs) => placeOrder(on, order, decision, nowMs))
} satisfies Methods<DecisionRepo["Service"]>
