import { Clock, Effect } from "effect"
import { type Candidate, cover, freeAtLeast, type WalletMoney } from "../domain/Allocation.ts"
import { Settings } from "../config/Settings.ts"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { isForAllOfIt } from "../domain/transferTransitions.ts"
import { causeOf, isHeldUndelivered, remainingCost, shortId, type Task } from "../domain/Task.ts"
import { format, sum, type Usdc } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { DecisionRepo, type TaskFile } from "../ledger/DecisionRepo.ts"
import { findTask, isOpen, soundTask } from "./find.ts"
import { readMoney } from "./money.ts"
import { commit } from "./commit.ts"
import { Refused } from "./Refused.ts"
import type { Retried } from "./reports/decisions.ts"

/**
 * Gives a failed order another try, if its wallet has the money for it beside the orders that wait for theirs; or ends the
 * hold of one that no batch holds. Where its mints do not come, the server is asked for them again.
 */
export const retry = Effect.fn("operator.retry")(function* (name: string, why: string) {
  const file = yield* findTask(name)
  const { task, wallet } = yield* soundTask(file)
  if (task.status === "failed") return yield* fundAgain(file, task, wallet, why)
  if (isOpen(task.status) && file.held !== undefined) return yield* release(file, task, why)
  const state = isOpen(task.status) ? `is ${task.status} and not held: it goes on by itself` : `is ${task.status}`
  return yield* new Refused({ message: `Task ${shortId(task.id)} ${state}. Nothing is to be retried.` })
})

const release = Effect.fnUntraced(function* (file: TaskFile, task: Task, why: string) {
  // Where its server cannot be asked again, a hold for mints that do not come would be back with the next look at them.
  const { mintProtocol } = yield* Settings
  const isLate = ({ status, number }: Batch) => status === "paid" && isHeldUndelivered(file.held, number)
  const isAskable = (batch: Batch) => mintProtocol === "x402" && isForAllOfIt(batch)
  const held = file.batches.find((batch) => batch.status === "held" || (isLate(batch) && !isAskable(batch)))
  if (held !== undefined) return yield* new Refused({ message: stuck(task, held) })
  const decision = { command: "retry", said: `task ${task.id} is no longer held: ${causeOf(file.held ?? "")}`, why }
  const repo = yield* DecisionRepo
  const nowMs = yield* Clock.currentTimeMillis
  yield* commit(`Task ${shortId(task.id)}`, decision, (made) => repo.release({ task }, made, nowMs))
  return report(task, "released")
})

const fundAgain = Effect.fnUntraced(function* (file: TaskFile, task: Task, wallet: Wallet, why: string) {
  const { batches } = file
  const blocking = batches.find((batch) => isInFlight(batch) || batch.status === "held")
  if (blocking !== undefined) return yield* new Refused({ message: stuck(task, blocking) })
  const planned = batches.filter(({ status }) => status === "planned")
  if (task.mintsCompleted >= task.quantity || (batches.length > 0 && planned.length === 0)) {
    const message = `Nothing of task ${shortId(task.id)} is left to be minted: every batch of it is delivered or resolved.`
    return yield* new Refused({ message })
  }
  const { orders, block, money } = yield* readMoney(wallet)
  if (orders.stopped !== undefined) {
    const again = `ai-mint resolve --wallet ${wallet.agentAddress} --why "…"`
    return yield* new Refused({ message: `Its wallet is stopped: ${orders.stopped}. When that is clear: ${again}` })
  }
  const cost = remainingCost(task)
  const covered = cover(money, cost)
  if (covered !== "covered") {
    const free = format(freeAtLeast(money))
    const message =
      covered === "unclear"
        ? `A payment of wallet ${wallet.agentAddress} is not proven yet, and ${free} USDC are free for sure: try again.`
        : `The wallet holds ${free} USDC free, ${format(cost)} is needed: pay in ${format(cost - freeAtLeast(money))} USDC ` +
          `to ${wallet.agentAddress} and try again.`
    return yield* new Refused({ message })
  }
  yield* refuseBeside([...orders.pending, ...orders.held], money, cost)
  const decision = { command: "retry", said: `task ${task.id} is funded again, ${format(cost)} USDC are reserved`, why }
  const nowMs = yield* Clock.currentTimeMillis
  const repo = yield* DecisionRepo
  const { version } = orders
  yield* commit("The order, or its wallet's money,", decision, (made) =>
    repo.retry({ task, version }, block, made, nowMs)
  )
  return report(task, "funded")
})

/** What came may have been paid for an order that waits for its money: that one is not to be left without it. */
const refuseBeside = Effect.fnUntraced(function* (waiting: ReadonlyArray<Candidate>, money: WalletMoney, cost: Usdc) {
  const promised = sum(waiting.map(({ totalCost }) => totalCost))
  if (waiting.length === 0 || freeAtLeast(money) >= cost + promised) return
  const names = waiting.map(({ id }) => shortId(id)).join(", ")
  const message =
    `The wallet has an order that waits for its money: ${names}. It holds ${format(freeAtLeast(money))} USDC free, and ` +
    `${format(promised)} of it may be for that. Wait until it is funded or cancelled, or cancel it first.`
  return yield* new Refused({ message })
})

/** Why an order waits for one of its batches, and what helps. */
const stuck = (task: Task, { number, status, reason }: Batch): string => {
  const decide = `ai-mint resolve ${shortId(task.id)} --batch ${number} --as delivered|failed --why "…"`
  const state = `Batch ${number} of task ${shortId(task.id)} is ${status}: ${reason ?? "no reason is noted"}.`
  if (status === "held") return `${state} Decide it first: ${decide.replace("failed", "replaced|failed")}`
  if (status === "paid") return `${state} Wait until its mints are there, or decide it: ${decide}`
  return `${state} Its outcome is not proven: wait until it is, at most AUTHORIZATION_WINDOW.`
}

const report = (task: Task, did: Retried["did"]): Retried => ({
  command: "retry",
  taskId: task.id,
  did,
  mints: task.quantity - task.mintsCompleted,
  cost: remainingCost(task)
})
