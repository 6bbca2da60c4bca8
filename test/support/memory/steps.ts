import { type Batch, isFinal, isInFlight } from "../../../src/domain/Batch.ts"
import type { Refund } from "../../../src/domain/Refund.ts"
import { movesMoney, paymentIn } from "../../../src/domain/transferTransitions.ts"
import { type Task, type TaskId, mayMove } from "../../../src/domain/Task.ts"
import { type DeliveredMint, type TaskChange, type TaskRepo, mintRowKey } from "../../../src/ledger/TaskRepo.ts"
import { exceedsLimit } from "./limits.ts"
import { type Methods, type StoredTask, type Tables, type TaskEdit, batchKey } from "./MemoryLedger.ts"
import { batchesOf, isHeld, isStopped, pausedBy, setState, setTask, taskState, touchWallet } from "./state.ts"

/** Mints of two payments of one wallet and token could not be told apart. */
const isAnotherInFlight = (draft: Tables, { walletId, token, taskId, number }: Batch): boolean =>
  [...draft.batches.values()].some(
    (other) =>
      isInFlight(other) &&
      other.walletId === walletId &&
      other.token === token &&
      (other.taskId !== taskId || other.number !== number)
  )

/** Marks mints as this batch's, writes v1.1's record of each, and counts the task anew from its batch rows. */
const recordMints = (draft: Tables, batch: Batch, mints: ReadonlyArray<DeliveredMint>, nowMs: number): boolean => {
  // Another batch may have taken one of them: then this batch has to look again.
  if (attributeMints(draft, batch, mints, nowMs) !== batch.minted) return false
  countMints(draft, batch.taskId, nowMs)
  return true
}

/** Marks mints as this batch's, and writes v1.1's record of each. Gives how many mints the batch then has. */
export const attributeMints = (
  draft: Tables,
  { taskId, number: batchNumber, token, recipient }: Batch,
  mints: ReadonlyArray<DeliveredMint>,
  nowMs: number
): number => {
  for (const mint of mints) {
    const { tx, mintNumber } = mint
    const key = mintRowKey({ token, recipient }, mint)
    const ordinals = [...draft.mints.values()].filter((row) => row.taskId === taskId).map((row) => row.mintNumber)
    if (draft.strays.has(key) || draft.mints.has(key) || ordinals.includes(mintNumber)) continue
    draft.mints.set(key, { ...mint, token, recipient, taskId, batchNumber })
    const times = { createdAtMs: nowMs, completedAtMs: nowMs }
    draft.mintRecords.push({ taskId, mintNumber, status: "completed", tx, ...times })
  }
  return [...draft.mints.values()].filter((mint) => mint.taskId === taskId && mint.batchNumber === batchNumber).length
}

const withdrawMints = (draft: Tables, batch: Batch, nowMs: number): void => {
  for (const [key, mint] of draft.mints) {
    if (mint.taskId !== batch.taskId || mint.batchNumber !== batch.number) continue
    draft.mints.delete(key)
    const record = draft.mintRecords.findIndex(
      ({ taskId, mintNumber, tx }) => taskId === mint.taskId && mintNumber === mint.mintNumber && tx === mint.tx
    )
    if (record >= 0) draft.mintRecords.splice(record, 1)
  }
  countMints(draft, batch.taskId, nowMs)
}

/** What the order counts follows from its batch rows. */
export const countMints = (draft: Tables, taskId: TaskId, nowMs: number): void => {
  const batches = batchesOf(draft, taskId)
  const countedBefore = Math.min(...batches.map((sibling) => sibling.firstMint)) - 1
  const mintsCompleted = batches.reduce((total, sibling) => total + sibling.minted, countedBefore)
  setTask(draft, taskId, { mintsCompleted, updatedAtMs: nowMs })
}

const hasStatus = (draft: Tables, task: Task): boolean => draft.tasks.get(task.id)?.status === task.status

/** Of a task that is not held. Beside the expected status, its end has a condition of its own. */
const changeTask = (draft: Tables, expected: Task, change: TaskChange, nowMs: number): boolean => {
  const { status = expected.status } = change
  if (status !== expected.status && !mayMove(expected.status, status))
    throw new Error(`a task never goes from ${expected.status} to ${status}`)
  const row = draft.tasks.get(expected.id)
  if (row === undefined || !hasStatus(draft, expected) || isHeld(draft, row.id)) return false
  if (!mayEnd(draft, row, change.status)) return false
  const columns: TaskEdit = {
    ...(change.status === undefined ? {} : { status: change.status, ...onEntry(row, change, nowMs) }),
    ...(change.retryCount === undefined ? {} : { retryCount: change.retryCount }),
    ...(change.errorMessage === undefined ? {} : { errorMessage: change.errorMessage ?? undefined })
  }
  // A pause is ours alone: `updatedAtMs` goes on telling when v1.1 last worked on a task that it left behind.
  if (Object.keys(columns).length > 0) setTask(draft, row.id, { ...columns, updatedAtMs: nowMs })
  if (change.waiting !== undefined) setTask(draft, row.id, { errorMessage: change.waiting ?? undefined })
  setState(draft, row.id, {
    ...(change.status === "failed" ? { reservedAtBlock: undefined } : {}),
    ...(change.nextActionAtMs === undefined ? {} : { nextActionAtMs: change.nextActionAtMs ?? undefined }),
    ...(change.refusal === undefined ? {} : { refusal: change.refusal, refusedAtMs: nowMs }),
    ...(change.stalledSinceMs === undefined ? {} : { stalledSinceMs: change.stalledSinceMs ?? undefined }),
    ...(change.limitedSinceMs === undefined ? {} : { limitedSinceMs: change.limitedSinceMs ?? undefined })
  })
  return true
}

const mayEnd = (draft: Tables, row: StoredTask, status: TaskChange["status"]): boolean => {
  const batches = batchesOf(draft, row.id)
  switch (status) {
    case "completed":
      return row.mintsCompleted === row.quantity && batches.every(isFinal)
    case "failed":
      return !batches.some(isInFlight)
    default:
      return true
  }
}

/** What a status brings with it. */
const onEntry = (row: StoredTask, change: TaskChange, nowMs: number): TaskEdit => {
  const completedAtMs = change.completedAtMs ?? nowMs
  switch (change.status) {
    case "processing":
      return { startedAtMs: row.startedAtMs ?? nowMs }
    case "failed":
      return { completedAtMs, mintsFailed: row.quantity - row.mintsCompleted }
    case "completed":
    case "cancelled":
      return { completedAtMs }
    case "funded":
      return { completedAtMs: undefined, mintsFailed: 0 }
    default:
      return {}
  }
}

export const writeRefund = (
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

export const steps = {
  plan: ({ attempt }) =>
    attempt((draft, task, batches, nowMs) => {
      touchWallet(draft, task.walletId)
      if (draft.tasks.get(task.id)?.mintsCompleted !== task.mintsCompleted || isStopped(draft, task.walletId))
        return false
      const change: TaskChange = { status: "processing", retryCount: 0, errorMessage: null, nextActionAtMs: null }
      if (!changeTask(draft, task, change, nowMs)) return false
      if (batches.length > 0 && batchesOf(draft, task.id).length > 0) return false
      for (const { paidAmount: amount, paymentBlock: block } of batches) {
        if (amount !== undefined && block !== undefined) touchWallet(draft, task.walletId, { amount, block })
      }
      for (const batch of batches) draft.batches.set(batchKey(batch), batch)
      return true
    }),

  saveBatch: ({ attempt }) =>
    attempt((draft, { before, after, onlyFor, mints = [], withdrawsMints = false, endsHold, task }, nowMs) => {
      // Between two looks nothing is reserved and nothing released.
      if (movesMoney(before, after)) touchWallet(draft, before.walletId, paymentIn(before, after))
      if (onlyFor !== undefined && (!hasStatus(draft, onlyFor) || isHeld(draft, onlyFor.id))) return false
      const stored = draft.batches.get(batchKey(before))
      if (stored?.version !== before.version || stored.status !== before.status) return false
      const isClaim = before.status === "planned" && after.status === "signed"
      const isBarred =
        isStopped(draft, before.walletId) ||
        pausedBy(draft, before.walletId, before.token) !== undefined ||
        isAnotherInFlight(draft, before) ||
        exceedsLimit(draft, after)
      if (isClaim && isBarred) return false
      draft.batches.set(batchKey(before), { ...after, version: before.version + 1 })
      if (withdrawsMints) withdrawMints(draft, before, nowMs)
      if (mints.length > 0 && !recordMints(draft, after, mints, nowMs)) return false
      if (endsHold !== undefined && taskState(draft, before.taskId).heldReason?.startsWith(endsHold)) {
        setState(draft, before.taskId, { heldAtMs: undefined, heldReason: undefined })
        setTask(draft, before.taskId, { errorMessage: undefined, retryCount: 0 })
      }
      if (task !== undefined) changeTask(draft, task.expected, task.change, nowMs)
      return true
    }),

  saveTask: ({ attempt }) =>
    attempt((draft, expected, change, nowMs) => {
      if (change.status !== undefined) touchWallet(draft, expected.walletId)
      return changeTask(draft, expected, change, nowMs)
    }),

  saveRefund: ({ attempt }) => attempt(writeRefund)
} satisfies Methods<TaskRepo["Service"]>
