import { Result } from "effect"
import { type Address, parse } from "../domain/Address.ts"
import { type Batch, isInFlight, isLive } from "../domain/Batch.ts"
import type { TaskId, TaskRow } from "../domain/Task.ts"
import { sum, type Usdc, usdc, zero } from "../domain/Usdc.ts"
import type { Wallet, WalletId } from "../domain/Wallet.ts"
import type { StoredTask, StoredTaskState, StoredWalletState, Tables } from "./MemoryLedger.ts"
import { readWallet, sortTasks } from "./sql/rows.ts"
import {
  type BadTask,
  type MintId,
  mintKey,
  type OpenTasks,
  type PendingPage,
  type WalletOrders,
  type WalletWork
} from "./TaskRepo.ts"

const UNTOUCHED_WALLET: StoredWalletState = { version: 0n, provenBlock: 0n }

const UNTOUCHED_TASK: StoredTaskState = {
  reservedAtBlock: undefined,
  nextActionAtMs: undefined,
  heldAtMs: undefined,
  heldReason: undefined,
  refusal: undefined,
  refusedAtMs: undefined
}

export const walletState = (tables: Tables, id: WalletId): StoredWalletState =>
  tables.walletStates.get(id) ?? UNTOUCHED_WALLET

export const taskState = (tables: Tables, id: TaskId): StoredTaskState => tables.taskStates.get(id) ?? UNTOUCHED_TASK

export const isHeld = (tables: Tables, id: TaskId): boolean => taskState(tables, id).heldAtMs !== undefined

/** Funded or processing: its money is spoken for. */
const isReserving = (task: StoredTask | undefined): boolean =>
  task?.status === "funded" || task?.status === "processing"

export const batchesOf = (tables: Tables, taskId: TaskId): ReadonlyArray<Batch> =>
  [...tables.batches.values()].filter((batch) => batch.taskId === taskId).toSorted((a, b) => a.number - b.number)

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const oldestFirst = (tasks: ReadonlyArray<StoredTask>): ReadonlyArray<StoredTask> =>
  tasks.toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id))

/** The order beside our own columns, as `taskColumns` of the SQL side selects it. */
const taskRow = (tables: Tables, task: StoredTask): TaskRow => {
  const state = taskState(tables, task.id)
  return {
    ...task,
    lastRefusal: state.refusal,
    reserved: state.reservedAtBlock !== undefined,
    nextActionAtMs: state.nextActionAtMs
  }
}

const walletOf = (tables: Tables, id: WalletId): Result.Result<Wallet, string> => {
  const row = tables.wallets.get(id)
  return readWallet(
    id,
    row && {
      wallet_id: row.id,
      wallet_user: row.userAddress,
      wallet_address: row.agentAddress,
      wallet_key: row.encryptedPrivateKey
    }
  )
}

const sorted = (tables: Tables, tasks: ReadonlyArray<StoredTask>, wallet: Result.Result<Wallet, string>) =>
  sortTasks(
    oldestFirst(tasks).map((task) => taskRow(tables, task)),
    wallet
  )

/** What a batch keeps from being spent twice, and how much of that may be spent already. */
const claimOf = (
  batch: Batch,
  task: StoredTask | undefined
): { readonly reserved: Usdc; readonly maybeSpent: Usdc } => {
  if (isLive(batch)) {
    const signed = batch.window?.amount ?? zero
    return { reserved: signed, maybeSpent: signed }
  }
  const unpaid = batch.status === "planned" || batch.status === "held"
  if (!unpaid || !isReserving(task)) return { reserved: zero, maybeSpent: zero }
  return { reserved: batch.amount, maybeSpent: batch.status === "held" ? batch.amount : zero }
}

/** The twin of `reservations` of the SQL side, where the rules are told. */
const reservations = (tables: Tables, walletId: WalletId, onlyOurs: boolean) => {
  const planned = new Set([...tables.batches.values()].map((batch) => batch.taskId))
  const unplanned = [...tables.tasks.values()].filter(
    (task) =>
      task.walletId === walletId &&
      isReserving(task) &&
      !planned.has(task.id) &&
      (!onlyOurs || taskState(tables, task.id).reservedAtBlock !== undefined)
  )
  const claims = [...tables.batches.values()]
    .filter((batch) => batch.walletId === walletId)
    .map((batch) => claimOf(batch, tables.tasks.get(batch.taskId)))
  const costs = unplanned.map((task) => task.totalCost - task.pricePerMint * BigInt(task.mintsCompleted))
  return {
    reserved: sum([...claims.map((claim) => claim.reserved), ...costs.map((cost) => usdc(cost > 0n ? cost : 0n))]),
    maybeSpent: sum(claims.map((claim) => claim.maybeSpent))
  }
}

export const pendingPage = (
  tables: Tables,
  { cursor, walletsMax }: { readonly cursor: WalletId | undefined; readonly walletsMax: number }
): PendingPage => {
  const waiting = [...tables.tasks.values()].filter(
    (task) => task.status === "pending_payment" && !isHeld(tables, task.id)
  )
  const byWallet = Map.groupBy(waiting, (task) => task.walletId)
  const page = [...byWallet.keys()]
    .filter((id) => cursor === undefined || id > cursor)
    .toSorted(byText)
    .slice(0, walletsMax)
  const wallets: Array<WalletOrders> = []
  const bad: Array<BadTask> = []
  for (const id of page) {
    const wallet = walletOf(tables, id)
    const read = sorted(tables, byWallet.get(id) ?? [], wallet)
    bad.push(...read.bad)
    if (Result.isFailure(wallet) || read.tasks.length === 0) continue
    wallets.push({
      wallet: wallet.success,
      ...walletState(tables, id),
      ...reservations(tables, id, false),
      pending: read.tasks
    })
  }
  return { wallets, bad, cursor: page.length < walletsMax ? undefined : page.at(-1) }
}

export const dueWallets = (tables: Tables, nowMs: number, limit: number): ReadonlyArray<WalletId> => {
  const inFlight = [...tables.batches.values()].filter(isInFlight)
  const occupied = new Set(inFlight.map((batch) => batch.taskId))
  const dueMs = new Map<WalletId, number>()
  const note = (walletId: WalletId, atMs: number) => {
    if (atMs <= nowMs) dueMs.set(walletId, Math.min(atMs, dueMs.get(walletId) ?? atMs))
  }
  for (const batch of inFlight) if (batch.nextActionAtMs !== undefined) note(batch.walletId, batch.nextActionAtMs)
  for (const task of tables.tasks.values()) {
    if (!isReserving(task) || isHeld(tables, task.id) || occupied.has(task.id)) continue
    note(task.walletId, taskState(tables, task.id).nextActionAtMs ?? 0)
  }
  return [...dueMs]
    .toSorted(([a, aMs], [b, bMs]) => aMs - bMs || byText(a, b))
    .slice(0, limit)
    .map(([walletId]) => walletId)
}

export const walletWork = (tables: Tables, walletId: WalletId): WalletWork => {
  const wallet = walletOf(tables, walletId)
  const isOpen = (task: StoredTask | undefined) => task !== undefined && isReserving(task) && !isHeld(tables, task.id)
  const tasks = [...tables.tasks.values()].filter((task) => task.walletId === walletId && isOpen(task))
  return {
    wallet: Result.isSuccess(wallet) ? wallet.success : undefined,
    provenBlock: walletState(tables, walletId).provenBlock,
    ...reservations(tables, walletId, true),
    ...sorted(tables, tasks, wallet),
    batches: [...tables.batches.values()]
      .filter((batch) => batch.walletId === walletId && (isInFlight(batch) || isOpen(tables.tasks.get(batch.taskId))))
      .toSorted((a, b) => byText(a.taskId, b.taskId) || a.number - b.number)
  }
}

export const attributedMints = (tables: Tables, mints: ReadonlyArray<MintId>): ReadonlySet<string> =>
  new Set(mints.map(mintKey).filter((key) => tables.mints.has(key)))

export const undelivered = (tables: Tables, token: Address, beforeMs: number): Batch | undefined =>
  [...tables.batches.values()]
    .filter((batch) => batch.status === "paid" && batch.token === (parse(token) ?? token))
    .filter((batch) => batch.statusSinceMs < beforeMs)
    .toSorted((a, b) => a.statusSinceMs - b.statusSinceMs)[0]

export const walletsRefused = (tables: Tables, reason: string, sinceMs: number): number => {
  const refused = [...tables.taskStates].filter(
    ([, state]) => state.refusal === reason && state.refusedAtMs !== undefined && state.refusedAtMs > sinceMs
  )
  const wallets = refused.map(([taskId]) => tables.tasks.get(taskId)?.walletId).filter((id) => id !== undefined)
  return new Set(wallets).size
}

export const openTasks = (tables: Tables): OpenTasks => {
  const count = (match: (task: StoredTask, held: boolean) => boolean): number =>
    [...tables.tasks.values()].filter((task) => match(task, isHeld(tables, task.id))).length
  return {
    pendingPayment: count((task, held) => task.status === "pending_payment" && !held),
    funded: count((task, held) => task.status === "funded" && !held),
    processing: count((task, held) => task.status === "processing" && !held),
    held: count((task, held) => held && (task.status === "pending_payment" || isReserving(task)))
  }
}
