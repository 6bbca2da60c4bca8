import type { TaskId } from "../../../src/domain/Task.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { Decision } from "../../../src/ledger/DecisionRepo.ts"
import type { Tables } from "./MemoryLedger.ts"

/** Kept with the decision, in its transaction. */
export const note = (
  draft: Tables,
  decision: Decision,
  about: { readonly taskId?: TaskId; readonly walletId?: WalletId },
  decidedAtMs: number
): void => {
  draft.decisions.push({ ...decision, decidedAtMs, taskId: about.taskId, walletId: about.walletId })
}
