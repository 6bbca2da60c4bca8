import type { Batch } from "../domain/Batch.ts"
import { counted } from "../domain/counted.ts"
import { onLedgerTime } from "../domain/ledgerTime.ts"
import { causeOf, endOf } from "../domain/Task.ts"
import { words } from "../domain/time.ts"
import { format } from "../domain/Usdc.ts"
import type { DecidedEvent, LedgerEvent, TaskStory, WalletStory } from "../ledger/WatchRepo.ts"
import { batchWords, because, text } from "./explainBatch.ts"

/** One thing that happened to an order, in words. */
export interface Step {
  readonly atMs: number | undefined
  readonly kind: string
  readonly text: string
  readonly batch: number | undefined
  /** Transactions on the chain that show it. */
  readonly txs: ReadonlyArray<string>
}

const SECOND_MS = 1_000

const step = (atMs: number | undefined, kind: string, text: string, more: Partial<Step> = {}): Step => ({
  atMs,
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
  const told = story.events.flatMap((event) => tell(event, story))
  const happened = [
    ...deposits(story, wallet, ledgerAheadMs),
    ...told,
    ...untold(story),
    ...story.decisions.map((decided) => step(decided.atMs, "decision", decisionWords(decided)))
  ]
  // Blocks have whole seconds: what was paid within the second of the order seems older than it.
  return [ordered(story, paymentTimeoutMs), ...happened.toSorted((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0))]
}

/** `retry: task … is funded again. "the server is well again" (by alice with OPS_TOKEN from 10.0.0.7)` */
const decisionWords = ({ command, said, why, by }: DecidedEvent): string =>
  `${command}: ${said}. "${why}"${by === undefined ? "" : ` (by ${by})`}`

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
    `${format(deposit.amount)} USDC arrived from ${deposit.from} in block ${deposit.block.number}${and}`,
    { txs: [deposit.tx] }
  )

/** An event in words; nothing for what others of the steps tell. */
const tell = (event: LedgerEvent, story: TaskStory): ReadonlyArray<Step> => {
  const { kind, atMs, detail } = event
  const say = (name: string, words: string, more: Partial<Step> = {}) => [step(atMs, name, words, more)]
  switch (kind) {
    case "task.created":
    case "decision.made":
      return []
    case "task.funded":
      return say("funded", fundedWords(event, story))
    case "task.processing":
      return say("processing", "Minting began")
    case "task.completed":
      return say("completed", `Completed: ${text(detail["minted"])} of ${counted(text(detail["quantity"]), "mint")}`)
    case "task.failed":
      return say("failed", endOf("Failed", causeOf(text(detail["message"]))))
    case "task.cancelled":
      return say("cancelled", endOf("Cancelled", causeOf(text(detail["message"]))))
    case "task.refused":
      return say("refused", `Refused${because(detail["message"])}`)
    case "task.held":
      return say("held", `Held for a person${because(causeOf(text(detail["reason"])))}`)
    case "task.released":
      return say("released", "No longer held")
    default:
      return kind.startsWith("batch.") ? say(kind.slice(6), batchWords(event), ofBatch(event, story)) : []
  }
}

/** A failed order that is tried again may have been paid and minted in part before. */
const fundedWords = ({ detail }: LedgerEvent, { task }: TaskStory): string =>
  detail["from"] === "failed"
    ? "Tried again: what is left of its cost is reserved for it"
    : `Paid: ${format(task.totalCost)} USDC are reserved for it`

const ofBatch = (event: LedgerEvent, { mints }: TaskStory): Partial<Step> => {
  const minted = event.kind === "batch.minted" || event.kind === "batch.delivered"
  const txs = minted
    ? [...new Set(mints.filter(({ batch }) => batch === event.batch).map(({ tx }) => tx))]
    : event.kind === "batch.paid"
      ? [text(event.detail["tx"])].filter((tx) => tx !== "")
      : []
  return { batch: event.batch, txs }
}

/** What happened before events were written, as far as the rows still tell. */
const untold = ({ task, batches, events }: TaskStory): ReadonlyArray<Step> => {
  const has = (kind: string) => events.some((event) => event.kind === kind)
  const steps: Array<Step> = []
  if (task.fundingReceivedAtMs !== undefined && !has("task.funded")) {
    steps.push(step(task.fundingReceivedAtMs, "funded", `Paid: ${format(task.totalCost)} USDC are reserved for it`))
  }
  if (task.startedAtMs !== undefined && !has("task.processing")) {
    steps.push(step(task.startedAtMs, "processing", "Minting began"))
  }
  for (const batch of batches) {
    const isTold = events.some((event) => event.batch === batch.number)
    if (!isTold && batch.status !== "planned") steps.push(asItIs(batch))
  }
  if (task.completedAtMs !== undefined && !has(`task.${task.status}`)) {
    steps.push(step(task.completedAtMs, task.status, endOf(ENDED[task.status] ?? task.status, task.errorMessage ?? "")))
  }
  return steps
}

const ENDED: Readonly<Record<string, string>> = { completed: "Completed", failed: "Failed", cancelled: "Cancelled" }

const asItIs = ({ number, status, statusSinceMs, quantity, minted, paidAmount, paymentTx, mintTxs }: Batch): Step => {
  const paid = paidAmount === undefined ? "" : `, ${format(paidAmount)} USDC paid`
  const txs = [...(paymentTx === undefined ? [] : [paymentTx]), ...mintTxs]
  return step(statusSinceMs, status, `Batch ${number}: ${status}, ${minted} of ${counted(quantity, "mint")}${paid}`, {
    batch: number,
    txs
  })
}
