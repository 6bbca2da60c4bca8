import { Result } from "effect"
import { type Address, type Bytes32, parse } from "../domain/Address.ts"
import { type Batch, isFinal, isInFlight, isLive } from "../domain/Batch.ts"
import type { TaskId, TaskRow } from "../domain/Task.ts"
import { sum, type Usdc, usdc, zero } from "../domain/Usdc.ts"
import type { Wallet, WalletId } from "../domain/Wallet.ts"
import type { StoredDeposit, StoredTask, StoredTaskState, StoredWalletState, Tables } from "./MemoryLedger.ts"
import { readWallet, sortTasks } from "./sql/rows.ts"
import {
  type MintId,
  mintKey,
  type OpenTasks,
  type PendingPage,
  type WalletOrders,
  type WalletWork
} from "./TaskRepo.ts"

const UNTOUCHED_WALLET: StoredWalletState = {
  version: 0n,
  provenBlock: 0n,
  openedBlock: undefined,
  countedBlock: undefined,
  bookBalance: undefined,
  stoppedReason: undefined
}

const UNTOUCHED_TASK: StoredTaskState = {
  reservedAtBlock: undefined,
  nextActionAtMs: undefined,
  heldAtMs: undefined,
  heldReason: undefined,
  refusal: undefined,
  refusedAtMs: undefined,
  adoptedAtMs: undefined
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

export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const oldestFirst = (tasks: ReadonlyArray<StoredTask>): ReadonlyArray<StoredTask> =>
  tasks.toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id))

/** The order beside our own columns, as `taskColumns` of the SQL side selects it. */
export const taskRow = (tables: Tables, task: StoredTask): TaskRow => {
  const state = taskState(tables, task.id)
  return {
    ...task,
    lastRefusal: state.refusal,
    reserved: state.reservedAtBlock !== undefined,
    adopted: state.adoptedAtMs !== undefined,
    nextActionAtMs: state.nextActionAtMs
  }
}

export const walletOf = (tables: Tables, id: WalletId): Result.Result<Wallet, string> => {
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
  const nothing = { reserved: zero, maybeSpent: zero }
  if (isFinal(batch) || batch.paymentTx !== undefined) return nothing
  const atStake = isReserving(task) ? batch.amount : isLive(batch) ? (batch.window?.amount ?? zero) : zero
  return { reserved: atStake, maybeSpent: isLive(batch) ? atStake : zero }
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
  const refunds = [...tables.refunds.values()].filter(
    (refund) => refund.walletId === walletId && refund.tx === undefined
  )
  const costs = unplanned.map((task) => task.totalCost - task.pricePerMint * BigInt(task.mintsCompleted))
  return {
    reserved: sum([
      ...claims.map((claim) => claim.reserved),
      ...refunds.map((refund) => refund.amount),
      ...costs.map((cost) => usdc(cost > 0n ? cost : 0n))
    ]),
    maybeSpent: sum([
      ...claims.map((claim) => claim.maybeSpent),
      ...refunds.filter(({ status }) => status === "signed").map((refund) => refund.amount)
    ])
  }
}

/** The twin of `readOrders` of the SQL side. */
const ordersOf = (
  tables: Tables,
  id: WalletId
): { readonly orders?: WalletOrders; readonly bad: PendingPage["bad"] } => {
  const wallet = walletOf(tables, id)
  const waiting = waitingTasks(tables).filter((task) => task.walletId === id)
  const read = sorted(tables, waiting, wallet)
  if (Result.isFailure(wallet) || read.tasks.length < Math.min(1, waiting.length)) return { bad: read.bad }
  const { version, provenBlock, countedBlock, bookBalance, stoppedReason } = walletState(tables, id)
  const orders: WalletOrders = {
    wallet: wallet.success,
    version,
    provenBlock,
    ...reservations(tables, id, false),
    books:
      bookBalance === undefined
        ? undefined
        : { countedBlock: countedBlock ?? 0n, balance: usdc(bookBalance < 0n ? 0n : bookBalance) },
    isShared: [...tables.tasks.values()].some(
      (task) => task.walletId === id && task.status === "processing" && batchesOf(tables, task.id).length === 0
    ),
    stopped: stoppedReason,
    pending: read.tasks
  }
  return { orders, bad: read.bad }
}

const waitingTasks = (tables: Tables): ReadonlyArray<StoredTask> =>
  [...tables.tasks.values()].filter((task) => task.status === "pending_payment" && !isHeld(tables, task.id))

interface Page {
  readonly cursor: WalletId | undefined
  readonly walletsMax: number
}

const pageOf = (tables: Tables, ids: Iterable<WalletId>, { cursor, walletsMax }: Page): PendingPage => {
  const page = [...new Set(ids)]
    .filter((id) => cursor === undefined || id > cursor)
    .toSorted(byText)
    .slice(0, walletsMax)
  const read = page.map((id) => ordersOf(tables, id))
  return {
    wallets: read.flatMap(({ orders }) => (orders === undefined ? [] : [orders])),
    bad: read.flatMap(({ bad }) => bad),
    cursor: page.length < walletsMax ? undefined : page.at(-1)
  }
}

export const pendingPage = (tables: Tables, page: Page): PendingPage =>
  pageOf(
    tables,
    waitingTasks(tables).map(({ walletId }) => walletId),
    page
  )

export const idlePage = (tables: Tables, page: Page): PendingPage => {
  const waiting = new Set(waitingTasks(tables).map(({ walletId }) => walletId))
  return pageOf(
    tables,
    [...tables.walletStates.keys()].filter((id) => !waiting.has(id)),
    page
  )
}

export const walletOrders = (tables: Tables, walletId: WalletId): WalletOrders | undefined =>
  ordersOf(tables, walletId).orders

export const unspentDeposits = (tables: Tables, walletIds: ReadonlyArray<WalletId>): ReadonlyArray<StoredDeposit> =>
  [...tables.deposits.values()]
    .filter(({ walletId, left }) => left > 0n && walletIds.includes(walletId))
    .toSorted((a, b) => Number(a.block.number - b.block.number) || byText(a.tx, b.tx) || a.logIndex - b.logIndex)

export const knownNonces = (tables: Tables, nonces: ReadonlyArray<Bytes32>): ReadonlySet<Bytes32> => {
  const known = new Set([...tables.batches.values(), ...tables.refunds.values()].map(({ nonce }) => nonce))
  return new Set(nonces.filter((nonce) => known.has(nonce)))
}

export const dueWallets = (tables: Tables, nowMs: number, limit: number): ReadonlyArray<WalletId> => {
  const inFlight = [...tables.batches.values()].filter(isInFlight)
  const occupied = new Set(inFlight.map((batch) => batch.taskId))
  const dueMs = new Map<WalletId, number>()
  const note = (walletId: WalletId, atMs: number) => {
    if (atMs <= nowMs) dueMs.set(walletId, Math.min(atMs, dueMs.get(walletId) ?? atMs))
  }
  for (const batch of inFlight) if (batch.nextActionAtMs !== undefined) note(batch.walletId, batch.nextActionAtMs)
  const isStopped = (id: WalletId) => walletState(tables, id).stoppedReason !== undefined
  for (const { walletId, status, nextActionAtMs } of tables.refunds.values()) {
    const isOpen = status === "signed" || (status === "planned" && !isStopped(walletId))
    if (isOpen && nextActionAtMs !== undefined) note(walletId, nextActionAtMs)
  }
  for (const task of tables.tasks.values()) {
    if (!isReserving(task) || isHeld(tables, task.id) || occupied.has(task.id) || isStopped(task.walletId)) continue
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
    stopped: walletState(tables, walletId).stoppedReason,
    refunds: [...tables.refunds.values()]
      .filter((refund) => refund.walletId === walletId && (refund.status === "planned" || refund.status === "signed"))
      .toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id)),
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
