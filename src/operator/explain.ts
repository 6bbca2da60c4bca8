import { Clock, Duration, Effect } from "effect"
import { isLive } from "../domain/Authorization.ts"
import { nextStep } from "../domain/NextStep.ts"
import { nextWords, type NextWords } from "../domain/nextAction.ts"
import { asWaiting, decidePayment, type Evidence } from "../domain/PaymentDecision.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { decideRetry } from "../domain/RetryDecision.ts"
import { missingFor, shortfallOf } from "../domain/Shortfall.ts"
import type { Task } from "../domain/Task.ts"
import { type Usdc, usdc, zero } from "../domain/Usdc.ts"
import type { Pause } from "../ledger/DecisionRepo.ts"
import * as Clocks from "../ops/Clocks.ts"
import type { TaskStory, TaskView } from "../ledger/WatchRepo.ts"
import type { Facts } from "./explainFacts.ts"
import { endedOf, ofView, paceOf } from "./nextStep.ts"
import { nextOf, summaryOf } from "./explainNext.ts"
import { stepsOf } from "./explainSteps.ts"
import { decisionsForCaller, findTask, isForCaller, isOpen } from "./find.ts"
import { tryReadMoney } from "./money.ts"
import { missing } from "./Operator.ts"
import type { Explanation } from "./reports/tasks.ts"
import type { Services } from "./services.ts"
import { batchReport, taskReport } from "./tasks.ts"

/** All that is known about an order, in order of time and in words: enough to answer the person who asks. */
export const explain = Effect.fn("operator.explain")(function* (services: Services, name: string) {
  const facts = yield* gather(services, name)
  const { story, wallet, money } = facts
  return {
    command: "explain",
    task: taskReport(story.task, facts.paymentTimeoutMs, wordsOf(services, facts)),
    summary: summaryOf(facts),
    money: {
      onChain: money?.chain?.balance,
      block: money?.chain?.block.number,
      reserved: wallet?.reserved ?? zero,
      needed: facts.needed,
      received: facts.received
    },
    steps: stepsOf(story, wallet, facts),
    batches: story.batches.map(batchReport),
    next: nextOf(facts)
  } satisfies Explanation as Explanation
})

/** The same facts in words for programs. */
const wordsOf = (
  { settings }: Services,
  { story, file, money, payment, step, nowMs, oursAheadMs }: Facts
): NextWords => {
  const isEnded = story.task.status === "failed" || story.task.status === "cancelled"
  const ended = isEnded && money?.orders !== undefined ? endedOf({ ...money, orders: money.orders }) : undefined
  const waits = payment && file.task && { ...payment, task: file.task }
  return nextWords({ ...ofView(story.task), payment: waits, step, ended }, paceOf(settings, { nowMs, oursAheadMs }))
}

const gather = Effect.fnUntraced(function* (services: Services, name: string) {
  const { settings, watch } = services
  const { row, wallet, task, faults } = yield* findTask(services, name)
  const story = yield* watch.storyOf(row.id)
  if (story === undefined) return yield* missing(`There is no task ${name}.`)
  const pauses = yield* services.decisions.pauses
  const money = wallet === undefined ? undefined : yield* tryReadMoney(services, wallet)
  const waits = task?.status === "pending_payment" ? task : undefined
  const payment = waits && money?.evidence && decided(money.evidence, waits)
  const lacking = waits && payment && lackingBy(payment, waits)
  return {
    story: { ...story, decisions: yield* decisionsForCaller(story.decisions) },
    file: { task, faults },
    retry: task && decideRetry({ task, batches: story.batches, held: story.task.held?.reason }, retryTerms(settings)),
    wallet: wallet === undefined ? undefined : yield* watch.walletStory(wallet.id),
    money,
    payment,
    ledgerAheadMs: yield* Clocks.ledgerAheadMs,
    oursAheadMs: yield* Clocks.oursAheadMs,
    pauses: pauses.filter(covers(story.task)),
    ...(yield* readStep(services, task)),
    paymentTimeoutMs: Duration.toMillis(settings.paymentTimeout),
    nowMs: yield* Clock.currentTimeMillis,
    needed: lacking ?? neededFor(story),
    received: waits && lacking !== undefined ? positive(waits.totalCost - lacking) : undefined
  } satisfies Facts as Facts
})

/** A server of v1.1 is given a payment once. */
export const retryTerms = ({ mintProtocol }: SettingsShape) => ({ asksAgain: mintProtocol === "x402" })

const decided = (evidence: Evidence, task: Task) => ({
  evidence: asWaiting(evidence, task),
  decision: decidePayment(evidence, task)
})

/** What is still to be paid in for the order; `undefined` where that cannot be known. */
const lackingBy = ({ evidence, decision }: NonNullable<Facts["payment"]>, task: Task): Usdc | undefined => {
  if (decision._tag === "Fund") return zero
  if (decision._tag === "Cancel") return shortfallOf(evidence, task).missing
  const isShort = decision.why._tag === "Short" || decision.why._tag === "UsdcPaused"
  if (isShort) return shortfallOf(evidence, task).missing
  return evidence.orders.isShared && decision.why._tag !== "Outdated" ? missingFor(evidence, task) : undefined
}

const covers =
  ({ token, walletId }: TaskView) =>
  ({ scope }: Pause): boolean =>
    scope === "all" || scope === `token:${token.toLowerCase()}` || scope === `wallet:${walletId}`

/** What the next turn of its wallet does for an order that is paid for. */
const readStep = Effect.fnUntraced(function* ({ settings, tasks }: Services, task: Task | undefined) {
  if (task === undefined || (task.status !== "funded" && task.status !== "processing")) return NO_STEP
  const { mintTimeout, maxRetryCount } = settings
  const nowMs = yield* Clock.currentTimeMillis
  const batch = yield* tasks.undelivered(task.token, nowMs - Duration.toMillis(mintTimeout))
  return {
    step: nextStep(yield* tasks.walletWork(task.walletId), task, { nowMs, maxRetryCount }),
    stuck: batch && { batch, mayBeNamed: yield* isForCaller(batch.recipient) }
  } satisfies Pick<Facts, "step" | "stuck">
})

const NO_STEP = { step: undefined, stuck: undefined }

/** What its payments that are not proven yet may still take. */
const neededFor = ({ task, batches }: TaskStory): Usdc => {
  if (batches.length === 0) {
    return isOpen(task.status) ? positive(task.totalCost - task.pricePerMint * BigInt(task.mintsCompleted)) : zero
  }
  const unpaid = batches.filter((batch) => isLive(batch) || (isOpen(task.status) && batch.status === "planned"))
  return usdc(unpaid.reduce((total, { amount }) => total + amount, 0n))
}

const positive = (amount: bigint): Usdc => usdc(amount < 0n ? 0n : amount)
