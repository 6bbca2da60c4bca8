import { revivePayIn } from "../../../src/domain/PayIn.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import type { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"

export const hasLivePayIn = (tables: Tables, taskId: TaskId): boolean =>
  [...tables.payIns.values()].some(({ payIn }) => payIn.taskId === taskId && payIn.status === "live")

/** What was proven of waiting orders above the fork is not known any more. */
export const revivePayIns = (draft: Tables, fork: bigint): void => {
  for (const [key, one] of draft.payIns) {
    const { block, taskId } = one.payIn
    const isTaken = block !== undefined && block > fork && draft.tasks.get(taskId)?.status === "pending_payment"
    if (isTaken) draft.payIns.set(key, { ...one, payIn: revivePayIn(one.payIn) })
  }
}

export const payIns = {
  savePayIns: ({ transact }) =>
    transact((draft, judged) => {
      const saved: Array<TaskId> = []
      for (const [key, one] of draft.payIns) {
        const after = judged.find(({ taskId }) => taskId === one.payIn.taskId)
        if (after === undefined || one.payIn.status !== "live") continue
        const { status, tx, block, reason } = after
        draft.payIns.set(key, { ...one, payIn: { ...one.payIn, status, tx, block, reason } })
        saved.push(after.taskId)
      }
      return saved
    })
} satisfies Methods<TaskRepo["Service"]>
