import { allocate, freeAtLeast, freeAtMost, type WalletMoney } from "./Allocation.ts"
import type { Block } from "./Block.ts"
import type { Deposit } from "./Deposit.ts"
import type { Task } from "./Task.ts"
import type { Usdc } from "./Usdc.ts"

/** What one look at the chain means for a task that waits for its money. */
export type Verdict = "fund" | "wait" | "cancel"

/** When the payment deadline of a task is, by the clock of the chain. */
export const deadlineMs = (task: Pick<Task, "createdAtMs">, paymentTimeoutMs: number): number =>
  task.createdAtMs + paymentTimeoutMs

/**
 * Balance first, deadline second: a task is cancelled only in a block that is past its deadline and in which the
 * money was certainly not there. While a payment of the wallet is unproven, a task is certainly unpaid only where no
 * outcome could pay for it, and certainly the one that the money is for only where that is so by every outcome: else a
 * deposit that looks too small by a payment on its way would go to an older task. Where this very look funds a task,
 * the others of the wallet wait for the next one. `deposits` are the transfers into the wallet, oldest first, where
 * they could be read.
 */
export const judge = (
  money: WalletMoney,
  pending: ReadonlyArray<Task>,
  block: Block,
  paymentTimeoutMs: number,
  deposits?: ReadonlyArray<Deposit>
): ReadonlyMap<Task, Verdict> => {
  const isOverdue = (task: Pick<Task, "createdAtMs">) => block.timeMs > deadlineMs(task, paymentTimeoutMs)
  const paidFrom = (free: Usdc) => allocate(free, pending, deposits && { deposits, isOverdue })
  const certain = money.maybeSpent === 0n
  const atMost = paidFrom(freeAtMost(money))
  const funded = new Set([...paidFrom(freeAtLeast(money))].filter((id) => atMost.has(id)))
  const mayCancel = funded.size === 0
  return new Map(
    pending.map((task): [Task, Verdict] => {
      if (funded.has(task.id)) return [task, "fund"]
      const unpaid = certain || task.totalCost > freeAtMost(money)
      return [task, mayCancel && isOverdue(task) && unpaid ? "cancel" : "wait"]
    })
  )
}
