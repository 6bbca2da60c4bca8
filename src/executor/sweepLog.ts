import { Clock, Duration, Effect, LogLevel, Ref } from "effect"
import { Settings } from "../config/Settings.ts"
import { freeAtLeast } from "../domain/Allocation.ts"
import type { Block } from "../domain/Block.ts"
import { type Evidence, moneyOf, type PaymentDecision, type WaitReason } from "../domain/PaymentDecision.ts"
import { shortId, type Task, type TaskId } from "../domain/Task.ts"
import { duration } from "../domain/time.ts"
import { format } from "../domain/Usdc.ts"
import { USDC_PAUSED } from "../domain/UsdcState.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import type { FoundDeposit } from "../ledger/TaskRepo.ts"

/** A waiting order, what a sweep saw of its wallet, and what it decided. */
export interface DecidedOrder {
  readonly task: Task
  readonly evidence: Evidence
  readonly decision: PaymentDecision
}

/** A task about which nothing changes is logged once in this time; at DEBUG, at every sweep. */
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

/** Logs each task's block of lines, in v1.1's words, where it is news: ten thousand tasks must not flood a log. */
export const makeSweepLog = Effect.gen(function* () {
  const timeoutMs = Duration.toMillis((yield* Settings).paymentTimeout)
  const shown = yield* Ref.make<ReadonlyMap<TaskId, Shown>>(new Map())
  return Effect.fnUntraced(function* (decided: ReadonlyArray<DecidedOrder>, block: Block, written: Written) {
    const nowMs = yield* Clock.currentTimeMillis
    const funded = new Set(written.funded)
    const cancelled = new Set(written.cancelled)
    const shownBefore = yield* Ref.get(shown)
    // Of ten thousand orders the words alone take long.
    const showsAll = yield* LogLevel.isEnabled("Debug")
    const shownNow = new Map<TaskId, Shown>()
    for (const one of decided) {
      const { id } = one.task
      const done = { funded: funded.has(id), cancelled: cancelled.has(id) }
      const state = `${one.decision._tag} ${one.evidence.balance}`
      const before = shownBefore.get(id)
      const isNews = before?.state !== state || nowMs - before.atMs >= REPEAT_MS
      shownNow.set(id, isNews ? { state, atMs: nowMs } : before)
      const fields = { task: id, wallet: one.evidence.orders.wallet.agentAddress }
      if (isNews || showsAll) yield* (isNews ? Log.info : Log.debug)(blockLines(one, block, timeoutMs, done), fields)
      if (done.funded) yield* Log.success(`Task ${shortId(id)}: pending_payment → funded`, fields)
      if (done.cancelled)
        yield* Log.info(`⏰ Task ${shortId(id)}: pending_payment → cancelled, payment timeout`, fields)
    }
    yield* Ref.set(shown, shownNow)
  })
})

/** Logs money that came, also where no order waits for it. */
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

/** A minute of sweeps: that long no wallet is only busy. */
const SWEEPS_MAX = 6

/**
 * Warns of orders that are to be funded or cancelled and are not, sweep after sweep: a program that holds a
 * row, such as a transaction that was left open, stops that order alone.
 */
export const makeUndoneWarning = Effect.gen(function* () {
  const sweeps = yield* Ref.make<ReadonlyMap<TaskId, number>>(new Map())
  return Effect.fnUntraced(function* (wanted: ReadonlyArray<TaskId>, done: ReadonlyArray<TaskId>) {
    const changed = new Set(done)
    const undone = wanted.filter((id) => !changed.has(id))
    const counts = yield* Ref.updateAndGet(
      sweeps,
      (before) => new Map(undone.map((id) => [id, (before.get(id) ?? 0) + 1]))
    )
    for (const [id, count] of counts) {
      if (count < SWEEPS_MAX) continue
      const words =
        `Task ${shortId(id)} is to be changed, and its row does not let it: another program may hold it. ` +
        "Look for an open transaction in pg_stat_activity"
      yield* Incidents.raise(`undone:${id}`, words)
      yield* Log.warnOnce(`undone:${id}`, `⚠️ ${words}`, { task: id })
    }
  })
})

/** The block of one task. Operators grep these lines: their words are fixed. */
export const blockLines = (
  { task, evidence, decision }: DecidedOrder,
  block: Block,
  timeoutMs: number,
  done: { readonly funded: boolean; readonly cancelled: boolean }
): ReadonlyArray<string> => {
  const { orders, balance } = evidence
  const ageMs = block.timeMs - task.createdAtMs
  const lines = [
    `💰 Checking pending_payment task ${shortId(task.id)}...`,
    `   Agent wallet balance: ${format(balance)} USDC`,
    `   Required: ${format(task.totalCost)} USDC`,
    `   Task age: ${duration(ageMs)} / ${duration(timeoutMs)} timeout`
  ]
  if (orders.reserved > 0n) lines.splice(2, 0, `   Reserved for other tasks: ${format(orders.reserved)} USDC`)
  if (done.funded) return [...lines, "   ✅ Payment received, minting starts"]
  if (decision._tag === "Wait") {
    return [...lines, `   ⏳ ${reasonToWait(decision.why, evidence, task)}, will check again...`]
  }
  if (decision._tag === "Fund") return [...lines, "   ⏳ The wallet changed meanwhile, will check again..."]
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

const reasonToWait = (why: WaitReason, evidence: Evidence, { totalCost }: Task): string => {
  switch (why._tag) {
    case "Stopped":
      return `The wallet is stopped: ${why.reason}`
    case "FundsMissing":
      return `The wallet's sums are not clear: ${why.reason}`
    case "MayBeRestored":
      return "The wallet's sums are not clear: more was paid than the ledger knows of"
    case "ReservedTwice":
      return "What is reserved for other orders of this wallet may be paid already"
    case "Outdated":
      return "The node is behind the last payment of this wallet"
    case "DepositsUnread":
      return "The deposits of this wallet are not read yet"
    case "UsdcPaused":
      return USDC_PAUSED
    case "PayInUnderWay":
      return "A payment that its client signed for this order is under way"
    case "ForeignOrder":
      return "What another program's order may have spent of this wallet is not certain until it is taken over"
    case "Unproven":
    case "Short":
      if (totalCost > freeAtLeast(moneyOf(evidence))) return "Insufficient balance"
      return why._tag === "Short"
        ? "The balance was paid towards an older task"
        : "A payment of this wallet is not proven yet"
  }
}
