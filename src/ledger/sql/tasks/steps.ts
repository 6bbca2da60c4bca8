import { Effect } from "effect"
import type { Batch } from "../../../domain/Batch.ts"
import { movesMoney, paymentIn } from "../../../domain/transferTransitions.ts"
import type { Task, TaskId } from "../../../domain/Task.ts"
import type { TaskRepo } from "../../TaskRepo.ts"
import { isStopped, keepPauses, lockTask, orOutrun, touchWallet } from "../locks.ts"
import { changeOrders } from "../saves/orderChanges.ts"
import { saveBatch } from "../saves/saveBatches.ts"
import type { Methods, Statements } from "../statements.ts"
import { insertBatches, isClaim, updateRefund } from "../transferWrites.ts"

/** A plan leaves out what was minted when it was made; and of a wallet that is stopped nothing is begun. */
const stillUncounted = (on: Statements, { id, walletId, mintsCompleted }: Task) => on.sql`
  SELECT t.id FROM ai_agent_tasks t
  WHERE t.id = ${id}::uuid AND coalesce(t.mints_completed, 0) = ${mintsCompleted}::int
    AND NOT ${isStopped(on, on.sql`${walletId}::uuid`)}`

/** The batch rows of a task in one statement. Where there are any already, another program planned it. */
const insertPlan = (on: Statements, taskId: TaskId, batches: ReadonlyArray<Batch>) => {
  if (batches.length === 0) return Effect.void
  const isFirst = on.sql`NOT EXISTS (SELECT 1 FROM ai_agent_batches WHERE task_id = ${taskId}::uuid)`
  return orOutrun(insertBatches(on, batches, isFirst))
}

/** One step of an order or of a batch. */
export const steps = {
  plan: (on) =>
    on.transact("plan a task", function* (task, batches, nowMs) {
      yield* touchWallet(on, task.walletId)
      for (const { paidAmount: amount, paymentBlock: block } of batches) {
        if (amount !== undefined && block !== undefined) yield* touchWallet(on, task.walletId, { amount, block })
      }
      yield* lockTask(on, task.id)
      yield* orOutrun(stillUncounted(on, task))
      const change = { status: "processing", retryCount: 0, errorMessage: null, nextActionAtMs: null } as const
      yield* orOutrun(changeOrders(on, [{ expected: task, change, nowMs }]))
      yield* insertPlan(on, task.id, batches)
    }),

  saveBatch,

  saveTask: (on) =>
    on.transact("save a task", function* (expected, change, nowMs) {
      if (change.status !== undefined) yield* touchWallet(on, expected.walletId)
      yield* lockTask(on, expected.id)
      yield* orOutrun(changeOrders(on, [{ expected, change, nowMs }]))
    }),

  saveRefund: (on) =>
    on.transact("save a refund", function* ({ before, after }, nowMs) {
      if (movesMoney(before, after)) yield* touchWallet(on, before.walletId, paymentIn(before, after))
      if (isClaim(before, after)) yield* keepPauses(on.sql)
      yield* orOutrun(updateRefund(on, before, after, nowMs))
    })
} satisfies Methods<TaskRepo["Service"]>
