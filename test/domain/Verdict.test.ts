import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { freeAtLeast, type WalletMoney } from "../../src/domain/Allocation.ts"
import type { Block } from "../../src/domain/Block.ts"
import type { Deposit } from "../../src/domain/Deposit.ts"
import type { Task } from "../../src/domain/Task.ts"
import { sum, type Usdc, usdc, zero } from "../../src/domain/Usdc.ts"
import { deadlineMs, judge } from "../../src/domain/Verdict.ts"
import {
  between,
  MANY,
  NOW_MS,
  pendingTasks,
  shuffled,
  smallUsdc,
  someDeposits,
  taskOf,
  uuid,
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

interface Look {
  readonly money: WalletMoney
  readonly pending: ReadonlyArray<Task>
  readonly at: Block
  readonly deposits: ReadonlyArray<Deposit>
}

/** One look at a wallet, the deposits known and not known. */
const judgeBoth = ({ money, pending, at, deposits }: Look) => [
  judge(money, pending, at, TIMEOUT_MS),
  judge(money, pending, at, TIMEOUT_MS, deposits)
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
        if (verdict === "cancel") assert.isAbove(seen.at.timeMs, deadlineMs(task, TIMEOUT_MS))
      }
    },
    MANY
  )

  it.prop(
    "never cancels an order that some outcome of the unproven payments could pay",
    { ...look, money: unproven },
    ({ money: { money, payments }, ...rest }) => {
      for (const [task, verdict] of judgeBoth({ ...rest, money }).flatMap((verdicts) => [...verdicts])) {
        if (verdict !== "cancel") continue
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
        assert.isFalse(verdicts.includes("fund") && verdicts.includes("cancel"))
      }
    },
    MANY
  )

  it.prop(
    "never funds two orders by the same dollars (I5)",
    look,
    (seen) => {
      for (const verdicts of judgeBoth(seen)) {
        const funded = [...verdicts].filter(([, verdict]) => verdict === "fund").map(([task]) => task.totalCost)
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
        if (task.totalCost <= freeAtLeast(seen.money)) assert.notStrictEqual(verdict, "cancel")
      }
    },
    MANY
  )

  it.prop(
    "leaves nothing waiting for ever: what is certainly unpaid, and overdue, is cancelled",
    look,
    ({ money, pending, deposits }) => {
      const at = { number: 100n, timeMs: NOW_MS + TIMEOUT_MS + 1 }
      for (const judged of judgeBoth({ money: { ...money, maybeSpent: zero }, pending, at, deposits })) {
        const verdicts = [...judged.values()]
        if (!verdicts.includes("fund")) assert.isTrue(verdicts.every((verdict) => verdict === "cancel"))
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
    { balance: 10, lateMs: 3_600_000, verdict: "fund", why: "paid, and seen an hour late (L19)" },
    { balance: 9, lateMs: -1, verdict: "wait", why: "short, in time" },
    { balance: 9, lateMs: 0, verdict: "wait", why: "short, at the deadline" },
    { balance: 9, lateMs: 1, verdict: "cancel", why: "short, past the deadline" },
    { balance: 15, reserved: 6, lateMs: 1, verdict: "cancel", why: "the money is another order's (L4)" },
    { balance: 15, reserved: 6, maybeSpent: 6, lateMs: 1, verdict: "wait", why: "it may yet turn out to be free" },
    { balance: 15, reserved: 6, maybeSpent: 0, lateMs: 1, verdict: "cancel", why: "it will not" }
  ])("$verdict: $why", ({ balance, reserved = 0, maybeSpent = 0, lateMs, verdict }) => {
    const [at, money] = [
      { number: 1n, timeMs: deadline + lateMs },
      { balance: usdc(BigInt(balance)), reserved: usdc(BigInt(reserved)), maybeSpent: usdc(BigInt(maybeSpent)) }
    ]
    assert.strictEqual(judge(money, [order], at, TIMEOUT_MS).get(order), verdict)
  })

  it("an overdue order waits for the next look where this one funds another", () => {
    const other = taskOf({ id: uuid(2), quantity: 1, pricePerMint: usdc(4n), createdAtMs: NOW_MS })
    const money = { balance: usdc(4n), reserved: zero, maybeSpent: zero }
    const verdicts = judge(money, [order, other], { number: 1n, timeMs: deadline + 1 }, TIMEOUT_MS)
    assert.deepStrictEqual([verdicts.get(order), verdicts.get(other)], ["wait", "fund"])
  })
})

describe("beside an order that is held", () => {
  const at = { number: 100n, timeMs: NOW_MS + TIMEOUT_MS + 1 }
  const money = { balance: usdc(10n), reserved: zero, maybeSpent: zero }
  const held = { id: uuid(1), totalCost: usdc(10n), createdAtMs: NOW_MS - 5_000, isHeld: true } as const
  const newer = taskOf({ id: uuid(2), quantity: 1, pricePerMint: usdc(10n), createdAtMs: NOW_MS })
  const deposit = (timeMs: number): Deposit => ({
    wallet: newer.userAddress,
    from: newer.userAddress,
    amount: usdc(10n),
    tx: `0x${"1".repeat(64)}`,
    logIndex: 0,
    block: { number: 90n, timeMs }
  })

  it("that was paid in time, an order is cancelled at its own deadline, and the money stays", () => {
    const verdicts = judge(money, [newer, held], at, TIMEOUT_MS, [deposit(NOW_MS + 1_000)])
    assert.deepStrictEqual([verdicts.get(newer), verdicts.get(held)], ["cancel", "keep"])
  })

  it("that was not, an order is funded with what came after that one's deadline", () => {
    const verdicts = judge(money, [newer, held], at, TIMEOUT_MS, [deposit(NOW_MS + TIMEOUT_MS - 1)])
    assert.deepStrictEqual([verdicts.get(newer), verdicts.get(held)], ["fund", "wait"])
  })

  it("an order is neither funded nor cancelled where nobody can tell which of them was paid", () => {
    const verdicts = judge(money, [newer, held], at, TIMEOUT_MS, undefined)
    assert.strictEqual(verdicts.get(newer), "wait")
  })
})
