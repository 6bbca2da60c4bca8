import { type Batch, isInFlight } from "./Batch.ts"
import { decidePayment, type Evidence, type PaymentDecision } from "./PaymentDecision.ts"
import { isHeldUndelivered, remainingCost, type Task } from "./Task.ts"
import { isForAllOfIt } from "./transferTransitions.ts"

/**
 * What becomes of an order that is tried again.
 *
 * - `Fund`: it failed, and what is left of it is bought where its wallet has the money. `Release`: its hold ends.
 * - `Blocked`: by a batch that is in flight, or that a person has to decide first.
 * - `NothingLeft`: it failed, and every batch is delivered or resolved. `GoesOn`: it is not held. `Over`: it has ended.
 */
export type RetryDecision =
  | { readonly _tag: "Fund" | "Release" | "NothingLeft" | "GoesOn" | "Over" }
  | { readonly _tag: "Blocked"; readonly batch: Batch }

interface RetriedOrder {
  readonly task: Task
  readonly batches: ReadonlyArray<Batch>
  /** Why it is held. */
  readonly held: string | undefined
}

/** `asksAgain`: the mint server may be asked again for the mints of a paid batch. */
export const decideRetry = (order: RetriedOrder, { asksAgain }: { readonly asksAgain: boolean }): RetryDecision => {
  const { task, batches, held } = order
  if (task.status === "failed") return decideFailed(task, batches)
  if (task.status === "completed" || task.status === "cancelled") return { _tag: "Over" }
  if (held === undefined) return { _tag: "GoesOn" }
  // Where its server cannot be asked again, a hold for mints that do not come would be back with the next look at them.
  const isLate = ({ status, number }: Batch) => status === "paid" && isHeldUndelivered(held, number)
  const isAskable = (batch: Batch) => asksAgain && isForAllOfIt(batch)
  const batch = batches.find((one) => one.status === "held" || (isLate(one) && !isAskable(one)))
  return batch === undefined ? { _tag: "Release" } : { _tag: "Blocked", batch }
}

const decideFailed = (task: Task, batches: ReadonlyArray<Batch>): RetryDecision => {
  const batch = batches.find((one) => isInFlight(one) || one.status === "held")
  if (batch !== undefined) return { _tag: "Blocked", batch }
  const isLeft = batches.length === 0 || batches.some(({ status }) => status === "planned")
  return { _tag: isLeft && task.mintsCompleted < task.quantity ? "Fund" : "NothingLeft" }
}

/** Whether the wallet pays for what is left of a failed order: as for one that is placed now, behind those that wait. */
export const decideRepayment = (evidence: Evidence, task: Task, nowMs: number): PaymentDecision =>
  decidePayment(evidence, { ...task, totalCost: remainingCost(task), createdAtMs: nowMs })
