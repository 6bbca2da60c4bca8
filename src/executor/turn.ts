import { Clock, Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import { stepsOf, waitingFor, type WalletSteps } from "../domain/NextStep.ts"
import { messages, type Task } from "../domain/Task.ts"
import { sum, zero } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import { alone } from "../ops/eachAlone.ts"
import { isOutdated, type OpenWork, withWallet } from "../domain/WalletState.ts"
import { TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { Orders, unlessLocked } from "./Orders.ts"
import { LOCKED_PAUSE_MS, OUTRUN_PAUSE_MS } from "./pace.ts"
import { makePay } from "./pay.ts"
import { makePlan } from "./plan.ts"
import { makeMoveRefund } from "./refund.ts"
import { makeSettle } from "./settle.ts"

/** How soon to look again where the node is behind what was proven before. */
const LAGGING_PAUSE_MS = 5_000

/** What a wallet does when it has its turn. */
export const makeTakeTurn = Effect.gen(function* () {
  const { maxRetryCount } = yield* Settings
  const repo = yield* TaskRepo
  const { holdTask, noteWaiting, pauseUnwritable } = yield* Orders
  const carryOut = yield* makeCarryOut
  const moveRefund = yield* makeMoveRefund
  const settleBatches = yield* makeSettle

  /** Writes into the rows of orders that this turn passes over why it does. */
  const noteWaits = Effect.fnUntraced(function* ({ orders }: WalletSteps) {
    for (const { task, step, isOurs } of orders) {
      const why = isOurs ? waitingFor(step) : undefined
      if (why !== undefined) yield* alone(task.id, noteWaiting(task, why), () => Effect.void)
    }
  })

  /**
   * One thing done for a wallet: first what its payments in flight need, then one step of its oldest task that may
   * move. Gives the time at which there is something to do again, or `undefined` where there is nothing.
   */
  return Effect.fn("Wallet.takeTurn")(function* (walletId: WalletId) {
    const nowMs = yield* Clock.currentTimeMillis
    const work = yield* repo.walletWork(walletId)
    const steps = stepsOf(work, { nowMs, maxRetryCount })
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
})

const nextTurnMs = (nowMs: number, changed: boolean): number => (changed ? nowMs : nowMs + OUTRUN_PAUSE_MS)

const makeCarryOut = Effect.gen(function* () {
  const chain = yield* ChainClient
  const { completeTask, failTask, holdOrder, pauseTask, saveTask } = yield* Orders
  const payBatch = yield* makePay
  const planTask = yield* makePlan

  /** Refused too often. Where that was for want of money, which is no fault of the order, a person has to find it. */
  const giveUp = Effect.fnUntraced(function* (work: OpenWork, task: Task, batches: ReadonlyArray<Batch>) {
    const unpaid = sum(batches.filter((batch) => batch.status === "planned").map((batch) => batch.amount))
    const { block, usdc } = yield* chain.readBalances([work.wallet.agentAddress])
    // A balance from before the wallet's last proven payment tells neither.
    if (isOutdated(block, work)) {
      return yield* pauseTask(task, LAGGING_PAUSE_MS, "the node is behind the wallet's last payment")
    }
    const balance = usdc.get(work.wallet.agentAddress) ?? zero
    if (balance >= unpaid) return yield* failTask(task, task.retryCount, task.lastRefusal ?? "refused")
    yield* saveTask(task, { retryCount: 0 })
    return yield* holdOrder(task, messages.held(messages.shortOfMoney(unpaid, balance)))
  })

  /** All is delivered. Where the count of the order says otherwise, another program has changed it. */
  const finish = (task: Task) => {
    const counted = `mints_completed is ${task.mintsCompleted}, quantity is ${task.quantity}`
    const held = holdOrder(task, messages.held(`every batch is delivered, but ${counted}`))
    return Effect.catchTag(completeTask(task), "Outrun", () => held)
  }

  return (work: OpenWork, task: Task, step: WalletSteps["moves"][number]["step"]) => {
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
})
