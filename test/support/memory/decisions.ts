import { type Batch, isInFlight } from "../../../src/domain/Batch.ts"
import type { Block } from "../../../src/domain/Block.ts"
import { payInKey } from "../../../src/domain/PayIn.ts"
import { type TaskId, messages } from "../../../src/domain/Task.ts"
import { times, usdc } from "../../../src/domain/Usdc.ts"
import type { Decision, DecisionRepo, NewOrder, PaymentIdentifier } from "../../../src/ledger/DecisionRepo.ts"
import { mintRowKey, placeKey } from "../../../src/ledger/TaskRepo.ts"
import { type Methods, type StoredTask, type Tables, batchKey, newTask } from "./MemoryLedger.ts"
import { useDeposits } from "./deposits.ts"
import { note } from "./notes.ts"
import { ordersOf } from "./pages.ts"
import { useQuote } from "./quotes.ts"
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
import { attributeMints, countMints, writeRefund } from "./steps.ts"
import { type Evidence, cancelTasks, isUnchanged } from "./sweep.ts"

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

const endHold = (draft: Tables, taskId: TaskId, nowMs: number): void => {
  const isFreed =
    isOpen(draft.tasks.get(taskId)) && isHeld(draft, taskId) && !batchesOf(draft, taskId).some(isHeldBatch)
  if (!isFreed) return
  setTask(draft, taskId, { errorMessage: undefined, retryCount: 0, updatedAtMs: nowMs })
  endHoldOf(draft, taskId)
}

const REFUNDS_MAX = 100

const placeOrder = (draft: Tables, order: NewOrder, decision: Decision, nowMs: number): boolean => {
  const { id, wallet, token, quantity, pricePerMint } = order
  if (draft.tasks.has(id) || !useQuote(draft, order, nowMs)) return false
  const price = { quantity, pricePerMint, totalCost: times(pricePerMint, quantity) }
  const row = { id, walletId: wallet.id, userAddress: wallet.userAddress, token, ...price, createdAtMs: nowMs }
  draft.tasks.set(id, newTask(row))
  if (decision.keyId !== undefined) setState(draft, id, { keyId: decision.keyId })
  note(draft, decision, { taskId: id, walletId: wallet.id }, nowMs)
  return true
}

const identifierKey = ({ keyId, identifier }: PaymentIdentifier): string => `${keyId ?? ""}/${identifier}`

export const decisions = {
  createTask: ({ attempt }) => attempt(placeOrder),

  placePaidOrder: ({ attempt }) =>
    attempt((draft, order, payIn, decision, nowMs) => {
      const { id, wallet, token, quantity, paymentIdentifier: identifier } = order
      const called = identifier === undefined ? undefined : identifierKey({ keyId: decision.keyId, identifier })
      if (called !== undefined && draft.payInIdentifiers.has(called)) return false
      if (draft.payIns.has(payInKey(payIn)) || !placeOrder(draft, order, decision, nowMs)) return false
      touchWallet(draft, wallet.id)
      const placed = { ...payIn, taskId: id, walletId: wallet.id, createdAtMs: nowMs }
      draft.payIns.set(payInKey(payIn), { payIn: placed, token, quantity, recipient: wallet.userAddress })
      if (called !== undefined) draft.payInIdentifiers.set(called, payInKey(payIn))
      return true
    }),

  findPayIn: ({ read }) => read((tables, name) => tables.payIns.get(payInKey(name))),

  findPayInCalled: ({ read }) =>
    read((tables, name) => tables.payIns.get(tables.payInIdentifiers.get(identifierKey(name)) ?? "")),

  cancel: ({ attempt }) =>
    attempt((draft, cancellation, block, decision, nowMs) => {
      if (cancelTasks(draft, [cancellation], block, nowMs, { evenHeld: true }).length === 0) return false
      endHoldOf(draft, cancellation.taskId)
      note(draft, decision, cancellation, nowMs)
      return true
    }),

  retry: ({ attempt }) =>
    attempt((draft, { task, version }, block, decision, nowMs) => {
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
    }),

  release: ({ attempt }) =>
    attempt((draft, { task, adopt }, decision, nowMs) => {
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
    }),

  fail: ({ attempt }) =>
    attempt((draft, { task, failure }, decision, nowMs) => {
      touchWallet(draft, task.walletId)
      if (!failTask(draft, task.id, failure, nowMs)) return false
      note(draft, decision, { taskId: task.id, walletId: task.walletId }, nowMs)
      return true
    }),

  resolveBatch: ({ attempt }) =>
    attempt((draft, { before, after, mints, strays = [], replacement, evidence, failure }, decision, nowMs) => {
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
    }),

  askRefund: ({ attempt }) =>
    attempt((draft, refund, evidence, block, decision) => {
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
    }),

  refundsOf: ({ read }) =>
    read((tables, walletId) =>
      [...tables.refunds.values()]
        .filter((refund) => refund.walletId === walletId)
        .toSorted((a, b) => b.createdAtMs - a.createdAtMs || byText(a.id, b.id))
        .slice(0, REFUNDS_MAX)
    ),

  withdrawRefund: ({ attempt }) =>
    attempt((draft, { before, after }, decision, nowMs) => {
      if (!writeRefund(draft, { before, after })) return false
      for (const use of draft.refundUses.get(before.id) ?? []) {
        const deposit = draft.deposits.get(placeKey(use))
        if (deposit !== undefined)
          draft.deposits.set(placeKey(use), { ...deposit, left: usdc(deposit.left + use.amount) })
      }
      draft.refundUses.delete(before.id)
      note(draft, decision, { walletId: before.walletId }, nowMs)
      return true
    }),

  reopenBooks: ({ attempt }) =>
    attempt((draft, { walletId, version, balance, seen }, block, decision, nowMs) => {
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
    }),

  pauses: ({ read }) => read((tables) => [...tables.pauses.values()].toSorted((a, b) => a.sinceMs - b.sinceMs))(),

  pause: ({ attempt }) =>
    attempt((draft, paused, decision) => {
      if (draft.pauses.has(paused.scope)) return false
      draft.pauses.set(paused.scope, paused)
      note(draft, decision, {}, paused.sinceMs)
      return true
    }),

  resume: ({ attempt }) =>
    attempt((draft, scope, decision, nowMs) => {
      if (!draft.pauses.delete(scope)) return false
      note(draft, decision, {}, nowMs)
      return true
    }),

  walletOrders: ({ read }) => read((tables, walletId) => ordersOf(tables, walletId).orders),

  // A ledger in memory is of no chain, and has seen all of it.
  firstBlock: ({ read }) => read(() => 0n)()
} satisfies Methods<DecisionRepo["Service"]>
