import { assert, describe, it } from "@effect/vitest"
import type { WalletMoney } from "../../src/domain/Allocation.ts"
import type { BatchStatus } from "../../src/domain/Batch.ts"
import type { UnspentDeposit } from "../../src/domain/Deposit.ts"
import type { NextStep } from "../../src/domain/NextStep.ts"
import { type NextWords, nextWords, type OrderSeen, type Pace, refundableOf } from "../../src/domain/nextAction.ts"
import type { SeenPayIn } from "../../src/domain/PayIn.ts"
import { decidePayment, type Evidence, NO_HISTORY, type PaymentDecision } from "../../src/domain/PaymentDecision.ts"
import { messages, STATUSES, type Task } from "../../src/domain/Task.ts"
import { type Usdc, usdc, zero } from "../../src/domain/Usdc.ts"
import {
  between,
  hash,
  MANY,
  NOW_MS,
  pendingTasks,
  plannedBatch,
  someDeposits,
  taskOf,
  uuid,
  wallet,
  walletMoney
} from "./given.ts"

const TIMEOUT_MS = 600_000

const PACE: Pace = { nowMs: NOW_MS, chainMs: NOW_MS, paymentTimeoutMs: TIMEOUT_MS, checkMs: 10_000, blockMs: 2_000 }

const task = taskOf()

const evidence = (changes: Partial<Evidence> = {}): Evidence => ({
  ...NO_HISTORY,
  orders: {
    wallet,
    version: 0n,
    provenBlock: 0n,
    reserved: zero,
    maybeSpent: zero,
    foreign: zero,
    books: undefined,
    isShared: false,
    stopped: undefined,
    twin: undefined,
    pending: [task],
    held: [],
    payIns: []
  },
  payIns: [],
  balance: zero,
  block: { number: 100n, timeMs: NOW_MS },
  isUsdcPaused: false,
  awaitsDeposits: false,
  ledgerAheadMs: 0,
  paymentTimeoutMs: TIMEOUT_MS,
  ...changes
})

const order = (changes: Partial<OrderSeen> = {}): OrderSeen => ({
  status: "pending_payment",
  isHeld: false,
  errorMessage: undefined,
  createdAtMs: task.createdAtMs,
  totalCost: task.totalCost,
  agentAddress: wallet.agentAddress,
  batches: new Set(),
  received: undefined,
  payment: undefined,
  step: undefined,
  ended: undefined,
  ...changes
})

const waitingFor = (decision: PaymentDecision, seen = evidence()): OrderSeen =>
  order({ payment: { task, evidence: seen, decision } })

const brief = ({ paymentState, nextAction, amountDue, checkAgainAfterSeconds }: NextWords) =>
  [paymentState, nextAction, amountDue, checkAgainAfterSeconds] as const

/** What is decided or seen, and the words for it. */
type Cases<A> = ReadonlyArray<readonly [A, ReadonlyArray<unknown>]>

/** The same, each with its name in front. */
const named = <A>(cases: Cases<A>) =>
  cases.map(([seen, words]) => [`${inWords(seen)}: ${inWords(words)}`, seen, words] as const)

const inWords = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part instanceof Set ? [...part] : part))

const says = (seen: OrderSeen, pace = PACE) => brief(nextWords(seen, pace))

describe("an order that waits for its money", () => {
  const short: PaymentDecision = { _tag: "Wait", why: { _tag: "Short", isOverdue: false } }

  it("is to be paid, with what is missing, where and until when", () => {
    assert.deepStrictEqual(nextWords(waitingFor(short), PACE), {
      paymentState: "unpaid",
      nextAction: "pay",
      amountDue: task.totalCost,
      payTo: wallet.agentAddress,
      payBy: task.createdAtMs + TIMEOUT_MS,
      checkAgainAfterSeconds: 10
    })
    const part = waitingFor(short, evidence({ balance: usdc(2_000_000n) }))
    assert.deepStrictEqual(says(part), ["partial", "pay", usdc(4_000_000n), 10])
  })

  const decided: Cases<PaymentDecision> = [
    [{ _tag: "Fund", uses: [], last: undefined }, ["partial", "wait", zero, 10]],
    [{ _tag: "Cancel" }, ["unpaid", "wait", undefined, 10]],
    [{ _tag: "Wait", why: { _tag: "Stopped", reason: "r" } }, ["unpaid", "ask_operator", undefined, 60]],
    [{ _tag: "Wait", why: { _tag: "FundsMissing", reason: "r" } }, ["unpaid", "wait", undefined, 10]],
    ...(
      [
        "Outdated",
        "MayBeRestored",
        "ReservedTwice",
        "DepositsUnread",
        "UsdcPaused",
        "ForeignOrder",
        "Unproven"
      ] as const
    ).map((_tag) => [{ _tag: "Wait", why: { _tag } }, ["unpaid", "wait", undefined, 10]] as const)
  ]

  it.each(named(decided))("%s", (_, decision, words) => {
    assert.deepStrictEqual([...says(waitingFor(decision))], [...words])
    assert.strictEqual(nextWords({ ...waitingFor(decision), isHeld: true }, PACE).nextAction, "ask_operator")
  })

  it("is not to be paid where the money would not be taken for it", () => {
    const notPaid = (seen: OrderSeen, pace = PACE) => assert.strictEqual(nextWords(seen, pace).nextAction, "wait")
    notPaid(order())
    notPaid(waitingFor(short, evidence({ isUsdcPaused: true })))
    notPaid({ ...waitingFor(short), agentAddress: undefined })
    const deadlineMs = task.createdAtMs + TIMEOUT_MS
    notPaid(waitingFor(short, evidence({ block: { number: 100n, timeMs: deadlineMs + 1 } })))
    notPaid(waitingFor(short, evidence({ ledgerAheadMs: TIMEOUT_MS })))
    notPaid(waitingFor(short), { ...PACE, nowMs: deadlineMs - 14_999 })
    assert.strictEqual(nextWords(waitingFor(short), { ...PACE, nowMs: deadlineMs - 15_000 }).nextAction, "pay")
    // A payment that was made meanwhile would not be seen.
    notPaid(waitingFor(short), { ...PACE, chainMs: NOW_MS + 120_001 })
    // An older one of the same cost takes each deposit that would be exactly for this one.
    const older = taskOf({ id: uuid(2), createdAtMs: task.createdAtMs - 1 })
    const { orders } = evidence()
    notPaid(waitingFor(short, evidence({ orders: { ...orders, pending: [older, task] }, deposits: [] })))
  })

  it("is not to be paid while it is open whether the money of a pay-in for another is there", () => {
    const other = taskOf({ id: uuid(2) })
    const amount = other.totalCost
    const payIn = {
      payer: wallet.userAddress,
      nonce: hash(7),
      amount,
      payTo: wallet.agentAddress,
      validAfter: 0,
      validBefore: 1,
      walletId: wallet.id,
      taskId: other.id,
      status: "settled" as const,
      tx: hash(8),
      block: 99n,
      reason: undefined,
      createdAtMs: NOW_MS,
      isUnused: false
    }
    const orders = { ...evidence().orders, pending: [other, task], reserved: amount, maybeSpent: amount }
    const words = (payIns: ReadonlyArray<SeenPayIn>) =>
      nextWords(waitingFor(short, evidence({ orders, payIns, balance: amount })), PACE).nextAction
    assert.deepStrictEqual([words([]), words([payIn])], ["pay", "wait"])
  })
})

describe("an order that is paid for", () => {
  const batch = plannedBatch()
  const moves = ["Plan", "TakeOver", "GiveUp"] as const
  const steps: Cases<NextStep> = [
    [{ _tag: "Settle", batch, atMs: NOW_MS + 20_000 }, ["paid", "wait", zero, 20]],
    [{ _tag: "Deliver", batch, atMs: NOW_MS }, ["paid", "wait", zero, 2]],
    ...moves.map(
      (_tag) => [{ _tag, batches: [], atMs: 0 }, [_tag === "TakeOver" ? "in_flight" : "paid", "wait", zero, 2]] as const
    ),
    [{ _tag: "Pay", batch, atMs: NOW_MS + 3_600_000 }, ["paid", "wait", zero, 60]],
    [{ _tag: "Finish", atMs: 0 }, ["paid", "wait", zero, 2]],
    [{ _tag: "Hold", reason: "r", atMs: 0 }, ["paid", "ask_operator", zero, 60]],
    [{ _tag: "Wait", why: { _tag: "Stopped", reason: "r" }, untilMs: undefined }, ["paid", "ask_operator", zero, 60]],
    [{ _tag: "Wait", why: { _tag: "Paused", reason: "r" }, untilMs: undefined }, ["paid", "wait", zero, 10]],
    [{ _tag: "Wait", why: { _tag: "PriceAsked", batch }, untilMs: NOW_MS + 5_500 }, ["paid", "wait", zero, 6]],
    [{ _tag: "Wait", why: { _tag: "OtherFirst", batch }, untilMs: undefined }, ["paid", "wait", zero, 10]]
  ]

  it.each(named(steps))("%s", (_, step, words) => {
    for (const status of ["funded", "processing"] as const) {
      assert.deepStrictEqual([...says(order({ status, step, batches: new Set(["planned"]) }))], [...words])
      assert.strictEqual(nextWords(order({ status, step, isHeld: true }), PACE).nextAction, "ask_operator")
    }
  })

  it.each([
    [["signed"], "in_flight"],
    [["delivered", "accepted"], "in_flight"],
    [["planned", "unknown"], "in_flight"],
    [["delivered", "planned"], "paid"],
    [["delivered", "held"], "paid"],
    [[], "paid"],
    [["paid", "delivered"], "settled"],
    [["resolved"], "settled"]
  ] as ReadonlyArray<readonly [ReadonlyArray<BatchStatus>, string]>)("with batches %j is %s", (batches, state) => {
    assert.strictEqual(nextWords(order({ status: "processing", batches: new Set(batches) }), PACE).paymentState, state)
  })
})

describe("an order that has ended", () => {
  const idle = { isStopped: false, credit: zero }
  const credit = { isStopped: false, credit: usdc(1n) }
  const timedOut = messages.timeout("10 minutes")

  const ended: Cases<Partial<OrderSeen>> = [
    [{ status: "completed", batches: new Set(["delivered"]) }, ["settled", "none", zero, undefined]],
    [{ status: "completed", batches: new Set(["unknown"]) }, ["in_flight", "wait", zero, 2]],
    [{ status: "cancelled", ended: idle, errorMessage: timedOut }, ["unpaid", "new_order", zero, undefined]],
    [{ status: "cancelled", ended: credit, errorMessage: timedOut }, ["refundable", "new_order", zero, undefined]],
    [{ status: "cancelled", ended: credit, errorMessage: "Cancelled: no" }, ["refundable", "none", zero, undefined]],
    [{ status: "cancelled", errorMessage: timedOut }, ["unpaid", "new_order", zero, undefined]],
    [
      { status: "cancelled", ended: { ...idle, isStopped: true }, errorMessage: timedOut },
      ["unpaid", "ask_operator", zero, 60]
    ],
    [{ status: "failed", ended: idle }, ["settled", "new_order", zero, undefined]],
    [{ status: "failed", ended: credit }, ["refundable", "new_order", zero, undefined]],
    [{ status: "failed", ended: credit, batches: new Set(["signed"]) }, ["in_flight", "wait", zero, 2]],
    [{ status: "failed", ended: credit, batches: new Set(["paid"]) }, ["refundable", "wait", zero, 2]],
    [{ status: "failed", ended: idle, batches: new Set(["held"]) }, ["settled", "ask_operator", zero, 60]],
    [{ status: "failed", ended: { ...idle, isStopped: true } }, ["settled", "ask_operator", zero, 60]]
  ]

  it.each(named(ended))("%s", (_, changes, words) => {
    const seen = order(changes)
    assert.deepStrictEqual([...says(seen)], [...words])
    assert.deepInclude(nextWords(seen, PACE), { payTo: undefined, payBy: undefined })
  })

  it("has credit to be sent back only where a refund would not be refused", () => {
    const { orders } = evidence()
    const free = evidence({ balance: usdc(5n), orders: { ...orders, pending: [] } })
    assert.strictEqual(refundableOf(free), usdc(5n))
    const changes: ReadonlyArray<Partial<Evidence["orders"]>> = [
      { pending: [task] },
      { stopped: "r" },
      { isShared: true },
      { provenBlock: 101n },
      { held: [{ ...task, isHeld: true }] }
    ]
    for (const change of changes) {
      assert.strictEqual(refundableOf({ ...free, orders: { ...free.orders, ...change } }), zero)
    }
    assert.strictEqual(refundableOf({ ...free, missing: "r" }), zero)
  })
})

// Of every wallet, what is said agrees with what is then decided.

/** The same with so much more in the wallet, in the next block. */
const paidIn = (before: Evidence, amount: Usdc): Evidence => ({
  ...before,
  balance: usdc(before.balance + amount),
  deposits: before.deposits && [
    ...before.deposits,
    {
      wallet: wallet.agentAddress,
      from: wallet.userAddress,
      tx: "0x",
      logIndex: 0,
      amount,
      left: amount,
      block: { number: before.block.number + 1n, timeMs: NOW_MS + 2_000 }
    }
  ]
})

/** What the reservations are once the unproven payments left nothing to reserve, or were void. */
const proven = (seen: Evidence, spent: boolean): Evidence => {
  const { reserved, maybeSpent } = seen.orders
  const orders = { ...seen.orders, maybeSpent: zero, reserved: spent ? usdc(reserved - maybeSpent) : reserved }
  return { ...seen, orders, balance: spent ? usdc(seen.balance - maybeSpent) : seen.balance }
}

const anyWallet = { money: walletMoney, pending: pendingTasks, deposits: someDeposits, isRead: between(0, 1) }

const seenOf = ({ money, pending, deposits, isRead }: Drawn): Evidence =>
  evidence({
    orders: { ...evidence().orders, ...money, pending },
    balance: money.balance,
    deposits: isRead === 1 ? deposits : undefined
  })

interface Drawn {
  readonly money: WalletMoney
  readonly pending: ReadonlyArray<Task>
  readonly deposits: ReadonlyArray<UnspentDeposit>
  readonly isRead: number
}

const wordsOf = (seen: Evidence, one: Task): NextWords =>
  nextWords(
    order({ totalCost: one.totalCost, payment: { task: one, evidence: seen, decision: decidePayment(seen, one) } }),
    PACE
  )

describe("what is said of an order", () => {
  it.prop(
    "names an amount that, paid at once, funds it by every outcome of the unproven payments",
    anyWallet,
    (given) => {
      const seen = seenOf(given)
      for (const one of given.pending) {
        const { nextAction, amountDue } = wordsOf(seen, one)
        if (nextAction !== "pay" || amountDue === undefined) continue
        assert.isAbove(Number(amountDue), 0)
        const then = paidIn(seen, amountDue)
        // Where there is less than what is reserved, other orders lack money too.
        if (seen.balance < seen.orders.reserved) continue
        for (const spent of [true, false]) {
          assert.strictEqual(decidePayment(proven(then, spent), one)._tag, "Fund")
        }
      }
    },
    MANY
  )

  it.prop(
    "asks for money exactly where some is due, and for an order that has ended never",
    { ...anyWallet, status: between(0, STATUSES.length - 1) },
    ({ status, ...given }) => {
      const seen = seenOf(given)
      for (const one of given.pending) {
        const waits = wordsOf(seen, one)
        assert.strictEqual(waits.nextAction === "pay", (waits.amountDue ?? 0n) > 0n)
        const isOpen = STATUSES[status] === "pending_payment"
        const words = nextWords(order({ status: STATUSES[status] ?? "completed" }), PACE)
        assert.isTrue(isOpen || (words.amountDue === 0n && words.payTo === undefined))
      }
    },
    MANY
  )
})
