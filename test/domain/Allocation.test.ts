import { assert, describe, it } from "@effect/vitest"
import { allocate, cover, freeAtLeast, freeAtMost } from "../../src/domain/Allocation.ts"
import type { Task } from "../../src/domain/Task.ts"
import { sum, usdc } from "../../src/domain/Usdc.ts"
import { between, MANY, NOW_MS, pendingTasks, shuffled, smallUsdc, taskOf, uuid, walletMoney } from "./given.ts"

const FREE = smallUsdc(20)

const task = (id: number, cost: number, ageMs: number): Task =>
  taskOf({ id: uuid(id), quantity: 1, pricePerMint: usdc(BigInt(cost)), createdAtMs: NOW_MS - ageMs })

const costOf = (tasks: ReadonlyArray<Task>) => sum(tasks.map(({ totalCost }) => totalCost))

const oldestFirst = (tasks: ReadonlyArray<Task>) =>
  tasks.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))

describe("allocation", () => {
  it.prop(
    "never gives away more than is free",
    [FREE, pendingTasks],
    ([free, pending]) => {
      const funded = allocate(free, pending)
      assert.isTrue(costOf(pending.filter(({ id }) => funded.has(id))) <= free)
    },
    MANY
  )

  it.prop("funds only what is pending", [FREE, pendingTasks], ([free, pending]) => {
    const ids = pending.map(({ id }) => id)
    assert.includeMembers(ids, [...allocate(free, pending)])
  })

  it.prop(
    "comes to the same whatever the order of the rows, every time",
    [FREE, pendingTasks, between(0, 1_000)],
    ([free, pending, seed]) => {
      const funded = [...allocate(free, pending)].toSorted()
      assert.deepStrictEqual([...allocate(free, shuffled(pending, seed))].toSorted(), funded)
    }
  )

  it.prop(
    "money that is exactly the cost of one order pays the oldest such order",
    [FREE, pendingTasks],
    ([free, pending]) => {
      const exact = oldestFirst(pending).find(({ totalCost }) => totalCost === free)
      if (exact !== undefined) assert.deepStrictEqual([...allocate(free, pending)], [exact.id])
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
    assert.deepStrictEqual([...allocate(usdc(BigInt(free)), pending)], funded.map(uuid))
  })
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
