import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { freeAtLeast, type HeldOrder, type WalletMoney } from "../../src/domain/Allocation.ts"
import type { Block } from "../../src/domain/Block.ts"
import type { UnspentDeposit } from "../../src/domain/Deposit.ts"
import {
  deadlineMs,
  decidePayment,
  decidePayments,
  type Evidence,
  NO_HISTORY,
  shareOut
} from "../../src/domain/PaymentDecision.ts"
import type { Task } from "../../src/domain/Task.ts"
import { sum, type Usdc, usdc, zero } from "../../src/domain/Usdc.ts"
import {
  between,
  hash,
  MANY,
  NOW_MS,
  pendingTasks,
  shuffled,
  smallUsdc,
  someDeposits,
  taskOf,
  uuid,
  wallet,
  walletMoney
} from "./given.ts"

const TIMEOUT_MS = 40_000

/** From before the deadline of the oldest order to after that of the newest. */
const block = Arbitrary.map(between(-5, 10), (steps) => ({
  number: 100n,
  timeMs: NOW_MS + steps * 10_000 + (steps % 2)
}))

/** A wallet with unproven payments, each of which may turn out paid or void. */
const unproven: Arbitrary.Arbitrary<{ readonly money: WalletMoney; readonly payments: ReadonlyArray<Usdc> }> =
  Arbitrary.map(
    Arbitrary.all({
      balance: smallUsdc(20),
      sure: smallUsdc(4),
      payments: Arbitrary.array(smallUsdc(4), { maxLength: 4 })
    }),
    ({ balance, sure, payments }) => ({
      money: { balance, reserved: usdc(sure + sum(payments)), maybeSpent: sum(payments) },
      payments
    })
  )

/** What is free once it is known which payments left nothing to reserve any more. */
const freeAfter = (money: WalletMoney, settled: ReadonlyArray<Usdc>): bigint =>
  money.balance - money.reserved + sum(settled)

/** Every way in which unproven payments can turn out. */
const outcomesOf = (payments: ReadonlyArray<Usdc>): ReadonlyArray<ReadonlyArray<Usdc>> =>
  payments.reduce<ReadonlyArray<ReadonlyArray<Usdc>>>(
    (outcomes, payment) => outcomes.flatMap((settled) => [settled, [...settled, payment]]),
    [[]]
  )

interface Seen extends Partial<Evidence> {
  readonly money: WalletMoney
  readonly pending: ReadonlyArray<Task>
  readonly held?: ReadonlyArray<HeldOrder>
}

/** What a look at an undisturbed wallet shows. */
const seenOf = ({ money, pending, held = [], ...more }: Seen): Evidence => ({
  ...NO_HISTORY,
  orders: {
    wallet,
    version: 0n,
    provenBlock: 0n,
    reserved: money.reserved,
    maybeSpent: money.maybeSpent,
    foreign: zero,
    books: undefined,
    isShared: false,
    stopped: undefined,
    twin: undefined,
    pending,
    held,
    payIns: []
  },
  payIns: [],
  balance: money.balance,
  block: { number: 100n, timeMs: NOW_MS },
  isUsdcPaused: false,
  awaitsDeposits: false,
  ledgerAheadMs: 0,
  paymentTimeoutMs: TIMEOUT_MS,
  ...more
})

type Verdict = "Fund" | "Cancel" | "Wait"

const decide = (evidence: Evidence): ReadonlyMap<Task, Verdict> => {
  const decisions = decidePayments(evidence)
  return new Map(evidence.orders.pending.map((task) => [task, decisions.get(task.id)?._tag ?? "Wait"]))
}

interface Look {
  readonly money: WalletMoney
  readonly pending: ReadonlyArray<Task>
  readonly at: Block
  readonly deposits: ReadonlyArray<UnspentDeposit>
}

/** One look at a wallet, the deposits known and not known. */
const judgeBoth = ({ money, pending, at, deposits }: Look) => [
  decide(seenOf({ money, pending, block: at })),
  decide(seenOf({ money, pending, block: at, deposits }))
]

const look = { money: walletMoney, pending: pendingTasks, at: block, deposits: someDeposits }

describe("a verdict", () => {
  it.prop(
    "is given on every pending order",
    look,
    (seen) => {
      for (const verdicts of judgeBoth(seen)) assert.sameMembers([...verdicts.keys()], [...seen.pending])
    },
    MANY
  )

  it.prop(
    "never cancels before the deadline, nor in its very moment",
    look,
    (seen) => {
      for (const [task, verdict] of judgeBoth(seen).flatMap((verdicts) => [...verdicts])) {
        if (verdict === "Cancel") assert.isAbove(seen.at.timeMs, deadlineMs(task, TIMEOUT_MS))
      }
    },
    MANY
  )

  it.prop(
    "never cancels an order that some outcome of the unproven payments could pay",
    { ...look, money: unproven },
    ({ money: { money, payments }, ...rest }) => {
      for (const [task, verdict] of judgeBoth({ ...rest, money }).flatMap((verdicts) => [...verdicts])) {
        if (verdict !== "Cancel") continue
        for (const settled of outcomesOf(payments)) assert.isTrue(task.totalCost > freeAfter(money, settled))
      }
    },
    MANY
  )

  it.prop(
    "never funds and cancels in one look",
    look,
    (seen) => {
      for (const verdicts of judgeBoth(seen).map((judged) => [...judged.values()])) {
        assert.isFalse(verdicts.includes("Fund") && verdicts.includes("Cancel"))
      }
    },
    MANY
  )

  it.prop(
    "never funds two orders by the same dollars (I5)",
    look,
    (seen) => {
      for (const verdicts of judgeBoth(seen)) {
        const funded = [...verdicts].filter(([, verdict]) => verdict === "Fund").map(([task]) => task.totalCost)
        assert.isTrue(sum(funded) <= freeAtLeast(seen.money))
      }
    },
    MANY
  )

  it.prop(
    "never cancels an order whose money is there, however late that is seen (I6)",
    look,
    (seen) => {
      for (const [task, verdict] of judgeBoth(seen).flatMap((verdicts) => [...verdicts])) {
        if (task.totalCost <= freeAtLeast(seen.money)) assert.notStrictEqual(verdict, "Cancel")
      }
    },
    MANY
  )

  it.prop(
    "leaves nothing waiting for ever: what is certainly unpaid, and overdue, is cancelled",
    look,
    ({ money, pending, deposits }) => {
      const at = { number: 100n, timeMs: NOW_MS + TIMEOUT_MS + 15 * 60_000 + 1 }
      for (const judged of judgeBoth({ money: { ...money, maybeSpent: zero }, pending, at, deposits })) {
        const verdicts = [...judged.values()]
        if (!verdicts.includes("Fund")) assert.isTrue(verdicts.every((verdict) => verdict === "Cancel"))
      }
    },
    MANY
  )

  it.prop(
    "does not depend on the order of the rows",
    { ...look, seed: between(0, 1_000) },
    ({ seed, ...seen }) => {
      const again = judgeBoth({ ...seen, pending: shuffled(seen.pending, seed) })
      for (const [index, verdicts] of judgeBoth(seen).entries()) {
        for (const [task, verdict] of verdicts) assert.strictEqual(again[index]?.get(task), verdict)
      }
    },
    MANY
  )
})

describe("balance first, deadline second", () => {
  const order = taskOf({ id: uuid(1), quantity: 1, pricePerMint: usdc(10n), createdAtMs: NOW_MS })
  const deadline = deadlineMs(order, TIMEOUT_MS)

  it.each([
    { balance: 10, lateMs: 3_600_000, verdict: "Fund", why: "paid, and seen an hour late (L19)" },
    { balance: 9, lateMs: -1, verdict: "Wait", why: "short, in time" },
    { balance: 9, lateMs: 0, verdict: "Wait", why: "short, at the deadline" },
    { balance: 9, lateMs: 1, verdict: "Cancel", why: "short, past the deadline" },
    { balance: 15, reserved: 6, lateMs: 1, verdict: "Cancel", why: "the money is another order's (L4)" },
    { balance: 15, reserved: 6, maybeSpent: 6, lateMs: 1, verdict: "Wait", why: "it may yet turn out to be free" },
    { balance: 15, reserved: 6, maybeSpent: 0, lateMs: 1, verdict: "Cancel", why: "it will not" }
  ])("$verdict: $why", ({ balance, reserved = 0, maybeSpent = 0, lateMs, verdict }) => {
    const [at, money] = [
      { number: 1n, timeMs: deadline + lateMs },
      { balance: usdc(BigInt(balance)), reserved: usdc(BigInt(reserved)), maybeSpent: usdc(BigInt(maybeSpent)) }
    ]
    assert.strictEqual(decide(seenOf({ money, pending: [order], block: at })).get(order), verdict)
  })

  it("an overdue order waits for the next look where this one funds another", () => {
    const other = taskOf({ id: uuid(2), quantity: 1, pricePerMint: usdc(4n), createdAtMs: NOW_MS })
    const money = { balance: usdc(4n), reserved: zero, maybeSpent: zero }
    const verdicts = decide(seenOf({ money, pending: [order, other], block: { number: 1n, timeMs: deadline + 1 } }))
    assert.deepStrictEqual([verdicts.get(order), verdicts.get(other)], ["Wait", "Fund"])
  })
})

describe("beside an order that is held", () => {
  const at = { number: 100n, timeMs: NOW_MS + TIMEOUT_MS + 1 }
  const money = { balance: usdc(10n), reserved: zero, maybeSpent: zero }
  const held = { id: uuid(1), totalCost: usdc(10n), createdAtMs: NOW_MS - 5_000, isHeld: true } as const
  const newer = taskOf({ id: uuid(2), quantity: 1, pricePerMint: usdc(10n), createdAtMs: NOW_MS })
  const deposit = (timeMs: number): UnspentDeposit => ({
    wallet: newer.userAddress,
    from: newer.userAddress,
    amount: usdc(10n),
    left: usdc(10n),
    tx: `0x${"1".repeat(64)}`,
    logIndex: 0,
    block: { number: 90n, timeMs }
  })

  const seen = (deposits: ReadonlyArray<UnspentDeposit> | undefined) =>
    seenOf({ money, pending: [newer], held: [held], block: at, deposits })

  it("that was paid in time, an order is cancelled at its own deadline, and the money stays", () => {
    const evidence = seen([deposit(NOW_MS + 1_000)])
    assert.deepStrictEqual([decide(evidence).get(newer), [...shareOut(evidence).kept]], ["Cancel", [held.id]])
  })

  it("that was not, an order is funded with what came after that one's deadline", () => {
    const evidence = seen([deposit(NOW_MS + TIMEOUT_MS - 1)])
    assert.deepStrictEqual([decide(evidence).get(newer), [...shareOut(evidence).kept]], ["Fund", []])
  })

  it("an order is neither funded nor cancelled where it cannot be known which of them was paid", () => {
    assert.strictEqual(decide(seen(undefined)).get(newer), "Wait")
  })

  it("a held order is judged as if it waited, where that is asked", () => {
    const evidence = seen([deposit(NOW_MS + 1_000)])
    assert.strictEqual(decidePayment(evidence, { ...newer, ...held, id: held.id })._tag, "Fund")
  })
})

describe("the reason why an order waits", () => {
  const order = taskOf({ id: uuid(1), quantity: 1, pricePerMint: usdc(10n), createdAtMs: NOW_MS })
  const other = taskOf({ id: uuid(2), quantity: 1, pricePerMint: usdc(7n), createdAtMs: NOW_MS })
  const late = { number: 100n, timeMs: NOW_MS + TIMEOUT_MS + 1 }
  const holding = (balance: bigint, more: Partial<WalletMoney> = {}): WalletMoney => ({
    balance: usdc(balance),
    reserved: zero,
    maybeSpent: zero,
    ...more
  })
  const paidIn = (amount: bigint): UnspentDeposit => ({
    wallet: wallet.agentAddress,
    from: wallet.userAddress,
    amount: usdc(amount),
    left: usdc(amount),
    tx: hash(9),
    logIndex: 0,
    block: { number: 1n, timeMs: NOW_MS }
  })
  const paid = { money: holding(10n), pending: [order] }
  const unpaid = { money: holding(9n), pending: [order] }
  const orders = (seen: Seen, change: Partial<Evidence["orders"]>): Evidence => {
    const evidence = seenOf({ ...seen, block: late })
    return { ...evidence, orders: { ...evidence.orders, ...change } }
  }

  it.each<[string, Evidence]>([
    ["Stopped", orders(paid, { stopped: "money is missing" })],
    ["Outdated", orders(paid, { provenBlock: 101n })],
    ["FundsMissing", seenOf({ ...paid, missing: "3 USDC left" })],
    ["MayBeRestored", seenOf({ ...unpaid, block: late, mayBeRestored: true })],
    ["DepositsUnread", seenOf({ ...unpaid, block: late, awaitsDeposits: true })],
    ["DepositsUnread", seenOf({ money: holding(10n), pending: [order, other], awaitsDeposits: true })],
    [
      "ReservedTwice",
      seenOf({
        money: holding(14n, { reserved: usdc(8n) }),
        pending: [order],
        block: late,
        deposits: [paidIn(10n)]
      })
    ],
    ["UsdcPaused", seenOf({ ...unpaid, block: late, isUsdcPaused: true })],
    ["Unproven", seenOf({ money: holding(12n, { reserved: usdc(5n), maybeSpent: usdc(5n) }), pending: [order] })],
    ["Short", seenOf(unpaid)]
  ])("is %s", (reason, evidence) => {
    const decision = decidePayments(evidence).get(order.id)
    assert.strictEqual(decision?._tag === "Wait" ? decision.why._tag : decision?._tag, reason)
  })

  it("is none where it is paid: deposits of a single order in time are not waited for, nor is a pause of USDC", () => {
    const evidence = seenOf({ ...paid, awaitsDeposits: true, isUsdcPaused: true, mayBeRestored: true })
    assert.strictEqual(decide(evidence).get(order), "Fund")
  })

  it("does not keep an order from what was spent on it before the ledger was restored", () => {
    const evidence = seenOf({ money: holding(0n), pending: [order, other], deposits: [], spentOn: new Set([order.id]) })
    assert.deepStrictEqual([...decide(evidence).values()], ["Fund", "Wait"])
  })

  it("leaves what a held order keeps where one was spent on before the ledger was restored", () => {
    const deposit = (seed: number): UnspentDeposit => ({
      wallet: wallet.agentAddress,
      from: wallet.userAddress,
      amount: usdc(10n),
      left: usdc(10n),
      tx: hash(seed),
      logIndex: 0,
      block: { number: 1n, timeMs: NOW_MS + seed }
    })
    const held = { id: uuid(3), totalCost: usdc(10n), createdAtMs: NOW_MS - 1, isHeld: true } as const
    const evidence = seenOf({
      money: holding(10n),
      pending: [order],
      held: [held],
      deposits: [deposit(1), deposit(2)],
      spentOn: new Set([order.id])
    })
    const decision = decidePayments(evidence).get(order.id)
    assert.deepStrictEqual(decision?._tag === "Fund" ? decision.uses.map(({ tx }) => tx) : [], [hash(1)])
  })
})
