import { Clock, Effect } from "effect"
import { ChainClient, type ChainError } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import { isMove, stepsOf, waitingFor, type WalletSteps } from "../domain/NextStep.ts"
import { messages, type Task } from "../domain/Task.ts"
import { sum, zero } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import { alone } from "../ops/eachAlone.ts"
import { holdTask } from "../ops/holdTasks.ts"
import { isOutdated, withWallet, type OpenWork } from "../domain/WalletState.ts"
import { TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { completeTask, failTask, holdOrder, noteWaiting, pauseTask, pauseUnwritable, unlessLocked } from "./outcome.ts"
import { LOCKED_PAUSE_MS, OUTRUN_PAUSE_MS } from "./pace.ts"
import { payBatch } from "./pay.ts"
import { planTask } from "./plan.ts"
import { moveRefund } from "./refund.ts"
import { settleBatches } from "./settle.ts"

/** How soon to look again where the node is behind what was proven before. */
const LAGGING_PAUSE_MS = 5_000

/**
 * One thing done for a wallet: first what its payments in flight need, then one step of its oldest task that may
 * move. Gives the time at which there is something to do again, or `undefined` where there is nothing.
 */
export const takeTurn = Effect.fn("Wallet.takeTurn")(function* (walletId: WalletId) {
  const nowMs = yield* Clock.currentTimeMillis
  const { work, steps } = yield* readSteps(walletId, nowMs)
  for (const { taskId, reason } of work.bad) yield* holdTask(taskId, reason)
  yield* noteWaits(steps)
  if (steps.inFlight.length > 0) return nextTurnMs(nowMs, yield* settleBatches(work, steps.inFlight))
  if (steps.refund !== undefined) return nextTurnMs(nowMs, yield* wasFirst(moveRefund(work, steps.refund)))
  const open = withWallet(work)
  if (open === undefined) return steps.nextMs
  const outrun = new Set<Address>()
  for (const { task, step } of steps.moves) {
    if (outrun.has(task.token)) continue
    const carried = wasFirst(alone(task.id, carryOut(open, task, step), pauseUnwritable(task)))
    const isDone = yield* unlessLocked(carried)
    if (isDone === true) return nowMs
    if (isDone === false) outrun.add(task.token)
  }
  if (outrun.size > 0) return nextTurnMs(nowMs, false)
  return steps.moves.length > 0 ? nowMs + LOCKED_PAUSE_MS : steps.nextMs
})

const readSteps = Effect.fnUntraced(function* (walletId: WalletId, nowMs: number) {
  const { maxRetryCount } = yield* Settings
  const work = yield* (yield* TaskRepo).walletWork(walletId)
  return { work, steps: stepsOf(work, { nowMs, maxRetryCount }) }
})

const nextTurnMs = (nowMs: number, changed: boolean): number => (changed ? nowMs : nowMs + OUTRUN_PAUSE_MS)

/** Writes into the rows of orders that this turn passes over why it does. */
const noteWaits = Effect.fnUntraced(function* ({ orders }: WalletSteps) {
  for (const { task, step, isOurs } of orders) {
    const why = isOurs ? waitingFor(step) : undefined
    if (why !== undefined) yield* alone(task.id, noteWaiting(task, why), () => Effect.void)
  }
})

/** The chain does not answer: the orders of the wallet that would have had their turn say so. */
export const noteTrouble = (walletId: WalletId, { reason }: ChainError) =>
  Effect.gen(function* () {
    const { steps } = yield* readSteps(walletId, yield* Clock.currentTimeMillis)
    for (const { task, step, isOurs } of steps.orders) {
      if (isOurs && isMove(step)) yield* noteWaiting(task, `the chain cannot be read (${reason})`)
    }
  }).pipe(Effect.ignore)

const carryOut = (work: OpenWork, task: Task, step: WalletSteps["moves"][number]["step"]) => {
  switch (step._tag) {
    case "Plan":
    case "TakeOver":
      return planTask(work, task, step.batches)
    case "Pay":
      return payBatch(work, task, step.batch)
    case "GiveUp":
      return giveUp(work, task, step.batches)
    case "Finish":
      return finish(task)
    case "Hold":
      return holdOrder(task, step.reason)
  }
}

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
  yield* (yield* TaskRepo).saveTask(task, { retryCount: 0 }, nowMs)
  return yield* holdOrder(task, messages.held(messages.shortOfMoney(unpaid, balance)))
})

/** All is delivered. Where the count of the order says otherwise, somebody has changed it. */
const finish = (task: Task) => {
  const counted = `mints_completed is ${task.mintsCompleted}, quantity is ${task.quantity}`
  const held = holdOrder(task, messages.held(`every batch is delivered, but ${counted}`))
  return Effect.catchTag(completeTask(task), "Outrun", () => held)
}
