import { Arbitrary, Redacted, Schema } from "effect"
import { type Address, address, type Bytes32 } from "../../src/domain/Address.ts"
import type { WalletMoney } from "../../src/domain/Allocation.ts"
import { type Batch, planBatches } from "../../src/domain/Batch.ts"
import type { UnspentDeposit } from "../../src/domain/Deposit.ts"
import type { Task } from "../../src/domain/Task.ts"
import { times, type Usdc, usdc } from "../../src/domain/Usdc.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { type AnyId, anyId } from "../support/anyId.ts"

/** 2025-11-01T05:15:30Z. */
export const NOW_MS = 1_761_974_130_000

export const CHAIN = { chainId: 31337, usdc: address(`0x${"05".repeat(20)}`) }

export const account = (digit: string): Address => address(`0x${digit.repeat(40)}`)

export const hash = (seed: number): Bytes32 => `0x${seed.toString(16).padStart(64, "0")}`

export const uuid = (seed: number): AnyId => anyId(`${seed.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`)

export const wallet: Wallet = {
  id: uuid(0xa11e7),
  userAddress: account("1"),
  agentAddress: account("2"),
  encryptedPrivateKey: Redacted.make("key")
}

const sound: Task = {
  id: uuid(1),
  walletId: wallet.id,
  userAddress: wallet.userAddress,
  token: account("7"),
  quantity: 4,
  pricePerMint: usdc(1_500_000n),
  totalCost: usdc(6_000_000n),
  status: "pending_payment",
  mintsCompleted: 0,
  retryCount: 0,
  errorMessage: undefined,
  lastRefusal: undefined,
  createdAtMs: NOW_MS,
  startedAtMs: undefined,
  updatedAtMs: NOW_MS,
  reserved: false,
  adopted: false,
  stalledSinceMs: undefined,
  limitedSinceMs: undefined,
  keyId: undefined,
  nextActionAtMs: undefined
}

/** A sound order; its cost follows from quantity and price. */
export const taskOf = (changes: Partial<Task> = {}): Task => {
  const task = { ...sound, ...changes }
  return { ...task, totalCost: times(task.pricePerMint, task.quantity) }
}

/** The first batch of an order that is cut into one. */
export const plannedBatch = (quantity = 4): Batch => {
  const task = taskOf({ quantity })
  const [batch] = planBatches({ task, wallet, ...CHAIN, batchSizeMax: quantity, known: [], nowMs: NOW_MS })
  if (batch === undefined) throw new Error("a plan has a batch")
  return batch
}

/** A whole number, both ends included. */
export const between = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** Few different amounts, so that they often meet: sums that fit to the unit are where the mistakes are. */
export const smallUsdc = (maximum: number): Arbitrary.Arbitrary<Usdc> =>
  Arbitrary.map(between(0, maximum), (units) => usdc(BigInt(units)))

/** Orders of one wallet as they come from the ledger: some of the same age, some of the same cost, no two of one id. */
export const pendingTasks: Arbitrary.Arbitrary<ReadonlyArray<Task>> = Arbitrary.map(
  Arbitrary.array(Arbitrary.all({ id: between(1, 500), cost: between(1, 6), ageMs: between(0, 5) }), { maxLength: 7 }),
  (drawn) => {
    const tasks = drawn.map(({ id, cost, ageMs }) =>
      taskOf({ id: uuid(id), quantity: 1, pricePerMint: usdc(BigInt(cost)), createdAtMs: NOW_MS - ageMs * 10_000 })
    )
    return [...new Map(tasks.map((task) => [task.id, task])).values()]
  }
)

/** Transfers into the wallet in the last minute, oldest first. */
export const someDeposits: Arbitrary.Arbitrary<ReadonlyArray<UnspentDeposit>> = Arbitrary.map(
  Arbitrary.array(Arbitrary.all({ amount: smallUsdc(8), ageMs: between(0, 6) }), { maxLength: 5 }),
  (drawn) =>
    drawn
      .toSorted((a, b) => b.ageMs - a.ageMs)
      .map(({ amount, ageMs }, index) => ({
        wallet: wallet.agentAddress,
        from: wallet.userAddress,
        amount,
        left: amount,
        tx: hash(index),
        logIndex: 0,
        block: { number: BigInt(index), timeMs: NOW_MS - ageMs * 10_000 }
      }))
)

/** So many cases per property: the ranges are small, and most of what can go wrong is within them. */
export const MANY = { arbitrary: { runs: 1_000 } }

/** A wallet's money: what may be spent is part of what is reserved. The chain may hold less than both. */
export const walletMoney: Arbitrary.Arbitrary<WalletMoney> = Arbitrary.map(
  Arbitrary.all({ balance: smallUsdc(20), sure: smallUsdc(6), maybeSpent: smallUsdc(6) }),
  ({ balance, sure, maybeSpent }) => ({ balance, reserved: usdc(sure + maybeSpent), maybeSpent })
)

/** The same things in another order, decided by `seed`. */
export const shuffled = <A>(items: ReadonlyArray<A>, seed: number): ReadonlyArray<A> =>
  items
    .map((item, index) => ({ item, rank: ((index + 1) * 7_919 * (seed + 1)) % 104_729 }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
