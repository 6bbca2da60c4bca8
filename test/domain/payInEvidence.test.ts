import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { allocate, type Arrivals, type Candidate } from "../../src/domain/Allocation.ts"
import type { UnspentDeposit } from "../../src/domain/Deposit.ts"
import type { Task } from "../../src/domain/Task.ts"
import { sum, type Usdc, usdc } from "../../src/domain/Usdc.ts"
import {
  account,
  between,
  hash,
  MANY,
  NOW_MS,
  pendingTasks,
  smallUsdc,
  someDeposits,
  taskOf,
  uuid,
  wallet
} from "./given.ts"

const PAYER = account("c")

/** An order whose client paid for it, and the deposit. It is younger or older than the others, and so is its deposit. */
interface Own {
  readonly order: Candidate
  readonly deposit: UnspentDeposit
}

const own: Arbitrary.Arbitrary<Own> = Arbitrary.map(
  Arbitrary.all({ cost: between(1, 6), ageMs: between(-1, 7), depositAgeMs: between(-1, 7) }),
  ({ cost, ageMs, depositAgeMs }) => {
    const amount = usdc(BigInt(cost))
    const tx = hash(0xd0)
    const task = taskOf({ id: uuid(1_000), quantity: 1, pricePerMint: amount, createdAtMs: NOW_MS - ageMs * 10_000 })
    const block = { number: 50n, timeMs: NOW_MS - depositAgeMs * 10_000 }
    return {
      order: { ...task, ownDeposit: { tx, from: PAYER, amount } },
      deposit: { wallet: wallet.agentAddress, from: PAYER, amount, left: amount, tx, logIndex: 3, block }
    }
  }
)

const arrivalsOf = (deposits: ReadonlyArray<UnspentDeposit>): Arrivals => ({
  deposits: deposits.toSorted((a, b) => a.block.timeMs - b.block.timeMs),
  ledgerAheadMs: 0,
  isOverdue: ({ createdAtMs }) => createdAtMs < NOW_MS - 40_000
})

const funded = (free: bigint, orders: ReadonlyArray<Candidate>, when?: Arrivals) => allocate(usdc(free), orders, when)

const inAll = (deposits: ReadonlyArray<UnspentDeposit>) => sum(deposits.map(({ left }) => left))

describe("a deposit that was signed for one order", () => {
  it.prop(
    "pays for that order, whatever other orders and deposits there are",
    [own, pendingTasks, someDeposits],
    ([{ order, deposit }, others, deposits]) => {
      const when = arrivalsOf([...deposits, deposit])
      const paidWith = funded(inAll(when.deposits), [...others, order], when).get(order.id)
      const use = { tx: deposit.tx, logIndex: deposit.logIndex, amount: deposit.amount }
      assert.deepStrictEqual(paidWith?.uses, [use])
    },
    MANY
  )

  it.prop(
    "pays for no other order while that one is open, however little is free",
    [own, pendingTasks, someDeposits, smallUsdc(20)],
    ([{ order, deposit }, others, deposits, free]) => {
      for (const [id, { uses }] of funded(free, [...others, order], arrivalsOf([...deposits, deposit]))) {
        if (id !== order.id) assert.isFalse(uses.some(({ tx }) => tx === deposit.tx))
      }
    },
    MANY
  )

  it.prop(
    "changes nothing for the others: they get what they would get without it and its order",
    [own, pendingTasks, someDeposits, smallUsdc(20)],
    ([{ order, deposit }, others, deposits, free]) => {
      const beside = funded(free + deposit.amount, [...others, order], arrivalsOf([...deposits, deposit]))
      const without = funded(free, others, arrivalsOf(deposits))
      assert.deepStrictEqual(new Map([...beside].filter(([id]) => id !== order.id)), new Map(without))
    },
    MANY
  )

  it.prop(
    "is for its order first where the deposits are not known, and never gives away more than is free",
    [own, pendingTasks, smallUsdc(20)],
    ([{ order, deposit }, others, free]) => {
      const paid = funded(free, [...others, order])
      assert.strictEqual(paid.has(order.id), deposit.amount <= free)
      const cost = sum([...others, order].filter(({ id }) => paid.has(id)).map((one) => one.totalCost as Usdc))
      assert.isTrue(cost <= free)
      const rest = free > deposit.amount ? free - deposit.amount : 0n
      assert.deepStrictEqual(
        [...paid.keys()].filter((id) => id !== order.id),
        [...funded(rest, others).keys()]
      )
    },
    MANY
  )

  const order = (id: number, cost: number, more: Partial<Candidate> = {}): Candidate => {
    const task: Task = taskOf({ id: uuid(id), quantity: 1, pricePerMint: usdc(BigInt(cost)) })
    return { ...task, ...more }
  }
  const deposit = (seed: number, amount: number, left = amount): UnspentDeposit => ({
    wallet: wallet.agentAddress,
    from: PAYER,
    amount: usdc(BigInt(amount)),
    left: usdc(BigInt(left)),
    tx: hash(seed),
    logIndex: 0,
    block: { number: BigInt(seed), timeMs: NOW_MS + seed }
  })
  const signedFor = (seed: number, amount: number) => ({
    ownDeposit: { tx: hash(seed), from: PAYER, amount: usdc(BigInt(amount)) }
  })
  const ids = (free: bigint, orders: ReadonlyArray<Candidate>, deposits: ReadonlyArray<UnspentDeposit>) => [
    ...funded(free, orders, arrivalsOf(deposits)).keys()
  ]

  it("that is spent already leaves its order one like any other", () => {
    const paid = order(2, 5, signedFor(1, 5))
    assert.deepStrictEqual(ids(5n, [order(1, 5), paid], [deposit(1, 5, 0), deposit(2, 5)]), [uuid(1)])
    assert.deepStrictEqual(ids(5n, [paid], [deposit(1, 5, 0), deposit(2, 5)]), [paid.id])
  })

  it("is in what the logs do not explain where they do not show it, and older orders do not get it", () => {
    const paid = order(2, 5, signedFor(1, 5))
    assert.deepStrictEqual(ids(5n, [order(1, 5, { createdAtMs: NOW_MS - 1 }), paid], []), [paid.id])
    assert.deepStrictEqual(ids(9n, [order(1, 5, { createdAtMs: NOW_MS - 1 }), paid], [deposit(2, 5)]), [uuid(1)])
  })

  it("is one of two of the same transaction, payer and amount, for two orders", () => {
    const twice = [deposit(1, 5), { ...deposit(1, 5), logIndex: 4 }]
    const orders = [order(1, 5, signedFor(1, 5)), order(2, 5, signedFor(1, 5))]
    const uses = [...funded(10n, orders, arrivalsOf(twice)).values()].flatMap((one) => one.uses)
    assert.sameMembers(
      uses.map(({ logIndex }) => logIndex),
      [0, 4]
    )
  })

  it("that is more than the order costs pays for others with the rest", () => {
    assert.sameMembers(ids(7n, [order(1, 2), order(2, 5, signedFor(1, 7))], [deposit(1, 7)]), [uuid(1), uuid(2)])
  })

  it("whose money is gone keeps nothing from others once its order is overdue", () => {
    const young = order(2, 5, signedFor(1, 5))
    const overdue = { ...young, createdAtMs: NOW_MS - 50_000 }
    assert.deepStrictEqual(ids(3n, [order(1, 3), young], [deposit(1, 5)]), [])
    assert.deepStrictEqual(ids(3n, [order(1, 3), overdue], [deposit(1, 5)]), [uuid(1)])
    assert.deepStrictEqual(ids(5n, [order(1, 3), overdue], [deposit(1, 5)]), [overdue.id])
  })

  it("is for its order also where that is held and the deposit came after its deadline", () => {
    const held = order(1, 5, { ...signedFor(1, 5), keepsUntilMs: NOW_MS - 1 })
    assert.deepStrictEqual(ids(5n, [held, order(2, 5)], [deposit(1, 5)]), [held.id])
  })
})
