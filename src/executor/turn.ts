import { Clock, Effect } from "effect"
import { ChainClient, type ChainError } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import { type Batch, isFinal, isInFlight } from "../domain/Batch.ts"
import { isAwaited, isBusy, lookDueMs } from "../domain/transferTransitions.ts"
import type { Refund } from "../domain/Refund.ts"
import { messages, shortId, type Task } from "../domain/Task.ts"
import { sum, zero } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import { alone } from "../ops/eachAlone.ts"
import { holdTask } from "../ops/holdTasks.ts"
import { isOutdated, type WalletWork } from "../domain/WalletState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { completeTask, failTask, holdOrder, noteWaiting, pauseTask, pauseUnwritable, unlessLocked } from "./outcome.ts"
import { LOCKED_PAUSE_MS, OUTRUN_PAUSE_MS } from "./pace.ts"
import { payBatch } from "./pay.ts"
import { planTask } from "./plan.ts"
import { moveRefund } from "./refund.ts"
import { settleBatches } from "./settle.ts"
import { withWallet, type OpenWork } from "./work.ts"

/** How soon to look again where the node is behind what was proven before. */
const LAGGING_PAUSE_MS = 5_000

/**
 * One thing done for a wallet: first what its payments in flight need, then one step of its oldest task that may
 * move. Gives the time at which there is something to do again, or `undefined` where there is nothing.
 */
export const takeTurn = Effect.fn("Wallet.takeTurn")(function* (walletId: WalletId) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const work = yield* repo.walletWork(walletId)
  for (const { taskId, reason } of work.bad) yield* holdTask(taskId, reason)
  yield* noteWaits(work, nowMs)
  const due = work.batches.filter((batch) => isInFlight(batch) && lookDueMs(batch, nowMs) <= nowMs)
  if (due.length > 0) return nextTurnMs(nowMs, yield* settleBatches(work, due))
  const refund = work.refunds.find((candidate) => isOpen(work, candidate) && lookDueMs(candidate, nowMs) <= nowMs)
  if (refund !== undefined) return nextTurnMs(nowMs, yield* moveRefund(work, refund))
  const open = work.stopped === undefined ? withWallet(work) : undefined
  if (open === undefined) return nextDueMs(work, nowMs)
  const movable = open.tasks.filter((task) => (task.nextActionAtMs ?? 0) <= nowMs && !isOccupied(work, task, nowMs))
  const outrun = new Set<Address>()
  for (const task of movable) {
    if (outrun.has(task.token)) continue
    const changed = yield* unlessLocked(alone(task.id, moveTask(open, task), pauseUnwritable(task)))
    if (changed === true) return nowMs
    if (changed === false) outrun.add(task.token)
  }
  if (outrun.size > 0) return nextTurnMs(nowMs, false)
  return movable.length > 0 ? nowMs + LOCKED_PAUSE_MS : nextDueMs(work, nowMs)
})

const nextTurnMs = (nowMs: number, changed: boolean): number => (changed ? nowMs : nowMs + OUTRUN_PAUSE_MS)

/**
 * Writes into the rows of orders that this turn passes over why it does. Orders that v1.1 left are passed over in
 * silence: a trigger of v1.1's would take any change of such a row for v1.1's work.
 */
const noteWaits = Effect.fnUntraced(function* (work: WalletWork, nowMs: number) {
  const planned = new Set(work.batches.map(({ taskId }) => taskId))
  for (const task of work.tasks) {
    const why = task.status === "funded" || planned.has(task.id) ? waitsFor(work, task, nowMs) : undefined
    if (why !== undefined) yield* alone(task.id, noteWaiting(task, why), () => Effect.void)
  }
})

/** Why nothing new is done for an order, though nothing of its own is on its way. A stopped wallet's orders say so already. */
const waitsFor = ({ batches, stopped, pausedTokens }: WalletWork, task: Task, nowMs: number): string | undefined => {
  const flying = batches.filter((batch) => isBusy(batch, nowMs))
  if (flying.some(({ taskId }) => taskId === task.id)) return undefined
  if (stopped?.startsWith(messages.paused(""))) return stopped
  const ofToken = pausedTokens.get(task.token)
  if (ofToken !== undefined) return messages.paused(ofToken)
  const first = flying.find(({ token }) => token === task.token)
  return first && `order ${shortId(first.taskId)} of the same wallet and token is paid and minted first`
}

/** The chain does not answer: the orders of the wallet that would have had their turn say so. */
export const noteTrouble = (walletId: WalletId, { reason }: ChainError) =>
  Effect.gen(function* () {
    const work = yield* (yield* TaskRepo).walletWork(walletId)
    const nowMs = yield* Clock.currentTimeMillis
    const planned = new Set(work.batches.map(({ taskId }) => taskId))
    const waits = work.tasks.filter(
      (task) => (task.status === "funded" || planned.has(task.id)) && !isOccupied(work, task, nowMs)
    )
    for (const task of waits) yield* noteWaiting(task, `the chain cannot be read (${reason})`)
  }).pipe(Effect.ignore)

/**
 * While a batch of the same token is in flight for this wallet, or its price is asked, its tasks wait: two batches of one
 * token to one person could not be told apart on chain. So do those whose token is paused.
 */
const isOccupied = (work: WalletWork, task: Task, nowMs: number): boolean =>
  work.pausedTokens.has(task.token) || work.batches.some((batch) => isBusy(batch, nowMs) && batch.token === task.token)

/** A stopped wallet pays nobody; what may be on its way already is looked after. */
const isOpen = ({ stopped }: WalletWork, refund: Refund): boolean => stopped === undefined || refund.status === "signed"

const nextDueMs = (work: WalletWork, nowMs: number): number | undefined => {
  const tasks = work.stopped === undefined ? work.tasks.filter((task) => !isOccupied(work, task, nowMs)) : []
  const refunds = work.refunds.filter((refund) => isOpen(work, refund))
  const looks = [...work.batches.filter(isInFlight), ...refunds].map((one) => lookDueMs(one, nowMs))
  const due = tasks.map((task) => task.nextActionAtMs ?? 0)
  // A price that is asked brings news at its answer. Where that never comes, from then on it is looked for what it did.
  const asked = work.batches.flatMap((batch) =>
    batch.status === "planned" && isAwaited(batch, nowMs) ? [batch.answerByMs ?? 0] : []
  )
  return [...looks, ...due, ...asked].toSorted((a, b) => a - b)[0]
}

const moveTask = Effect.fnUntraced(function* (work: OpenWork, task: Task) {
  const { maxRetryCount } = yield* Settings
  const batches = work.batches.filter((batch) => batch.taskId === task.id)
  if (task.status === "funded" || batches.length === 0) return yield* planTask(work, task, batches)
  if (task.retryCount >= maxRetryCount) return yield* giveUp(work, task, batches)
  const planned = batches.find((batch) => batch.status === "planned")
  if (planned !== undefined) return yield* payBatch(work, task, planned)
  if (batches.every(isFinal)) return yield* finish(task)
  return yield* holdOrder(task, batches.find((batch) => batch.status === "held")?.reason ?? "a batch is held")
})

/** Refused too often. Where that was for want of money, which is no fault of the order, a person has to find it. */
const giveUp = Effect.fnUntraced(function* (work: OpenWork, task: Task, batches: ReadonlyArray<Batch>) {
  const unpaid = sum(batches.filter((batch) => batch.status === "planned").map((batch) => batch.amount))
  const { block, usdc } = yield* (yield* ChainClient).readBalances([work.wallet.agentAddress])
  // A balance from before the wallet's last proven payment tells neither.
  if (isOutdated(block, work)) {
    return yield* pauseTask(task, LAGGING_PAUSE_MS, "the node is behind the wallet's last payment")
  }
  const balance = usdc.get(work.wallet.agentAddress) ?? zero
  if (balance >= unpaid) return yield* failTask(task, task.retryCount, task.lastRefusal ?? "refused")
  const nowMs = yield* Clock.currentTimeMillis
  if (!(yield* (yield* TaskRepo).saveTask(task, { retryCount: 0 }, nowMs))) return false
  return yield* holdOrder(task, messages.held(messages.shortOfMoney(unpaid, balance)))
})

/** All is delivered. Where the count of the order says otherwise, somebody has changed it. */
const finish = Effect.fnUntraced(function* (task: Task) {
  if (yield* completeTask(task)) return true
  const counted = `mints_completed is ${task.mintsCompleted}, quantity is ${task.quantity}`
  return yield* holdOrder(task, messages.held(`every batch is delivered, but ${counted}`))
})
