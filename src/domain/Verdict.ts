import { allocate, type Candidate, freeAtLeast, freeAtMost, type HeldOrder, type WalletMoney } from "./Allocation.ts"
import type { Block } from "./Block.ts"
import type { Deposit } from "./Deposit.ts"
import type { Task } from "./Task.ts"
import type { Usdc } from "./Usdc.ts"

/** What one look at the chain means for a task that waits for its money; `keep`: for one that is held, and has it. */
export type Verdict = "fund" | "wait" | "cancel" | "keep"

/** When the payment deadline of a task is, by the clock of the chain. */
export const deadlineMs = (task: Pick<Task, "createdAtMs">, paymentTimeoutMs: number): number =>
  task.createdAtMs + paymentTimeoutMs

/**
 * Balance first, deadline second: a task is cancelled only in a block that is past its deadline and in which the
 * money was certainly not there. While a payment of the wallet is unproven, a task is certainly unpaid only where no
 * outcome could pay for it, and certainly the one that the money is for only where that is so by every outcome: else a
 * deposit that looks too small by a payment on its way would go to an older task. Where this very look funds a task,
 * the others of the wallet wait for the next one. `deposits` are the transfers into the wallet, oldest first, where
 * they could be read. Orders that are held keep their place and the money that was paid for them; where the deposits cannot
 * be read, nobody can tell what that is, and what it would pay for else waits.
 */
export const judge = (
  money: WalletMoney,
  waiting: ReadonlyArray<Task | HeldOrder>,
  block: Block,
  paymentTimeoutMs: number,
  deposits?: ReadonlyArray<Deposit>
): ReadonlyMap<Candidate, Verdict> => {
  const held = waiting.filter((one) => "isHeld" in one)
  const pending = waiting.filter((one) => !("isHeld" in one))
  const isOverdue = (task: Pick<Task, "createdAtMs">) => block.timeMs > deadlineMs(task, paymentTimeoutMs)
  const keeping = held.map((one) => ({ ...one, keepsUntilMs: deadlineMs(one, paymentTimeoutMs) }))
  const arrivals = deposits && { deposits, isOverdue }
  const paidFrom = (free: Usdc) => allocate(free, [...pending, ...keeping], arrivals)
  const certain = money.maybeSpent === 0n
  const atMost = paidFrom(freeAtMost(money))
  const funded = new Set([...paidFrom(freeAtLeast(money))].filter((id) => atMost.has(id)))
  const mayCancel = !pending.some(({ id }) => funded.has(id))
  const isOpen = held.length > 0 && deposits === undefined
  const paidAlone = isOpen ? allocate(freeAtMost(money), pending) : funded
  const verdicts = pending.map((task): [Candidate, Verdict] => {
    if (funded.has(task.id)) return [task, "fund"]
    const unpaid = (certain || task.totalCost > freeAtMost(money)) && !paidAlone.has(task.id)
    return [task, mayCancel && isOverdue(task) && unpaid ? "cancel" : "wait"]
  })
  const kept = held.map((one): [Candidate, Verdict] => [one, atMost.has(one.id) ? "keep" : "wait"])
  return new Map([...verdicts, ...kept])
}
