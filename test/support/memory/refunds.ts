import type { Refund } from "../../../src/domain/Refund.ts"
import type { Tables } from "./MemoryLedger.ts"
import { movesMoney, paymentIn } from "../../../src/domain/Spent.ts"
import { isStopped, pausedBy, touchWallet } from "./state.ts"

export const saveRefund = (
  draft: Tables,
  { before, after }: { readonly before: Refund; readonly after: Refund }
): boolean => {
  if (movesMoney(before, after)) touchWallet(draft, before.walletId, paymentIn(before, after))
  const stored = draft.refunds.get(before.id)
  if (stored?.version !== before.version || stored.status !== before.status) return false
  const isClaim = before.status === "planned" && after.status === "signed"
  if (isClaim && (isStopped(draft, before.walletId) || pausedBy(draft, before.walletId) !== undefined)) return false
  // The row has no amount of another transfer that its nonce paid.
  const paidAmount = after.status === "paid" ? after.amount : undefined
  draft.refunds.set(before.id, { ...after, paidAmount, version: before.version + 1 })
  return true
}
