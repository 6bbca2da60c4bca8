import type { Deposit, DepositUse, UnspentDeposit } from "./Deposit.ts"
import type { Task, TaskId } from "./Task.ts"
import { minus, sum, type Usdc, usdc } from "./Usdc.ts"

/** The money side of a wallet. Reservations are read before the chain, so that a payment in between is never missed. */
export interface WalletMoney {
  /** USDC on chain, in one confirmed block. */
  readonly balance: Usdc
  /** Unpaid batches of funded and processing tasks, and every signed payment not yet proven paid or void. */
  readonly reserved: Usdc
  /**
   * The part of `reserved` that may have left the wallet already: signed and not proven, or for another program's orders,
   * of which this ledger knows nothing.
   */
  readonly maybeSpent: Usdc
}

/** What is certainly free: on this much a task may be funded. */
export const freeAtLeast = (money: WalletMoney): Usdc => minus(money.balance, money.reserved)

/** What can be free at the most, if every unproven payment was made: a task that costs more is certainly unpaid. */
export const freeAtMost = (money: WalletMoney): Usdc => minus(money.balance, usdc(money.reserved - money.maybeSpent))

export type Cover = "covered" | "unclear" | "short"

/**
 * Whether a wallet has the money for a cost that is not among its reservations. Short only where no outcome of its
 * unproven payments would leave enough.
 */
export const cover = (money: WalletMoney, cost: Usdc): Cover => {
  if (cost <= freeAtLeast(money)) return "covered"
  return cost <= freeAtMost(money) ? "unclear" : "short"
}

/** An order as it competes for the money of its wallet. */
export interface Candidate extends Pick<Task, "totalCost" | "createdAtMs"> {
  /** Of the order; or of what else takes money, where only that is asked for. */
  readonly id: string
  /**
   * For an order that is held, the deadline of its payment, in milliseconds since 1970. It keeps its place and what came by
   * then: it was paid in time, and a person decides about it. What came later is for others.
   */
  readonly keepsUntilMs?: number | undefined
  /** The deposit that was signed for this order: it is for no other one while this one is open. */
  readonly ownDeposit?: OwnDeposit | undefined
}

/** What tells the deposit of a pay-in from all others. */
export type OwnDeposit = Pick<Deposit, "tx" | "from" | "amount">

/** An order that is held, and waits for its money: it is neither funded nor cancelled. */
export interface HeldOrder extends Candidate {
  readonly id: TaskId
  readonly isHeld: true
}

/** What is known of when the money came. */
export interface Arrivals {
  /** What is left of transfers into the wallet, oldest first. What they do not explain was there before all of them. */
  readonly deposits: ReadonlyArray<UnspentDeposit>
  /** How far the clock that orders get their time from is ahead of the chain's, in milliseconds. */
  readonly ledgerAheadMs: number
  /** Whether the payment deadline of a task has passed: it keeps no money from newer ones any more. */
  readonly isOverdue: (task: Candidate) => boolean
}

/** Which money an order is paid with. */
export interface PaidWith {
  /** Parts of deposits; less than the cost where the rest was there before the history of deposits begins. */
  readonly uses: ReadonlyArray<DepositUse>
  /** The newest transfer that was used; `undefined` where all of it was there before the history begins. */
  readonly last: Deposit | undefined
}

/** The clocks of chain and order desk differ: a payment that seems so much older than its order was made for it. */
const CLOCKS_DIFFER_MS = 10_000

/**
 * Which pending tasks `free` pays for, and with which deposits. A deposit that was signed for one task pays for that one
 * before all others. A deposit of which exactly the cost of one task is left was meant for that task; else the oldest
 * first, passing over those that do not fit. While an older one waits, a task takes nothing that was there before it was
 * placed: that was paid towards the older one. No task is funded in part. An order that is held competes like any other,
 * and what it is given is kept for it.
 */
export const allocate = (
  free: Usdc,
  pending: ReadonlyArray<Candidate>,
  arrivals?: Arrivals
): ReadonlyMap<string, PaidWith> => {
  const oldestFirst = pending.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
  return arrivals === undefined ? byBalance(free, oldestFirst) : byArrival(free, oldestFirst, arrivals)
}

/** Paid by the balance alone. */
const UNRECORDED: PaidWith = { uses: [], last: undefined }

/** Where the deposits cannot be read. */
const byBalance = (free: Usdc, oldestFirst: ReadonlyArray<Candidate>): ReadonlyMap<string, PaidWith> => {
  const funded = new Map<string, PaidWith>()
  let left: bigint = free
  const isPaidIn = (task: Candidate): boolean => task.ownDeposit !== undefined
  for (const task of oldestFirst.filter(isPaidIn)) {
    if (task.totalCost <= left) funded.set(task.id, UNRECORDED)
    left = less(left, task.totalCost)
  }
  const others = oldestFirst.filter((task) => !isPaidIn(task))
  const exact = others.find((task) => task.totalCost === left)
  if (exact !== undefined) return funded.set(exact.id, UNRECORDED)
  for (const task of others) {
    if (task.totalCost > left) continue
    left -= task.totalCost
    funded.set(task.id, UNRECORDED)
  }
  return funded
}

/** What is there beyond `amount`; nothing where there is less than that. */
const less = (free: bigint, amount: bigint): bigint => (free > amount ? free - amount : 0n)

/**
 * Gives each deposit that was signed for one order to that order. Where less than that is free, others get nothing of it
 * all the same until the order is overdue. What it brought beyond the cost of its order is for others. Where no log shows it, it is in what the logs
 * do not explain; where that is too little, it was spent, and its order is one like any other.
 */
const takeOwn = (
  free: bigint,
  oldestFirst: ReadonlyArray<Candidate>,
  { deposits, isOverdue }: Pick<Arrivals, "deposits" | "isOverdue">
) => {
  const funded = new Map<string, PaidWith>()
  const others = [...deposits]
  let rest = free
  for (const task of oldestFirst) {
    const { id, totalCost, ownDeposit } = task
    if (ownDeposit === undefined) continue
    const index = others.findIndex((one) => isOf(one, ownDeposit) && one.left >= totalCost)
    const own = others[index]
    if (own === undefined && rest - sum(others.map(({ left }) => left)) < totalCost) continue
    const paidWith = own ? take([{ deposit: own, atMs: 0, left: own.left }], totalCost, []) : UNRECORDED
    if (totalCost <= rest) funded.set(id, paidWith)
    if (funded.has(id) || !isOverdue(task)) rest = less(rest, totalCost)
    if (own === undefined) continue
    const left = minus(own.left, totalCost)
    others.splice(index, 1, ...(left > 0n ? [{ ...own, left }] : []))
  }
  return { funded, rest, others }
}

const isOf = ({ tx, from, amount }: Deposit, own: OwnDeposit): boolean =>
  tx === own.tx && from === own.from && amount === own.amount

const byArrival = (
  free: Usdc,
  oldestFirst: ReadonlyArray<Candidate>,
  { deposits, ledgerAheadMs, isOverdue }: Arrivals
): ReadonlyMap<string, PaidWith> => {
  const own = takeOwn(free, oldestFirst, { deposits, isOverdue })
  const { funded } = own
  const isPlacedBy = (atMs: number, task: Candidate): boolean => task.createdAtMs <= atMs + CLOCKS_DIFFER_MS
  const mayTake = (atMs: number, { keepsUntilMs }: Candidate): boolean =>
    keepsUntilMs === undefined || atMs <= keepsUntilMs
  const others: Array<Portion> = []
  let { rest } = own
  // The newest first: the older a deposit is, the more likely it is spent.
  for (const deposit of own.others.toReversed()) {
    const { left } = deposit
    const atMs = deposit.block.timeMs + ledgerAheadMs
    const isFor = (task: Candidate): boolean =>
      !funded.has(task.id) && task.totalCost === left && isPlacedBy(atMs, task) && mayTake(atMs, task)
    const exact = left <= rest ? oldestFirst.find(isFor) : undefined
    const portion = { deposit, atMs, left }
    if (exact === undefined) {
      others.push(portion)
    } else {
      funded.set(exact.id, take([portion], left, []))
      rest -= left
    }
  }
  const { portions, passedOver } = portionsOf(rest, others)
  for (const [index, task] of oldestFirst.entries()) {
    if (funded.has(task.id)) continue
    const isFirst = oldestFirst.slice(0, index).every((older) => funded.has(older.id) || isOverdue(older))
    const usable = portions.filter(({ atMs }) => (isFirst || isPlacedBy(atMs, task)) && mayTake(atMs, task))
    if (usable.reduce((total, { left }) => total + left, 0n) < task.totalCost) continue
    funded.set(task.id, take(usable, task.totalCost, passedOver))
  }
  return funded
}

/** Money that came at one moment, as far as it is not given away yet. */
interface Portion {
  /** `undefined` for what was there before the history of deposits begins. */
  readonly deposit: Deposit | undefined
  readonly atMs: number
  left: bigint
}

/**
 * `free` as the newest deposits that it can hold whole, after the rest, which came at an unknown time. Deposits that it
 * cannot hold whole are passed over: a part of each was spent, and by no record.
 */
const portionsOf = (free: bigint, newestFirst: ReadonlyArray<Portion>) => {
  const portions: Array<Portion> = []
  const passedOver: Array<Portion> = []
  let rest = free
  for (const portion of newestFirst) {
    const isHeldWhole = portion.left <= rest
    if (isHeldWhole) rest -= portion.left
    const list = isHeldWhole ? portions : passedOver
    list.unshift(portion)
  }
  return { portions: [{ deposit: undefined, atMs: Number.NEGATIVE_INFINITY, left: rest }, ...portions], passedOver }
}

/**
 * Takes `cost` out of portions that hold it, the oldest first. What no portion names came by deposits that were passed
 * over, as far as they go: they are named for the record, and decide nothing.
 */
const take = (portions: ReadonlyArray<Portion>, cost: bigint, passedOver: ReadonlyArray<Portion>): PaidWith => {
  const uses: Array<DepositUse> = []
  let last: Deposit | undefined
  const takeFrom = (from: ReadonlyArray<Portion>, amount: bigint) => {
    let owed = amount
    for (const portion of from) {
      const part = portion.left < owed ? portion.left : owed
      portion.left -= part
      owed -= part
      if (part === 0n) continue
      if (portion.deposit === undefined) {
        takeFrom(passedOver, part)
      } else {
        last = portion.deposit
        uses.push({ tx: last.tx, logIndex: last.logIndex, amount: usdc(part) })
      }
    }
  }
  takeFrom(portions, cost)
  return { uses, last }
}
