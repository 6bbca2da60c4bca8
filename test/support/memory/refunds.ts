import type { Refund } from "../../../src/domain/Refund.ts"
import type { Tables } from "./MemoryLedger.ts"
import type { Spent } from "../../../src/domain/Spent.ts"
import { isStopped, pausedBy, touchWallet } from "./state.ts"

export const saveRefund = (
  draft: Tables,
  { before, after, spent }: { readonly before: Refund; readonly after: Refund; readonly spent?: Spent | undefined }
): boolean => {
  if (after.status !== before.status) touchWallet(draft, before.walletId, spent)
  const stored = draft.refunds.get(before.id)
  if (stored?.version !== before.version || stored.status !== before.status) return false
  const isClaim = before.status === "planned" && after.status === "signed"
  if (isClaim && (isStopped(draft, before.walletId) || pausedBy(draft, before.walletId) !== undefined)) return false
  draft.refunds.set(before.id, { ...after, version: before.version + 1 })
  return true
}
