import type { Result } from "effect"
import { type Address } from "../../../src/domain/Address.ts"
import type { Batch } from "../../../src/domain/Batch.ts"
import type { Spent } from "../../../src/domain/transferTransitions.ts"
import type { TaskId, TaskRow } from "../../../src/domain/Task.ts"
import type { Wallet, WalletId } from "../../../src/domain/Wallet.ts"
import { readWallet, sortTasks } from "../../../src/ledger/sql/rows.ts"
import type { StoredTask, StoredTaskState, StoredWalletState, Tables, TaskEdit } from "./MemoryLedger.ts"

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
  stalledSinceMs: undefined,
  limitedSinceMs: undefined,
  adoptedAtMs: undefined,
  keyId: undefined
}

export const walletState = (tables: Tables, id: WalletId): StoredWalletState =>
  tables.walletStates.get(id) ?? UNTOUCHED_WALLET

export const taskState = (tables: Tables, id: TaskId): StoredTaskState => tables.taskStates.get(id) ?? UNTOUCHED_TASK

export const isHeld = (tables: Tables, id: TaskId): boolean => taskState(tables, id).heldAtMs !== undefined

export const isStopped = (tables: Tables, id: WalletId): boolean => walletState(tables, id).stoppedReason !== undefined

/** Funded or processing: its money is spoken for. */
export const isReserving = (task: StoredTask | undefined): boolean =>
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
    stalledSinceMs: state.stalledSinceMs,
    limitedSinceMs: state.limitedSinceMs,
    keyId: state.keyId,
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

export const sorted = (tables: Tables, tasks: ReadonlyArray<StoredTask>, wallet: Result.Result<Wallet, string>) =>
  sortTasks(
    oldestFirst(tasks).map((task) => taskRow(tables, task)),
    wallet
  )

/** Why nothing new is paid from this wallet or, where a token is given, for it. */
export const pausedBy = (tables: Tables, walletId: WalletId, token?: Address): string | undefined => {
  const ofToken = token === undefined ? undefined : tables.pauses.get(`token:${token}`)
  return (tables.pauses.get("all") ?? tables.pauses.get(`wallet:${walletId}`) ?? ofToken)?.reason
}

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
