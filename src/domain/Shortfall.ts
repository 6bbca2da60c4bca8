import { ZERO } from "./Address.ts"
import { freeAtLeast } from "./Allocation.ts"
import type { UnspentDeposit } from "./Deposit.ts"
import { notAheadOf } from "./Block.ts"
import { besidePayIns } from "./payInEvidence.ts"
import { type Evidence, isOverdue, moneyOf, shareOut } from "./PaymentDecision.ts"
import type { Task } from "./Task.ts"
import { minus, sum, type Usdc, usdc, zero } from "./Usdc.ts"

/** An older order that money in the wallet is kept for. */
export interface OlderOrder {
  readonly task: Task
  readonly missing: Usdc
}

/** What a waiting order lacks, and where the rest of its wallet's money goes. */
export interface Shortfall {
  /** The least that, paid in now, makes the next look fund the order. */
  readonly missing: Usdc
  /** The most that may be needed while a payment of the wallet is not proven. */
  readonly missingAtMost: Usdc
  /** Free money that is not for this order, and the order that it is for. */
  readonly kept: Usdc
  readonly older: OlderOrder | undefined
  /** Money that pays for other orders of the wallet at the next look. */
  readonly taken: Usdc
  /** Money that was paid for orders of the wallet that are held, and is kept for them. */
  readonly forHeld: Usdc
}

export const shortfallOf = (all: Evidence, task: Task): Shortfall => {
  const evidence = besidePayIns(all)
  // Either every payment in flight was made, or none was.
  const paid = withReserved(evidence, minus(evidence.orders.reserved, evidence.orders.maybeSpent))
  const unpaid = withReserved(evidence, evidence.orders.reserved)
  const enough = enoughFor(paid, task)
  const missing = enough ?? task.totalCost
  const taken = takenBeside(paid, task)
  const forHeld = keptForHeld(paid)
  const left = minus(minus(freeAtLeast(moneyOf(paid)), taken), forHeld)
  const kept = minus(left, minus(task.totalCost, missing))
  return {
    missing,
    missingAtMost: missingFor(unpaid, task),
    kept,
    older: kept > 0n || enough === undefined ? olderThan(paid, task) : undefined,
    taken,
    forHeld
  }
}

/** The least that, paid in now, makes the next look fund the order; all that it costs where older orders come first. */
export const missingFor = (evidence: Evidence, task: Task): Usdc =>
  enoughFor(besidePayIns(evidence), task) ?? task.totalCost

/**
 * What, paid in now, certainly funds the order, by every outcome of the wallet's unproven payments; `undefined` where
 * no payment would, as older orders of the wallet come first, or by some outcome deposits that were signed for others.
 */
export const dueFor = (all: Evidence, task: Task): Usdc | undefined => {
  const evidence = besidePayIns(all)
  const { reserved, maybeSpent } = evidence.orders
  const least = enoughFor(withReserved(evidence, minus(reserved, maybeSpent)), task)
  if (least === undefined || maybeSpent === 0n) return least
  const most = enoughFor(withReserved(evidence, reserved), task)
  // Deposits that were signed for others come first, and by that outcome a part of them is not there.
  const isBehind = evidence.payIns.some(({ status }) => status === "settled")
  return most ?? (isBehind ? undefined : task.totalCost)
}

const withReserved = (evidence: Evidence, reserved: Usdc): Evidence => ({
  ...evidence,
  orders: { ...evidence.orders, reserved, maybeSpent: zero }
})

const isFunded = (evidence: Evidence, { id }: Task): boolean => shareOut(evidence).funded.has(id)

/** What is kept for orders of the wallet that are held. */
const keptForHeld = (evidence: Evidence): Usdc => {
  const { kept } = shareOut(evidence)
  return sum(evidence.orders.held.filter(({ id }) => kept.has(id)).map(({ totalCost }) => totalCost))
}

/** What pays for the wallet's other orders at the next look. */
const takenBeside = (evidence: Evidence, task: Task): Usdc => {
  const { funded } = shareOut(evidence)
  const others = evidence.orders.pending.filter(({ id }) => id !== task.id && funded.has(id))
  return sum(others.map(({ totalCost }) => totalCost))
}

/** The oldest of those that keep money from the order: placed before it, not paid, and not overdue. */
const olderThan = (evidence: Evidence, task: Task): OlderOrder | undefined => {
  const { funded } = shareOut(evidence)
  const [oldest] = evidence.orders.pending
    .filter((other) => isOlder(other, task) && !funded.has(other.id) && !isOverdue(other, evidence))
    .toSorted((a, b) => (isOlder(a, b) ? -1 : 1))
  return oldest && { task: oldest, missing: missingFor(evidence, oldest) }
}

const isOlder = (a: Task, b: Task): boolean =>
  a.createdAtMs === b.createdAtMs ? a.id < b.id : a.createdAtMs < b.createdAtMs

/**
 * The least that, paid in now, makes the rules fund this order. It is its cost, less money that it may use: that is
 * all that is free, or the newest part of it, with or without what other orders take. `undefined` where no such
 * payment would do, as older orders come first.
 */
const enoughFor = (evidence: Evidence, task: Task): Usdc | undefined => {
  if (isFunded(evidence, task)) return zero
  const free = freeAtLeast(moneyOf(evidence))
  const taken = takenBeside(evidence, task)
  let newest = zero
  const parts = (evidence.deposits ?? []).toReversed().map(({ left }) => (newest = sum([newest, left])))
  const usable = [zero, free, minus(free, keptForHeld(evidence)), ...parts]
  return [...usable, ...usable.map((part) => minus(part, taken))]
    .map((part) => minus(task.totalCost, part))
    .filter((amount) => amount > 0n)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .find((amount) => isFunded(paidIn(evidence, task, amount), task))
}

/** The same with so much more in the wallet, paid in by now. */
const paidIn = (evidence: Evidence, task: Task, amount: Usdc): Evidence => {
  const { balance, block, deposits, ledgerAheadMs } = evidence
  const timeMs = Math.max(notAheadOf(block, ledgerAheadMs).timeMs, task.createdAtMs) - ledgerAheadMs
  const deposit: UnspentDeposit = { ...NO_TRANSFER, amount, left: amount, block: { ...block, timeMs } }
  return { ...evidence, balance: usdc(balance + amount), deposits: deposits && [...deposits, deposit] }
}

/** The rules ask how much came and when, and not from whom. */
const NO_TRANSFER = { wallet: ZERO, from: ZERO, tx: "0x", logIndex: 0 } as const
