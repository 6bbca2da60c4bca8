import { Result } from "effect"
import { parse } from "../../../src/domain/Address.ts"
import type { PayIn } from "../../../src/domain/PayIn.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { WalletOrders } from "../../../src/domain/WalletState.ts"
import { EVERY_WALLET, type WalletRange } from "../../../src/domain/Part.ts"
import type { PageAsked, PendingPage, TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { heldOrders } from "../../../src/ledger/sql/rows.ts"
import type { Methods, StoredTask, Tables } from "./MemoryLedger.ts"
import { reservations } from "./reservations.ts"
import { batchesOf, byText, isHeld, sorted, taskRow, walletOf, walletState } from "./state.ts"
import { faultOf, twinOf } from "./wallets.ts"

/** The twin of `readOrders` of the SQL side. */
export const ordersOf = (
  tables: Tables,
  id: WalletId
): { readonly orders?: WalletOrders; readonly bad: PendingPage["bad"] } => {
  const wallet = walletOf(tables, id)
  const waiting = waitingTasks(tables).filter((task) => task.walletId === id)
  const read = sorted(tables, waiting, wallet)
  if (Result.isFailure(wallet) || read.tasks.length < Math.min(1, waiting.length)) return { bad: read.bad }
  const isBad = new Set(read.bad.map(({ taskId }) => taskId))
  const keepsMoney = (task: StoredTask): boolean => isHeld(tables, task.id) || isBad.has(task.id)
  const { version, provenBlock, countedBlock, bookBalance, stoppedReason } = walletState(tables, id)
  const orders: WalletOrders = {
    wallet: wallet.success,
    version,
    provenBlock,
    ...reservations(tables, id, false),
    books: bookBalance === undefined ? undefined : { countedBlock: countedBlock ?? 0n, balance: bookBalance },
    isShared: [...tables.tasks.values()].some(
      (task) => task.walletId === id && task.status === "processing" && batchesOf(tables, task.id).length === 0
    ),
    stopped: stoppedReason ?? faultOf(tables, id),
    twin: twinOf(tables, id),
    pending: read.tasks,
    held: heldOrders(
      [...tables.tasks.values()]
        .filter((task) => task.walletId === id && task.status === "pending_payment" && keepsMoney(task))
        .toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id))
        .map((task) => taskRow(tables, task)),
      wallet
    ),
    payIns: payInsOf(tables, id)
  }
  return { orders, bad: read.bad }
}

/** Of the wallet's orders that wait for money, held or not, by their age. */
const payInsOf = (tables: Tables, id: WalletId): ReadonlyArray<PayIn> => {
  const waiting = [...tables.tasks.values()]
    .filter((task) => task.walletId === id && task.status === "pending_payment")
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id))
  const ofTask = new Map([...tables.payIns.values()].map(({ payIn }) => [payIn.taskId, payIn]))
  return waiting.flatMap((task) => {
    const payIn = ofTask.get(task.id)
    return payIn?.status === "live" || payIn?.status === "settled" ? [payIn] : []
  })
}

export const waitingTasks = (tables: Tables): ReadonlyArray<StoredTask> =>
  [...tables.tasks.values()].filter((task) => task.status === "pending_payment" && !isHeld(tables, task.id))

/** Whether a wallet is in one of the ranges. */
export const isIn = (ranges: ReadonlyArray<WalletRange>, id: WalletId): boolean =>
  ranges.some(({ first, last }) => id >= first && id <= last)

const pageOf = (
  tables: Tables,
  ids: Iterable<WalletId>,
  { cursor, walletsMax, ranges = EVERY_WALLET }: PageAsked
): PendingPage => {
  const page = [...new Set(ids)]
    .filter((id) => (cursor === undefined || id > cursor) && isIn(ranges, id))
    .toSorted(byText)
    .slice(0, walletsMax)
  const read = page.map((id) => ordersOf(tables, id))
  return {
    wallets: read.flatMap(({ orders }) => (orders === undefined ? [] : [orders])),
    bad: read.flatMap(({ bad }) => bad),
    cursor: page.length < walletsMax ? undefined : page.at(-1)
  }
}

const pendingWallets = (tables: Tables, ranges: ReadonlyArray<WalletRange>): ReadonlyArray<WalletId> =>
  waitingTasks(tables)
    .map(({ walletId }) => walletId)
    .filter((id) => isIn(ranges, id))

const addressOf = (tables: Tables, id: WalletId) => parse(tables.wallets.get(id)?.agentAddress ?? "")

export const pages = {
  pendingAddresses: ({ read }) =>
    read((tables, limit, ranges) =>
      pendingWallets(tables, ranges)
        .flatMap((id) => addressOf(tables, id) ?? [])
        .slice(0, limit)
    ),

  pendingAt: ({ read }) =>
    read((tables, addresses, ranges) =>
      [...new Set(pendingWallets(tables, ranges))]
        .filter((id) => {
          const address = addressOf(tables, id)
          return address !== undefined && addresses.includes(address)
        })
        .toSorted(byText)
        .flatMap((id) => ordersOf(tables, id).orders ?? [])
    ),

  pendingPage: ({ read }) =>
    read((tables, page) =>
      pageOf(
        tables,
        waitingTasks(tables).map(({ walletId }) => walletId),
        page
      )
    ),

  idlePage: ({ read }) =>
    read((tables, page) => {
      const waiting = new Set(waitingTasks(tables).map(({ walletId }) => walletId))
      return pageOf(
        tables,
        [...tables.walletStates.keys()].filter((id) => !waiting.has(id)),
        page
      )
    })
} satisfies Methods<TaskRepo["Service"]>
