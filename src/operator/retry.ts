import { Clock, Effect } from "effect"
import { cover, freeAtLeast } from "../domain/Allocation.ts"
import { isLive } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { decideRepayment, decideRetry } from "../domain/RetryDecision.ts"
import { causeOf, remainingCost, shortId, type Task } from "../domain/Task.ts"
import { format, sum } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { retryTerms } from "./explain.ts"
import { findTask, soundTask } from "./find.ts"
import { type DecidedMoney, readMoney, refuseStopped } from "./money.ts"
import { commit } from "./commit.ts"
import { refuse } from "./Operator.ts"
import type { Retried } from "./reports/decisions.ts"
import type { WhyBody } from "./requests.ts"
import type { Services } from "./services.ts"

/**
 * Gives a failed order another try, if its wallet has the money for it beside the orders that wait for theirs; or ends the
 * hold of one that no batch holds. Where its mints do not come, the server is asked for them again.
 */
export const retry = Effect.fn("operator.retry")(function* (services: Services, name: string, { why }: WhyBody) {
  const file = yield* findTask(services, name)
  const { task, wallet } = yield* soundTask(file)
  const { held } = file
  const decision = decideRetry({ task, batches: file.batches, held }, retryTerms(services.settings))
  const named = `Task ${shortId(task.id)}`
  switch (decision._tag) {
    case "Fund":
      yield* fundAgain(services, task, wallet, why)
      return report(task, "funded")
    case "Release": {
      const released = { command: "retry", said: `task ${task.id} is no longer held: ${causeOf(held ?? "")}`, why }
      yield* commit(named, released, (made, nowMs) => services.decisions.release({ task }, made, nowMs))
      return report(task, "released")
    }
    case "Blocked":
      return yield* refuse(blockedBy(task, decision.batch), isLive(decision.batch) ? "payment_in_flight" : "refused")
    case "NothingLeft":
      return yield* refuse(
        `Nothing of task ${shortId(task.id)} is left to be minted: every batch of it is delivered or resolved.`,
        "nothing_to_do"
      )
    case "GoesOn":
      return yield* refuse(
        `${named} is ${task.status} and not held: it goes on by itself. Nothing is to be retried.`,
        "nothing_to_do"
      )
    case "Over":
      return yield* refuse(`${named} is ${task.status}. Nothing is to be retried.`, "already_ended")
  }
})

const fundAgain = Effect.fnUntraced(function* (services: Services, task: Task, wallet: Wallet, why: string) {
  const read = yield* readMoney(services, wallet)
  yield* paidFor(read, task, yield* Clock.currentTimeMillis)
  const cost = format(remainingCost(task))
  const decision = { command: "retry", said: `task ${task.id} is funded again, ${cost} USDC are reserved`, why }
  const { version } = read.orders
  yield* commit("The order, or its wallet's money,", decision, (made, nowMs) =>
    services.decisions.retry({ task, version }, read.block, made, nowMs)
  )
})

/** Refused where the money is not there, or may have been paid for an order that waits for its own. */
const paidFor = Effect.fnUntraced(function* ({ orders, evidence, money }: DecidedMoney, task: Task, nowMs: number) {
  const { agentAddress } = orders.wallet
  const decision = decideRepayment(evidence, task, nowMs)
  if (decision._tag === "Fund") return
  const why = decision._tag === "Wait" ? decision.why : undefined
  if (why?._tag === "Stopped") return yield* refuseStopped(agentAddress, why.reason)
  if (why?._tag === "FundsMissing") {
    return yield* refuse(
      `The sums of wallet ${agentAddress} are not clear: ${why.reason}. Try again when they are.`,
      "not_now"
    )
  }
  const cost = remainingCost(task)
  const free = freeAtLeast(money)
  switch (cover(money, cost)) {
    case "unclear":
      return yield* refuse(
        `A payment of wallet ${agentAddress} is not proven yet, and ${format(free)} USDC are free for sure: try again.`,
        "payment_in_flight"
      )
    case "short":
      return yield* refuse(
        `The wallet holds ${format(free)} USDC free, ${format(cost)} is needed: pay in ${format(cost - free)} USDC ` +
          `to ${agentAddress} and try again.`
      )
    case "covered": {
      const waiting = [...orders.pending, ...orders.held]
      const names = waiting.map(({ id }) => shortId(id)).join(", ")
      const promised = format(sum(waiting.map(({ totalCost }) => totalCost)))
      return yield* refuse(
        `The wallet has an order that waits for its money: ${names}. It holds ${format(free)} USDC free, and ` +
          `${promised} of it may be for that. Wait until it is funded or cancelled, or cancel it first.`
      )
    }
  }
})

/** Why an order waits for one of its batches, and what helps. */
const blockedBy = (task: Task, { number, status, reason }: Batch): string => {
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
