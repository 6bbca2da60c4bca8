import { DateTime } from "effect"
import { duration } from "../../domain/time.ts"
import { format, zero } from "../../domain/Usdc.ts"
import type { OperatorError } from "../../operator/Operator.ts"
import type { Created } from "../../operator/reports/decisions.ts"
import type { TaskReport } from "../../operator/reports/tasks.ts"
import { ToolProblem } from "./tools.ts"

/** How an order stands and what its agent does next, for a model to read: the words of its `nextAction`. */
export const orderWords = (order: TaskReport, nowMs: number): string => {
  const { id, status, nextAction } = order
  switch (nextAction) {
    case "pay":
      return payWords(order, nowMs)
    case "ask_operator":
      return (
        `Order ${id} is ${status} and waits for an operator${order.held === undefined ? "" : `: ${order.held.reason}`}. ` +
        "Its money is safe: do not pay again, and do not order again. Next: tell the person, and give the operator the order's id."
      )
    case "wait":
      return `${stateWords(order)} Next: call wait_for_order.`
    case "retry_same_request":
      return `${stateWords(order)} Next: send the same request again.`
    case "new_order":
      return `${stateWords(order)}${creditWords(order)} Next: place a new order if the person still wants the mints.`
    case "none":
      return `${stateWords(order)}${creditWords(order)} There is nothing left to do.`
  }
}

const payWords = ({ id, amountDue = zero, totalCost, payTo, payBy }: TaskReport, nowMs: number): string => {
  const came = totalCost - amountDue
  const part = came > 0n ? ` (${format(came)} of ${format(totalCost)} USDC came already)` : ""
  const until =
    payBy === undefined
      ? ""
      : ` before ${DateTime.formatIso(DateTime.makeUnsafe(payBy))}, which is in ${duration(payBy - nowMs)}`
  return (
    `Order ${id} waits for its money. Next: send exactly ${format(amountDue)} USDC (${amountDue} base units) to ${payTo}` +
    `${until}${part}, in one transfer. Then call wait_for_order. If you have sent it already, do not send it again: it is seen within seconds.`
  )
}

/** What became of an order so far. */
const stateWords = (order: TaskReport): string => {
  const { id, quantity, mintsCompleted, userAddress, errorMessage = "the reason is not known" } = order
  const delivered = `${mintsCompleted} of ${quantity} mints are delivered to ${userAddress}`
  switch (order.status) {
    case "pending_payment":
      return order.paymentState === "partial"
        ? `Order ${id} has money, which is being confirmed: do not pay again.`
        : `Order ${id} is not paid, and cannot be paid now: do not pay.`
    case "funded":
      return `Order ${id} is paid, and its minting begins.`
    case "processing":
      return `Order ${id} is being minted: ${delivered}.`
    case "completed":
      return `Order ${id} is completed: ${delivered}.`
    case "failed":
      return `Order ${id} failed: ${errorMessage}. ${delivered}. Do not pay for it.`
    case "cancelled":
      return `Order ${id} is cancelled: ${errorMessage}. Do not pay for it.`
  }
}

const creditWords = ({ paymentState }: TaskReport): string =>
  paymentState === "refundable"
    ? " USDC is left in the person's agent wallet: a new order uses it, and the operator can send it back."
    : ""

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
