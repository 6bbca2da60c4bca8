import { allocate, type Candidate, freeAtLeast, freeAtMost, type PaidWith, type WalletMoney } from "./Allocation.ts"
import { type Block, notAheadOf } from "./Block.ts"
import type { UnspentDeposit } from "./Deposit.ts"
import type { Task, TaskId } from "./Task.ts"
import { standingOf } from "./ExpectedBalance.ts"
import { besidePayIns, payInUnderWay, withOwnDeposits } from "./payInEvidence.ts"
import type { SeenPayIn } from "./PayIn.ts"
import { format, sum, type Usdc, usdc, zero } from "./Usdc.ts"
import { isOutdated, type WalletOrders } from "./WalletState.ts"

/** What is known of a wallet's deposits beside what the chain shows. */
export interface DepositHistory {
  /** Deposits with something left, oldest first; `undefined` where they do not explain the balance. */
  readonly deposits: ReadonlyArray<UnspentDeposit> | undefined
  /** Money is missing, and why: nothing is decided until it is known where it went. */
  readonly missing: string | undefined
  /**
   * More is missing than unproven payments explain. After a restored backup the ledger takes payments for still to be
   * made that were made: then no order is certainly unpaid.
   */
  readonly mayBeRestored: boolean
  /** Orders that were paid for and spent on before the ledger was restored from a backup. */
  readonly spentOn: ReadonlySet<TaskId>
}

/** Nothing is known of the deposits: orders are paid by the balance. */
export const NO_HISTORY: DepositHistory = {
  deposits: undefined,
  missing: undefined,
  mayBeRestored: false,
  spentOn: new Set()
}

/** All that is decided by about the waiting orders of one wallet: reservations first, the chain second. */
export interface Evidence extends DepositHistory {
  readonly orders: WalletOrders
  /** The pay-ins of those orders, as `block` shows them. */
  readonly payIns: ReadonlyArray<SeenPayIn>
  /** USDC of the wallet on chain, in `block`. */
  readonly balance: Usdc
  /** A confirmed block, with its time on the chain's clock. */
  readonly block: Block
  readonly isUsdcPaused: boolean
  /** Whether deposits that are not read yet are still waited for, where it matters which order they are for. */
  readonly awaitsDeposits: boolean
  /** How far the clock that orders get their time from is ahead of the chain's, in milliseconds. */
  readonly ledgerAheadMs: number
  readonly paymentTimeoutMs: number
}

/**
 * Why an order that waits for its money goes on waiting.
 *
 * - `Stopped`: nothing new is done with its wallet.
 * - `Outdated`: the block is older than the last payment of the wallet.
 * - `FundsMissing`: the balance is less than deposits and payments explain.
 * - `MayBeRestored`: the same by as much as payments that the ledger takes for still to be made: perhaps they were made.
 * - `ReservedTwice`: deposits would pay for it, and a part of what is reserved for other orders seems to be paid already.
 * - `DepositsUnread`: the balance may be for this order, or for another one of the wallet.
 * - `UsdcPaused`: the person cannot pay.
 * - `ForeignOrder`: what is free depends on an order that another program funded.
 * - `Unproven`: what is free depends on a payment that is not proven.
 * - `PayInUnderWay`: its client has signed a payment for it, which may still come until `validBeforeMs` on the chain's clock.
 * - `Short`: money is missing, or is for other orders of the wallet.
 */
export type WaitReason =
  | { readonly _tag: "Stopped" | "FundsMissing"; readonly reason: string }
  | {
      readonly _tag:
        | "Outdated"
        | "MayBeRestored"
        | "ReservedTwice"
        | "DepositsUnread"
        | "UsdcPaused"
        | "ForeignOrder"
        | "Unproven"
    }
  | { readonly _tag: "PayInUnderWay"; readonly validBeforeMs: number }
  | { readonly _tag: "Short"; readonly isOverdue: boolean }

/** What becomes of an order that waits for its money. */
export type PaymentDecision =
  | ({ readonly _tag: "Fund" } & PaidWith)
  | { readonly _tag: "Cancel" }
  | { readonly _tag: "Wait"; readonly why: WaitReason }

/** When the payment deadline of a task is, in milliseconds since 1970. */
export const deadlineMs = (task: Pick<Task, "createdAtMs">, paymentTimeoutMs: number): number =>
  task.createdAtMs + paymentTimeoutMs

/** Whether the chain is past the deadline of a task, by the clock that is behind. */
export const isOverdue = (
  task: Pick<Task, "createdAtMs">,
  { block, ledgerAheadMs, paymentTimeoutMs }: Pick<Evidence, "block" | "ledgerAheadMs" | "paymentTimeoutMs">
): boolean => notAheadOf(block, ledgerAheadMs).timeMs > deadlineMs(task, paymentTimeoutMs)

export const moneyOf = ({ balance, orders }: Pick<Evidence, "balance" | "orders">): WalletMoney => ({
  balance,
  reserved: orders.reserved,
  maybeSpent: orders.maybeSpent
})

/** Whether no outcome of the wallet's unproven payments could pay for the order. */
export const isCertainlyUnpaid = (evidence: Evidence, { totalCost }: { readonly totalCost: bigint }): boolean =>
  totalCost > freeAtMost(moneyOf(evidence))

/** Which orders of a wallet its money pays for. */
export interface Shares {
  /** Waiting orders that are certainly paid, by every outcome of the unproven payments, and with what. */
  readonly funded: ReadonlyMap<string, PaidWith>
  /** Held orders that have their money, which is kept for them. */
  readonly kept: ReadonlySet<string>
  /** Waiting orders that would be paid if the held ones, of whose money nothing is known, had none. */
  readonly fundedAlone: ReadonlySet<string>
}

/**
 * Divides the money of a wallet among its orders. While a payment of the wallet is unproven, an order is certainly the
 * one that the money is for only where that is so by every outcome: else a deposit that is too small by a payment on its
 * way would go to an older order. Orders that are held keep their place and the money that was paid for them. Orders that
 * wait for their pay-in have no part in it.
 */
export const shareOut = (all: Evidence): Shares => {
  const evidence = besidePayIns(all)
  const { orders, deposits, ledgerAheadMs, paymentTimeoutMs } = evidence
  const pending = withOwnDeposits(orders.pending, evidence)
  const held = withOwnDeposits(orders.held, evidence)
  const money = moneyOf(evidence)
  const keeping = held.map((one) => ({ ...one, keepsUntilMs: deadlineMs(one, paymentTimeoutMs) }))
  const arrivals = deposits && {
    deposits,
    ledgerAheadMs,
    isOverdue: (task: Candidate) => isOverdue(task, evidence)
  }
  const paidFrom = (free: Usdc) => allocate(free, [...pending, ...keeping], arrivals)
  const atMost = paidFrom(freeAtMost(money))
  const certain = [...paidFrom(freeAtLeast(money))].filter(([id]) => atMost.has(id))
  const isHeld = new Set<string>(held.map(({ id }) => id))
  const funded = new Map(certain.filter(([id]) => !isHeld.has(id)))
  const isUnknown = held.length > 0 && deposits === undefined
  return {
    funded,
    kept: new Set([...atMost.keys()].filter((id) => isHeld.has(id))),
    fundedAlone: new Set((isUnknown ? allocate(freeAtMost(money), pending) : funded).keys())
  }
}

/**
 * Decides about every waiting order of a wallet. Balance first, deadline second: an order is cancelled only in a block
 * that is past its deadline and in which the money was certainly not there. Where this very look funds an order, the
 * overdue ones of the wallet wait for the next look.
 */
export const decidePayments = (evidence: Evidence): ReadonlyMap<TaskId, PaymentDecision> => {
  const decide = decisionsOn(evidence)
  return new Map(evidence.orders.pending.map((task) => [task.id, decide(task)]))
}

/** What becomes of one order. It is judged as waiting, whether or not it is held. */
export const decidePayment = (evidence: Evidence, task: Task): PaymentDecision =>
  decisionsOn(asWaiting(evidence, task))(task)

/** The same wallet with this order among those that wait for their money. */
export const asWaiting = (evidence: Evidence, task: Task): Evidence => {
  const { pending, held } = evidence.orders
  const isOther = ({ id }: { readonly id: TaskId }) => id !== task.id
  return {
    ...evidence,
    orders: { ...evidence.orders, pending: [...pending.filter(isOther), task], held: held.filter(isOther) }
  }
}

const decisionsOn = (all: Evidence): ((task: Task) => PaymentDecision) => {
  const standing = standsStill(all)
  if (standing !== undefined) return () => ({ _tag: "Wait", why: standing })
  const evidence = besidePayIns(all)
  const shares = evidence.spentOn.size > 0 ? sharesOfRestored(evidence) : shareOut(evidence)
  const mayCancel = evidence.spentOn.size === 0 && shares.funded.size === 0
  const isUnread = isDepositsUnread(evidence)
  return (task) => {
    const payIn = payInUnderWay(all, task.id)
    if (payIn !== undefined) return awaitPayIn(payIn)
    const paidWith = shares.funded.get(task.id)
    const isThere = !isCertainlyUnpaid(evidence, task)
    const isUnpaid = (evidence.orders.maybeSpent === 0n || !isThere) && !shares.fundedAlone.has(task.id)
    const cancels = paidWith === undefined && mayCancel && isUnpaid && isOverdue(task, evidence)
    if (isUnread && (isThere || cancels)) return waitDecision("DepositsUnread")
    if (paidWith !== undefined) return { _tag: "Fund", ...paidWith }
    if (evidence.mayBeRestored) return waitDecision("MayBeRestored")
    if (cancels && isReservedTwice(evidence, task)) return waitDecision("ReservedTwice")
    if (cancels) return evidence.isUsdcPaused ? waitDecision("UsdcPaused") : { _tag: "Cancel" }
    return { _tag: "Wait", why: whyUnpaid(evidence, task) }
  }
}

const awaitPayIn = ({ validBefore }: SeenPayIn): PaymentDecision => ({
  _tag: "Wait",
  why: { _tag: "PayInUnderWay", validBeforeMs: validBefore * 1000 }
})

/**
 * Deposits would pay for the order, and with what is reserved they come to more than there is: after a restored backup a
 * part of what is reserved was paid already. The next turn of the wallet finds that.
 */
const isReservedTwice = (evidence: Evidence, task: Task): boolean => {
  const { orders, balance, deposits = [], paymentTimeoutMs } = evidence
  const left = sum(deposits.map((deposit) => deposit.left))
  const isLong = isOverdue(task, { ...evidence, paymentTimeoutMs: paymentTimeoutMs + RESERVED_TWICE_MS })
  return orders.reserved > 0n && left >= task.totalCost && left + orders.reserved > balance && !isLong
}

/** So long after its deadline an order waits for that: where a deposit was spent by no record, it never comes right. */
const RESERVED_TWICE_MS = 15 * 60_000

const waitDecision = (_tag: "DepositsUnread" | "MayBeRestored" | "ReservedTwice" | "UsdcPaused"): PaymentDecision => ({
  _tag: "Wait",
  why: { _tag }
})

/** Why nothing is decided about any order of the wallet. */
const standsStill = ({ orders, block, missing }: Evidence): WaitReason | undefined => {
  if (orders.stopped !== undefined) return { _tag: "Stopped", reason: orders.stopped }
  if (missing !== undefined) return { _tag: "FundsMissing", reason: missing }
  return isOutdated(block, orders) ? { _tag: "Outdated" } : undefined
}

/** For which of several orders the money came, and whether an overdue one was paid after all, is worth waiting for. */
const isDepositsUnread = (evidence: Evidence): boolean => {
  const { deposits, awaitsDeposits, orders } = evidence
  const isOpen = orders.pending.length + orders.held.length > 1
  const isAwaited = deposits === undefined && awaitsDeposits
  return isAwaited && (isOpen || orders.pending.some((one) => isOverdue(one, evidence)))
}

/** Their money is spent on them already: what is there decides nothing about them. What held orders keep is not theirs. */
const sharesOfRestored = (evidence: Evidence): Shares => {
  const { orders, deposits = [], spentOn } = evidence
  const { kept } = shareOut(evidence)
  const keeping = orders.held.filter(({ id }) => kept.has(id))
  const spent = orders.pending.filter(({ id }) => spentOn.has(id))
  const paidWith = paidFromDeposits(withOwnDeposits<Candidate>([...keeping, ...spent], evidence), deposits)
  const isSpent = new Set<string>(spentOn)
  return { funded: new Map([...paidWith].filter(([id]) => isSpent.has(id))), kept, fundedAlone: isSpent }
}

const whyUnpaid = (evidence: Evidence, task: Task): WaitReason => {
  const { maybeSpent, foreign } = evidence.orders
  if (maybeSpent > 0n && !isCertainlyUnpaid(evidence, task)) return { _tag: foreign > 0n ? "ForeignOrder" : "Unproven" }
  return { _tag: "Short", isOverdue: isOverdue(task, evidence) }
}

/** The deposits that these were or are to be paid from, the first first, whether or not their money is still there. */
export const paidFromDeposits = (
  orders: ReadonlyArray<Pick<Candidate, "id" | "totalCost" | "ownDeposit">>,
  deposits: ReadonlyArray<UnspentDeposit>
): ReadonlyMap<string, PaidWith> => {
  const left = sum(deposits.map((deposit) => deposit.left))
  const cost = sum(orders.map(({ totalCost }) => totalCost))
  const asPlaced = orders.map(({ id, totalCost, ownDeposit }, place) => ({
    id,
    totalCost,
    ownDeposit,
    createdAtMs: place
  }))
  const free = usdc(left > cost ? left : cost)
  return allocate(free, asPlaced, { deposits, ledgerAheadMs: 0, isOverdue: () => false })
}

/** The history as far as it is recorded, with no search for deposits that came since. */
export const recordedHistory = (
  { books, stopped, isShared, reserved, maybeSpent, foreign }: WalletOrders,
  balance: Usdc,
  deposits: ReadonlyArray<UnspentDeposit>
): DepositHistory => {
  if (books === undefined || stopped !== undefined || isShared) return NO_HISTORY
  const standing = standingOf(books, { balance, reserved }, zero)
  const due = `by its deposits and payments it should hold ${format(books.balance)} USDC, and it holds ${format(balance)}`
  return {
    deposits: standing === "more" ? undefined : deposits,
    missing: standing === "less" ? due : undefined,
    mayBeRestored: balance + maybeSpent - foreign < books.balance,
    spentOn: NO_HISTORY.spentOn
  }
}
