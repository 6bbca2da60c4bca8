import { Effect } from "effect"
import type { Fragment } from "effect/sql/Statement"
import type { Block } from "../../domain/Block.ts"
import type { Task, TaskId, TaskRow } from "../../domain/Task.ts"
import type { WalletId } from "../../domain/Wallet.ts"
import type { Decision } from "../DecisionRepo.ts"
import type { Cancellation } from "../TaskRepo.ts"
import type { Statements } from "./statements.ts"
import { cancel as cancelTasks } from "./sweep.ts"
import { instantOf } from "./TimeColumns.ts"
import { lockTask, orOutrun, touchWallet, transact } from "./transact.ts"

type TaskOfWallet = Pick<TaskRow, "id" | "walletId">

/** Kept for ever, in the transaction of the decision. */
export const noteDecision = (
  { sql }: Statements,
  decision: Decision,
  about: { readonly taskId?: TaskId; readonly walletId?: WalletId },
  nowMs: number
) => sql`
  INSERT INTO ai_agent_decisions (decided_at, command, task_id, wallet_id, said, why, made_by)
  VALUES (${instantOf(sql, nowMs)}, ${decision.command}, ${about.taskId ?? null}::uuid, ${about.walletId ?? null}::uuid,
    ${decision.said}, ${decision.why}, ${decision.by})`

/**
 * A new version for a wallet that is still as it was read, not stopped, and of which no payment was proven after the
 * block. Nothing where it is not so.
 */
export const claimWallet = (
  { sql }: Statements,
  { walletId, version }: { readonly walletId: WalletId; readonly version: bigint },
  block: Block
) => sql`
  INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version)
  SELECT p.id, ${version}::bigint + 1 FROM (SELECT ${walletId}::uuid AS id) p
  WHERE ${version}::bigint = 0 OR EXISTS (SELECT 1 FROM ai_agent_wallet_state known WHERE known.wallet_id = p.id)
  ON CONFLICT (wallet_id) DO UPDATE SET version = excluded.version
  WHERE ws.version = excluded.version - 1 AND ws.proven_block <= ${block.number}::bigint AND ws.stopped_at IS NULL
  RETURNING ws.wallet_id`

export const cancel = (
  on: Statements,
  cancellation: Cancellation,
  { block, decision, nowMs }: { readonly block: Block; readonly decision: Decision; readonly nowMs: number }
) =>
  transact(
    on,
    Effect.gen(function* () {
      yield* orOutrun(cancelTasks(on, [cancellation], block, nowMs, { evenHeld: true }))
      yield* endHoldOf(on, cancellation.taskId)
      yield* noteDecision(on, decision, cancellation, nowMs)
    })
  )

export const retry = (
  on: Statements,
  { task, version }: { readonly task: Task; readonly version: bigint },
  { block, decision, nowMs }: { readonly block: Block; readonly decision: Decision; readonly nowMs: number }
) => {
  const { sql, time } = on
  return transact(
    on,
    Effect.gen(function* () {
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
    })
  )
}

const IN_FLIGHT = ["signed", "accepted", "unknown", "paid"]
const IN_FLIGHT_OR_HELD = [...IN_FLIGHT, "held"]

/** No batch of the task `t` has one of these states. */
const without = ({ sql }: Statements, statuses: ReadonlyArray<string>): Fragment =>
  sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id AND b.status = ANY(${statuses}::text[]))`

export const release = (
  on: Statements,
  { task, adopt }: { readonly task: TaskOfWallet; readonly adopt?: { readonly mintsCompleted: number } },
  decision: Decision,
  nowMs: number
) => {
  const { sql, time } = on
  const mayBe =
    adopt === undefined
      ? sql`t.status IN ('pending_payment', 'funded', 'processing') AND EXISTS (SELECT 1 FROM ai_agent_task_state s
          WHERE s.task_id = t.id AND s.held_at IS NOT NULL) AND ${without(on, ["held"])}`
      : sql`t.status IN ('funded', 'processing')
          AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id)`
  return transact(
    on,
    Effect.gen(function* () {
      // First, as ever: nobody plans or signs for the wallet meanwhile.
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
    })
  )
}

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

export const fail = (
  on: Statements,
  { task, failure }: { readonly task: TaskOfWallet; readonly failure: string },
  decision: Decision,
  nowMs: number
) =>
  transact(
    on,
    Effect.gen(function* () {
      yield* touchWallet(on, task.walletId)
      yield* lockTask(on, task.id)
      yield* orOutrun(failTask(on, task.id, failure, nowMs))
      yield* noteDecision(on, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
    })
  )

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
