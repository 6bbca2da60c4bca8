import { type Batch, isFinal, isInFlight } from "../domain/Batch.ts"
import type { Block } from "../domain/Block.ts"
import type { DepositUse } from "../domain/Deposit.ts"
import type { Refund } from "../domain/Refund.ts"
import { messages, type Task, type TaskId } from "../domain/Task.ts"
import { sum, usdc } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import {
  batchKey,
  type StoredTask,
  type StoredTaskState,
  type StoredWalletState,
  type Tables,
  type TaskEdit
} from "./MemoryLedger.ts"
import { batchesOf, isHeld, taskState, walletState } from "./memoryReads.ts"
import {
  type BadTask,
  type BatchSave,
  type Cancellation,
  type CountedWallet,
  type DeliveredMint,
  type FoundDeposit,
  type Funding,
  mintKey,
  type Spent,
  type TaskChange
} from "./TaskRepo.ts"

export const setTask = (draft: Tables, id: TaskId, edit: TaskEdit): void => {
  const row = draft.tasks.get(id)
  if (row !== undefined) draft.tasks.set(id, { ...row, ...edit })
}

export const setState = (draft: Tables, id: TaskId, edit: Partial<StoredTaskState>): void => {
  draft.taskStates.set(id, { ...taskState(draft, id), ...edit })
}

export const setWallet = (draft: Tables, id: WalletId, edit: Partial<StoredWalletState>): void => {
  draft.walletStates.set(id, { ...walletState(draft, id), ...edit })
}

/** What left before the books were opened is not in their opening balance. */
export const touchWallet = (draft: Tables, id: WalletId, spent?: Spent): void => {
  const { version, provenBlock, openedBlock, bookBalance } = walletState(draft, id)
  const isNew = spent !== undefined && openedBlock !== undefined && openedBlock < spent.block
  setWallet(draft, id, {
    version: version + 1n,
    provenBlock: spent !== undefined && spent.block > provenBlock ? spent.block : provenBlock,
    bookBalance: bookBalance !== undefined && isNew ? bookBalance - spent.amount : bookBalance
  })
}

export const recordDeposits = (
  draft: Tables,
  found: ReadonlyArray<FoundDeposit>,
  counted: ReadonlyArray<CountedWallet>,
  block: Block
): ReadonlyArray<FoundDeposit> => {
  const fresh = found.filter((deposit) => !draft.deposits.has(mintKey(deposit)))
  for (const deposit of fresh) draft.deposits.set(mintKey(deposit), { ...deposit, left: deposit.amount })
  for (const { walletId, balance, isWhole } of counted) {
    const { openedBlock, countedBlock, bookBalance } = walletState(draft, walletId)
    const opened = openedBlock ?? block.number
    const since = fresh.filter((deposit) => deposit.walletId === walletId && deposit.block.number > opened)
    const reached = isWhole && block.number > (countedBlock ?? -1n) ? block.number : countedBlock
    const bookedBefore = bookBalance === undefined ? undefined : bookBalance + sum(since.map(({ amount }) => amount))
    setWallet(draft, walletId, { openedBlock: opened, countedBlock: reached, bookBalance: bookedBefore ?? balance })
  }
  return fresh
}

export const stopWallet = (
  draft: Tables,
  stop: { readonly walletId: WalletId; readonly version: bigint; readonly reason: string },
  nowMs: number
): boolean => {
  const { version, stoppedReason } = walletState(draft, stop.walletId)
  if (version !== stop.version || stoppedReason !== undefined) return false
  setWallet(draft, stop.walletId, { version: version + 1n, stoppedReason: stop.reason })
  for (const { id, walletId, status } of draft.tasks.values()) {
    const isOpen = status === "pending_payment" || status === "funded" || status === "processing"
    if (walletId !== stop.walletId || !isOpen) continue
    setTask(draft, id, { errorMessage: messages.stopped(stop.reason), updatedAtMs: nowMs })
  }
  return true
}

/** Takes what orders and refunds are paid with from the deposits. */
export const useDeposits = (draft: Tables, uses: ReadonlyArray<DepositUse>): void => {
  for (const use of uses) {
    const deposit = draft.deposits.get(mintKey(use))
    if (deposit === undefined || deposit.left < use.amount) continue
    draft.deposits.set(mintKey(use), { ...deposit, left: usdc(deposit.left - use.amount) })
  }
}

export const saveRefund = (
  draft: Tables,
  { before, after, spent }: { readonly before: Refund; readonly after: Refund; readonly spent?: Spent | undefined }
): boolean => {
  if (after.status !== before.status) touchWallet(draft, before.walletId, spent)
  const stored = draft.refunds.get(before.id)
  if (stored?.version !== before.version || stored.status !== before.status) return false
  draft.refunds.set(before.id, { ...after, version: before.version + 1 })
  return true
}

export type Evidence = Pick<Funding, "walletId" | "version">

export const isUnchanged = (draft: Tables, { walletId, version }: Evidence, block: Block): boolean => {
  const state = walletState(draft, walletId)
  return state.version === version && state.provenBlock <= block.number
}

export const fund = (
  draft: Tables,
  fundings: ReadonlyArray<Funding>,
  block: Block,
  nowMs: number
): ReadonlyArray<TaskId> => {
  const unchanged = fundings.filter((funding) => isUnchanged(draft, funding, block))
  for (const walletId of new Set(unchanged.map((funding) => funding.walletId))) touchWallet(draft, walletId)
  const paid = unchanged.filter(({ taskId }) => draft.tasks.get(taskId)?.status === "pending_payment")
  for (const { taskId, fundingTx, receivedAtMs, uses = [] } of paid) {
    useDeposits(draft, uses)
    const received = { fundingTx, fundingReceivedAtMs: receivedAtMs }
    setTask(draft, taskId, { status: "funded", errorMessage: undefined, ...received, updatedAtMs: nowMs })
    setState(draft, taskId, { reservedAtBlock: block.number, nextActionAtMs: undefined })
  }
  return paid.map(({ taskId }) => taskId)
}

export const cancel = (
  draft: Tables,
  cancellations: ReadonlyArray<Cancellation>,
  block: Block,
  nowMs: number
): ReadonlyArray<TaskId> => {
  const unpaid = cancellations.filter(
    (wanted) => isUnchanged(draft, wanted, block) && draft.tasks.get(wanted.taskId)?.status === "pending_payment"
  )
  for (const { taskId, message } of unpaid) {
    setTask(draft, taskId, { status: "cancelled", errorMessage: message, completedAtMs: nowMs, updatedAtMs: nowMs })
  }
  return unpaid.map(({ taskId }) => taskId)
}

export const hold = (draft: Tables, tasks: ReadonlyArray<BadTask>, nowMs: number): ReadonlyArray<TaskId> => {
  const held: Array<TaskId> = []
  for (const { taskId, reason } of tasks) {
    const status = draft.tasks.get(taskId)?.status
    const isOpen = status === "pending_payment" || status === "funded" || status === "processing"
    if (!isOpen || isHeld(draft, taskId)) continue
    setState(draft, taskId, { heldAtMs: nowMs, heldReason: reason })
    setTask(draft, taskId, { errorMessage: reason, updatedAtMs: nowMs })
    held.push(taskId)
  }
  return held
}

export const plan = (draft: Tables, task: Task, batches: ReadonlyArray<Batch>, nowMs: number): boolean => {
  touchWallet(draft, task.walletId)
  const change: TaskChange = { status: "processing", retryCount: 0, errorMessage: null, nextActionAtMs: null }
  if (!changeTask(draft, task, change, nowMs)) return false
  if (batches.length > 0 && batchesOf(draft, task.id).length > 0) return false
  for (const { paidAmount: amount, paymentBlock: block } of batches) {
    if (amount !== undefined && block !== undefined) touchWallet(draft, task.walletId, { amount, block })
  }
  for (const batch of batches) draft.batches.set(batchKey(batch), batch)
  return true
}

export const saveBatch = (
  draft: Tables,
  { before, after, onlyFor, mints = [], endsHold, task }: BatchSave,
  nowMs: number
): boolean => {
  // Between two looks nothing is reserved and nothing released.
  if (after.status !== before.status) touchWallet(draft, before.walletId, paymentOf(before, after))
  if (onlyFor !== undefined && (!hasStatus(draft, onlyFor) || isHeld(draft, onlyFor.id))) return false
  const stored = draft.batches.get(batchKey(before))
  if (stored?.version !== before.version || stored.status !== before.status) return false
  draft.batches.set(batchKey(before), { ...after, version: before.version + 1 })
  if (mints.length > 0 && !recordMints(draft, after, mints, nowMs)) return false
  if (endsHold !== undefined && taskState(draft, before.taskId).heldReason === endsHold) {
    setState(draft, before.taskId, { heldAtMs: undefined, heldReason: undefined })
    setTask(draft, before.taskId, { errorMessage: undefined, retryCount: 0 })
  }
  if (task !== undefined) changeTask(draft, task.expected, task.change, nowMs)
  return true
}

/** The payment that this very step proves. */
const paymentOf = (before: Batch, { paidAmount: amount, paymentBlock: block }: Batch): Spent | undefined =>
  before.paymentTx !== undefined || amount === undefined || block === undefined ? undefined : { amount, block }

export const saveTask = (draft: Tables, expected: Task, change: TaskChange, nowMs: number): boolean => {
  if (change.status !== undefined) touchWallet(draft, expected.walletId)
  return changeTask(draft, expected, change, nowMs)
}

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
  { taskId, number: batchNumber }: Batch,
  mints: ReadonlyArray<DeliveredMint>,
  nowMs: number
): number => {
  for (const { tx, logIndex, mintNumber } of mints) {
    const key = mintKey({ tx, logIndex })
    const ordinals = [...draft.mints.values()].filter((mint) => mint.taskId === taskId).map((mint) => mint.mintNumber)
    if (draft.mints.has(key) || ordinals.includes(mintNumber)) continue
    draft.mints.set(key, { tx, taskId, batchNumber, mintNumber })
    const times = { createdAtMs: nowMs, completedAtMs: nowMs }
    draft.mintRecords.push({ taskId, mintNumber, status: "completed", tx, ...times })
  }
  return [...draft.mints.values()].filter((mint) => mint.taskId === taskId && mint.batchNumber === batchNumber).length
}

/** What the order counts follows from its batch rows. */
export const countMints = (draft: Tables, taskId: TaskId, nowMs: number): void => {
  const batches = batchesOf(draft, taskId)
  const countedBefore = Math.min(...batches.map((sibling) => sibling.firstMint)) - 1
  const mintsCompleted = batches.reduce((total, sibling) => total + sibling.minted, countedBefore)
  setTask(draft, taskId, { mintsCompleted, updatedAtMs: nowMs })
}

const hasStatus = (draft: Tables, task: Task): boolean => draft.tasks.get(task.id)?.status === task.status

/** Beside the expected status, the end of a task has a condition of its own. */
const changeTask = (draft: Tables, expected: Task, change: TaskChange, nowMs: number): boolean => {
  const row = draft.tasks.get(expected.id)
  if (row === undefined || !hasStatus(draft, expected) || !mayEnd(draft, row, change.status)) return false
  const columns: TaskEdit = {
    ...(change.status === undefined ? {} : { status: change.status, ...onEntry(row, change, nowMs) }),
    ...(change.retryCount === undefined ? {} : { retryCount: change.retryCount }),
    ...(change.errorMessage === undefined ? {} : { errorMessage: change.errorMessage ?? undefined })
  }
  // A pause is ours alone: `updatedAtMs` goes on telling when v1.1 last worked on a task that it left behind.
  if (Object.keys(columns).length > 0) setTask(draft, row.id, { ...columns, updatedAtMs: nowMs })
  setState(draft, row.id, {
    ...(change.status === "failed" ? { reservedAtBlock: undefined } : {}),
    ...(change.nextActionAtMs === undefined ? {} : { nextActionAtMs: change.nextActionAtMs ?? undefined }),
    ...(change.refusal === undefined ? {} : { refusal: change.refusal, refusedAtMs: nowMs })
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
