import { Duration, Effect } from "effect"
import { type Balances, ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import { type Standing, standingOf } from "../domain/Books.ts"
import type { Deposit, UnspentDeposit } from "../domain/Deposit.ts"
import type { Task, TaskId } from "../domain/Task.ts"
import { sum, type Usdc, zero } from "../domain/Usdc.ts"
import { deadlineMs } from "../domain/Verdict.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import { type FoundDeposit, TaskRepo, type WalletOrders } from "../task/TaskRepo.ts"
import { explainLoss } from "./loss.ts"

/** How far back the history of a wallet begins at the most: about a day on Base. */
const HISTORY_BLOCKS_MAX = 43_200n

/** A cursor that lags so far behind is moved though nothing came: the next search is then short. */
const CURSOR_BLOCKS_MAX = 2_000n

/** What is known of a wallet's money after a look at the chain. */
export interface Known {
  /** Deposits with something left, oldest first; `undefined` where nobody can tell when the money came. */
  readonly unspent: ReadonlyArray<UnspentDeposit> | undefined
  /** Money is missing, or nobody knows yet whether it is: nothing is decided. */
  readonly isUnclear: boolean
  /**
   * More is missing than unproven payments explain. After a restored backup the ledger takes payments for still to be
   * made that were made: then no order is certainly unpaid.
   */
  readonly mayBeRestored: boolean
  /** Orders that were paid for and spent on before the ledger was restored from a backup. */
  readonly spentOn: ReadonlySet<TaskId>
}

/** A wallet beside what the chain shows of it. */
interface Seen {
  readonly orders: WalletOrders
  readonly balance: Usdc
  readonly found: ReadonlyArray<Deposit>
  readonly standing: Standing | "unread"
}

/**
 * Brings the history of deposits up to the block of the balances, and holds the books of each wallet against them.
 * Only wallets whose balance is not what their books say are searched for, and those with an order that is about to be
 * cancelled: after a restored backup it may be paid, and its money spent on it. Worth having and never needed for safety:
 * where the transfers cannot be read, orders are paid by the balance alone.
 */
export const countDeposits = Effect.fn("CheckLoop.countDeposits")(function* (
  all: ReadonlyArray<WalletOrders>,
  { block, usdc }: Balances
) {
  const orders = all.filter((one) => isCountable(one, block))
  const balanceOf = ({ wallet }: WalletOrders): Usdc => usdc.get(wallet.agentAddress) ?? zero
  const { paymentTimeout } = yield* Settings
  const isOverdue = (task: Task) => block.timeMs > deadlineMs(task, Duration.toMillis(paymentTimeout))
  const moved = orders.filter((one) => one.books?.balance !== balanceOf(one) || one.pending.some(isOverdue))
  const found = yield* findDeposits(moved, block)
  const seen = orders.map((one) => look(one, balanceOf(one), moved.includes(one) ? found : new Map()))
  const arrived = yield* record(seen, block)
  const unspent = yield* readUnspent(seen)
  const known = new Map<WalletId, Known>()
  for (const one of seen) {
    const { id } = one.orders.wallet
    const loss = one.standing === "less" ? yield* explainLoss(one, block) : undefined
    known.set(id, {
      unspent: one.standing === "more" || one.standing === "unread" ? undefined : (unspent.get(id) ?? []),
      isUnclear: loss?.isUnclear ?? false,
      mayBeRestored: lacksMore(one),
      spentOn: loss?.spentOn ?? new Set()
    })
  }
  return { known, arrived } satisfies Counted as Counted
})

/** What is known after a look, by wallet, and the deposits that nobody knew before. */
export interface Counted {
  readonly known: ReadonlyMap<WalletId, Known>
  readonly arrived: ReadonlyArray<FoundDeposit>
}

/** A balance from before the last proven payment, or beside payments of v1.1, proves nothing about the books. */
const isCountable = ({ stopped, isShared, provenBlock, books }: WalletOrders, block: Block): boolean =>
  stopped === undefined && !isShared && block.number >= provenBlock && block.number >= (books?.countedBlock ?? 0n)

const look = (
  orders: WalletOrders,
  balance: Usdc,
  deposits: ReadonlyMap<Address, ReadonlyArray<Deposit>> | undefined
): Seen => {
  const found = (deposits?.get(orders.wallet.agentAddress) ?? []).filter(
    ({ block }) => block.number > (orders.books?.countedBlock ?? -1n)
  )
  if (deposits === undefined) return { orders, balance, found, standing: "unread" }
  // Books that this very look opens begin with what is there.
  if (orders.books === undefined) return { orders, balance, found, standing: "even" }
  const standing = standingOf(orders.books, { balance, reserved: orders.reserved }, sum(found.map((d) => d.amount)))
  return { orders, balance, found, standing }
}

const lacksMore = ({ orders, balance, found }: Seen): boolean =>
  balance + orders.maybeSpent < (orders.books?.balance ?? 0n) + sum(found.map(({ amount }) => amount))

/** Transfers into wallets since each was last counted, by wallet; `undefined` where they cannot be read. */
const findDeposits = Effect.fnUntraced(function* (moved: ReadonlyArray<WalletOrders>, block: Block) {
  if (moved.length === 0) return new Map<Address, ReadonlyArray<Deposit>>()
  const { network } = yield* Settings
  const starts = moved.map(({ books, pending }) => {
    if (books !== undefined) return books.countedBlock + 1n
    const since = blockBefore(block, Math.min(block.timeMs, ...pending.map((t) => t.createdAtMs)), network.blockSeconds)
    const floor = block.number - HISTORY_BLOCKS_MAX
    return since > floor ? since : floor
  })
  const wallets = moved.map(({ wallet }) => wallet.agentAddress)
  const fromBlock = starts.reduce((oldest, start) => (start < oldest ? start : oldest))
  return yield* (yield* ChainClient).findDeposits({ wallets, fromBlock, toBlock: block.number }).pipe(
    Effect.map((deposits) => Map.groupBy(deposits, ({ wallet }) => wallet)),
    Effect.catch((error) =>
      Effect.as(Log.warnOnce("deposits", `⚠️ The transfers that paid are not known: ${error.message}`), undefined)
    )
  )
})

const record = Effect.fnUntraced(function* (seen: ReadonlyArray<Seen>, block: Block) {
  const repo = yield* TaskRepo
  const isNews = ({ orders, found, standing }: Seen): boolean => {
    if (standing === "unread") return false
    const isBehind = block.number - (orders.books?.countedBlock ?? 0n) > CURSOR_BLOCKS_MAX
    return found.length > 0 || orders.books === undefined || (standing === "even" && isBehind)
  }
  const news = seen.filter(isNews)
  if (news.length === 0) return []
  const found = news.flatMap((one) => one.found.map((deposit) => ({ ...deposit, walletId: one.orders.wallet.id })))
  const counted = news.map(({ orders, balance, standing }) => ({
    walletId: orders.wallet.id,
    balance,
    isWhole: standing === "even"
  }))
  return yield* repo.recordDeposits(found, counted, block)
})

/** Of the wallets with an order that the balance could pay for. */
const readUnspent = Effect.fnUntraced(function* (seen: ReadonlyArray<Seen>) {
  const inFunds = seen.filter(
    ({ orders, balance, standing }) =>
      standing !== "unread" && orders.pending.some(({ totalCost }) => totalCost <= balance)
  )
  const unspent = yield* (yield* TaskRepo).unspentDeposits(inFunds.map(({ orders }) => orders.wallet.id))
  return Map.groupBy(unspent, ({ walletId }) => walletId)
})
