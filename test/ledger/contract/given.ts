import { Effect, Redacted } from "effect"
import { type Address, address, type Bytes32 } from "../../../src/domain/Address.ts"
import type { AuthorizationOutcome } from "../../../src/domain/Authorization.ts"
import { type Batch, type KnownPayment, planBatches } from "../../../src/domain/Batch.ts"
import { accept, deliver, confirm, sign } from "../../../src/domain/transferTransitions.ts"
import type { Block } from "../../../src/domain/Block.ts"
import type { Task, TaskId } from "../../../src/domain/Task.ts"
import { times, type Usdc, usdc } from "../../../src/domain/Usdc.ts"
import type { Wallet, WalletId } from "../../../src/domain/Wallet.ts"
import type { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import type { OrderInsert } from "../../support/memory/MemoryLedger.ts"
import type { WalletOrders } from "../../../src/domain/WalletState.ts"
import { type BatchSave, type Funding, TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { type AnyId, anyId } from "../../support/anyId.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { CHAIN } from "../../support/LedgerSql.ts"

/** Registers one promise of the ledger as a test, on empty tables. */
export type Promises = (
  sentence: string,
  proof: () => Generator<Effect.Effect<unknown, unknown, TaskRepo | DecisionRepo | LedgerFixture>, void, never>
) => void

/** 2025-11-01T05:15:30Z, and all times of these tests after it: no clock is asked. */
export const NOW_MS = 1_761_974_130_000

export const PRICE = usdc(1_500_000n)

/** What so many mints are quoted at. */
export const cost = (mints: number): Usdc => times(PRICE, mints)

export const TOKEN = address(`0x${"7c".repeat(20)}`)

export const OTHER_TOKEN = address(`0x${"0b".repeat(20)}`)

export const block = (number: bigint): Block => ({ number, timeMs: NOW_MS })

/** A block that is new enough for everything. */
export const TIP = block(1_000n)

export const hash = (seed: number): Bytes32 => `0x${seed.toString(16).padStart(64, "0")}`

const account = (seed: number): Address => address(`0x${seed.toString(16).padStart(40, "a")}`)

/** As programs with checksummed addresses may store them. */
export const inCapitals = (text: string): string => `0x${text.slice(2).toUpperCase()}`

/** UUIDs that sort by `seed`. */
export const uuid = (seed: number): AnyId => anyId(`${seed.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`)

/** Each wallet of a test is another person's. */
export const givenWallet = Effect.fnUntraced(function* (seed = 1) {
  const userAddress = account(seed)
  const agentAddress = account(seed + 0x1000)
  const encryptedPrivateKey = `key of ${seed}`
  const id = yield* (yield* LedgerFixture).insertWallet({ userAddress, agentAddress, encryptedPrivateKey })
  return { id, userAddress, agentAddress, encryptedPrivateKey: Redacted.make(encryptedPrivateKey) } satisfies Wallet
})

/** An order as the other program writes it. The cost follows from quantity and price unless the test breaks that. */
export const givenOrder = Effect.fnUntraced(function* (wallet: Wallet, order: Partial<OrderInsert> = {}) {
  const { quantity = 4, pricePerMint = PRICE } = order
  return yield* (yield* LedgerFixture).insertOrder({
    walletId: wallet.id,
    userAddress: wallet.userAddress,
    token: TOKEN,
    quantity,
    pricePerMint,
    totalCost: pricePerMint * BigInt(quantity),
    createdAtMs: NOW_MS,
    ...order
  })
})

export const firstPage = Effect.flatMap(TaskRepo, (repo) => repo.pendingPage({ cursor: undefined, walletsMax: 100 }))

/** What the sweep sees of a wallet. Dies where it sees nothing. */
export const ordersOf = Effect.fnUntraced(function* (wallet: Wallet) {
  const { wallets } = yield* firstPage
  const orders = wallets.find((candidate) => candidate.wallet.id === wallet.id)
  return orders ?? (yield* Effect.die(new Error("the wallet has no pending order")))
})

export const evidence = (orders: WalletOrders, taskId: TaskId) => ({
  taskId,
  walletId: orders.wallet.id,
  version: orders.version
})

export const funding = (orders: WalletOrders, taskId: TaskId): Funding => ({
  ...evidence(orders, taskId),
  fundingTx: "auto_funded",
  receivedAtMs: NOW_MS
})

export const workOf = (wallet: { readonly id: WalletId }) =>
  Effect.flatMap(TaskRepo, (repo) => repo.walletWork(wallet.id))

/** The task as the wallet's actor reads it. Dies where it is not among the wallet's work. */
export const taskOf = Effect.fnUntraced(function* (wallet: Pick<Wallet, "id">, taskId: TaskId) {
  const { tasks } = yield* workOf(wallet)
  const task = tasks.find((candidate) => candidate.id === taskId)
  return task ?? (yield* Effect.die(new Error("the task is not among the wallet's work")))
})

/** An order that the ledger itself has funded. */
export const givenFunded = Effect.fnUntraced(function* (wallet: Wallet, order: Partial<OrderInsert> = {}) {
  const id = yield* givenOrder(wallet, order)
  yield* (yield* TaskRepo).fund([funding(yield* ordersOf(wallet), id)], TIP, NOW_MS)
  return yield* taskOf(wallet, id)
})

export const cut = (
  task: Task,
  wallet: Wallet,
  batchSizeMax: number,
  known: ReadonlyArray<KnownPayment> = []
): ReadonlyArray<Batch> => planBatches({ task, wallet, ...CHAIN, batchSizeMax, known, nowMs: NOW_MS })

/** A funded order cut into batches of two mints. */
export const givenPlanned = Effect.fnUntraced(function* (wallet: Wallet, order: Partial<OrderInsert> = {}) {
  const funded = yield* givenFunded(wallet, order)
  yield* (yield* TaskRepo).plan(funded, cut(funded, wallet, 2), NOW_MS)
  return yield* taskOf(wallet, funded.id)
})

export const batchOf = Effect.fnUntraced(function* (task: Task, number: number) {
  const batches = yield* (yield* LedgerFixture).readBatches(task.id)
  const batch = batches.find((candidate) => candidate.number === number)
  return batch ?? (yield* Effect.die(new Error(`the task has no batch ${number}`)))
})

export const save = (change: BatchSave) => Effect.flatMap(TaskRepo, (repo) => wasFirst(repo.saveBatch(change, NOW_MS)))

export const saveTask = (...[expected, change]: [Task, Parameters<TaskRepo["Service"]["saveTask"]>[1]]) =>
  Effect.flatMap(TaskRepo, (repo) => wasFirst(repo.saveTask(expected, change, NOW_MS)))

/** Takes a batch one step further and reads it again. Dies where somebody else was first. */
export const advance = Effect.fnUntraced(function* (
  before: Batch,
  step: (batch: Batch) => Batch,
  more: Pick<BatchSave, "mints" | "task" | "onlyFor"> = {}
) {
  const done = yield* save({ before, after: step(before), ...more })
  if (!done) return yield* Effect.die(new Error(`batch ${before.number} was not saved`))
  const batches = yield* (yield* LedgerFixture).readBatches(before.taskId)
  return batches.find(({ number }) => number === before.number) ?? before
})

/** Signed at half of what was quoted: the server asked less. */
export const signedAmount = (batch: Batch): Usdc => usdc(batch.amount / 2n)

export const signed = (batch: Batch): Batch =>
  sign(
    batch,
    { amount: signedAmount(batch), payTo: batch.payTo, validAfter: 1, validBefore: 2, block: TIP.number },
    NOW_MS,
    NOW_MS + 65_000
  )

export const accepted = (batch: Batch): Batch => accept(batch, [], NOW_MS)

export const used = (batch: Batch, inBlock = TIP.number): Extract<AuthorizationOutcome, { _tag: "Used" }> => ({
  _tag: "Used",
  tx: hash(batch.number),
  block: inBlock,
  to: batch.payTo,
  value: signedAmount(batch)
})

export const proven = (batch: Batch): Batch => confirm(batch, used(batch), NOW_MS)

/** Signed, then shown by the chain. */
export const givenPaid = Effect.fnUntraced(function* (task: Task, number: number) {
  return yield* advance(yield* advance(yield* batchOf(task, number), signed), proven)
})

/** A funded order whose payments, for two mints each, were found on chain after a restore. */
export const givenFoundPaid = Effect.fnUntraced(function* (wallet: Wallet) {
  const task = yield* givenFunded(wallet)
  const known = [1, 2].map((number) => {
    return { number, quantity: 2, tx: hash(number), block: 10n, value: cost(2), to: TOKEN }
  })
  yield* (yield* TaskRepo).plan(task, cut(task, wallet, 2, known), NOW_MS)
  return task
})

/** The next `count` mints of a batch, as the chain shows them: all in one transaction. */
export const mintsOf = (batch: Batch, count: number) =>
  Array.from({ length: count }, (_, index) => {
    const mintNumber = batch.firstMint + batch.minted + index
    return { tx: batch.nonce, part: mintNumber, logIndex: mintNumber, mintNumber }
  })

export const delivered = (count: number) => (batch: Batch) => deliver(batch, count, NOW_MS)

/** Signed, paid and minted to the last. */
export const givenDelivered = Effect.fnUntraced(function* (task: Task, number: number) {
  const paid = yield* givenPaid(task, number)
  return yield* advance(paid, delivered(paid.quantity), { mints: mintsOf(paid, paid.quantity) })
})

/** All batches of a task delivered; the task itself is still `processing`. */
export const givenAllDelivered = Effect.fnUntraced(function* (task: Task) {
  for (const { number } of yield* (yield* LedgerFixture).readBatches(task.id)) yield* givenDelivered(task, number)
})
