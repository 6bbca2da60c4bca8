import { Clock, Duration, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { isLive } from "../domain/Batch.ts"
import { type Usdc, usdc, zero } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { DecisionRepo } from "../task/DecisionRepo.ts"
import { type TaskStory, type TaskView, WatchRepo } from "../task/WatchRepo.ts"
import { type Next, nextOf, summaryOf } from "./explainNext.ts"
import { type Step, stepsOf } from "./explainSteps.ts"
import { findTask } from "./find.ts"
import { missing } from "./Refused.ts"

export interface Explanation {
  readonly command: "explain"
  readonly task: TaskView
  readonly summary: string
  readonly money: {
    /** `undefined` where the chain does not answer, or there is no wallet. */
    readonly onChain: Usdc | undefined
    readonly block: bigint | undefined
    readonly reserved: Usdc
    readonly needed: Usdc
  }
  readonly steps: ReadonlyArray<Step>
  readonly batches: TaskStory["batches"]
  readonly next: Next
}

/** All that is known about an order, in order of time and in words: enough to answer the person who asks. */
export const explain = Effect.fn("operator.explain")(function* (name: string) {
  const { row, wallet } = yield* findTask(name)
  const watch = yield* WatchRepo
  const story = yield* watch.storyOf(row.id)
  if (story === undefined) return yield* missing(`There is no task ${name}.`)
  const ofWallet = wallet === undefined ? undefined : yield* watch.walletStory(wallet.id)
  const chain = wallet === undefined ? undefined : yield* balanceOf(wallet)
  const settings = yield* Settings
  const facts = {
    story,
    wallet: ofWallet,
    onChain: chain?.balance,
    pauses: yield* (yield* DecisionRepo).pauses,
    paymentTimeoutMs: Duration.toMillis(settings.paymentTimeout),
    nowMs: yield* Clock.currentTimeMillis,
    needed: neededFor(story)
  }
  return {
    command: "explain",
    task: story.task,
    summary: summaryOf(facts),
    money: {
      onChain: chain?.balance,
      block: chain?.block,
      reserved: ofWallet?.reserved ?? zero,
      needed: facts.needed
    },
    steps: stepsOf(story, ofWallet, facts.paymentTimeoutMs),
    batches: story.batches,
    next: nextOf(facts)
  } satisfies Explanation as Explanation
})

/** An explanation without the chain is better than none. */
const balanceOf = Effect.fnUntraced(function* ({ agentAddress }: Wallet) {
  const read = yield* Effect.result((yield* ChainClient).readBalances([agentAddress]))
  if (Result.isFailure(read)) return undefined
  return { balance: read.success.usdc.get(agentAddress) ?? zero, block: read.success.block.number }
})

const OPEN: ReadonlySet<string> = new Set(["pending_payment", "funded", "processing"])

/** What its payments that are not proven yet may still take. */
const neededFor = ({ task, batches }: TaskStory): Usdc => {
  if (batches.length === 0) return OPEN.has(task.status) ? positive(task.totalCost) : zero
  const unpaid = batches.filter((batch) => isLive(batch) || (OPEN.has(task.status) && batch.status === "planned"))
  return usdc(unpaid.reduce((total, { amount }) => total + amount, 0n))
}

const positive = (amount: bigint): Usdc => usdc(amount < 0n ? 0n : amount)
