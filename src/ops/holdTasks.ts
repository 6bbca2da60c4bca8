import { Clock, Effect } from "effect"
import { causeOf, shortId, type TaskId } from "../domain/Task.ts"
import type { BadTask } from "../domain/WalletState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { eachAlone } from "./eachAlone.ts"
import * as Log from "./Log.ts"

/**
 * Holds tasks for a person, and returns those that were not held before. A task whose row cannot be written is held all
 * the same; only its row does not show it.
 */
export const holdTasks = Effect.fnUntraced(function* (bad: ReadonlyArray<BadTask>) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const held = new Set(yield* eachAlone(bad, (some) => repo.hold(some, nowMs)))
  const left = bad.filter(({ taskId }) => !held.has(taskId))
  const all = new Set([...held, ...(left.length === 0 ? [] : yield* repo.hold(left, nowMs, { inRow: false }))])
  for (const { taskId, reason } of bad) {
    if (all.has(taskId)) yield* logHeld(taskId, reason)
  }
  return all
})

export const holdTask = (taskId: TaskId, reason: string) => holdTasks([{ taskId, reason }])

/** An error, as only a person ends it. */
const logHeld = (taskId: TaskId, reason: string): Effect.Effect<void> =>
  Log.error(`🚨 Task ${shortId(taskId)} is held: ${causeOf(reason)}. See: ai-mint explain ${shortId(taskId)}`, {
    task: taskId
  })
