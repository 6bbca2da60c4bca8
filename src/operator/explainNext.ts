import { type Batch, isInFlight } from "../domain/Batch.ts"
import { shortId } from "../domain/Task.ts"
import { duration } from "../domain/time.ts"
import { format, type Usdc } from "../domain/Usdc.ts"
import type { TaskStory, WalletStory } from "../task/WatchRepo.ts"

/** What the words are made of. */
export interface Facts {
  readonly story: TaskStory
  readonly wallet: WalletStory | undefined
  readonly onChain: Usdc | undefined
  readonly pauses: ReadonlyArray<{ readonly scope: string; readonly reason: string }>
  readonly paymentTimeoutMs: number
  readonly nowMs: number
  readonly needed: Usdc
}

/** What happens next and when, or why nothing does, and what a person can do. */
export interface Next {
  readonly text: string
  readonly atMs: number | undefined
  /** As they are typed behind `ai-mint`. */
  readonly commands: ReadonlyArray<string>
}

const next = (text: string, atMs?: number, commands: ReadonlyArray<string> = []): Next => ({ text, atMs, commands })

export const nextOf = (facts: Facts): Next => {
  const { task } = facts.story
  if (task.status === "completed") return next("Nothing: every mint is delivered.")
  if (task.status === "cancelled" || task.status === "failed") return ended(facts)
  if (task.held !== undefined) return held(facts)
  if (facts.wallet?.stopped !== undefined) {
    const { reason } = facts.wallet.stopped
    return next(`Nothing new: its wallet is stopped: ${reason}`, undefined, [
      `wallets show ${facts.wallet.wallet.agentAddress}`,
      `resolve --wallet ${facts.wallet.wallet.agentAddress} --why "…"`
    ])
  }
  return task.status === "pending_payment" ? waiting(facts) : minting(facts)
}

const ended = ({ story: { task }, wallet, onChain }: Facts): Next => {
  const free = onChain === undefined || wallet === undefined ? 0n : onChain - wallet.reserved
  const refund = free > 0n && wallet !== undefined ? [`refund ${wallet.wallet.agentAddress}`] : []
  const credit =
    free > 0n ? ` ${format(free)} USDC are the wallet's credit: the next order uses it, or a refund sends it back.` : ""
  const retry = task.status === "failed" ? [`retry ${shortId(task.id)} --why "…"`] : []
  return next(`Nothing: the order is ${task.status}.${credit}`, undefined, [...retry, ...refund])
}

const held = ({ story: { task, batches } }: Facts): Next => {
  const id = shortId(task.id)
  const batch = batches.find(({ status }) => status === "held" || status === "paid")
  const commands =
    batch !== undefined
      ? [`resolve ${id} --batch ${batch.number} --as delivered|replaced|failed --why "…"`]
      : [
          `retry ${id} --why "…"`,
          task.status === "pending_payment" ? `cancel ${id} --why "…"` : `resolve ${id} --as failed --why "…"`
        ]
  return next(`Nothing until a person decides: ${task.held?.reason ?? ""}`, undefined, commands)
}

const waiting = ({ story: { task }, wallet, onChain, paymentTimeoutMs, nowMs }: Facts): Next => {
  const deadlineMs = task.createdAtMs + paymentTimeoutMs
  const cancel = [`cancel ${shortId(task.id)} --why "…"`]
  if (onChain === undefined || wallet === undefined) {
    return next("It waits for its money; the chain does not answer now, and nothing is cancelled until it does.")
  }
  const free = onChain > wallet.reserved ? onChain - wallet.reserved : 0n
  const missing = task.totalCost - free
  if (missing <= 0n) return next("The money is there: it is funded at one of the next checks.", nowMs, [])
  const where = task.agentAddress ?? "its wallet"
  if (nowMs >= deadlineMs) {
    return next(`It is cancelled at the next check, as ${format(missing)} USDC are missing in ${where}.`, nowMs, cancel)
  }
  const left = duration(deadlineMs - nowMs)
  return next(
    `It waits for ${format(missing)} USDC more in ${where}, for ${left} yet, then it is cancelled.`,
    deadlineMs,
    cancel
  )
}

const minting = (facts: Facts): Next => {
  const { task, batches } = facts.story
  const flying = batches.find(isInFlight)
  if (flying !== undefined) return inFlight(facts, flying)
  const paused = facts.pauses.find(({ scope }) =>
    ["all", `token:${task.token.toLowerCase()}`, `wallet:${task.walletId}`].includes(scope)
  )
  if (paused !== undefined) {
    return next(`Nothing new: it is paused: ${paused.reason}`, undefined, [`resume${flagsOf(paused.scope)} --why "…"`])
  }
  const why = task.errorMessage === undefined ? "" : ` (${task.errorMessage})`
  const planned = batches.find(({ status }) => status === "planned")
  if (planned !== undefined)
    return next(`Batch ${planned.number} is paid next${why}.`, task.nextActionAtMs ?? facts.nowMs)
  if (batches.length === 0) return next(`It is planned next${why}.`, task.nextActionAtMs ?? facts.nowMs)
  return next("It is closed at its next turn.", task.nextActionAtMs ?? facts.nowMs)
}

/** `token:0x…` as it is typed. */
const flagsOf = (scope: string): string => (scope === "all" ? "" : ` --${scope.replace(":", " ")}`)

const inFlight = ({ story: { task } }: Facts, { number, status, reason, nextActionAtMs }: Batch): Next => {
  const because = reason === undefined ? "" : ` (${reason})`
  if (status === "paid") {
    return next(`Batch ${number} is paid: its mints are looked for${because}.`, nextActionAtMs, [
      `resolve ${shortId(task.id)} --batch ${number} --as delivered|failed --why "…"`
    ])
  }
  return next(`Batch ${number} is ${status}: the chain is asked what became of it${because}.`, nextActionAtMs)
}

export const summaryOf = ({ story: { task, batches } }: Facts): string => {
  const paid = batches.reduce((total, { paidAmount = 0n }) => total + paidAmount, 0n)
  const minted = `${task.mintsCompleted} of ${task.quantity} mint(s) delivered, ${format(paid)} of ${format(task.totalCost)} USDC paid`
  const state = task.status === "pending_payment" ? "waits for its money" : `is ${task.status}`
  return `Order ${shortId(task.id)} ${state}${task.held === undefined ? "" : ", and is held for a person"}: ${minted}.`
}
