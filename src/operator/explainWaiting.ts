import { shortId, type Task } from "../domain/Task.ts"
import { duration } from "../domain/time.ts"
import { format } from "../domain/Usdc.ts"
import { deadlineMs } from "../domain/Verdict.ts"
import { type Facts, next, type Next } from "./explainFacts.ts"
import type { Claim } from "./explainMoney.ts"

/** An order that waits for its money: what the next checks make of it, and what is still to be paid. */
export const waiting = (facts: Facts, task: Task): Next => {
  const { nowMs, wallet } = facts
  const claim: Claim = facts.claim ?? { _tag: "Away" }
  const known = wallet?.wallet.agentAddress ?? facts.story.task.agentAddress
  const address = known ?? "its wallet"
  const show = known === undefined ? [] : [`wallets show ${known}`]
  switch (claim._tag) {
    case "Away":
      return next("It waits for its money; the chain does not answer now, and nothing is cancelled until it does.")
    case "Lagging":
      return next(
        `It waits for a node that is up to date: the one that answers is at block ${claim.block}, and the wallet is ` +
          `known up to block ${claim.needed}. Until then nothing is decided, and what is missing is not known.`
      )
    case "Lost":
      return next(
        `It waits until it is known where money of its wallet went: by the books it should hold ` +
          `${format(claim.expected)} USDC, and it holds ${format(claim.balance)}. Until then it is not cancelled, and ` +
          "what is missing is not known.",
        undefined,
        show
      )
    case "Uncounted":
      return next(
        "It waits for the next checks: money is there whose transfers are not looked up yet, and several orders of the " +
          "wallet that it may be for.",
        nowMs,
        show
      )
    case "Unproven":
      return next(
        `It waits until a payment of its wallet is proven on the chain: before that it is not known whether its ` +
          `${format(task.totalCost)} USDC are free or missing, and it is not cancelled.`,
        undefined,
        show
      )
    case "Foreign":
      return next(
        `It waits until an order of its wallet that another program funded is taken over: before that it is not known ` +
          `whether its ${format(task.totalCost)} USDC are free or missing, and it is not cancelled.`,
        undefined,
        show
      )
    case "Paid":
      return next("The money is there: it is funded at one of the next checks.", nowMs)
    case "Shared":
      return shared(facts, task, claim)
    case "Short":
      return short(facts, task, claim, address)
  }
}

type Of<Tag extends Claim["_tag"]> = Extract<Claim, { readonly _tag: Tag }>

const cancelOf = ({ id }: Task): string => `cancel ${shortId(id)} --why "…"`

/** v1.1's payments are in nobody's books: then the balance alone decides, and it may change at any moment. */
const shared = (facts: Facts, task: Task, { missing, isOverdue, mayBePaid }: Of<"Shared">): Next => {
  const { paymentTimeoutMs, nowMs, wallet } = facts
  const deadline = deadlineMs(task, paymentTimeoutMs)
  const isOpen = !isOverdue && nowMs < deadline
  const until = mayBePaid
    ? " It is not cancelled before v1.1's order is taken over: some of its money may be in what that one has reserved."
    : isOpen
      ? ` It is cancelled in ${duration(deadline - nowMs)} if that stays so.`
      : " It is about to be cancelled."
  const rest =
    missing === 0n
      ? "By the balance its money is there, and it is funded at one of the next checks if that stays so."
      : `By the balance ${format(missing)} USDC are missing.${until}`
  const show = wallet === undefined ? [] : [`wallets show ${wallet.wallet.agentAddress}`]
  const text = `It waits: v1.1 may still pay from its wallet, so what is free there is not certain. ${rest}`
  return next(text, missing > 0n && isOpen && !mayBePaid ? deadline : undefined, [...show, cancelOf(task)])
}

const short = (facts: Facts, task: Task, claim: Of<"Short">, address: string): Next => {
  const { nowMs, paymentTimeoutMs } = facts
  const deadline = deadlineMs(task, paymentTimeoutMs)
  const commands = [cancelOf(task), ...(claim.older === undefined ? [] : [cancelOf(claim.older.task)])]
  const why = `${unproven(claim)}${others(claim)}${held(claim)}${kept(claim)}`
  const isPast = claim.isOverdue || nowMs >= deadline
  if (!isPast) {
    const left = duration(deadline - nowMs)
    const text = `It waits for ${format(claim.missing)} USDC more in ${address}, for ${left} yet, then it is cancelled.`
    return next(text + why, deadline, commands)
  }
  const lacking = `as ${format(claim.missing)} USDC are missing in ${address}.`
  if (claim.isOverdue) return next(`It is cancelled at one of the next checks, ${lacking}${why}`, nowMs, commands)
  const age = duration(nowMs - (facts.money?.chain?.block.timeMs ?? nowMs))
  const text = `It is cancelled when a confirmed block is past its deadline (the newest is ${age} old), ${lacking}`
  return next(text + why, undefined, commands)
}

const unproven = ({ missing, missingAtMost }: Of<"Short">): string =>
  missingAtMost > missing ? ` It may be up to ${format(missingAtMost)}: a payment of the wallet is not proven yet.` : ""

const others = ({ taken }: Of<"Short">): string =>
  taken > 0n ? ` ${format(taken)} USDC that are there pay for other orders of the wallet at the next check.` : ""

const held = ({ forHeld }: Of<"Short">): string =>
  forHeld > 0n
    ? ` ${format(forHeld)} USDC that are there were paid for orders that are held, and are kept for them.`
    : ""

const kept = ({ kept: amount, older }: Of<"Short">): string => {
  if (older === undefined) return ""
  const name = shortId(older.task.id)
  const waits = `which waits for ${format(older.missing)} USDC more`
  if (amount === 0n) return ` Order ${name} of the wallet is older and comes first, ${waits}.`
  return (
    ` ${format(amount)} USDC more are free in the wallet, but they were paid before this order, while order ${name} ` +
    `was open: they are kept for that one, ${waits}.`
  )
}
