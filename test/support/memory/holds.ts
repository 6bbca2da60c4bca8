import { Result } from "effect"
import { parse } from "../../../src/domain/Address.ts"
import { isInFlight } from "../../../src/domain/Batch.ts"
import { type TaskId, messages } from "../../../src/domain/Task.ts"
import { type TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import type { Methods, StoredTask, Tables } from "./MemoryLedger.ts"
import {
  batchesOf,
  byText,
  isHeld,
  isReserving,
  pausedBy,
  setState,
  setTask,
  taskState,
  walletOf,
  walletState
} from "./state.ts"

const isOpen = (status: string | undefined): boolean =>
  status === "pending_payment" || status === "funded" || status === "processing"

const heldAt = (tables: Tables, id: TaskId): number => taskState(tables, id).heldAtMs ?? 0

const PAUSED = messages.waiting(messages.paused(""))

/** What an order that a pause keeps waiting should say; `null` where it says so and waits no longer. */
const pauseNote = (tables: Tables, task: StoredTask): string | null | undefined => {
  const batches = batchesOf(tables, task.id)
  const isLeftByV1 = task.status === "processing" && batches.length === 0
  const isStopped = walletState(tables, task.walletId).stoppedReason !== undefined
  const isOther = !isReserving(task) || isHeld(tables, task.id) || isStopped || isLeftByV1
  if (isOther || batches.some(isInFlight)) return undefined
  const reason = pausedBy(tables, task.walletId, parse(task.token))
  if (reason === undefined) return task.errorMessage?.startsWith(PAUSED) ? null : undefined
  return task.errorMessage === PAUSED + reason ? undefined : PAUSED + reason
}

export const holds = {
  heldForKeys: ({ read }) =>
    read((tables, limit) =>
      [...tables.tasks.values()]
        .filter(({ id, status }) => isOpen(status) && taskState(tables, id).heldReason?.startsWith(messages.heldForKey))
        .toSorted((a, b) => heldAt(tables, a.id) - heldAt(tables, b.id) || byText(a.id, b.id))
        .slice(0, limit)
        .flatMap(({ id, walletId }) => {
          const wallet = walletOf(tables, walletId)
          const reason = taskState(tables, id).heldReason ?? ""
          return Result.isFailure(wallet) ? [] : [{ taskId: id, reason, wallet: wallet.success }]
        })
    ),

  endHolds: ({ transact }) =>
    transact((draft, holds, nowMs) => {
      const ended = holds.filter(
        ({ taskId, reason }) =>
          isOpen(draft.tasks.get(taskId)?.status) && taskState(draft, taskId).heldReason === reason
      )
      for (const { taskId } of ended) {
        setState(draft, taskId, { heldAtMs: undefined, heldReason: undefined })
        setTask(draft, taskId, { errorMessage: undefined, updatedAtMs: nowMs })
      }
      return ended.map(({ taskId }) => taskId)
    }),

  hold: ({ transact }) =>
    transact((draft, tasks, nowMs, { inRow = true } = {}) => {
      const held: Array<TaskId> = []
      for (const { taskId, reason } of tasks) {
        const status = draft.tasks.get(taskId)?.status
        const isOpen = status === "pending_payment" || status === "funded" || status === "processing"
        if (!isOpen || isHeld(draft, taskId)) continue
        setState(draft, taskId, { heldAtMs: nowMs, heldReason: reason })
        if (inRow) setTask(draft, taskId, { errorMessage: reason, updatedAtMs: nowMs })
        held.push(taskId)
      }
      return held
    }),

  unnotedPauses: ({ read }) =>
    read((tables, limit) =>
      [...tables.tasks.values()]
        .filter((task) => pauseNote(tables, task) !== undefined)
        .map(({ id }) => ({ taskId: id }))
        .toSorted((a, b) => byText(a.taskId, b.taskId))
        .slice(0, limit)
    ),

  notePauses: ({ transact }) =>
    transact((draft, taskIds) =>
      taskIds.filter((id) => {
        const task = draft.tasks.get(id)
        const message = task && pauseNote(draft, task)
        if (message === undefined) return false
        setTask(draft, id, { errorMessage: message ?? undefined })
        return true
      })
    )
} satisfies Methods<TaskRepo["Service"]>
