import type { Decision, Pause, PauseScope } from "../../../src/ledger/DecisionRepo.ts"
import { parse } from "../../../src/domain/Address.ts"
import { isInFlight } from "../../../src/domain/Batch.ts"
import { messages, type TaskId } from "../../../src/domain/Task.ts"
import type { StoredTask, Tables } from "./MemoryLedger.ts"
import { batchesOf, byText, isHeld, isReserving, pausedBy, setTask, walletState } from "./state.ts"

export const pauses = (tables: Tables): ReadonlyArray<Pause> =>
  [...tables.pauses.values()].toSorted((a, b) => a.sinceMs - b.sinceMs)

const PAUSED = messages.waiting(messages.paused(""))

/** What an order that a pause keeps waiting should say; `null` where it says so and waits no longer. */
const pauseNote = (tables: Tables, task: StoredTask): string | null | undefined => {
  const batches = batchesOf(tables, task.id)
  const isLeftByV1 = task.status === "processing" && batches.length === 0
  const isStopped = walletState(tables, task.walletId).stoppedReason !== undefined
  const isOther = !isReserving(task) || isHeld(tables, task.id) || isStopped || isLeftByV1
  if (isOther || batches.some(isInFlight)) return undefined
  const reason = pausedBy(tables, task.walletId, parse(task.token))
  if (reason === undefined) return task.errorMessage?.startsWith(PAUSED) ? null : undefined
  return task.errorMessage === PAUSED + reason ? undefined : PAUSED + reason
}

export const unnotedPauses = (tables: Tables, limit: number): ReadonlyArray<{ readonly taskId: TaskId }> =>
  [...tables.tasks.values()]
    .filter((task) => pauseNote(tables, task) !== undefined)
    .map(({ id }) => ({ taskId: id }))
    .toSorted((a, b) => byText(a.taskId, b.taskId))
    .slice(0, limit)

export const notePauses = (draft: Tables, taskIds: ReadonlyArray<TaskId>): ReadonlyArray<TaskId> =>
  taskIds.filter((id) => {
    const task = draft.tasks.get(id)
    const message = task && pauseNote(draft, task)
    if (message === undefined) return false
    setTask(draft, id, { errorMessage: message ?? undefined })
    return true
  })

export const pause = (draft: Tables, paused: Pause, decision: Decision): boolean => {
  if (draft.pauses.has(paused.scope)) return false
  draft.pauses.set(paused.scope, paused)
  note(draft, decision, paused.sinceMs)
  return true
}

export const resume = (draft: Tables, scope: PauseScope, decision: Decision, nowMs: number): boolean => {
  if (!draft.pauses.delete(scope)) return false
  note(draft, decision, nowMs)
  return true
}

const note = (draft: Tables, decision: Decision, decidedAtMs: number): void => {
  draft.decisions.push({ ...decision, decidedAtMs, taskId: undefined, walletId: undefined })
}
