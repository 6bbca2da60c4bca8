import type { Batch } from "../domain/Batch.ts"
import { counted } from "../domain/text.ts"
import { onLedgerTime } from "../domain/Block.ts"
import { words } from "../domain/time.ts"
import { format } from "../domain/Usdc.ts"
import type { LedgerEvent, TaskStory, WalletStory } from "../ledger/WatchRepo.ts"
import {
  decisionSentence,
  depositSentence,
  endedSentence,
  eventSentence,
  fundedSentence,
  PROCESSING
} from "./events.ts"
import type { Step } from "./reports/tasks.ts"

const SECOND_MS = 1_000

const step = (atMs: number | undefined, kind: string, text: string, more: Partial<Step> = {}): Step => ({
  at: atMs,
  kind,
  text,
  batch: undefined,
  txs: [],
  ...more
})

/** Everything that is written about an order, oldest first. */
export const stepsOf = (
  story: TaskStory,
  wallet: WalletStory | undefined,
  { paymentTimeoutMs, ledgerAheadMs }: { readonly paymentTimeoutMs: number; readonly ledgerAheadMs: number }
): ReadonlyArray<Step> => {
  const happened = [
    ...deposits(story, wallet, ledgerAheadMs),
    ...story.events.flatMap((event) => stepOf(event, story)),
    ...withoutEvents(story),
    ...story.decisions.map((decided) => step(decided.atMs, "decision", decisionSentence(decided)))
  ]
  // Blocks have whole seconds: what was paid within the second of the order seems older than it.
  return [ordered(story, paymentTimeoutMs), ...happened.toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0))]
}

const ordered = ({ task }: TaskStory, paymentTimeoutMs: number): Step => {
  const where = task.agentAddress === undefined ? "" : `, to be paid to ${task.agentAddress}`
  const price = `${counted(task.quantity, "mint")} of ${task.token} at ${format(task.pricePerMint)} USDC`
  const within = ` within ${words(paymentTimeoutMs)}`
  return step(
    Number.isFinite(task.createdAtMs) ? task.createdAtMs : undefined,
    "created",
    `Ordered: ${price}, ${format(task.totalCost)} USDC in all${where}${where === "" ? "" : within}`
  )
}

/**
 * The money that was used for it; what came meanwhile and was not; and, as long as it waits, what was there before and
 * is not used yet. On the time line of the ledger, where the order has its own times from.
 */
const deposits = (story: TaskStory, wallet: WalletStory | undefined, aheadMs: number): ReadonlyArray<Step> => {
  const used = story.deposits.map((deposit) => {
    const part = deposit.used === deposit.amount ? "" : `, ${format(deposit.used)} of it pay for this order`
    return arrived(onLedgerTime(deposit, aheadMs), part)
  })
  const isPending = story.task.status === "pending_payment"
  // Blocks have whole seconds.
  const since = Math.floor(story.task.createdAtMs / SECOND_MS) * SECOND_MS
  const usedKeys = new Set(story.deposits.map(({ tx, logIndex }) => `${tx}:${logIndex}`))
  const until = story.task.completedAtMs ?? Number.POSITIVE_INFINITY
  const isLate = (atMs: number) => story.task.status === "cancelled" && atMs > until
  const others = (wallet?.deposits ?? [])
    .filter(({ tx, logIndex }) => !usedKeys.has(`${tx}:${logIndex}`))
    .map((deposit) => onLedgerTime(deposit, aheadMs))
    .filter(({ block, left }) => block.timeMs >= since || (isPending && left > 0n))
    .filter(({ block }) => block.timeMs <= until || story.task.status === "cancelled")
    .map((deposit) => {
      if (isPending && deposit.left > 0n) return arrived(deposit, waitsThere(deposit, since))
      const late = isLate(deposit.block.timeMs) ? ", after the order was cancelled" : ""
      const rest =
        deposit.left === 0n ? ", used for something else" : `: ${format(deposit.left)} of it are the wallet's credit`
      return arrived(deposit, `${late}${rest}`)
    })
  return [...used, ...others]
}

/** Not enough to pay for an order of the wallet, or kept for another one. */
const waitsThere = ({ amount, left, block }: WalletStory["deposits"][number], since: number): string => {
  const before = block.timeMs < since ? ", before this order" : ""
  return left === amount
    ? `${before}: it is in the wallet, and no order has used it yet`
    : `${before}: ${format(left)} of it are in the wallet, and no order has used them yet`
}

const arrived = (deposit: TaskStory["deposits"][number] | WalletStory["deposits"][number], and: string): Step =>
  step(
    deposit.block.timeMs,
    "deposit",
    `${depositSentence(`${format(deposit.amount)} USDC`, deposit.from, deposit.block.number)}${and}`,
    { txs: [deposit.tx] }
  )

/** An event as a step; none for what other steps say in more words. */
const stepOf = (event: LedgerEvent, story: TaskStory): ReadonlyArray<Step> => {
  const { kind, atMs } = event
  const [entity, state = ""] = kind.split(".")
  if (entity === "pay_in") return [step(atMs, kind, eventSentence(event), { txs: txsIn(event) })]
  if (kind === "task.created" || (entity !== "task" && entity !== "batch")) return []
  return [step(atMs, state, eventSentence(event), entity === "batch" ? ofBatch(event, story) : {})]
}

const txsIn = ({ detail }: LedgerEvent): ReadonlyArray<string> => [String(detail["tx"] ?? "")].filter((tx) => tx !== "")

const ofBatch = (event: LedgerEvent, { mints }: TaskStory): Partial<Step> => {
  const minted = event.kind === "batch.minted" || event.kind === "batch.delivered"
  const txs = minted
    ? [...new Set(mints.filter(({ batch }) => batch === event.batch).map(({ tx }) => tx))]
    : event.kind === "batch.paid"
      ? txsIn(event)
      : []
  return { batch: event.batch, txs }
}

/** What happened before events were written, as far as the rows still tell. */
const withoutEvents = ({ task, batches, events }: TaskStory): ReadonlyArray<Step> => {
  const has = (kind: string) => events.some((event) => event.kind === kind)
  const steps: Array<Step> = []
  if (task.fundingReceivedAtMs !== undefined && !has("task.funded")) {
    steps.push(step(task.fundingReceivedAtMs, "funded", fundedSentence(task.quantity)))
  }
  if (task.startedAtMs !== undefined && !has("task.processing")) {
    steps.push(step(task.startedAtMs, "processing", PROCESSING))
  }
  for (const batch of batches) {
    const hasEvent = events.some((event) => event.batch === batch.number)
    if (!hasEvent && batch.status !== "planned") steps.push(asItIs(batch))
  }
  if (task.completedAtMs !== undefined && !has(`task.${task.status}`)) {
    steps.push(step(task.completedAtMs, task.status, endedSentence(task.status, task.errorMessage ?? "")))
  }
  return steps
}

const asItIs = ({ number, status, statusSinceMs, quantity, minted, paidAmount, paymentTx, mintTxs }: Batch): Step => {
  const paid = paidAmount === undefined ? "" : `, ${format(paidAmount)} USDC paid`
  const txs = [...(paymentTx === undefined ? [] : [paymentTx]), ...mintTxs]
  return step(statusSinceMs, status, `Batch ${number}: ${status}, ${minted} of ${counted(quantity, "mint")}${paid}`, {
    batch: number,
    txs
  })
}
