import { DateTime } from "effect"
import { type Batch, isFinal, isInFlight } from "./Batch.ts"
import { limitName, type LimitReached, limitReached } from "./Limit.ts"
import type { Refund } from "./Refund.ts"
import { messages, shortId, type Task } from "./Task.ts"
import { isAwaited, isBusy, lookDueMs } from "./transferPace.ts"
import { format } from "./Usdc.ts"
import type { WalletWork } from "./WalletState.ts"

/** Why nothing new is done for an order that is paid for. */
export type StepReason =
  | { readonly _tag: "Stopped" | "Paused"; readonly reason: string }
  /** The price of its next batch is asked. */
  | { readonly _tag: "PriceAsked"; readonly batch: Batch }
  /** Two batches of one token to one person could not be distinguished on chain: this one, of another order, comes first. */
  | { readonly _tag: "OtherFirst"; readonly batch: Batch }
  /** A limit has no room for its next batch. */
  | { readonly _tag: "Limit"; readonly batch: Batch; readonly reached: LimitReached }

/** A step that changes the order; what is to be done for a payment in flight comes before it. */
type Move =
  | { readonly _tag: "Plan" | "TakeOver" | "GiveUp"; readonly batches: ReadonlyArray<Batch> }
  | { readonly _tag: "Pay"; readonly batch: Batch }
  | { readonly _tag: "Finish" }
  | { readonly _tag: "Hold"; readonly reason: string }

/**
 * The next step of an order that is funded or processing.
 *
 * - `Settle`, `Deliver`: the chain is asked for a payment in flight, or for the mints of a paid one.
 * - `Plan`: its batches are cut, or it goes on with those that it has. `TakeOver`: the same for an order that v1.1 left.
 * - `Pay`: a planned batch is paid. `Finish`: all is delivered. `GiveUp`: it was refused too often.
 * - `Hold`: a person decides about one of its batches.
 *
 * `atMs`, `untilMs`: when it is due, in milliseconds since 1970; `undefined` where that depends on something else.
 */
export type NextStep =
  | { readonly _tag: "Settle" | "Deliver"; readonly batch: Batch; readonly atMs: number }
  | (Move & { readonly atMs: number })
  | { readonly _tag: "Wait"; readonly why: StepReason; readonly untilMs: number | undefined }

/** By what the next step is decided, beside the work itself. */
export interface StepTerms {
  readonly nowMs: number
  readonly maxRetryCount: number
}

export const nextStep = (work: WalletWork, task: Task, { nowMs, maxRetryCount }: StepTerms): NextStep => {
  const batches = work.batches.filter((batch) => batch.taskId === task.id)
  const inFlight = batches.find(isInFlight)
  if (inFlight !== undefined) {
    const _tag = inFlight.status === "paid" ? "Deliver" : "Settle"
    return { _tag, batch: inFlight, atMs: lookDueMs(inFlight, nowMs) }
  }
  const asked = batches.find((batch) => isBusy(batch, nowMs))
  if (asked !== undefined) return waitStep({ _tag: "PriceAsked", batch: asked }, asked.answerByMs)
  const { stopped } = work
  if (stopped !== undefined) return waitStep({ _tag: isPause(stopped) ? "Paused" : "Stopped", reason: stopped })
  const paused = work.pausedTokens.get(task.token)
  if (paused !== undefined) return waitStep({ _tag: "Paused", reason: messages.paused(paused) })
  const other = work.batches.find((batch) => isBusy(batch, nowMs) && batch.token === task.token)
  if (other !== undefined) return waitStep({ _tag: "OtherFirst", batch: other })
  const move = moveOf(task, batches, maxRetryCount)
  const reached = move._tag === "Pay" ? limitReached(work.limits, move.batch) : undefined
  if (move._tag === "Pay" && reached !== undefined) {
    return waitStep({ _tag: "Limit", batch: move.batch, reached }, reached.freeAtMs)
  }
  return { ...move, atMs: task.nextActionAtMs ?? 0 }
}

const waitStep = (why: StepReason, untilMs?: number): NextStep => ({ _tag: "Wait", why, untilMs })

const isPause = (stopped: string): boolean => stopped.startsWith(messages.paused(""))

const moveOf = (task: Task, batches: ReadonlyArray<Batch>, maxRetryCount: number): Move => {
  if (isLeftByV1(task, batches)) return { _tag: "TakeOver", batches }
  if (task.status === "funded" || batches.length === 0) return { _tag: "Plan", batches }
  if (task.retryCount >= maxRetryCount) return { _tag: "GiveUp", batches }
  const planned = batches.find((batch) => batch.status === "planned")
  if (planned !== undefined) return { _tag: "Pay", batch: planned }
  if (batches.every(isFinal)) return { _tag: "Finish" }
  return { _tag: "Hold", reason: batches.find((batch) => batch.status === "held")?.reason ?? "a batch is held" }
}

/** It was being minted, and not by this program, which cuts batches first. */
const isLeftByV1 = ({ status, adopted, mintsCompleted, quantity }: Task, batches: ReadonlyArray<Batch>): boolean =>
  status === "processing" && batches.length === 0 && !adopted && mintsCompleted < quantity

/** Whether a step changes the order, so that the wallet's turn does it for one order at a time. */
export const isMove = (step: NextStep): step is Extract<NextStep, Move> =>
  step._tag !== "Wait" && step._tag !== "Settle" && step._tag !== "Deliver"

/**
 * Why an order waits, as its row says it; `undefined` where something of its own is on its way, and where the wallet is
 * stopped, as its orders say that already.
 */
export const waitingFor = (step: NextStep): string | undefined => {
  if (step._tag !== "Wait") return undefined
  const { why } = step
  if (why._tag === "Paused") return why.reason
  if (why._tag === "Limit") return limitWords(why.reached)
  return why._tag === "OtherFirst"
    ? `order ${shortId(why.batch.taskId)} of the same wallet and token is paid and minted first`
    : undefined
}

/**
 * Which limit it is, and when enough of it comes free. The order's person reads it: what was signed for is said of that
 * person's own limit only, as of others it is what other people buy.
 */
export const limitWords = ({ scope, perDay, used, amount, freeAtMs }: LimitReached): string => {
  const limit = `${messages.limited}${format(perDay)} USDC a day for ${limitName(scope)}`
  const needs = `the next batch may cost ${format(amount)} USDC`
  if (freeAtMs === undefined) return `${limit} is less than one batch: ${needs}`
  const signed = scope.startsWith("user:") ? `${format(used)} USDC were signed in the last 24 hours, ` : ""
  return `${limit} is used: ${signed}${needs}, there is room at ${DateTime.formatIso(DateTime.makeUnsafe(freeAtMs))}`
}

interface OrderStep<Step extends NextStep = NextStep> {
  readonly task: Task
  readonly step: Step
  /** Whether its row may say why it waits: a trigger of v1.1's would take a change of a row that v1.1 left for v1.1's work. */
  readonly isOurs: boolean
}

/** What there is to do for a wallet by now: payments in flight first, then a refund, then one of its orders. */
export interface WalletSteps {
  /** Batches to be settled or delivered, of orders that have ended too: one question to the chain is for all of them. */
  readonly inFlight: ReadonlyArray<Batch>
  readonly refund: Refund | undefined
  /** Steps that change an order, first that which is due longest, and of those the oldest order's. */
  readonly moves: ReadonlyArray<OrderStep<Extract<NextStep, Move>>>
  /** The next step of each order, due or not. */
  readonly orders: ReadonlyArray<OrderStep>
  /** When something is due again, as far as the ledger tells; `undefined` where nothing is. */
  readonly nextMs: number | undefined
  /** The same of what is not due yet. */
  readonly laterMs: number | undefined
}

export const stepsOf = (work: WalletWork, terms: StepTerms): WalletSteps => {
  const { nowMs } = terms
  const isDue = (ms: number) => ms <= nowMs
  const inFlight = work.batches.filter(isInFlight)
  const refunds = work.refunds.filter((refund) => isMovable(work, refund))
  const planned = new Set(work.batches.map(({ taskId }) => taskId))
  const orders = work.tasks.map((task) => {
    const isOurs = task.status === "funded" || planned.has(task.id)
    return { task, step: nextStep(work, task, terms), isOurs }
  })
  const moves = orders.flatMap(({ step, ...order }) => (isMove(step) ? [{ ...order, step }] : []))
  // A price that is asked brings news at its answer. Where that never comes, from then on it is looked for what it did.
  const asked = work.batches.filter((batch) => batch.status === "planned" && isAwaited(batch, nowMs))
  const times = [
    ...[...inFlight, ...refunds].map((one) => lookDueMs(one, nowMs)),
    ...moves.map(({ step }) => step.atMs),
    ...asked.map(({ answerByMs }) => answerByMs ?? 0)
  ]
  const inOrder = times.toSorted((a, b) => a - b)
  return {
    inFlight: inFlight.filter((batch) => isDue(lookDueMs(batch, nowMs))),
    refund: refunds.find((refund) => isDue(lookDueMs(refund, nowMs))),
    moves: moves.filter(({ step }) => isDue(step.atMs)).toSorted((a, b) => a.step.atMs - b.step.atMs),
    orders,
    nextMs: inOrder[0],
    laterMs: inOrder.find((ms) => !isDue(ms))
  }
}

/** Of a stopped wallet nothing new is paid; what may be on its way already is looked after. */
const isMovable = ({ stopped }: WalletWork, refund: Refund): boolean =>
  stopped === undefined || refund.status === "signed"
