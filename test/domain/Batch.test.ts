import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { authorizationOf } from "../../src/domain/Authorization.ts"
import { type KnownPayment, mintsOf, nonceOf, planBatches } from "../../src/domain/Batch.ts"
import { remainingCost, type Task } from "../../src/domain/Task.ts"
import { accept, confirm, sign } from "../../src/domain/transferTransitions.ts"
import { sum, times, usdc } from "../../src/domain/Usdc.ts"
import { account, between, CHAIN, hash, MANY, NOW_MS, plannedBatch, taskOf, uuid, wallet } from "./given.ts"

interface Case {
  readonly task: Task
  readonly batchSizeMax: number
  readonly known: ReadonlyArray<KnownPayment>
}

/** An order that v1.1 may have begun, and payments that a restored backup may have forgotten. */
const cases: Arbitrary.Arbitrary<Case> = Arbitrary.map(
  Arbitrary.all({
    quantity: between(1, 60),
    begun: between(0, 59),
    batchSizeMax: between(1, 20),
    price: between(1, 5_000_000),
    forgotten: Arbitrary.array(Arbitrary.all({ number: between(1, 60), quantity: between(1, 20) }), { maxLength: 4 })
  }),
  ({ quantity, begun, batchSizeMax, price, forgotten }) => {
    const mintsCompleted = Math.min(begun, quantity - 1)
    const task = taskOf({ quantity, mintsCompleted, pricePerMint: usdc(BigInt(price)) })
    let left = quantity - mintsCompleted
    const known = [...new Map(forgotten.map((payment) => [payment.number, payment])).values()]
      .filter((payment) => (payment.quantity <= left ? (left -= payment.quantity) >= 0 : false))
      .map((payment): KnownPayment => ({
        ...payment,
        tx: hash(payment.number),
        block: 5n,
        value: times(task.pricePerMint, payment.quantity),
        to: account("9")
      }))
    return { task, batchSizeMax, known }
  }
)

const cut = ({ task, batchSizeMax, known }: Case, nowMs = NOW_MS) =>
  planBatches({ task, wallet, ...CHAIN, batchSizeMax, known, nowMs })

describe("a plan", () => {
  it.prop("buys exactly what is still to be minted, at exactly what it was quoted", [cases], ([one]) => {
    const batches = cut(one)
    const mints = batches.reduce((total, batch) => total + batch.quantity, 0)
    assert.strictEqual(mints, one.task.quantity - one.task.mintsCompleted)
    assert.strictEqual(sum(batches.map((batch) => batch.amount)), remainingCost(one.task))
  })

  it.prop("gives every mint of the order one place, after those that v1.1 made", [cases], ([one]) => {
    const ordinals = cut(one).flatMap(({ firstMint, quantity }) =>
      Array.from({ length: quantity }, (_, index) => firstMint + index)
    )
    const { quantity, mintsCompleted } = one.task
    const expected = Array.from({ length: quantity - mintsCompleted }, (_, index) => mintsCompleted + 1 + index)
    assert.deepStrictEqual(ordinals, expected)
  })

  it.prop("gives every batch a number and a nonce of its own, and none too many mints", [cases], ([one]) => {
    const batches = cut(one)
    assert.strictEqual(new Set(batches.map(({ number }) => number)).size, batches.length)
    assert.strictEqual(new Set(batches.map(({ nonce }) => nonce)).size, batches.length)
    for (const batch of batches) {
      assert.isAtLeast(batch.number, 1)
      assert.isAtLeast(batch.quantity, 1)
      if (batch.status === "planned") assert.isAtMost(batch.quantity, one.batchSizeMax)
    }
  })

  it.prop("keeps every payment that the chain knows, under its number, as paid", [cases], ([one]) => {
    const paid = cut(one).filter(({ status }) => status === "paid")
    assert.lengthOf(paid, one.known.length)
    for (const { number, quantity, tx, block, value, to } of one.known) {
      const batch = paid.find((candidate) => candidate.number === number)
      assert.deepInclude(batch, {
        quantity: quantity ?? assert.fail("every payment of these cases is clear"),
        paymentTx: tx,
        paymentBlock: block,
        paidAmount: value,
        payTo: to,
        minted: 0,
        nextActionAtMs: NOW_MS
      })
    }
  })

  it("leaves a payment of which nobody can tell what it was for to a person, and cuts nothing beside it", () => {
    const payment = { number: 2, quantity: undefined, tx: hash(1), block: 9n, value: usdc(7n), to: account("7") }
    const task = taskOf({ quantity: 9 })
    const batches = planBatches({ task, wallet, ...CHAIN, batchSizeMax: 4, known: [payment], nowMs: NOW_MS })
    assert.lengthOf(batches, 1)
    const unclear = { number: 2, quantity: 9, status: "held", paymentTx: hash(1), paidAmount: usdc(7n) } as const
    assert.deepInclude(batches[0], unclear)
  })

  it("gives no batch a number whose nonce was cancelled", () => {
    const task = taskOf({ quantity: 6 })
    const cutting = { task, wallet, ...CHAIN, batchSizeMax: 3, known: [], dead: new Set([1]), nowMs: NOW_MS }
    assert.deepStrictEqual(
      planBatches(cutting).map(({ number }) => number),
      [2, 3]
    )
  })

  it.prop(
    "uses the same nonces whatever the batch size, the price and the time are",
    [cases, between(1, 20), between(1, 9)],
    ([one, batchSizeMax, price]) => {
      const other = cut(
        { ...one, batchSizeMax, task: taskOf({ ...one.task, pricePerMint: usdc(BigInt(price)) }) },
        NOW_MS + 5
      )
      const nonces = new Map(other.map(({ number, nonce }) => [number, nonce]))
      for (const { number, nonce } of cut(one)) {
        if (nonces.has(number)) assert.strictEqual(nonces.get(number), nonce)
      }
    }
  )

  it("pays from the agent wallet to the token, for the person", () => {
    assert.deepInclude(plannedBatch(), {
      payer: wallet.agentAddress,
      payTo: account("7"),
      token: account("7"),
      recipient: wallet.userAddress,
      amount: usdc(6_000_000n),
      status: "planned",
      version: 0,
      window: undefined,
      sends: 0,
      minted: 0,
      nextActionAtMs: undefined
    })
  })
})

describe("a nonce", () => {
  const seed = { ...CHAIN, payer: account("2"), taskId: uuid(1), number: 1 }

  it("is this one for ever: a nonce that is derived in another way pays again", () => {
    // Worked out apart from this code: keccak256(abi.encode("ai-mint/1", chain, usdc, payer, task, number)).
    assert.strictEqual(nonceOf(seed), "0xc5c3bd476e095341060d4bf94ff654c04a23cdf2781dd2410435f5715d6a8b83")
  })

  it.each([
    ["chain", { chainId: 8453 }],
    ["USDC contract", { usdc: account("6") }],
    ["payer", { payer: account("3") }],
    ["task", { taskId: uuid(2) }],
    ["batch", { number: 2 }]
  ] as const)("is another for another %s", (_, change) => {
    assert.notStrictEqual(nonceOf({ ...seed, ...change }), nonceOf(seed))
  })
})

describe("an authorization", () => {
  it("says what was signed, and not what was quoted", () => {
    const window = { amount: usdc(1n), payTo: account("9"), validAfter: 10, validBefore: 20, block: 3n }
    const batch = plannedBatch()
    assert.deepStrictEqual(authorizationOf(batch, window), {
      from: batch.payer,
      to: account("9"),
      value: usdc(1n),
      validAfter: 10,
      validBefore: 20,
      nonce: batch.nonce
    })
  })
})

/** Paid in block 10 for four mints; the server named the transactions in `mintTxs`. */
const paidBatch = (mintTxs: ReadonlyArray<`0x${string}`> = []) => {
  const planned = plannedBatch()
  const window = { amount: planned.amount, payTo: planned.payTo, validAfter: 1, validBefore: 2, block: 9n }
  const accepted = accept(sign(planned, window, NOW_MS, NOW_MS), mintTxs, NOW_MS)
  const used = { _tag: "Used", tx: hash(1), block: 10n, to: window.payTo, value: window.amount } as const
  return confirm(accepted, used, NOW_MS)
}

const mint = (seed: number, block: number) => ({ tx: hash(seed), block: BigInt(block) })

const someMints = Arbitrary.array(
  Arbitrary.map(Arbitrary.all([between(1, 6), between(5, 15)]), ([seed, block]) => mint(seed, block)),
  { maxLength: 12 }
)

describe("which mints are a batch's", () => {
  it.prop(
    "never more than are missing, none twice, and only such as belong to nobody",
    [someMints, between(0, 4), between(0, 9), Arbitrary.array(between(1, 6), { maxLength: 2 })],
    ([unclaimed, minted, looks, named]) => {
      const batch = { ...paidBatch(named.map(hash)), minted, looks }
      const taken = mintsOf(batch, unclaimed)
      assert.isAtMost(taken.length, batch.quantity - minted)
      assert.strictEqual(new Set(taken).size, taken.length)
      for (const one of taken) assert.include(unclaimed, one)
    },
    MANY
  )

  it("those in the transactions that the server named, wherever others are", () => {
    const unclaimed = [mint(1, 11), mint(7, 12), mint(2, 13), mint(7, 14)]
    assert.deepStrictEqual(mintsOf(paidBatch([hash(7)]), unclaimed), [mint(7, 12), mint(7, 14)])
  })

  it("where it named none, the next ones since the payment's own block", () => {
    const unclaimed = [mint(1, 9), mint(2, 10), mint(3, 11), mint(4, 12), mint(5, 13), mint(6, 14)]
    assert.deepStrictEqual(mintsOf(paidBatch(), unclaimed), unclaimed.slice(1, 5))
  })

  it("a named transaction that nobody can see is waited for, and then no longer", () => {
    const unclaimed = [mint(1, 11)]
    const batch = paidBatch([hash(7)])
    assert.deepStrictEqual(mintsOf({ ...batch, looks: 4 }, unclaimed), [])
    assert.deepStrictEqual(mintsOf({ ...batch, looks: 5 }, unclaimed), unclaimed)
  })
})
