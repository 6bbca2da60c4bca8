import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { allocate, type Arrivals, cover, freeAtLeast, freeAtMost } from "../../src/domain/Allocation.ts"
import type { UnspentDeposit } from "../../src/domain/Deposit.ts"
import { paidFromDeposits } from "../../src/domain/PaymentDecision.ts"
import type { Task } from "../../src/domain/Task.ts"
import { sum, usdc } from "../../src/domain/Usdc.ts"
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

const FREE = smallUsdc(20)

const task = (id: number, cost: number, ageMs: number): Task =>
  taskOf({ id: uuid(id), quantity: 1, pricePerMint: usdc(BigInt(cost)), createdAtMs: NOW_MS - ageMs })

const depositOf = (amount: number, seed: number, left = amount): UnspentDeposit => ({
  wallet: wallet.agentAddress,
  from: wallet.userAddress,
  amount: usdc(BigInt(amount)),
  left: usdc(BigInt(left)),
  tx: hash(seed),
  logIndex: 0,
  block: { number: BigInt(seed), timeMs: NOW_MS + seed }
})

const costOf = (tasks: ReadonlyArray<Task>) => sum(tasks.map(({ totalCost }) => totalCost))

const oldestFirst = (tasks: ReadonlyArray<Task>) =>
  tasks.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))

/** With a deadline that the oldest orders are past. */
const arrivals: Arbitrary.Arbitrary<Arrivals> = Arbitrary.map(someDeposits, (deposits) => ({
  deposits,
  ledgerAheadMs: 0,
  isOverdue: ({ createdAtMs }) => createdAtMs < NOW_MS - 40_000
}))

const known = Arbitrary.all([Arbitrary.Constant(undefined), arrivals])

describe("money of an order that is held", () => {
  const at = (secondsAgo: number) => ({ number: 1n, timeMs: NOW_MS - secondsAgo * 1_000 })
  const held = { ...task(1, 10, 300_000), keepsUntilMs: NOW_MS - 100_000 }
  const newer = task(2, 10, 200_000)
  const small = task(3, 4, 200_000)
  const when = (...deposits: ReadonlyArray<readonly [number, number]>): Arrivals => ({
    deposits: deposits.map(([amount, secondsAgo], index) => ({ ...depositOf(amount, index), block: at(secondsAgo) })),
    ledgerAheadMs: 0,
    isOverdue: ({ createdAtMs }) => createdAtMs < NOW_MS - 250_000
  })
  const funded = (free: bigint, tasks: ReadonlyArray<Task>, deposits: Arrivals) => [
    ...allocate(usdc(free), [held, ...tasks], deposits).keys()
  ]

  it("is kept for it, whatever newer orders there are", () => {
    assert.deepStrictEqual(funded(10n, [newer], when([10, 150])), [held.id])
    assert.deepStrictEqual(funded(10n, [small], when([6, 280], [4, 150])), [small.id])
    assert.deepStrictEqual(funded(10n, [task(4, 3, 200_000)], when([6, 280], [4, 260])), [held.id])
    assert.sameMembers(funded(20n, [newer], when([10, 150], [10, 20])), [held.id, newer.id])
  })

  it("is not what came after its deadline: that is for the others", () => {
    assert.deepStrictEqual(funded(10n, [newer], when([10, 50])), [newer.id])
    assert.deepStrictEqual(funded(10n, [small], when([6, 90], [4, 50])), [small.id])
  })
})

describe("allocation, whether the deposits are known or not", () => {
  it.prop(
    "never gives away more than is free",
    [FREE, pendingTasks, known],
    ([free, pending, knowledge]) => {
      for (const when of knowledge) {
        const funded = allocate(free, pending, when)
        assert.isTrue(costOf(pending.filter(({ id }) => funded.has(id))) <= free)
      }
    },
    MANY
  )

  it.prop("funds only what is pending", [FREE, pendingTasks, known], ([free, pending, knowledge]) => {
    const ids = pending.map(({ id }) => id)
    for (const when of knowledge) assert.includeMembers(ids, [...allocate(free, pending, when).keys()])
  })

  it.prop(
    "comes to the same whatever the order of the rows, every time",
    [FREE, pendingTasks, known, between(0, 1_000)],
    ([free, pending, knowledge, seed]) => {
      for (const when of knowledge) {
        const funded = [...allocate(free, pending, when).keys()].toSorted()
        assert.deepStrictEqual([...allocate(free, shuffled(pending, seed), when).keys()].toSorted(), funded)
        assert.deepStrictEqual([...allocate(free, pending, when).keys()].toSorted(), funded)
      }
    }
  )
})

describe("allocation by the balance alone", () => {
  it.prop(
    "money that is exactly the cost of one order pays the oldest such order",
    [FREE, pendingTasks],
    ([free, pending]) => {
      const exact = oldestFirst(pending).find(({ totalCost }) => totalCost === free)
      if (exact !== undefined) assert.deepStrictEqual([...allocate(free, pending).keys()], [exact.id])
    }
  )

  it.prop(
    "else the oldest first: an order is passed over only where what older ones left does not hold it",
    [FREE, pendingTasks],
    ([free, pending]) => {
      if (pending.some(({ totalCost }) => totalCost === free)) return
      const funded = allocate(free, pending)
      let left: bigint = free
      for (const { id, totalCost } of oldestFirst(pending)) {
        assert.strictEqual(funded.has(id), totalCost <= left)
        if (funded.has(id)) left -= totalCost
      }
    },
    MANY
  )

  const examples: ReadonlyArray<{ free: number; costs: Array<number>; funded: Array<number>; why: string }> = [
    { free: 5, costs: [10, 5], funded: [2], why: "the newer order's own money is not eaten by the older one (L4)" },
    { free: 5, costs: [5, 5], funded: [1], why: "of two orders of one cost the older one" },
    { free: 9, costs: [4, 4, 4], funded: [1, 2], why: "as many whole orders as it covers" },
    { free: 6, costs: [4, 9, 2], funded: [1, 3], why: "passing over one that does not fit" },
    { free: 7, costs: [4, 2], funded: [1, 2], why: "what is over stays free" },
    { free: 3, costs: [4, 9], funded: [], why: "no order in part" },
    { free: 0, costs: [1], funded: [], why: "nothing is nothing" }
  ]
  it.each(examples)("$free pays for $funded of orders that cost $costs: $why", ({ free, costs, funded }) => {
    const pending = costs.map((cost, index) => task(index + 1, cost, 1_000 - index))
    assert.deepStrictEqual([...allocate(usdc(BigInt(free)), pending).keys()], funded.map(uuid))
  })
})

describe("allocation by deposits", () => {
  it.prop(
    "an order takes nothing that was there before it while an older one waits for its money",
    [FREE, pendingTasks, arrivals],
    ([free, pending, when]) => {
      const funded = allocate(free, pending, when)
      const ordered = oldestFirst(pending)
      for (const [index, newer] of ordered.entries()) {
        const isWaitedFor = ordered.slice(0, index).some((older) => !funded.has(older.id) && !when.isOverdue(older))
        if (!funded.has(newer.id) || !isWaitedFor) continue
        // Clocks differ by ten seconds at most.
        const since = when.deposits.filter(({ block }) => block.timeMs >= newer.createdAtMs - 10_000)
        assert.isTrue(newer.totalCost <= sum(since.map(({ amount }) => amount)))
      }
    },
    MANY
  )

  it.prop(
    "where what is free covers an overdue order, some order is paid",
    [FREE, pendingTasks, arrivals],
    ([free, pending, when]) => {
      const isCovered = pending.some((order) => when.isOverdue(order) && order.totalCost <= free)
      if (isCovered) assert.isAbove(allocate(free, pending, when).size, 0)
    },
    MANY
  )

  const deposit = (amount: number, ageMs: number) => ({
    ...depositOf(amount, ageMs),
    block: { number: 1n, timeMs: NOW_MS - ageMs }
  })
  const byNow = (deposits: ReadonlyArray<UnspentDeposit>): Arrivals => ({
    deposits,
    ledgerAheadMs: 0,
    isOverdue: () => false
  })

  it("a deposit of exactly the cost of the newer order pays that one", () => {
    const pending = [task(1, 10, 60_000), task(2, 5, 30_000)]
    const when = byNow([deposit(5, 10_000)])
    assert.deepStrictEqual([...allocate(usdc(5n), pending, when).keys()], [uuid(2)])
  })

  it("a part payment for the older order is kept for it, although the newer one costs just that", () => {
    const pending = [task(1, 10, 60_000), task(2, 5, 30_000)]
    const when = byNow([deposit(5, 50_000)])
    assert.deepStrictEqual([...allocate(usdc(5n), pending, when).keys()], [])
  })

  it("once the older order is overdue, its part payment is everybody's", () => {
    const pending = [task(1, 10, 60_000), task(2, 5, 30_000)]
    const when = { ...byNow([deposit(5, 50_000)]), isOverdue: ({ id }: { readonly id: string }) => id === uuid(1) }
    assert.deepStrictEqual([...allocate(usdc(5n), pending, when).keys()], [uuid(2)])
  })

  it("two payments of different size find their orders in whatever order they come", () => {
    const pending = [task(1, 10, 60_000), task(2, 5, 50_000)]
    for (const deposits of [
      [deposit(5, 20_000), deposit(10, 10_000)],
      [deposit(10, 20_000), deposit(5, 10_000)]
    ]) {
      assert.sameMembers([...allocate(usdc(15n), pending, byNow(deposits)).keys()], [uuid(1), uuid(2)])
    }
  })
})

const orders = (...costs: ReadonlyArray<number>) =>
  costs.map((cost, index) => ({ id: uuid(index), totalCost: usdc(BigInt(cost)) }))

/** For each order: from which deposits, and how much of each. */
const paidWith = (...args: Parameters<typeof paidFromDeposits>) =>
  [...paidFromDeposits(...args).values()].map(({ uses }) => uses.map(({ tx, amount }) => [Number(tx), Number(amount)]))

describe("the money that an order is paid with", () => {
  it("is the newest deposit of exactly its cost", () => {
    assert.deepStrictEqual(paidWith(orders(5), [depositOf(5, 1), depositOf(5, 2), depositOf(9, 3)]), [[[2, 5]]])
  })

  it("is another deposit for each of two orders of one cost", () => {
    assert.deepStrictEqual(paidWith(orders(5, 5), [depositOf(5, 1), depositOf(5, 2)]), [[[2, 5]], [[1, 5]]])
  })

  it("is taken from the oldest deposits where none is of its cost", () => {
    const sources = [depositOf(2, 1), depositOf(9, 2)]
    assert.deepStrictEqual(paidWith(orders(5), sources), [
      [
        [1, 2],
        [2, 3]
      ]
    ])
    assert.strictEqual(
      paidFromDeposits(orders(5), sources).get(uuid(0))?.last,
      sources[1],
      "the one that made it enough"
    )
  })

  it("is never what another order was paid with", () => {
    assert.deepStrictEqual(paidWith(orders(5), [depositOf(9, 1, 2), depositOf(5, 2, 0), depositOf(4, 3)]), [
      [
        [1, 2],
        [3, 3]
      ]
    ])
  })

  it("is a part of a larger deposit where only that part is still there", () => {
    const [order] = orders(6)
    const when = { deposits: [depositOf(16, 1)], ledgerAheadMs: 0, isOverdue: () => false }
    const paid = order && allocate(usdc(6n), [{ ...order, createdAtMs: 0 }], when).get(order.id)
    assert.deepStrictEqual(paid?.uses, [{ tx: hash(1), logIndex: 0, amount: usdc(6n) }])
  })

  it("is not known where there is no deposit: it was there before the history begins", () => {
    assert.deepStrictEqual(paidFromDeposits(orders(5), []).get(uuid(0)), { uses: [], last: undefined })
  })

  it.prop(
    "is never more than a deposit has left, nor more than the order costs",
    [Arbitrary.array(smallUsdc(8), { maxLength: 5 }), someDeposits],
    ([costs, deposits]) => {
      const asked = costs.map((totalCost, index) => ({ id: uuid(index), totalCost }))
      const paid = paidFromDeposits(asked, deposits)
      assert.strictEqual(paid.size, asked.length)
      const taken = new Map<string, bigint>()
      for (const { id, totalCost } of asked) {
        const uses = paid.get(id)?.uses ?? []
        assert.isTrue(uses.every(({ amount }) => amount > 0n))
        assert.isTrue(uses.reduce((total, { amount }) => total + amount, 0n) <= totalCost)
        for (const { tx, amount } of uses) taken.set(tx, (taken.get(tx) ?? 0n) + amount)
      }
      for (const { tx, left } of deposits) assert.isTrue((taken.get(tx) ?? 0n) <= left)
    },
    MANY
  )
})

describe("what is free", () => {
  it.prop("is never less than nothing, and at the least never more than at the most", [walletMoney], ([money]) => {
    assert.isTrue(freeAtLeast(money) >= 0n)
    assert.isTrue(freeAtLeast(money) <= freeAtMost(money))
  })

  it.prop("is certain where no payment is unproven", [walletMoney], ([money]) => {
    const proven = { ...money, maybeSpent: usdc(0n) }
    assert.strictEqual(freeAtLeast(proven), freeAtMost(proven))
  })

  it.prop(
    "covers a cost, or is short of it, only where every outcome says so",
    [walletMoney, smallUsdc(20)],
    ([money, cost]) => {
      const expected = cost <= freeAtLeast(money) ? "covered" : cost > freeAtMost(money) ? "short" : "unclear"
      assert.strictEqual(cover(money, cost), expected)
    }
  )
})
