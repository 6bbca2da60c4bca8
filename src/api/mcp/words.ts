import { DateTime } from "effect"
import { duration } from "../../domain/time.ts"
import { format } from "../../domain/Usdc.ts"
import type { OperatorError } from "../../operator/Operator.ts"
import type { Created } from "../../operator/reports/decisions.ts"
import type { TaskReport } from "../../operator/reports/tasks.ts"
import { ToolProblem } from "./tools.ts"

/** How an order stands and what its agent does next, for a model to read. */
export const orderWords = (order: TaskReport, nowMs: number): string => {
  if (order.held !== undefined) {
    return (
      `Order ${order.id} is ${order.status} and waits for an operator: ${order.held.reason}. ` +
      "Do not pay again and do not order again: its money is kept. Tell the person, and give the operator the order's id."
    )
  }
  const mints = `${order.mintsCompleted} of ${order.quantity} mints`
  switch (order.status) {
    case "pending_payment":
      return payWords(order, nowMs)
    case "funded":
      return `Order ${order.id} is paid and its minting begins. Next: call wait_for_order.`
    case "processing":
      return `Order ${order.id} is being minted: ${mints} are delivered to ${order.userAddress}. Next: call wait_for_order.`
    case "completed":
      return `Order ${order.id} is completed: ${mints} are delivered to ${order.userAddress}. There is nothing left to do.`
    case "failed":
      return (
        `Order ${order.id} failed with ${mints} delivered: ${order.errorMessage ?? "the reason is not known"}. ` +
        "The rest of its money stays the wallet's credit. Next: place a new order, which uses that credit, or tell the person to ask the operator."
      )
    case "cancelled":
      return (
        `Order ${order.id} is cancelled: ${order.errorMessage ?? "the reason is not known"}. Do not pay for it. ` +
        "Next: place a new order if the person still wants the mints."
      )
  }
}

const payWords = (order: TaskReport, nowMs: number): string => {
  const { received = 0n, deadline, agentAddress } = order
  if (agentAddress === undefined) return `Order ${order.id} has no agent wallet to pay to: tell the operator.`
  const left = order.totalCost - received
  const part = received > 0n ? ` (${format(received)} of ${format(order.totalCost)} USDC came already)` : ""
  if (left <= 0n) return `Order ${order.id} has its money, which is being confirmed. Next: call wait_for_order.`
  const over = "Its time to pay is over: do not pay. It is cancelled at the next check. Next: call wait_for_order."
  if (deadline !== undefined && deadline <= nowMs) return `Order ${order.id} is not paid${part}. ${over}`
  const until =
    deadline === undefined
      ? ""
      : ` until ${DateTime.formatIso(DateTime.makeUnsafe(deadline))} (${duration(deadline - nowMs)} left)`
  return (
    `Order ${order.id} waits for its money. Next: send exactly ${format(left)} USDC (${left} base units) to ${agentAddress}` +
    `${until}${part}, then call wait_for_order.`
  )
}

/** An order that was placed, by what its placing tells. */
export const placedWords = ({ taskId, totalCost, agentAddress }: Created): string =>
  `Order ${taskId} is placed: it costs ${format(totalCost)} USDC (${totalCost} base units), to be sent to ${agentAddress}.`

/** What a call may have done where no answer came. */
export interface Effects {
  /** What to do then: the call that shows whether it was done. */
  readonly afterSilence: string
}

/** A failure in words for a model: why, whether money may have moved, and what to do next. */
export const problemOf = (error: OperatorError, { afterSilence }: Effects): ToolProblem => {
  if (error._tag === "Refused") {
    return new ToolProblem({ message: `Refused: ${error.message} Nothing has changed, and no money has moved.` })
  }
  // What follows the first line is for a person at a shell.
  const [said = ""] = error.message.split("\n", 1)
  switch (error.reason) {
    case "Away":
    case "Late":
      return new ToolProblem({ message: `No answer: ${said} No money has moved by this call. Next: ${afterSilence}` })
    case "Busy":
    case "Unavailable":
      return new ToolProblem({
        message: `Not now: ${said} Nothing has changed, and no money has moved. Next: call the same again with the same arguments in 5 seconds.`
      })
    case "BadRequest":
      return new ToolProblem({
        message: `Not understood: ${error.message} Nothing has changed, and no money has moved. Next: correct the arguments.`
      })
    case "Broken":
      return new ToolProblem({
        message: `${said} No money has moved by this call. Next: ${afterSilence} If that fails too, tell the operator.`
      })
  }
}
