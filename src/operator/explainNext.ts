import { isInFlight } from "../domain/Batch.ts"
import { freeAtLeast } from "../domain/Allocation.ts"
import { counted } from "../domain/text.ts"
import { moneyOf } from "../domain/PaymentDecision.ts"
import { shortId } from "../domain/Task.ts"
import { format, type Usdc, zero } from "../domain/Usdc.ts"
import { isOutdated } from "../domain/WalletState.ts"
import { type Facts, next, type Next } from "./explainFacts.ts"
import { held, resolveBatch, unsound } from "./explainHeld.ts"
import { minting } from "./explainMinting.ts"
import { waiting } from "./explainWaiting.ts"

/** What happens next to an order, by the same rules that make it happen. */
export const nextOf = (facts: Facts): Next => {
  const { task } = facts.story
  if (task.status === "completed") return next("Nothing: every mint is delivered.")
  if (task.status === "cancelled" || task.status === "failed") return ended(facts)
  if (task.held !== undefined) return held(facts)
  if (facts.file.task === undefined) return unsound(facts)
  if (facts.wallet?.stopped !== undefined) {
    const { reason } = facts.wallet.stopped
    return next(`Nothing new: its wallet is stopped: ${reason}`, undefined, [
      `wallets show ${facts.wallet.wallet.agentAddress}`,
      `resolve --wallet ${facts.wallet.wallet.agentAddress} --why "…"`
    ])
  }
  return facts.step === undefined ? waiting(facts, facts.file.task) : minting(facts, facts.file.task, facts.step)
}

const ended = (facts: Facts): Next => {
  const { task, batches } = facts.story
  const undecided = batches.filter((batch) => isInFlight(batch) || batch.status === "held")
  const open = undecided.map(({ number, status }) => ` Batch ${number} is still ${status}.`).join("")
  const decide = undecided.flatMap((batch) => resolveBatch(facts, batch))
  const retry = facts.retry?._tag === "Fund" ? [`retry ${shortId(task.id)} --why "…"`] : []
  const credit = creditOf(facts)
  return next(`Nothing: the order is ${task.status}.${open}${credit.text}`, undefined, [
    ...decide,
    ...retry,
    ...credit.commands
  ])
}

/** What is free in the wallet of an order that has ended, and where it goes. */
const creditOf = ({ wallet, money }: Facts): { readonly text: string; readonly commands: ReadonlyArray<string> } => {
  const nothing = { text: "", commands: [] }
  if (wallet === undefined || money === undefined || wallet.stopped !== undefined) return nothing
  const free = freeOf(money)
  if (free === 0n) return nothing
  const [waits] = money.orders?.pending ?? []
  if (waits !== undefined) {
    const text = ` ${format(free)} USDC are free in its wallet, for order ${shortId(waits.id)}, which waits for its money.`
    return { text, commands: [] }
  }
  const text = ` ${format(free)} USDC are the wallet's credit: the next order uses it, or a refund sends it back.`
  return { text, commands: [`refund ${wallet.wallet.agentAddress}`] }
}

/** What is certainly free. Nothing, where the node is behind the wallet's last payment. */
const freeOf = ({ evidence }: NonNullable<Facts["money"]>): Usdc =>
  evidence === undefined || isOutdated(evidence.block, evidence.orders) ? zero : freeAtLeast(moneyOf(evidence))

/** In one sentence. Of a payment only where the ledger has batches: what v1.1 paid it does not know. */
export const summaryOf = ({ story: { task, batches }, received = zero }: Pick<Facts, "story" | "received">): string => {
  const paid = batches.reduce((total, { paidAmount = 0n }) => total + paidAmount, 0n)
  const cost = `${format(task.totalCost)} USDC`
  const part = received > 0n && received < task.totalCost ? `, ${format(received)} of ${cost} received` : ""
  const payment = batches.length === 0 ? part : `, ${format(paid)} of ${cost} paid`
  const state = task.status === "pending_payment" ? "waits for its money" : `is ${task.status}`
  const isHeld = task.held === undefined ? "" : ", and is held for a person"
  return `Order ${shortId(task.id)} ${state}${isHeld}: ${task.mintsCompleted} of ${counted(task.quantity, "mint")} delivered${payment}.`
}
