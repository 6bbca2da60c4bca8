import type { Decision, Pause, PauseScope } from "../DecisionRepo.ts"
import { parse } from "../../domain/Address.ts"
import { isInFlight } from "../../domain/Batch.ts"
import { messages } from "../../domain/Task.ts"
import type { Tables } from "../MemoryLedger.ts"
import { batchesOf, isHeld, isReserving, pausedBy, setTask, walletState } from "./state.ts"

export const pauses = (tables: Tables): ReadonlyArray<Pause> =>
  [...tables.pauses.values()].toSorted((a, b) => a.sinceMs - b.sinceMs)

/** The orders that a pause keeps waiting say so, and no longer where none does. */
export const notePauses = (draft: Tables): void => {
  const saying = messages.waiting(messages.paused(""))
  for (const task of [...draft.tasks.values()].filter(isReserving)) {
    const batches = batchesOf(draft, task.id)
    const isLeftByV1 = task.status === "processing" && batches.length === 0
    const isStopped = walletState(draft, task.walletId).stoppedReason !== undefined
    if (isHeld(draft, task.id) || isStopped || isLeftByV1 || batches.some(isInFlight)) continue
    const reason = pausedBy(draft, task.walletId, parse(task.token))
    if (reason !== undefined) setTask(draft, task.id, { errorMessage: `${saying}${reason}` })
    else if (task.errorMessage?.startsWith(saying)) setTask(draft, task.id, { errorMessage: undefined })
  }
}

export const pause = (draft: Tables, paused: Pause, decision: Decision): boolean => {
  if (draft.pauses.has(paused.scope)) return false
  draft.pauses.set(paused.scope, paused)
  notePauses(draft)
  note(draft, decision, paused.sinceMs)
  return true
}

export const resume = (draft: Tables, scope: PauseScope, decision: Decision, nowMs: number): boolean => {
  if (!draft.pauses.delete(scope)) return false
  notePauses(draft)
  note(draft, decision, nowMs)
  return true
}

const note = (draft: Tables, decision: Decision, decidedAtMs: number): void => {
  draft.decisions.push({ ...decision, decidedAtMs, taskId: undefined, walletId: undefined })
}
