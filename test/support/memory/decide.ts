import { type Batch, isInFlight } from "../../../src/domain/Batch.ts"
import type { Block } from "../../../src/domain/Block.ts"
import type { DepositUse } from "../../../src/domain/Deposit.ts"
import type { Refund } from "../../../src/domain/Refund.ts"
import { type Task, type TaskId, type TaskRow, messages } from "../../../src/domain/Task.ts"
import { times, usdc } from "../../../src/domain/Usdc.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { BatchResolution, Decision, NewOrder, Opening } from "../../../src/ledger/DecisionRepo.ts"
import { type StoredTask, type Tables, batchKey, newTask } from "./MemoryLedger.ts"
import { type Cancellation, mintRowKey, placeKey } from "../../../src/ledger/TaskRepo.ts"
import { attributeMints, countMints } from "./change.ts"
import { useDeposits } from "./deposits.ts"
import {
  batchesOf,
  byText,
  isHeld,
  setState,
  setTask,
  setWallet,
  taskState,
  touchWallet,
  walletState
} from "./state.ts"
import { saveRefund } from "./refunds.ts"
import { cancel as cancelTasks, type Evidence, isUnchanged } from "./sweep.ts"

type TaskOfWallet = Pick<TaskRow, "id" | "walletId">

const note = (
  draft: Tables,
  decision: Decision,
  about: { readonly taskId?: TaskId; readonly walletId: WalletId },
  decidedAtMs: number
): void => {
  draft.decisions.push({ ...decision, decidedAtMs, taskId: about.taskId, walletId: about.walletId })
}

const claimWallet = (draft: Tables, evidence: Evidence, block: Block): boolean => {
  const isStopped = walletState(draft, evidence.walletId).stoppedReason !== undefined
  if (isStopped || !isUnchanged(draft, evidence, block)) return false
  touchWallet(draft, evidence.walletId)
  return true
}

const isOpen = (task: StoredTask | undefined): boolean =>
  task?.status === "pending_payment" || task?.status === "funded" || task?.status === "processing"

const isHeldBatch = ({ status }: Batch): boolean => status === "held"

const endHoldOf = (draft: Tables, taskId: TaskId): void =>
  setState(draft, taskId, { heldAtMs: undefined, heldReason: undefined, nextActionAtMs: undefined })

interface On {
  readonly block: Block
  readonly decision: Decision
  readonly nowMs: number
}

export const createTask = (draft: Tables, order: NewOrder, decision: Decision, nowMs: number): boolean => {
  const { id, wallet, token, quantity, pricePerMint } = order
  if (draft.tasks.has(id)) return false
  const price = { quantity, pricePerMint, totalCost: times(pricePerMint, quantity) }
  const row = { id, walletId: wallet.id, userAddress: wallet.userAddress, token, ...price, createdAtMs: nowMs }
  draft.tasks.set(id, newTask(row))
  note(draft, decision, { taskId: id, walletId: wallet.id }, nowMs)
  return true
}

export const cancel = (draft: Tables, cancellation: Cancellation, { block, decision, nowMs }: On): boolean => {
  if (cancelTasks(draft, [cancellation], block, nowMs, { evenHeld: true }).length === 0) return false
  endHoldOf(draft, cancellation.taskId)
  note(draft, decision, cancellation, nowMs)
  return true
}

export const retry = (
  draft: Tables,
  { task, version }: { readonly task: Task; readonly version: bigint },
  { block, decision, nowMs }: On
): boolean => {
  const { id, walletId } = task
  if (!claimWallet(draft, { walletId, version }, block)) return false
  const isStuck = batchesOf(draft, id).some((batch) => isInFlight(batch) || isHeldBatch(batch))
  if (draft.tasks.get(id)?.status !== "failed" || isStuck) return false
  const anew = { retryCount: 0, mintsFailed: 0, errorMessage: undefined, completedAtMs: undefined }
  setTask(draft, id, { status: "funded", ...anew, updatedAtMs: nowMs })
  endHoldOf(draft, id)
  setState(draft, id, { reservedAtBlock: block.number })
  note(draft, decision, { taskId: id, walletId }, nowMs)
  return true
}

export const release = (
  draft: Tables,
  { task, adopt }: { readonly task: TaskOfWallet; readonly adopt?: { readonly mintsCompleted: number } },
  decision: Decision,
  nowMs: number
): boolean => {
  const row = draft.tasks.get(task.id)
  const batches = batchesOf(draft, task.id)
  const mayBe =
    adopt === undefined
      ? isOpen(row) && isHeld(draft, task.id) && !batches.some(isHeldBatch)
      : (row?.status === "funded" || row?.status === "processing") && batches.length === 0
  if (!mayBe) return false
  touchWallet(draft, task.walletId)
  setTask(draft, task.id, { errorMessage: undefined, retryCount: 0, ...adopt, updatedAtMs: nowMs })
  endHoldOf(draft, task.id)
  for (const batch of batches.filter(({ status }) => status === "paid")) {
    const again = { sends: 0, claims: 0, version: batch.version + 1, nextActionAtMs: nowMs }
    draft.batches.set(batchKey(batch), { ...batch, ...again })
  }
  if (adopt !== undefined) setState(draft, task.id, { adoptedAtMs: nowMs })
  note(draft, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
  return true
}

export const fail = (
  draft: Tables,
  { task, failure }: { readonly task: TaskOfWallet; readonly failure: string },
  decision: Decision,
  nowMs: number
): boolean => {
  touchWallet(draft, task.walletId)
  if (!failTask(draft, task.id, failure, nowMs)) return false
  note(draft, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
  return true
}

const failTask = (draft: Tables, taskId: TaskId, failure: string, nowMs: number): boolean => {
  const row = draft.tasks.get(taskId)
  if (row?.status !== "funded" && row?.status !== "processing") return false
  if (batchesOf(draft, taskId).some(isInFlight)) return false
  const mintsFailed = row.quantity - row.mintsCompleted
  setTask(draft, taskId, {
    status: "failed",
    errorMessage: failure,
    mintsFailed,
    completedAtMs: nowMs,
    updatedAtMs: nowMs
  })
  endHoldOf(draft, taskId)
  setState(draft, taskId, { reservedAtBlock: undefined })
  return true
}

export const resolveBatch = (
  draft: Tables,
  { before, after, mints, strays = [], replacement, evidence, failure }: BatchResolution,
  decision: Decision,
  nowMs: number
): boolean => {
  const { taskId, walletId } = before
  if (evidence === undefined) touchWallet(draft, walletId)
  else if (!claimWallet(draft, { walletId, version: evidence.version }, evidence.block)) return false
  const stored = draft.batches.get(batchKey(before))
  if (stored?.version !== before.version || stored.status !== before.status) return false
  draft.batches.set(batchKey(before), { ...after, version: before.version + 1 })
  const known = before.minted + mints.length
  if (mints.length > 0 && attributeMints(draft, after, mints, nowMs) !== known) return false
  if (strays.some((mint) => draft.mints.has(mintRowKey(before, mint)))) return false
  for (const mint of strays) draft.strays.add(mintRowKey(before, mint))
  for (let minted = known; minted < after.minted; minted++) {
    const times = { createdAtMs: nowMs, completedAtMs: nowMs }
    const mintNumber = before.firstMint + minted
    draft.mintRecords.push({ taskId, mintNumber, status: "completed", tx: undefined, ...times })
  }
  if (replacement !== undefined) draft.batches.set(batchKey(replacement), replacement)
  countMints(draft, taskId, nowMs)
  if (failure === undefined) endHold(draft, taskId, nowMs)
  else if (!failTask(draft, taskId, failure, nowMs)) return false
  note(draft, decision, { taskId, walletId }, nowMs)
  return true
}

const endHold = (draft: Tables, taskId: TaskId, nowMs: number): void => {
  const isFreed =
    isOpen(draft.tasks.get(taskId)) && isHeld(draft, taskId) && !batchesOf(draft, taskId).some(isHeldBatch)
  if (!isFreed) return
  setTask(draft, taskId, { errorMessage: undefined, retryCount: 0, updatedAtMs: nowMs })
  endHoldOf(draft, taskId)
}

export const askRefund = (
  draft: Tables,
  refund: Refund,
  evidence: { readonly version: bigint; readonly uses: ReadonlyArray<DepositUse> },
  { block, decision }: Pick<On, "block" | "decision">
): boolean => {
  const { walletId, createdAtMs } = refund
  // An order that was placed meanwhile bumps no version: its money must not go back as credit, nor that of a held one.
  const waits = (task: StoredTask) => task.walletId === walletId && task.status === "pending_payment"
  if ([...draft.tasks.values()].some(waits)) return false
  if (!claimWallet(draft, { walletId, version: evidence.version }, block)) return false
  draft.refunds.set(refund.id, refund)
  useDeposits(draft, evidence.uses)
  draft.refundUses.set(refund.id, evidence.uses)
  note(draft, decision, { walletId }, createdAtMs)
  return true
}

const REFUNDS_MAX = 100

export const refundsOf = (tables: Tables, walletId: WalletId): ReadonlyArray<Refund> =>
  [...tables.refunds.values()]
    .filter((refund) => refund.walletId === walletId)
    .toSorted((a, b) => b.createdAtMs - a.createdAtMs || byText(a.id, b.id))
    .slice(0, REFUNDS_MAX)

export const withdrawRefund = (
  draft: Tables,
  { before, after }: { readonly before: Refund; readonly after: Refund },
  decision: Decision,
  nowMs: number
): boolean => {
  if (!saveRefund(draft, { before, after })) return false
  for (const use of draft.refundUses.get(before.id) ?? []) {
    const deposit = draft.deposits.get(placeKey(use))
    if (deposit !== undefined) draft.deposits.set(placeKey(use), { ...deposit, left: usdc(deposit.left + use.amount) })
  }
  draft.refundUses.delete(before.id)
  note(draft, decision, { walletId: before.walletId }, nowMs)
  return true
}

export const reopenBooks = (
  draft: Tables,
  { walletId, version, balance, seen }: Opening,
  { block, decision, nowMs }: On
): boolean => {
  const { stoppedReason } = walletState(draft, walletId)
  if (stoppedReason === undefined || !isUnchanged(draft, { walletId, version }, block)) return false
  touchWallet(draft, walletId)
  const opened = { openedBlock: block.number, countedBlock: block.number, bookBalance: balance }
  setWallet(draft, walletId, { ...opened, stoppedReason: undefined })
  draft.pins.set(walletId, seen)
  for (const row of draft.tasks.values()) {
    const isTold = row.walletId === walletId && isOpen(row) && row.errorMessage === messages.stopped(stoppedReason)
    if (isTold) setTask(draft, row.id, { errorMessage: taskState(draft, row.id).heldReason, updatedAtMs: nowMs })
  }
  note(draft, decision, { walletId }, nowMs)
  return true
}
