import { Clock, Duration, Effect } from "effect"
import { Settings } from "../config/Settings.ts"
import { type Candidate, freeAtLeast, freeAtMost } from "../domain/Allocation.ts"
import type { Block } from "../domain/Block.ts"
import { shortId, type Task, type TaskId } from "../domain/Task.ts"
import { duration } from "../domain/time.ts"
import { format, type Usdc } from "../domain/Usdc.ts"
import type { Verdict } from "../domain/Verdict.ts"
import { USDC_PAUSED } from "../domain/UsdcState.ts"
import * as Log from "../ops/Log.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import type { FoundDeposit } from "../ledger/TaskRepo.ts"

/** One pending task and what a sweep made of it. */
export interface Looked {
  readonly task: Task
  readonly orders: WalletOrders
  /** Held orders of the wallet that have their money. */
  readonly kept: ReadonlyArray<Candidate>
  readonly balance: Usdc
  readonly verdict: Verdict
  /** Why nothing is decided about the wallet. */
  readonly unclear?: string | undefined
}

/** A task about which nothing changes is told once in this time; at DEBUG, at every sweep. */
const REPEAT_MS = 60_000

const MINUTE_MS = 60_000

interface Shown {
  readonly state: string
  readonly atMs: number
}

interface Written {
  readonly funded: ReadonlyArray<TaskId>
  readonly cancelled: ReadonlyArray<TaskId>
}

/** Tells each task's block, in v1.1's words, and remembers what was told: ten thousand tasks must not flood a log. */
export const makeSweepLog = () => {
  let shown = new Map<TaskId, Shown>()
  return Effect.fnUntraced(function* (looked: ReadonlyArray<Looked>, block: Block, written: Written) {
    const nowMs = yield* Clock.currentTimeMillis
    const timeoutMs = Duration.toMillis((yield* Settings).paymentTimeout)
    const funded = new Set(written.funded)
    const cancelled = new Set(written.cancelled)
    const shownNow = new Map<TaskId, Shown>()
    for (const one of looked) {
      const { id } = one.task
      const done = { funded: funded.has(id), cancelled: cancelled.has(id) }
      const state = `${one.verdict} ${one.balance}`
      const before = shown.get(id)
      const isNews = before?.state !== state || nowMs - before.atMs >= REPEAT_MS
      shownNow.set(id, isNews ? { state, atMs: nowMs } : before)
      const fields = { task: id, wallet: one.orders.wallet.agentAddress }
      yield* (isNews ? Log.info : Log.debug)(blockLines(one, block, timeoutMs, done), fields)
      if (done.funded) yield* Log.success(`Task ${shortId(id)}: pending_payment → funded`, fields)
      if (done.cancelled)
        yield* Log.info(`⏰ Task ${shortId(id)}: pending_payment → cancelled, payment timeout`, fields)
    }
    shown = shownNow
  })
}

/** Money that came. Where no order waits for it, nothing else would tell. */
export const logDeposits = Effect.fnUntraced(function* (
  arrived: ReadonlyArray<FoundDeposit>,
  orders: ReadonlyArray<WalletOrders>
) {
  const waiting = new Set(orders.map(({ wallet }) => wallet.id))
  for (const { walletId, wallet, amount, tx } of arrived) {
    const as = waiting.has(walletId) ? "" : ", no order waits for it: it is the wallet's credit"
    yield* Log.info(`💵 ${format(amount)} USDC arrived in ${wallet}${as}`, { wallet, tx })
  }
})

/** The block of one task. Operators grep these lines: their words are fixed. */
export const blockLines = (
  looked: Looked,
  block: Block,
  timeoutMs: number,
  done: { readonly funded: boolean; readonly cancelled: boolean }
): ReadonlyArray<string> => {
  const { task, orders, balance, verdict } = looked
  const ageMs = block.timeMs - task.createdAtMs
  const lines = [
    `💰 Checking pending_payment task ${shortId(task.id)}...`,
    `   Agent wallet balance: ${format(balance)} USDC`,
    `   Required: ${format(task.totalCost)} USDC`,
    `   Task age: ${duration(ageMs)} / ${duration(timeoutMs)} timeout`
  ]
  if (orders.reserved > 0n) lines.splice(2, 0, `   Reserved for other tasks: ${format(orders.reserved)} USDC`)
  if (done.funded) return [...lines, "   ✅ Payment received, minting starts"]
  if (verdict === "wait") return [...lines, `   ⏳ ${reasonToWait(looked, block)}, will check again...`]
  if (verdict === "fund") return [...lines, "   ⏳ The wallet changed meanwhile, will check again..."]
  return [
    ...lines,
    `   ⏰ Task exceeded payment timeout (${roughly(ageMs)})`,
    "   ❌ Cancelling task due to timeout...",
    done.cancelled ? "   ✅ Task cancelled successfully" : "   ⏳ The task changed meanwhile, will check again..."
  ]
}

/** Rounded up, as an age that exceeds the timeout reads: 10 minutes and 8 seconds are `11 minutes`. */
const roughly = (ms: number): string =>
  ms < MINUTE_MS ? `${Math.ceil(ms / 1000)} seconds` : `${Math.ceil(ms / MINUTE_MS)} minutes`

const reasonToWait = ({ task, orders, balance, unclear }: Looked, block: Block): string => {
  if (orders.stopped !== undefined) return `The wallet is stopped: ${orders.stopped}`
  if (unclear === USDC_PAUSED) return unclear
  if (unclear !== undefined) return `The wallet's sums are not clear: ${unclear}`
  if (block.number < orders.provenBlock) return "The node is behind the last payment of this wallet"
  const money = { ...orders, balance }
  if (orders.foreign > 0n && task.totalCost > freeAtLeast(money) && task.totalCost <= freeAtMost(money))
    return "What another program's order may have spent of this wallet is not certain until it is taken over"
  if (task.totalCost > freeAtLeast(money)) return "Insufficient balance"
  return orders.maybeSpent > 0n
    ? "A payment of this wallet is not proven yet"
    : "The balance was paid towards an older task"
}
