import type { Block } from "../../../src/domain/Block.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import { type Cancellation, type Funding, type TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"
import { useDeposits } from "./deposits.ts"
import { hasLivePayIn } from "./payIns.ts"
import { isHeld, setState, setTask, setWallet, touchWallet, walletState } from "./state.ts"

export type Evidence = Pick<Funding, "walletId" | "version">

export const isUnchanged = (draft: Tables, { walletId, version }: Evidence, block: Block): boolean => {
  const state = walletState(draft, walletId)
  return state.version === version && state.provenBlock <= block.number
}

const isWaiting = (draft: Tables, taskId: TaskId): boolean =>
  draft.tasks.get(taskId)?.status === "pending_payment" && !hasLivePayIn(draft, taskId)

export const cancelTasks = (
  draft: Tables,
  cancellations: ReadonlyArray<Cancellation>,
  block: Block,
  nowMs: number,
  { evenHeld }: { readonly evenHeld: boolean }
): ReadonlyArray<TaskId> => {
  const unchanged = cancellations.filter((wanted) => isUnchanged(draft, wanted, block))
  for (const { walletId } of unchanged) setWallet(draft, walletId, {})
  const unpaid = unchanged.filter(({ taskId }) => isWaiting(draft, taskId) && (evenHeld || !isHeld(draft, taskId)))
  for (const { taskId, message } of unpaid) {
    setTask(draft, taskId, { status: "cancelled", errorMessage: message, completedAtMs: nowMs, updatedAtMs: nowMs })
  }
  return unpaid.map(({ taskId }) => taskId)
}

export const sweep = {
  fund: ({ transact }) =>
    transact((draft, fundings, block, nowMs) => {
      const unchanged = fundings.filter((funding) => isUnchanged(draft, funding, block))
      for (const walletId of new Set(unchanged.map((funding) => funding.walletId))) touchWallet(draft, walletId)
      const paid = unchanged.filter(({ taskId }) => isWaiting(draft, taskId) && !isHeld(draft, taskId))
      for (const { taskId, fundingTx, receivedAtMs, uses = [] } of paid) {
        useDeposits(draft, uses)
        const received = { fundingTx, fundingReceivedAtMs: receivedAtMs }
        setTask(draft, taskId, { status: "funded", errorMessage: undefined, ...received, updatedAtMs: nowMs })
        setState(draft, taskId, { reservedAtBlock: block.number, nextActionAtMs: undefined })
      }
      return paid.map(({ taskId }) => taskId)
    }),

  cancel: ({ transact }) =>
    transact((draft, cancellations, block, nowMs) =>
      cancelTasks(draft, cancellations, block, nowMs, { evenHeld: false })
    )
} satisfies Methods<TaskRepo["Service"]>
