import { Duration, Effect } from "effect"
import type { Balances } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Block } from "../domain/Block.ts"
import { type Standing, standingOf } from "../domain/ExpectedBalance.ts"
import type { Deposit } from "../domain/Deposit.ts"
import { format, sum, type Usdc, zero } from "../domain/Usdc.ts"
import { type DepositHistory, isOverdue } from "../domain/PaymentDecision.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Clocks from "../ops/Clocks.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { isOutdated, type WalletOrders } from "../domain/WalletState.ts"
import { type FoundDeposit, type LedgerError, TaskRepo } from "../ledger/TaskRepo.ts"
import { makeSearch } from "./depositSearch.ts"
import type { MissingFunds, MissingFundsSearch } from "./missingFunds.ts"

/** A cursor that lags so far behind is searched for though nothing seems to have come: the next search is then short. */
const CURSOR_BLOCKS_MAX = 2_000n

/** So many of them at once, those that lag most: as many wallets as one filter of logs may name. */
const LAGGING_WALLETS_MAX = 1_000

/** So many blocks, five minutes of Base, the logs of a node may be behind its balances. */
const LOGS_BEHIND_MAX = 150n

/** Money whose transfer no node shows for so long is an incident. */
const UNEXPLAINED_MS = 5 * 60_000

/** A wallet beside what the chain shows of it. */
export interface Seen {
  readonly orders: WalletOrders
  readonly balance: Usdc
  /** Deposits that the ledger did not have before. */
  readonly fresh: ReadonlyArray<FoundDeposit>
  readonly standing: Standing | "unread"
}

/** What is known of each wallet by one block, and the deposits that the ledger did not have before. */
export interface SyncedDeposits {
  readonly known: ReadonlyMap<WalletId, DepositHistory>
  readonly arrived: ReadonlyArray<FoundDeposit>
}

/**
 * Brings the history of deposits up to the block of the balances, and holds the books of each wallet against them.
 * Only wallets whose balance is not what their books say are searched for; those with an order that is about to be
 * cancelled, as after a restored backup it may be paid, and its money spent on it; and those whose cursor lags, as a
 * payment and a deposit of one amount leave the balance as it was. Worth having and never needed for safety: where the
 * transfers cannot be read, orders are paid by the balance alone.
 */
export const makeSyncDeposits = Effect.fnUntraced(function* ({ explain, forget }: MissingFundsSearch) {
  const { paymentTimeout } = yield* Settings
  const repo = yield* TaskRepo
  const search = yield* makeSearch
  return Effect.fn("CheckLoop.syncDeposits")(function* (
    all: ReadonlyArray<WalletOrders>,
    { block, usdc }: Balances
  ): Effect.fn.Return<SyncedDeposits, LedgerError> {
    const orders = all.filter((one) => isCountable(one, block))
    const balanceOf = ({ wallet }: WalletOrders): Usdc => usdc.get(wallet.agentAddress) ?? zero
    const ledgerAheadMs = yield* Clocks.ledgerAheadMs
    const times = { block, ledgerAheadMs, paymentTimeoutMs: Duration.toMillis(paymentTimeout) }
    const hasOverdue = ({ pending }: WalletOrders) => pending.some((task) => isOverdue(task, times))
    const moved = orders.filter((one) => one.books?.balance !== balanceOf(one) || hasOverdue(one))
    const hasMoved = new Set(moved)
    const wanted = [...moved, ...lagging(orders, hasMoved, block)]
    const { deposits, whole } = yield* search(wanted, block, balanceOf)
    const arrived = yield* recordFound(repo, wanted, deposits, { block, balanceOf, whole })
    const isUnread = (one: WalletOrders) => hasMoved.has(one) && !whole.has(one.wallet.id)
    const freshOf = Map.groupBy(arrived, ({ walletId }) => walletId)
    const seen = orders.map((one) => look(one, balanceOf(one), freshOf.get(one.wallet.id) ?? [], isUnread(one)))
    yield* moveCursors(repo, seen, whole, block)
    yield* reportUnexplained(seen)
    const losses = new Map<WalletId, MissingFunds>()
    for (const one of seen) if (one.standing === "less") losses.set(one.orders.wallet.id, yield* explain(one, block))
    yield* forget(seen.filter(({ standing }) => standing === "even").map(({ orders }) => orders.wallet.id))
    const unspent = yield* readUnspent(repo, seen, losses)
    const known = seen.map((one): [WalletId, DepositHistory] => {
      const { id } = one.orders.wallet
      const isKnown = one.standing === "even" || one.standing === "less"
      return [
        id,
        {
          deposits: isKnown ? (unspent.get(id) ?? []) : undefined,
          missing: losses.get(id)?.unclear,
          mayBeRestored: lacksMore(one),
          spentOn: losses.get(id)?.spentOn ?? new Set()
        }
      ]
    })
    return { known: new Map(known), arrived }
  })
})

/** Wallets that were not searched for so long that the next search would be a long one, those first that lag most. */
const lagging = (
  orders: ReadonlyArray<WalletOrders>,
  moved: ReadonlySet<WalletOrders>,
  block: Block
): ReadonlyArray<WalletOrders> =>
  orders
    .filter((one) => isBehind(one, block) && !moved.has(one))
    .toSorted((a, b) => Number((a.books?.countedBlock ?? 0n) - (b.books?.countedBlock ?? 0n)))
    .slice(0, LAGGING_WALLETS_MAX)

const isBehind = ({ books }: WalletOrders, block: Block): boolean =>
  books !== undefined && block.number - books.countedBlock > CURSOR_BLOCKS_MAX

/** A balance from before money of the wallet moved, or beside payments of v1.1, proves nothing about the books. */
const isCountable = (orders: WalletOrders, block: Block): boolean =>
  orders.stopped === undefined &&
  !orders.isShared &&
  !isOutdated(block, orders) &&
  block.number >= (orders.books?.countedBlock ?? 0n)

const look = (orders: WalletOrders, balance: Usdc, fresh: ReadonlyArray<FoundDeposit>, isUnread: boolean): Seen => {
  if (isUnread) return { orders, balance, fresh, standing: "unread" }
  // Books that this very look opens begin with what is there.
  if (orders.books === undefined) return { orders, balance, fresh, standing: "even" }
  const standing = standingOf(orders.books, { balance, reserved: orders.reserved }, sum(fresh.map((d) => d.amount)))
  return { orders, balance, fresh, standing }
}

/** What the books say with the deposits of this look. */
const dueOf = ({ orders, fresh }: Seen): bigint =>
  (orders.books?.balance ?? 0n) + sum(fresh.map(({ amount }) => amount))

/** Money that is missing is covered by what is reserved: paid before a backup was restored, or gone. */
const isCovered = (one: Seen): boolean =>
  one.standing === "even" && one.orders.books !== undefined && one.orders.foreign === 0n && lacksMore(one)

const lacksMore = (one: Seen): boolean => one.balance + one.orders.maybeSpent - one.orders.foreign < dueOf(one)

/**
 * Money that is there while no transfer shows how it came, or missing where what is reserved would cover it. Books below
 * zero are more than that: payments were proven whose money never came by them, so that a theft of as much would not be
 * seen.
 */
const reportUnexplained = Effect.fnUntraced(function* (seen: ReadonlyArray<Seen>) {
  yield* Incidents.closeAll(seen.filter(isExplained).map(incidentOf))
  for (const one of seen.filter((one) => !isExplained(one))) {
    const { agentAddress } = one.orders.wallet
    const due = dueOf(one)
    const key = incidentOf(one)
    const covers = isCovered(one) ? "its recorded deposits and payments come to" : "its recorded deposits explain"
    const words =
      due < 0n
        ? `the books of ${agentAddress} come to ${format(due)} USDC: a deposit of it is not recorded`
        : `${agentAddress} holds ${format(one.balance)} USDC, and ${covers} ${format(due)}`
    const remedy = "see that the nodes serve all logs of USDC, and compare with: ai-mint reconcile"
    yield* Incidents.raise(key, `${words}; ${remedy}`, due < 0n && one.standing !== "unread" ? 0 : UNEXPLAINED_MS)
    if (due < 0n) yield* Log.errorOnce(key, `🚨 ${words}`, { wallet: agentAddress })
  }
})

const incidentOf = ({ orders }: Seen): string => `books:${orders.wallet.agentAddress}`

const isExplained = (one: Seen): boolean => dueOf(one) >= 0n && one.standing !== "more" && !isCovered(one)

/** What is found again is recorded already, and gives nothing new. Opens the books of wallets that have none. */
const recordFound = Effect.fnUntraced(function* (
  repo: TaskRepo["Service"],
  wanted: ReadonlyArray<WalletOrders>,
  found: ReadonlyArray<Deposit>,
  {
    block,
    balanceOf,
    whole
  }: {
    readonly block: Block
    readonly balanceOf: (orders: WalletOrders) => Usdc
    readonly whole: ReadonlySet<WalletId>
  }
) {
  const byAddress = Map.groupBy(found, ({ wallet }) => wallet)
  const deposits = wanted.flatMap(({ wallet }) =>
    (byAddress.get(wallet.agentAddress) ?? []).map((deposit) => ({ ...deposit, walletId: wallet.id }))
  )
  const counted = wanted
    .filter(({ books, wallet }) => (books === undefined ? whole.has(wallet.id) : byAddress.has(wallet.agentAddress)))
    .map((one) => ({ ...countedOf(one, balanceOf(one)), isWhole: one.books === undefined }))
  return counted.length === 0 ? [] : yield* repo.recordDeposits(deposits, counted, block)
})

const countedOf = ({ wallet, version }: WalletOrders, balance: Usdc) => ({ walletId: wallet.id, version, balance })

/**
 * Where all is searched and accounted for, the next search begins after this block. While a payment may have been made
 * the sums would also be even with a deposit of its amount missing: then the newest blocks are searched once more, as a
 * node's logs may be behind its balances.
 */
const moveCursors = Effect.fnUntraced(function* (
  repo: TaskRepo["Service"],
  seen: ReadonlyArray<Seen>,
  whole: ReadonlySet<WalletId>,
  block: Block
) {
  const isDue = ({ orders, standing, fresh }: Seen) =>
    standing === "even" && whole.has(orders.wallet.id) && (fresh.length > 0 || isBehind(orders, block))
  // The transfer that took what is missing is found above the cursor.
  const due = seen.filter((one) => isDue(one) && !isCovered(one))
  const isBefore = ({ books }: WalletOrders, { number }: Block) => books !== undefined && books.countedBlock < number
  const earlier = { ...block, number: block.number - LOGS_BEHIND_MAX }
  yield* moveTo(
    repo,
    block,
    due.filter(({ orders }) => orders.maybeSpent === 0n)
  )
  yield* moveTo(
    repo,
    earlier,
    due.filter(({ orders }) => orders.maybeSpent > 0n && isBefore(orders, earlier))
  )
})

const moveTo = (repo: TaskRepo["Service"], block: Block, due: ReadonlyArray<Seen>) => {
  if (due.length === 0) return Effect.void
  const counted = due.map(({ orders, balance }) => ({ ...countedOf(orders, balance), isWhole: true }))
  return repo.recordDeposits([], counted, block)
}

/** Of the wallets with an order that the balance could pay for, or has paid for. */
const readUnspent = Effect.fnUntraced(function* (
  repo: TaskRepo["Service"],
  seen: ReadonlyArray<Seen>,
  losses: ReadonlyMap<WalletId, MissingFunds>
) {
  const inFunds = seen.filter(
    ({ orders, balance, standing }) =>
      standing !== "unread" &&
      (losses.has(orders.wallet.id) || orders.pending.some(({ totalCost }) => totalCost <= balance))
  )
  const unspent = yield* repo.unspentDeposits(inFunds.map(({ orders }) => orders.wallet.id))
  return Map.groupBy(unspent, ({ walletId }) => walletId)
})
