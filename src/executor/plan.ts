import { Clock, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { cover } from "../domain/Allocation.ts"
import { type Batch, type KnownPayment, nonceOf, planBatches, possibleNumbers } from "../domain/Batch.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import { counted } from "../domain/text.ts"
import { messages, remainingCost, shortId, type Task, V1_AUTHORIZATION_MS } from "../domain/Task.ts"
import { format, minus, sum, times, type Usdc, zero } from "../domain/Usdc.ts"
import * as Log from "../ops/Log.ts"
import { isOutdated, type OpenWork } from "../domain/WalletState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { Orders } from "./Orders.ts"
import { Transfers } from "./Transfers.ts"

/** How soon to ask again where the chain does not show it yet. */
const UNCLEAR_PAUSE_MS = 5_000

/** Plans orders: cuts them into batches. */
export const makePlan = Effect.gen(function* () {
  const chain = yield* ChainClient
  const custody = yield* KeyCustody
  const { holdOrder, pauseTask } = yield* Orders
  const recoverPayments = yield* makeRecoverPayments
  const spentOnOthers = yield* makeSpentOnOthers
  const takesOverLater = yield* makeTakesOverLater
  const { cut, startProcessing } = yield* makeStart

  const holdAnd = (task: Task, reason: string) => holdOrder(task, messages.held(reason))

  /** The row that v1.1 left stays as it is: a trigger of v1.1's would take any change of it for v1.1's work. */
  const waitFor = (task: Task, why: string) =>
    pauseTask(task, UNCLEAR_PAUSE_MS, task.status === "funded" ? why : undefined)

  /**
   * `funded → processing`: cuts the task into batches, once and for all. Before that the wallet must hold the money,
   * and the chain must not know more of this task than the ledger does.
   */
  return Effect.fn("Wallet.planTask")(function* (work: OpenWork, task: Task, existing: ReadonlyArray<Batch>) {
    const key = yield* Effect.result(custody.check(work.wallet))
    if (Result.isFailure(key)) return yield* holdAnd(task, key.failure.message)
    if (yield* takesOverLater(work, task)) return
    const { block, usdc } = yield* chain.readBalances([work.wallet.agentAddress])
    if (isOutdated(block, work)) return yield* waitFor(task, "the node is behind the wallet's last payment")
    // Batch rows exist only where this program planned the task before: a failed task that is tried again.
    const known = existing.length > 0 ? NOTHING_RECOVERED : yield* recoverPayments(work, task, block)
    if (known === undefined) return yield* waitFor(task, "no node tells how its nonces were spent")
    const balance = usdc.get(work.wallet.agentAddress) ?? zero
    const cost = costBeyond(task, known)
    const others = minus(work.reserved, ownReservation(task, existing))
    const start = Effect.gen(function* () {
      return yield* startProcessing(task, existing.length > 0 ? [] : yield* cut(work, task, known))
    })
    const coverBeside = (reserved: Usdc) => cover({ balance, reserved, maybeSpent: work.maybeSpent }, cost)
    if (coverBeside(others) === "covered") return yield* start
    const spent = yield* spentOnOthers(work, task, block)
    if (spent === undefined) return yield* waitFor(task, "no node tells how the wallet's nonces were spent")
    const covered = coverBeside(minus(others, spent))
    if (covered === "unclear") return yield* waitFor(task, "a payment of its wallet is not proven yet")
    if (covered === "short") return yield* holdAnd(task, messages.shortOfMoney(cost, minus(balance, others)))
    return yield* start
  })
})

const mintsIn = (payments: ReadonlyArray<KnownPayment>): number =>
  payments.reduce((mints, { quantity = 0 }) => mints + quantity, 0)

/** What is still to be paid. Where it is unknown what was paid for, nothing is until a person has decided. */
const costBeyond = (task: Task, { payments }: RecoveredPayments): Usdc =>
  payments.some(({ quantity }) => quantity === undefined)
    ? zero
    : minus(remainingCost(task), times(task.pricePerMint, mintsIn(payments)))

/** What of the wallet's reservations is this task's. */
const ownReservation = (task: Task, existing: ReadonlyArray<Batch>): Usdc => {
  if (existing.length === 0) return task.reserved ? remainingCost(task) : zero
  return sum(existing.filter((batch) => batch.status === "planned").map((batch) => batch.amount))
}

const makeSpentOnOthers = Effect.gen(function* () {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const recoverPayments = yield* makeRecoverPayments

  /**
   * What of the reservations of the wallet's other tasks is paid already: a ledger from a backup takes payments for still
   * to be made that were made. `undefined` where the node does not show it yet.
   */
  return Effect.fnUntraced(function* (work: OpenWork, task: Task, block: Block) {
    const createdAt = new Map(work.tasks.map(({ id, createdAtMs }) => [id, createdAtMs]))
    const planned = work.batches.filter(({ status, taskId }) => status === "planned" && taskId !== task.id)
    const { outcomes } = yield* chain.readAuthorizations(
      planned.map(({ payer, nonce, taskId }) => {
        const sinceMs = createdAt.get(taskId) ?? block.timeMs
        return { payer, nonce, fromBlock: blockBefore(block, sinceMs, network.blockSeconds) }
      })
    )
    if (outcomes.some(({ _tag }) => _tag === "Unexplained")) return undefined
    const amounts = planned.filter((_, index) => outcomes[index]?._tag === "Used").map(({ amount }) => amount)
    const unplanned = work.tasks.filter(
      ({ id, reserved }) => reserved && id !== task.id && !work.batches.some(({ taskId }) => taskId === id)
    )
    for (const other of unplanned) {
      const known = yield* recoverPayments(work, other, block)
      if (known === undefined) return undefined
      amounts.push(minus(remainingCost(other), costBeyond(other, known)))
    }
    return sum(amounts)
  })
})

const makeStart = Effect.gen(function* () {
  const { network, maxBatchSize: batchSizeMax } = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo

  const cut = Effect.fnUntraced(function* ({ wallet }: OpenWork, task: Task, { payments, dead }: RecoveredPayments) {
    const on = { chainId: network.chainId, usdc: network.usdc.address, batchSizeMax }
    const portion = yield* chain.readPortion(task.token)
    return planBatches({ ...on, task, wallet, known: payments, dead, portion, nowMs: yield* Clock.currentTimeMillis })
  })

  const startProcessing = Effect.fnUntraced(function* (task: Task, batches: ReadonlyArray<Batch>) {
    yield* repo.plan(task, batches, yield* Clock.currentTimeMillis)
    const cut = batches.length === 0 ? "" : `, ${counted(batches.length, "batch", "batches")}`
    // An order that v1.1 was minting is processing already.
    const what = task.status === "processing" ? "taken over from v1.1" : `${task.status} → processing`
    yield* Log.info(`🚀 Task ${shortId(task.id)}: ${what}${cut}`, { task: task.id })
  })

  return { cut, startProcessing }
})

const makeTakesOverLater = Effect.gen(function* () {
  const chain = yield* ChainClient
  const { completeTask, holdOrder, pauseTask } = yield* Orders

  /**
   * How long a payment of v1.1 may still be in flight. It ends by the time of the chain, which stands still where no blocks
   * are made.
   */
  const inFlightMs = Effect.fnUntraced(function* ({ updatedAtMs }: Task) {
    const endsAtMs = updatedAtMs + V1_AUTHORIZATION_MS
    const leftMs = endsAtMs - (yield* Clock.currentTimeMillis)
    if (leftMs > 0) return leftMs
    const { timeMs } = yield* chain.confirmedBlock
    return timeMs < endsAtMs ? UNCLEAR_PAUSE_MS : 0
  })

  /**
   * A task that v1.1 was minting. It is taken over when v1.1's payments can no longer be in flight and no more was paid
   * than v1.1 counted. Says whether something stands in the way: then that was dealt with instead.
   */
  return Effect.fnUntraced(function* (work: OpenWork, task: Task) {
    if (task.status === "processing" && task.mintsCompleted === task.quantity) {
      yield* completeTask(task)
      return true
    }
    // An order that this program starts has batches from then on.
    if (work.batches.some((batch) => batch.taskId === task.id)) return false
    const byV1 = task.status === "processing" || task.startedAtMs !== undefined || task.mintsCompleted > 0
    if (!byV1 || task.adopted) return false
    const flightMs = task.status === "processing" ? yield* inFlightMs(task) : 0
    if (flightMs > 0) {
      yield* Log.info(`⏳ Task ${shortId(task.id)} was left by v1.1, its payments may still be in flight`, {
        task: task.id
      })
      yield* pauseTask(task, flightMs)
      return true
    }
    const paid = yield* chain.paidSince({
      payer: work.wallet.agentAddress,
      payTo: task.token,
      sinceMs: task.startedAtMs ?? task.createdAtMs
    })
    const counted = times(task.pricePerMint, task.mintsCompleted)
    if (paid <= counted) return false
    const words = `v1.1 paid ${format(paid)} USDC for this order and counted mints for ${format(counted)}`
    yield* holdOrder(task, messages.held(words))
    return true
  })
})

/** What the chain knows of an order that the ledger has never cut into batches. */
interface RecoveredPayments {
  /** Made before the ledger was restored from a backup, by number. */
  readonly payments: ReadonlyArray<KnownPayment>
  /** Numbers whose nonce was cancelled: nothing can be paid under them any more. */
  readonly dead: ReadonlySet<number>
}

const NOTHING_RECOVERED: RecoveredPayments = { payments: [], dead: new Set() }

interface Used {
  readonly number: number
  readonly tx: KnownPayment["tx"]
  readonly block: bigint
  readonly to: KnownPayment["to"]
  readonly value: Usdc
}

/** Finds payments of before the ledger was restored. */
const makeRecoverPayments = Effect.gen(function* () {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const { noteProofs, unclaimedMints } = yield* Transfers

  /**
   * How many mints each payment was for. At the quoted price its value shows it, unless more mints came after it and before
   * the wallet's next payment to the same payee (no two batches of one token are ever in flight together): those may be
   * its own, for less, or the next one's, made before it was settled. A value that is no whole number of mints was asked
   * for less for sure: then the mints show it, where they are not fewer than such a value pays for at the quoted price, which
   * is the most that any payment was made at. Else not all of them are there yet.
   */
  const measure = Effect.fnUntraced(function* (work: OpenWork, task: Task, used: ReadonlyArray<Used>, block: Block) {
    const { token, userAddress: recipient } = task
    const fromBlock = used.reduce((first, one) => (one.block < first ? one.block : first), block.number)
    const portion = yield* chain.readPortion(token)
    const mints = yield* unclaimedMints({ token, recipient, portion }, fromBlock)
    const query = { wallets: [work.wallet.agentAddress], fromBlock, toBlock: block.number }
    const spending = yield* chain.findSpending(query)
    const sized = used.map((payment): KnownPayment => {
      const next = spending.find((other) => other.to === payment.to && other.block > payment.block)?.block
      const minted = mints.filter((mint) => mint.block >= payment.block && (next === undefined || mint.block < next))
      const isWhole = payment.value % task.pricePerMint === 0n
      const bought = Number((payment.value + task.pricePerMint - 1n) / task.pricePerMint)
      if (isWhole) return { ...payment, quantity: minted.length > bought ? undefined : bought }
      return { ...payment, quantity: minted.length < bought ? undefined : minted.length }
    })
    const total = sized.reduce((sum, { quantity = 0 }) => sum + quantity, 0)
    const fits = total <= task.quantity - task.mintsCompleted
    return fits ? sized : sized.map((payment) => ({ ...payment, quantity: undefined }))
  })

  /** Every nonce that the order could have paid with, asked of the chain. `undefined` where the node does not show it yet. */
  return Effect.fn("Wallet.recoverPayments")(function* (work: OpenWork, task: Task, block: Block) {
    const payer = work.wallet.agentAddress
    const seed = { chainId: network.chainId, usdc: network.usdc.address, payer, taskId: task.id }
    const fromBlock = blockBefore(block, task.createdAtMs, network.blockSeconds)
    const numbers = possibleNumbers(task.quantity - task.mintsCompleted)
    const queries = numbers.map((number) => ({ payer, nonce: nonceOf({ ...seed, number }), fromBlock }))
    const { outcomes } = yield* chain.readAuthorizations(queries)
    yield* noteProofs(outcomes)
    const used: Array<Used> = []
    const dead = new Set<number>()
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome._tag === "Unexplained") return undefined
      if (outcome._tag === "Canceled") dead.add(index + 1)
      if (outcome._tag === "Used") used.push({ ...outcome, number: index + 1 })
    }
    if (used.length === 0) return { payments: [], dead } satisfies RecoveredPayments as RecoveredPayments
    return { payments: yield* measure(work, task, used, block), dead } satisfies RecoveredPayments as RecoveredPayments
  })
})
