import { freeAtLeast } from "./Allocation.ts"
import { type BatchStatus, isLiveStatus } from "./Batch.ts"
import type { NextStep, StepReason } from "./NextStep.ts"
import { type Evidence, moneyOf, type PaymentDecision, type WaitReason } from "./PaymentDecision.ts"
import { dueFor } from "./Shortfall.ts"
import { isTimedOut, type Status, type Task } from "./Task.ts"
import { type Usdc, zero } from "./Usdc.ts"
import { isOutdated } from "./WalletState.ts"

/**
 * How far the payment of an order is.
 *
 * - `unpaid`: nothing is counted for it. `partial`: some of its money came, or all of it, and none is reserved yet.
 * - `paid`: its money is reserved. `in_flight`: a payment of it, or for it (a pay-in), is signed, and its outcome is not
 *   proven.
 * - `settled`: every payment of it is proven. `refundable`: it ended, and its wallet has credit that can be sent back.
 */
export const PAYMENT_STATES = ["unpaid", "partial", "paid", "in_flight", "settled", "refundable"] as const
export type PaymentState = (typeof PAYMENT_STATES)[number]

/**
 * What the program that placed an order does next.
 *
 * - `pay`: send the amount that is due. `wait`: ask again later. `retry_same_request`: send the same request again.
 * - `new_order`: this one has ended; another one may be placed. `ask_operator`: a person decides. `none`: nothing.
 */
export const NEXT_ACTIONS = ["pay", "wait", "retry_same_request", "new_order", "ask_operator", "none"] as const
export type NextAction = (typeof NEXT_ACTIONS)[number]

/** The next step of an order in words for programs. */
export interface NextWords {
  readonly paymentState: PaymentState
  readonly nextAction: NextAction
  /** More than zero with `pay` only. `undefined` while it cannot be said. */
  readonly amountDue: Usdc | undefined
  /** The agent wallet, and the deadline in milliseconds since 1970; `undefined` once the order does not wait for money. */
  readonly payTo: string | undefined
  readonly payBy: number | undefined
  /** `undefined` of an order that has ended. */
  readonly checkAgainAfterSeconds: number | undefined
}

/** What is known of a wallet whose order has ended. */
export interface EndedWallet {
  readonly isStopped: boolean
  /** What can be sent back to its user; `undefined` where the chain does not answer. */
  readonly credit: Usdc | undefined
}

/** An order, and what is decided about it. */
export interface OrderSeen {
  readonly status: Status
  readonly isHeld: boolean
  readonly errorMessage: string | undefined
  /** By the clock of the ledger, in milliseconds since 1970; may be any number of another program's row. */
  readonly createdAtMs: number
  readonly totalCost: bigint
  /** Where the person pays to. */
  readonly agentAddress: string | undefined
  /** The states that its batches are in. */
  readonly batches: ReadonlySet<BatchStatus>
  /** Recorded deposits of its wallet that no order has used, at most its cost; of an order that waits for its money. */
  readonly received: bigint | undefined
  /** Of an order that waits for its money; `undefined` while nothing can be decided about it. */
  readonly payment: { readonly task: Task; readonly evidence: Evidence; readonly decision: PaymentDecision } | undefined
  /** Of an order that is paid for. */
  readonly step: NextStep | undefined
  /** Of an order that failed or was cancelled. */
  readonly ended: EndedWallet | undefined
}

/** How soon something can have changed, and until when an order can be paid. */
export interface Pace {
  readonly nowMs: number
  /** The same moment on the chain's clock. */
  readonly chainMs: number
  readonly paymentTimeoutMs: number
  /** How soon money that came is seen. */
  readonly checkMs: number
  readonly blockMs: number
}

/** What follows from an order's state: what is due is left out where it is nothing. */
interface Verdict {
  readonly state: PaymentState
  readonly action: NextAction
  readonly due?: Usdc | undefined
  /** When something may have changed; left out where nothing will. */
  readonly inMs?: number
}

/** A person looks at it within minutes at the best. */
const PERSON_MS = 60_000
const SECONDS_MAX = 60

export const nextWords = (order: OrderSeen, pace: Pace): NextWords => {
  const { state, action, due, inMs } = verdictOf(order, pace)
  const isWaiting = order.status === "pending_payment"
  const deadlineMs = order.createdAtMs + pace.paymentTimeoutMs
  return {
    paymentState: state,
    nextAction: action,
    amountDue: isWaiting ? due : zero,
    payTo: isWaiting ? order.agentAddress : undefined,
    payBy: isWaiting && Number.isFinite(deadlineMs) ? deadlineMs : undefined,
    checkAgainAfterSeconds: inMs === undefined ? undefined : secondsOf(inMs)
  }
}

const secondsOf = (ms: number): number => Math.min(SECONDS_MAX, Math.max(1, Math.ceil(ms / 1000)))

const verdictOf = (order: OrderSeen, pace: Pace): Verdict => {
  switch (order.status) {
    case "pending_payment":
      return waiting(order, pace)
    case "funded":
    case "processing":
      return paid(order, pace)
    case "completed":
      return isUnproven(order) ? { state: "in_flight", action: "wait", inMs: pace.blockMs } : DONE
    case "failed":
      return failed(order, pace)
    case "cancelled":
      return cancelled(order)
  }
}

const DONE: Verdict = { state: "settled", action: "none" }

/** A payment of it is signed, and the chain has not shown what became of it. */
const isUnproven = ({ batches }: Pick<OrderSeen, "batches">): boolean => [...batches].some(isLiveStatus)

// An order that waits for its money.

const waiting = (order: OrderSeen, pace: Pace): Verdict => {
  const state = (order.received ?? 0n) > 0n ? "partial" : "unpaid"
  if (order.isHeld) return { state, action: "ask_operator", inMs: PERSON_MS }
  const { payment } = order
  if (payment === undefined) return { state, action: "wait", inMs: pace.checkMs }
  const { decision } = payment
  switch (decision._tag) {
    case "Fund":
      return { state: "partial", action: "wait", due: zero, inMs: pace.checkMs }
    case "Cancel":
      return { state, action: "wait", inMs: pace.checkMs }
    case "Wait":
      return decision.why._tag === "Short" ? short(order, payment, pace) : whileWaiting(state, decision.why, pace)
  }
}

/** What a program does while an order waits for its money, or for what must be known first. */
const WHILE: Readonly<Record<Exclude<WaitReason["_tag"], "Short">, "wait" | "ask_operator">> = {
  Stopped: "ask_operator",
  Outdated: "wait",
  FundsMissing: "wait",
  MayBeRestored: "wait",
  ReservedTwice: "wait",
  DepositsUnread: "wait",
  UsdcPaused: "wait",
  ForeignOrder: "wait",
  Unproven: "wait",
  PayInUnderWay: "wait"
}

const whileWaiting = (
  state: PaymentState,
  { _tag }: Exclude<WaitReason, { readonly _tag: "Short" }>,
  { checkMs }: Pace
): Verdict => ({
  state: _tag === "PayInUnderWay" ? "in_flight" : state,
  action: WHILE[_tag],
  inMs: WHILE[_tag] === "wait" ? checkMs : PERSON_MS
})

/**
 * A transfer that is only begun so shortly before the deadline may be in a block that comes too late: it is not asked for
 * any more. Where `PAYMENT_TIMEOUT` is short, a tenth of it.
 */
const LAST_MOMENT_MS = 15_000

/** In a block that is older, a transfer that was made long ago is not seen: it must not be asked for a second time. */
const BLOCK_MS_MAX = 120_000

/** Money is missing. It is asked for where it would be taken for this order: not too late, and not while it cannot move. */
const short = (order: OrderSeen, { task, evidence }: NonNullable<OrderSeen["payment"]>, pace: Pace): Verdict => {
  const due = dueFor(evidence, task)
  const came = due === undefined ? (order.received ?? 0n) : task.totalCost - due
  const state = came > 0n ? "partial" : "unpaid"
  const isSeen = pace.chainMs - evidence.block.timeMs <= BLOCK_MS_MAX
  const mayMove = !evidence.isUsdcPaused && !isLate(task, evidence, pace)
  const isPayable = order.agentAddress !== undefined && isSeen && mayMove
  const action = due !== undefined && due > 0n && isPayable ? "pay" : "wait"
  return { state, action, due: action === "pay" ? due : undefined, inMs: pace.checkMs }
}

/** By the clock that is ahead. */
const isLate = (task: Task, { block, ledgerAheadMs }: Evidence, { nowMs, paymentTimeoutMs }: Pace): boolean => {
  const latestMs = Math.max(nowMs, block.timeMs, block.timeMs + ledgerAheadMs)
  const lastMoment = Math.min(LAST_MOMENT_MS, paymentTimeoutMs / 10)
  return latestMs > task.createdAtMs + paymentTimeoutMs - lastMoment
}

// An order that is paid for.

/** What a program does while these are the next step of its order. */
const AT_STEP: Readonly<Record<Exclude<NextStep["_tag"], "Wait">, "wait" | "ask_operator">> = {
  Settle: "wait",
  Deliver: "wait",
  Plan: "wait",
  TakeOver: "wait",
  Pay: "wait",
  Finish: "wait",
  GiveUp: "wait",
  Hold: "ask_operator"
}

/** The same while nothing new is done for it. */
const AT_REST: Readonly<Record<StepReason["_tag"], "wait" | "ask_operator">> = {
  Stopped: "ask_operator",
  Paused: "wait",
  PriceAsked: "wait",
  OtherFirst: "wait",
  Limit: "wait"
}

const paid = (order: OrderSeen, { nowMs, blockMs, checkMs }: Pace): Verdict => {
  const { step, isHeld } = order
  const state = paidState(order)
  if (isHeld) return { state, action: "ask_operator", inMs: PERSON_MS }
  if (step === undefined) return { state, action: "wait", inMs: checkMs }
  const action = step._tag === "Wait" ? AT_REST[step.why._tag] : AT_STEP[step._tag]
  if (action === "ask_operator") return { state, action, inMs: PERSON_MS }
  const atMs = step._tag === "Wait" ? step.untilMs : step.atMs
  return { state, action, inMs: atMs === undefined ? checkMs : Math.max(blockMs, atMs - nowMs) }
}

/** No ledger says what v1.1 paid for an order that it left: a payment of it may be on its way. */
const paidState = (order: OrderSeen): PaymentState => {
  if (isUnproven(order) || order.step?._tag === "TakeOver") return "in_flight"
  const { batches } = order
  const isReserved = batches.size === 0 || batches.has("planned") || batches.has("held")
  return isReserved ? "paid" : "settled"
}

// An order that has ended.

/** While money of it may be on its way, or a person has to decide about it, no other order takes its place. */
const failed = (order: OrderSeen, { blockMs }: Pace): Verdict => {
  const { batches, ended } = order
  if (isUnproven(order)) return { state: "in_flight", action: "wait", inMs: blockMs }
  const state = isRefundable(ended) ? "refundable" : "settled"
  if (batches.has("paid")) return { state, action: "wait", inMs: blockMs }
  if (batches.has("held")) return { state, action: "ask_operator", inMs: PERSON_MS }
  return { state, ...another(ended) }
}

/** One that was cancelled because a person wished so is not wanted any more. */
const cancelled = (order: OrderSeen): Verdict => {
  const { ended } = order
  const state = isRefundable(ended) ? "refundable" : "unpaid"
  return isTimedOut(order) ? { state, ...another(ended) } : { state, action: "none" }
}

const another = (ended: EndedWallet | undefined): Pick<Verdict, "action" | "inMs"> =>
  ended?.isStopped === true ? { action: "ask_operator", inMs: PERSON_MS } : { action: "new_order" }

const isRefundable = (ended: EndedWallet | undefined): boolean => (ended?.credit ?? 0n) > 0n

/** What can be sent back to the wallet's user. Nothing, where an order waits for it, or where a refund would be refused. */
export const refundableOf = (evidence: Evidence): Usdc => {
  const { orders, block, missing } = evidence
  const isInUse = orders.pending.length + orders.held.length > 0 || orders.isShared
  const isUnclear = orders.stopped !== undefined || missing !== undefined || isOutdated(block, orders)
  return isInUse || isUnclear ? zero : freeAtLeast(moneyOf(evidence))
}
