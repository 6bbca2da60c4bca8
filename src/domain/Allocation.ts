import type { Deposit } from "./Deposit.ts"
import type { Task, TaskId } from "./Task.ts"
import { minus, type Usdc, usdc } from "./Usdc.ts"

/** The money side of a wallet. Reservations are read before the chain, so that a payment in between is never missed. */
export interface WalletMoney {
  /** USDC on chain, in one confirmed block. */
  readonly balance: Usdc
  /** Unpaid batches of funded and processing tasks, and every signed payment not yet proven paid or void. */
  readonly reserved: Usdc
  /**
   * The part of `reserved` that may have left the wallet already: signed and not proven, or for another program's orders,
   * of which nobody here can tell.
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
export interface Candidate extends Pick<Task, "id" | "totalCost" | "createdAtMs"> {
  /**
   * For an order that is held, the deadline of its payment, in milliseconds since 1970. It keeps its place and what came by
   * then: it was paid in time, and a person decides about it. What came later is for others.
   */
  readonly keepsUntilMs?: number | undefined
}

/** An order that is held, and waits for its money: it is neither funded nor cancelled. */
export interface HeldOrder extends Candidate {
  readonly isHeld: true
}

/** What is known of when the money came. */
export interface Arrivals {
  /** Transfers into the wallet, oldest first. What they do not explain was there before all of them. */
  readonly deposits: ReadonlyArray<Pick<Deposit, "amount" | "block">>
  /** Whether the payment deadline of a task has passed: it keeps no money from newer ones any more. */
  readonly isOverdue: (task: Candidate) => boolean
}

/** The clocks of chain and order desk differ: a payment that seems so much older than its order was made for it. */
const CLOCKS_DIFFER_MS = 10_000

/**
 * Which pending tasks `free` pays for. A deposit that is exactly the cost of one task was meant for that task; else the
 * oldest first, passing over those that do not fit. While an older one waits, a task takes nothing that was there
 * before it was placed: that was paid towards the older one. No task is funded in part. An order that is held competes
 * like any other, and what it is given is kept for it.
 */
export const allocate = (free: Usdc, pending: ReadonlyArray<Candidate>, arrivals?: Arrivals): ReadonlySet<TaskId> => {
  const oldestFirst = pending.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
  return arrivals === undefined ? byBalance(free, oldestFirst) : byArrival(free, oldestFirst, arrivals)
}

/** Where the deposits cannot be read. */
const byBalance = (free: Usdc, oldestFirst: ReadonlyArray<Candidate>): ReadonlySet<TaskId> => {
  const exact = oldestFirst.find((task) => task.totalCost === free)
  if (exact !== undefined) return new Set([exact.id])
  const funded = new Set<TaskId>()
  let left: bigint = free
  for (const task of oldestFirst) {
    if (task.totalCost > left) continue
    left -= task.totalCost
    funded.add(task.id)
  }
  return funded
}

const byArrival = (
  free: Usdc,
  oldestFirst: ReadonlyArray<Candidate>,
  { deposits, isOverdue }: Arrivals
): ReadonlySet<TaskId> => {
  const funded = new Set<TaskId>()
  const isPlacedBy = (atMs: number, task: Candidate): boolean => task.createdAtMs <= atMs + CLOCKS_DIFFER_MS
  const mayTake = (atMs: number, { keepsUntilMs }: Candidate): boolean =>
    keepsUntilMs === undefined || atMs <= keepsUntilMs
  const others: Array<Arrivals["deposits"][number]> = []
  let left: bigint = free
  // The newest first: the older a deposit is, the more likely it is spent.
  for (const deposit of deposits.toReversed()) {
    const { amount, block } = deposit
    const isFor = (task: Candidate): boolean =>
      !funded.has(task.id) && task.totalCost === amount && isPlacedBy(block.timeMs, task) && mayTake(block.timeMs, task)
    const exact = amount <= left ? oldestFirst.find(isFor) : undefined
    if (exact === undefined) {
      others.push(deposit)
    } else {
      funded.add(exact.id)
      left -= amount
    }
  }
  const portions = portionsOf(left, others)
  for (const [index, task] of oldestFirst.entries()) {
    if (funded.has(task.id)) continue
    const isFirst = oldestFirst.slice(0, index).every((older) => funded.has(older.id) || isOverdue(older))
    const usable = portions.filter(({ atMs }) => (isFirst || isPlacedBy(atMs, task)) && mayTake(atMs, task))
    if (take(usable, task.totalCost)) funded.add(task.id)
  }
  return funded
}

/** Money that came at one moment, as far as it is not given away yet. */
interface Portion {
  readonly atMs: number
  left: bigint
}

/** `free` as the newest deposits that it can hold whole, after the rest, of which nobody can say when it came. */
const portionsOf = (free: bigint, newestFirst: Arrivals["deposits"]): ReadonlyArray<Portion> => {
  const portions: Array<Portion> = []
  let rest = free
  for (const { amount, block } of newestFirst) {
    if (amount > rest) continue
    rest -= amount
    portions.unshift({ atMs: block.timeMs, left: amount })
  }
  return [{ atMs: Number.NEGATIVE_INFINITY, left: rest }, ...portions]
}

/** Takes `cost` out of the portions, the oldest first, or nothing where they do not hold it. */
const take = (portions: ReadonlyArray<Portion>, cost: bigint): boolean => {
  if (portions.reduce((total, { left }) => total + left, 0n) < cost) return false
  let owed = cost
  for (const portion of portions) {
    const part = portion.left < owed ? portion.left : owed
    portion.left -= part
    owed -= part
  }
  return true
}
