import type { Tables } from "./MemoryLedger.ts"
import { CODE_DECISION, codeChanged, type CodeLook } from "../../../src/ledger/usdcCode.ts"

const KEY = "usdc_code"

export const noteUsdcCode = (draft: Tables, look: CodeLook, nowMs: number) => ({
  before: note(draft, look, nowMs),
  databaseMs: undefined
})

const note = (draft: Tables, { code, isSure }: CodeLook, nowMs: number): string | undefined => {
  const before = draft.network.get(KEY)
  if (before === code) return undefined
  if (before !== undefined && !isSure) return before
  draft.network.set(KEY, code)
  if (before === undefined) return undefined
  const why = codeChanged(before, code)
  const paused = draft.pauses.get("all")
  const reason = paused === undefined ? why : `${paused.reason}; ${why}`
  draft.pauses.set("all", { scope: "all", sinceMs: nowMs, ...paused, reason })
  draft.decisions.push({ ...CODE_DECISION, why, decidedAtMs: nowMs, taskId: undefined, walletId: undefined })
  return before
}
