import { Result } from "effect"
import { messages, type TaskId } from "../../../src/domain/Task.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import type { Tables } from "./MemoryLedger.ts"
import type { BadTask } from "../../../src/domain/WalletState.ts"
import type { HeldForKey } from "../../../src/ledger/TaskRepo.ts"
import { byText, setState, setTask, taskState, walletOf } from "./state.ts"

const isOpen = (status: string | undefined): boolean =>
  status === "pending_payment" || status === "funded" || status === "processing"

export const heldForKeys = (tables: Tables, limit: number): ReadonlyArray<HeldForKey> =>
  [...tables.tasks.values()]
    .filter(({ id, status }) => isOpen(status) && taskState(tables, id).heldReason?.startsWith(messages.heldForKey))
    .toSorted((a, b) => heldAt(tables, a.id) - heldAt(tables, b.id) || byText(a.id, b.id))
    .slice(0, limit)
    .flatMap(({ id, walletId }) => {
      const wallet = walletOf(tables, walletId)
      const reason = taskState(tables, id).heldReason ?? ""
      return Result.isFailure(wallet) ? [] : [{ taskId: id, reason, wallet: wallet.success }]
    })

const heldAt = (tables: Tables, id: TaskId): number => taskState(tables, id).heldAtMs ?? 0

export const endHolds = (draft: Tables, holds: ReadonlyArray<BadTask>, nowMs: number): ReadonlyArray<TaskId> => {
  const ended = holds.filter(
    ({ taskId, reason }) => isOpen(draft.tasks.get(taskId)?.status) && taskState(draft, taskId).heldReason === reason
  )
  for (const { taskId } of ended) {
    setState(draft, taskId, { heldAtMs: undefined, heldReason: undefined })
    setTask(draft, taskId, { errorMessage: undefined, updatedAtMs: nowMs })
  }
  return ended.map(({ taskId }) => taskId)
}

export const sampleWallets = (tables: Tables, count: number): ReadonlyArray<Wallet> =>
  [...tables.wallets.keys()]
    .slice(0, count)
    .flatMap((id) => Result.match(walletOf(tables, id), { onSuccess: (wallet) => [wallet], onFailure: () => [] }))
