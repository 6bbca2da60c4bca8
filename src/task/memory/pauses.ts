import type { Decision, Pause, PauseScope } from "../DecisionRepo.ts"
import type { Tables } from "../MemoryLedger.ts"

export const pauses = (tables: Tables): ReadonlyArray<Pause> =>
  [...tables.pauses.values()].toSorted((a, b) => a.sinceMs - b.sinceMs)

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
