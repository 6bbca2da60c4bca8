import { Duration, Effect } from "effect"
import { type Balances, ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import { type Standing, standingOf } from "../domain/Books.ts"
import type { Deposit, UnspentDeposit } from "../domain/Deposit.ts"
import type { Task, TaskId } from "../domain/Task.ts"
import { sum, type Usdc, zero } from "../domain/Usdc.ts"
import { deadlineMs } from "../domain/Verdict.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import { type FoundDeposit, type LedgerError, TaskRepo, type WalletOrders } from "../task/TaskRepo.ts"
import { type Loss, makeExplainLoss } from "./loss.ts"

/** How far back the history of a wallet begins at the most: about a day on Base. */
const HISTORY_BLOCKS_MAX = 43_200n

/** A cursor that lags so far behind is moved though nothing came: the next search is then short. */
const CURSOR_BLOCKS_MAX = 2_000n

/** What is known of a wallet's money after a look at the chain. */
export interface Known {
  /** Deposits with something left, oldest first; `undefined` where nobody can tell when the money came. */
  readonly unspent: ReadonlyArray<UnspentDeposit> | undefined
  /** Money is missing, and why nobody can say yet where it went: nothing is decided. */
  readonly unclear: string | undefined
  /**
   * More is missing than unproven payments explain. After a restored backup the ledger takes payments for still to be
   * made that were made: then no order is certainly unpaid.
   */
  readonly mayBeRestored: boolean
  /** Orders that were paid for and spent on before the ledger was restored from a backup. */
  readonly spentOn: ReadonlySet<TaskId>
}

/** A wallet beside what the chain shows of it. */
export interface Seen {
  readonly orders: WalletOrders
  readonly balance: Usdc
  /** Deposits that nobody knew before. */
  readonly fresh: ReadonlyArray<FoundDeposit>
  readonly standing: Standing | "unread"
}

/** What is known after a look, by wallet, and the deposits that nobody knew before. */
export interface Counted {
  readonly known: ReadonlyMap<WalletId, Known>
  readonly arrived: ReadonlyArray<FoundDeposit>
}

/**
 * Brings the history of deposits up to the block of the balances, and holds the books of each wallet against them.
 * Only wallets whose balance is not what their books say are searched for, and those with an order that is about to be
 * cancelled: after a restored backup it may be paid, and its money spent on it. Worth having and never needed for
 * safety: where the transfers cannot be read, orders are paid by the balance alone.
 */
export const makeCountDeposits = () => {
  const { explain, forget } = makeExplainLoss()
  return Effect.fn("CheckLoop.countDeposits")(function* (
    all: ReadonlyArray<WalletOrders>,
    { block, usdc }: Balances
  ): Effect.fn.Return<Counted, LedgerError, TaskRepo | ChainClient | Settings> {
    const orders = all.filter((one) => isCountable(one, block))
    const balanceOf = ({ wallet }: WalletOrders): Usdc => usdc.get(wallet.agentAddress) ?? zero
    const { paymentTimeout } = yield* Settings
    const isOverdue = (task: Task) => block.timeMs > deadlineMs(task, Duration.toMillis(paymentTimeout))
    const moved = orders.filter((one) => one.books?.balance !== balanceOf(one) || one.pending.some(isOverdue))
    const found = yield* findDeposits(moved, block)
    const arrived = found === undefined ? [] : yield* recordFound(moved, found, { block, balanceOf })
    const isUnread = (one: WalletOrders) => found === undefined && moved.includes(one)
    const seen = orders.map((one) => look(one, balanceOf(one), arrived, isUnread(one)))
    yield* moveCursors(seen, block)
    const losses = new Map<WalletId, Loss>()
    for (const one of seen) {
      if (one.standing === "less") losses.set(one.orders.wallet.id, yield* explain(one, block))
      if (one.standing === "even") forget(one.orders.wallet.id)
    }
    const unspent = yield* readUnspent(seen, losses)
    const known = seen.map((one): [WalletId, Known] => {
      const { id } = one.orders.wallet
      const isKnown = one.standing === "even" || one.standing === "less"
      return [
        id,
        {
          unspent: isKnown ? (unspent.get(id) ?? []) : undefined,
          unclear: losses.get(id)?.unclear,
          mayBeRestored: lacksMore(one),
          spentOn: losses.get(id)?.spentOn ?? new Set()
        }
      ]
    })
    return { known: new Map(known), arrived }
  })
}

/** A balance from before the last proven payment, or beside payments of v1.1, proves nothing about the books. */
const isCountable = ({ stopped, isShared, provenBlock, books }: WalletOrders, block: Block): boolean =>
  stopped === undefined && !isShared && block.number >= provenBlock && block.number >= (books?.countedBlock ?? 0n)

const look = (orders: WalletOrders, balance: Usdc, arrived: ReadonlyArray<FoundDeposit>, isUnread: boolean): Seen => {
  const fresh = arrived.filter(({ walletId }) => walletId === orders.wallet.id)
  if (isUnread) return { orders, balance, fresh, standing: "unread" }
  // Books that this very look opens begin with what is there.
  if (orders.books === undefined) return { orders, balance, fresh, standing: "even" }
  const standing = standingOf(orders.books, { balance, reserved: orders.reserved }, sum(fresh.map((d) => d.amount)))
  return { orders, balance, fresh, standing }
}

const lacksMore = ({ orders, balance, fresh }: Seen): boolean =>
  balance + orders.maybeSpent < (orders.books?.balance ?? 0n) + sum(fresh.map(({ amount }) => amount))

/** Transfers into wallets since each was last counted; `undefined` where they cannot be read. */
const findDeposits = Effect.fnUntraced(function* (moved: ReadonlyArray<WalletOrders>, block: Block) {
  if (moved.length === 0) return []
  const { network } = yield* Settings
  const starts = moved.map(({ books, pending }) => {
    if (books !== undefined) return books.countedBlock + 1n
    const since = blockBefore(block, Math.min(block.timeMs, ...pending.map((t) => t.createdAtMs)), network.blockSeconds)
    const floor = block.number - HISTORY_BLOCKS_MAX
    return since > floor ? since : floor
  })
  const wallets = moved.map(({ wallet }) => wallet.agentAddress)
  const fromBlock = starts.reduce((oldest, start) => (start < oldest ? start : oldest))
  return yield* (yield* ChainClient)
    .findDeposits({ wallets, fromBlock, toBlock: block.number })
    .pipe(
      Effect.catch((error) =>
        Effect.as(Log.warnOnce("deposits", `⚠️ The transfers that paid are not known: ${error.message}`), undefined)
      )
    )
})

/** What is found again is recorded already, and gives nothing new. Opens the books of wallets that have none. */
const recordFound = Effect.fnUntraced(function* (
  moved: ReadonlyArray<WalletOrders>,
  found: ReadonlyArray<Deposit>,
  { block, balanceOf }: { readonly block: Block; readonly balanceOf: (orders: WalletOrders) => Usdc }
) {
  const byAddress = Map.groupBy(found, ({ wallet }) => wallet)
  const deposits = moved.flatMap(({ wallet }) =>
    (byAddress.get(wallet.agentAddress) ?? []).map((deposit) => ({ ...deposit, walletId: wallet.id }))
  )
  const counted = moved
    .filter((one) => one.books === undefined || byAddress.has(one.wallet.agentAddress))
    .map((one) => ({ walletId: one.wallet.id, balance: balanceOf(one), isWhole: one.books === undefined }))
  return counted.length === 0 ? [] : yield* (yield* TaskRepo).recordDeposits(deposits, counted, block)
})

/** Where all is accounted for, the next search begins after this block. */
const moveCursors = Effect.fnUntraced(function* (seen: ReadonlyArray<Seen>, block: Block) {
  const isBehind = ({ orders: { books } }: Seen): boolean =>
    books !== undefined && block.number - books.countedBlock > CURSOR_BLOCKS_MAX
  const whole = seen.filter((one) => one.standing === "even" && (one.fresh.length > 0 || isBehind(one)))
  if (whole.length === 0) return
  const counted = whole.map(({ orders, balance }) => ({ walletId: orders.wallet.id, balance, isWhole: true }))
  yield* (yield* TaskRepo).recordDeposits([], counted, block)
})

/** Of the wallets with an order that the balance could pay for, or has paid for. */
const readUnspent = Effect.fnUntraced(function* (seen: ReadonlyArray<Seen>, losses: ReadonlyMap<WalletId, Loss>) {
  const inFunds = seen.filter(
    ({ orders, balance, standing }) =>
      standing !== "unread" &&
      (losses.has(orders.wallet.id) || orders.pending.some(({ totalCost }) => totalCost <= balance))
  )
  const unspent = yield* (yield* TaskRepo).unspentDeposits(inFunds.map(({ orders }) => orders.wallet.id))
  return Map.groupBy(unspent, ({ walletId }) => walletId)
})
