import type { Task, TaskId } from "./Task.ts"
import { minus, type Usdc, usdc } from "./Usdc.ts"

/** The money side of a wallet. Reservations are read before the chain, so that a payment in between is never missed. */
export interface WalletMoney {
  /** USDC on chain, in one confirmed block. */
  readonly balance: Usdc
  /** Unpaid batches of funded and processing tasks, and every signed payment not yet proven paid or void. */
  readonly reserved: Usdc
  /** The part of `reserved` that may have left the wallet already: signed, outcome not proven. */
  readonly maybeSpent: Usdc
}

/** What is certainly free: on this much a task may be funded. */
export const freeAtLeast = (money: WalletMoney): Usdc => minus(money.balance, money.reserved)

/** What can be free at the most, if every unproven payment was made: a task that costs more is certainly unpaid. */
export const freeAtMost = (money: WalletMoney): Usdc =>
  minus(money.balance, usdc(money.reserved - money.maybeSpent))

export type Cover = "covered" | "unclear" | "short"

/**
 * Whether a wallet has the money for a cost that is not among its reservations. Short only where no outcome of its
 * unproven payments would leave enough.
 */
export const cover = (money: WalletMoney, cost: Usdc): Cover => {
  if (cost <= freeAtLeast(money)) return "covered"
  return cost <= freeAtMost(money) ? "unclear" : "short"
}

type Candidate = Pick<Task, "id" | "totalCost" | "createdAtMs">

/**
 * Which pending tasks `free` pays for. Money that is exactly the cost of one task was meant for that task; else the
 * oldest first, passing over those that do not fit. No task is funded in part.
 */
export const allocate = (free: Usdc, pending: ReadonlyArray<Candidate>): ReadonlySet<TaskId> => {
  const oldestFirst = pending.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
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
