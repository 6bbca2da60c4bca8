import {
  type Evidence,
  deadlineMs,
  isCertainlyUnpaid,
  isOverdue,
  type PaymentDecision
} from "../domain/PaymentDecision.ts"
import { missingFor, type Shortfall, shortfallOf } from "../domain/Shortfall.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { duration } from "../domain/time.ts"
import { format, zero } from "../domain/Usdc.ts"
import { USDC_PAUSED } from "../domain/UsdcState.ts"
import { howLongYet } from "./payInWords.ts"
import { type Facts, next, type Next } from "./explainFacts.ts"

/** An order that waits for its money: what the next check makes of it, and what is still to be paid. */
export const waiting = (facts: Facts, task: Task): Next => {
  const { nowMs, payment } = facts
  if (payment === undefined) {
    return next("It waits for its money; the chain does not answer now, and nothing is cancelled until it does.")
  }
  const { evidence, decision } = payment
  if (evidence.orders.isShared && mayBePrinted(decision)) return shared(facts, task, evidence)
  if (decision._tag === "Fund") return next("The money is there: it is funded at one of the next checks.", nowMs)
  if (decision._tag === "Cancel") return short(facts, task, { evidence, isOverdue: true })
  const { why } = decision
  const show = [`wallets show ${evidence.orders.wallet.agentAddress}`]
  switch (why._tag) {
    case "Short":
      return short(facts, task, { evidence, isOverdue: why.isOverdue })
    case "UsdcPaused":
      return next(`It waits: ${USDC_PAUSED}. Until that ends it is not cancelled.`, undefined, [cancelOf(task)])
    case "Stopped":
      return next(`Nothing new: its wallet is stopped: ${why.reason}`, undefined, show)
    case "Outdated":
      return next(
        `It waits for a node that is up to date: the one that answers is at block ${evidence.block.number}, and the wallet is ` +
          `known up to block ${evidence.orders.provenBlock}. Until then nothing is decided, and what is missing is not known.`
      )
    case "FundsMissing":
    case "MayBeRestored":
      return next(
        `It waits until it is known where money of its wallet went: by the books it should hold ` +
          `${format(evidence.orders.books?.balance ?? zero)} USDC, and it holds ${format(evidence.balance)}. ` +
          "Until then it is not cancelled, and what is missing is not known.",
        undefined,
        show
      )
    case "ReservedTwice":
      return next(
        "It waits: deposits that no order has used would pay for it, but what is reserved for other orders of its wallet " +
          "leaves too little. A part of that may be paid already; it is cancelled if that does not show within minutes.",
        undefined,
        show
      )
    case "PayInUnderWay": {
      const within = howLongYet(why.validBeforeMs, evidence.block.timeMs)
      return next(
        `It waits for a payment that its client signed for it, and that comes${within}. Until it is known what becomes of ` +
          "that, the order is not cancelled and takes no other money of its wallet."
      )
    }
    case "DepositsUnread":
      return next(unread(evidence, task), nowMs, show)
    case "Unproven":
    case "ForeignOrder":
      return next(unproven(why._tag, task), undefined, show)
  }
}

/** Whether a decision about a wallet that v1.1 may still pay from says how its balance stands to the order. */
const mayBePrinted = (decision: PaymentDecision): boolean =>
  decision._tag !== "Wait" || !["Stopped", "Outdated"].includes(decision.why._tag)

const unread = (evidence: Evidence, task: Task): string =>
  isCertainlyUnpaid(evidence, task)
    ? "It is past its deadline; it is cancelled when the next checks have looked up the transfers into its wallet and " +
      "none pays for it."
    : "It waits for the next checks: money is there whose transfers are not looked up yet, and several orders of the " +
      "wallet that it may be for."

const unproven = (why: "Unproven" | "ForeignOrder", { totalCost }: Task): string => {
  const first =
    why === "Unproven"
      ? "a payment of its wallet is proven on the chain"
      : "an order of its wallet that another program funded is taken over"
  return (
    `It waits until ${first}: before that it is not known whether its ${format(totalCost)} USDC are free or missing, ` +
    "and it is not cancelled."
  )
}

const cancelOf = ({ id }: Task): string => `cancel ${shortId(id)} --why "…"`

/** v1.1's payments are in no books of ours: the balance alone decides, and it may change at any moment. */
const shared = (facts: Facts, task: Task, evidence: Evidence): Next => {
  const { paymentTimeoutMs, nowMs } = facts
  const deadline = deadlineMs(task, paymentTimeoutMs)
  const missing = missingFor(evidence, task)
  const mayBePaid = !isCertainlyUnpaid(evidence, task) && evidence.orders.maybeSpent > 0n
  const isOpen = !isOverdue(task, evidence) && nowMs < deadline
  const until = mayBePaid
    ? " It is not cancelled before v1.1's order is taken over: some of its money may be in what that one has reserved."
    : isOpen
      ? ` It is cancelled in ${duration(deadline - nowMs)} if that stays so.`
      : " It is about to be cancelled."
  const rest =
    missing === 0n
      ? "By the balance its money is there, and it is funded at one of the next checks if that stays so."
      : `By the balance ${format(missing)} USDC are missing.${until}`
  const text = `It waits: v1.1 may still pay from its wallet, so what is free there is not certain. ${rest}`
  const show = `wallets show ${evidence.orders.wallet.agentAddress}`
  return next(text, missing > 0n && isOpen && !mayBePaid ? deadline : undefined, [show, cancelOf(task)])
}

/** Money is missing: until when it is waited for, and where the rest of the wallet's money goes. */
const short = (
  { nowMs, paymentTimeoutMs }: Facts,
  task: Task,
  { evidence, isOverdue: isPast }: { readonly evidence: Evidence; readonly isOverdue: boolean }
): Next => {
  const shortfall = shortfallOf(evidence, task)
  const { missing, older } = shortfall
  const { agentAddress } = evidence.orders.wallet
  const deadline = deadlineMs(task, paymentTimeoutMs)
  const commands = [cancelOf(task), ...(older === undefined ? [] : [cancelOf(older.task)])]
  const why = whereMoneyGoes(shortfall)
  if (!isPast && nowMs < deadline) {
    const left = duration(deadline - nowMs)
    const text = `It waits for ${format(missing)} USDC more in ${agentAddress}, for ${left} yet, then it is cancelled.`
    return next(text + why, deadline, commands)
  }
  const lacking = `as ${format(missing)} USDC are missing in ${agentAddress}.`
  if (isPast) return next(`It is cancelled at one of the next checks, ${lacking}${why}`, nowMs, commands)
  const age = duration(nowMs - evidence.block.timeMs)
  const text = `It is cancelled when a confirmed block is past its deadline (the newest is ${age} old), ${lacking}`
  return next(text + why, undefined, commands)
}

const whereMoneyGoes = ({ missing, missingAtMost, taken, forHeld, kept, older }: Shortfall): string => {
  const sentences = [
    ...(missingAtMost > missing
      ? [`It may be up to ${format(missingAtMost)}: a payment of the wallet is not proven yet.`]
      : []),
    ...(taken > 0n
      ? [`${format(taken)} USDC that are there pay for other orders of the wallet at the next check.`]
      : []),
    ...(forHeld > 0n
      ? [`${format(forHeld)} USDC that are there were paid for orders that are held, and are kept for them.`]
      : []),
    ...(older === undefined ? [] : [keptFor(kept, older)])
  ]
  return sentences.map((sentence) => ` ${sentence}`).join("")
}

const keptFor = (kept: bigint, { task, missing }: NonNullable<Shortfall["older"]>): string => {
  const name = shortId(task.id)
  const waits = `which waits for ${format(missing)} USDC more`
  return kept === 0n
    ? `Order ${name} of the wallet is older and comes first, ${waits}.`
    : `${format(kept)} USDC more are free in the wallet, but they were paid before this order, while order ${name} ` +
        `was open: they are kept for that one, ${waits}.`
}
