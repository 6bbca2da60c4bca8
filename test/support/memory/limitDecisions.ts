import type { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { note } from "./notes.ts"
import { usedOf } from "./limits.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"
import { byText, setState } from "./state.ts"

/** Orders that wait for a limit are due at once. */
const wakeLimited = (draft: Tables): void => {
  for (const [taskId, { limitedSinceMs }] of draft.taskStates) {
    if (limitedSinceMs !== undefined) setState(draft, taskId, { nextActionAtMs: undefined })
  }
}

export const limitDecisions = {
  limits: ({ read }) =>
    read((tables, nowMs) =>
      [...tables.limits.values()]
        .toSorted((a, b) => byText(a.scope, b.scope))
        .map((limit) => ({ ...limit, used: usedOf(tables, limit.scope, nowMs) }))
    ),

  setLimit: ({ attempt }) =>
    attempt((draft, limit, decision) => {
      if (draft.limits.get(limit.scope)?.perDay === limit.perDay) return false
      draft.limits.set(limit.scope, limit)
      wakeLimited(draft)
      note(draft, decision, {}, limit.sinceMs)
      return true
    }),

  removeLimit: ({ attempt }) =>
    attempt((draft, scope, decision, nowMs) => {
      if (!draft.limits.delete(scope)) return false
      wakeLimited(draft)
      note(draft, decision, {}, nowMs)
      return true
    })
} satisfies Methods<DecisionRepo["Service"]>
