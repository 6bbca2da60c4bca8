import { Clock, Effect } from "effect"
import type { TaskId } from "../domain/Task.ts"
import { type BadTask, TaskRepo } from "../ledger/TaskRepo.ts"
import { eachAlone } from "./eachAlone.ts"
import { tellHeld } from "./held.ts"

/** Sets tasks aside for a person, and gives those that were not before. Those whose rows cannot be written are held all the same, and their rows do not say so. */
export const holdTasks = Effect.fnUntraced(function* (bad: ReadonlyArray<BadTask>) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const held = new Set(yield* eachAlone(bad, (some) => repo.hold(some, nowMs)))
  const left = bad.filter(({ taskId }) => !held.has(taskId))
  const all = new Set([...held, ...(left.length === 0 ? [] : yield* repo.hold(left, nowMs, { inRow: false }))])
  for (const { taskId, reason } of bad) {
    if (all.has(taskId)) yield* tellHeld(taskId, reason)
  }
  return all
})

export const holdTask = (taskId: TaskId, reason: string) => holdTasks([{ taskId, reason }])
