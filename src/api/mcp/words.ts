import { DateTime } from "effect"
import type { NextAction } from "../../domain/nextAction.ts"
import { type ProblemCode, problemWords } from "../../domain/ProblemCode.ts"
import { duration } from "../../domain/time.ts"
import { format, zero } from "../../domain/Usdc.ts"
import type { OperatorError, Refused, Unanswered } from "../../operator/Operator.ts"
import type { Created, Quoted } from "../../operator/reports/decisions.ts"
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
        "Money that was paid is safe: do not pay for it now, and do not order again. Next: tell the person, and give the operator the order's id."
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

/** An order that was placed and cannot be shown. */
export const placedWords = ({ taskId, totalCost, amountDue = totalCost, agentAddress }: Created): string =>
  `Order ${taskId} is placed. It cannot be shown now. Next: send ${format(amountDue)} USDC (${amountDue} base units) to ` +
  `${agentAddress} in one transfer, once, and call wait_for_order.`

/** What an order would cost. */
export const quoteWords = ({ quoteId, quantity, totalCost, pricePerMint, supplyLeft, expiresAt }: Quoted): string => {
  const left = supplyLeft === undefined ? "" : ` ${supplyLeft} mints of the token are left.`
  return (
    `${quantity} mints cost ${format(totalCost)} USDC (${totalCost} base units), ${format(pricePerMint)} USDC each.${left} ` +
    `Nothing is ordered or paid yet. Next: call place_order with quoteId ${quoteId} and the same user, token and quantity ` +
    `before ${DateTime.formatIso(DateTime.makeUnsafe(expiresAt))}.`
  )
}

/** What a call may have done where no answer came. */
export interface Effects {
  /** What to do then: the call that shows whether it was done. */
  readonly afterSilence: string
}

const NOTHING = "Nothing has changed, and no money has moved."
const AGAIN = "call the same again with the same arguments in 5 seconds."

/** A failure in words for a model: why, whether money may have moved, and what to do next. */
export const problemOf = (error: OperatorError, effects: Effects): ToolProblem =>
  new ToolProblem({ message: error._tag === "Refused" ? refusalWords(error) : silenceWords(error, effects) })

const refusalWords = ({ message, code = "refused", isMissing }: Refused): string => {
  const { nextAction, moneyMayHaveMoved } = problemWords(isMissing === true ? "not_found" : code)
  const money = moneyMayHaveMoved ? "A payment is on its way, so money may have moved: do not pay again." : NOTHING
  const next = BY_CODE[code] ?? BY_ACTION[nextAction]
  return `Refused: ${message} ${money}${isMissing === true || next === undefined ? "" : ` Next: ${next}`}`
}

/** Where a code says more than its next action. */
const BY_CODE: Partial<Readonly<Record<ProblemCode, string>>> = {
  quote_unusable: "call quote_mint, and place_order with its quoteId.",
  no_wallet: "call quote_mint, which opens the wallet.",
  id_taken: "call place_order with another id, or look at that order with get_order.",
  invalid_order: "correct the arguments.",
  bad_request: "correct the arguments.",
  ambiguous_name: "give the whole id."
}

const BY_ACTION: Partial<Readonly<Record<NextAction, string>>> = {
  wait: "call wait_for_order.",
  retry_same_request: AGAIN,
  ask_operator: "tell the person, who can ask the operator. The same call again does not help."
}

const silenceWords = ({ reason, message, isInDoubt }: Unanswered, { afterSilence }: Effects): string => {
  // What follows the first line is for a person at a shell.
  const [said = ""] = message.split("\n", 1)
  switch (reason) {
    case "Away":
    case "Late":
      return `No answer: ${said} No money has moved by this call. Next: ${afterSilence}`
    case "Busy":
    case "Unavailable":
      return isInDoubt === true
        ? `Not now: ${said} It may have been done, and money may have moved. Next: ${afterSilence}`
        : `Not now: ${said} ${NOTHING} Next: ${AGAIN}`
    case "BadRequest":
      return `Not understood: ${message} ${NOTHING} Next: correct the arguments.`
    case "Broken":
      return `${said} No money has moved by this call. Next: ${afterSilence} If that fails too, tell the operator.`
  }
}
