import { Clock, Duration, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import type { UsedNonce } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { hold } from "../domain/transferTransitions.ts"
import { counted } from "../domain/text.ts"
import { messages, shortId, type Task } from "../domain/Task.ts"
import { holdTask } from "../ops/holdTasks.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { LedgerError, Outrun, type TaskChange, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { Outage } from "./Outage.ts"
import { LOCKED_PAUSE_MS, UNWRITABLE_PAUSE_MS } from "./pace.ts"

/** Pauses after the first, second, … refusal in a row; the last one is for all that follow. */
const REFUSAL_PAUSES_MS = [5_000, 30_000, 120_000]

/** The same refusal of this many wallets within this time is caused by the environment, not by an order. */
const WALLETS_REFUSED_ALIKE = 3
const REFUSED_ALIKE_WITHIN_MS = 300_000

export const completeTask = Effect.fnUntraced(function* (task: Task) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const change: TaskChange = { status: "completed", completedAtMs: nowMs, errorMessage: null }
  yield* repo.saveTask(task, change, nowMs)
  yield* Log.success(`Task ${shortId(task.id)}: processing → completed, ${counted(task.quantity, "mint")}`, {
    task: task.id
  })
})

/** The rest of its money is free for the wallet's other tasks from here on. */
export const failTask = Effect.fnUntraced(function* (task: Task, attempts: number, reason: string) {
  const repo = yield* TaskRepo
  const errorMessage = messages.exceeded(attempts, reason)
  // Set to funded again it waits for nothing.
  const change: TaskChange = { status: "failed", retryCount: attempts, errorMessage, nextActionAtMs: null }
  yield* repo.saveTask(task, change, yield* Clock.currentTimeMillis)
  yield* Log.error(`❌ Task ${shortId(task.id)}: ${task.status} → failed. ${errorMessage}`, { task: task.id })
})

/** A row is written only where it would say something else. */
export const noteOf = (task: Task, why: string): Pick<TaskChange, "waiting"> => {
  const waiting = messages.waiting(why)
  return task.errorMessage === waiting ? {} : { waiting }
}

/** Says in the order's row why it waits. */
export const noteWaiting = Effect.fnUntraced(function* (task: Task, why: string) {
  const change = noteOf(task, why)
  if (change.waiting === undefined) return
  yield* wasFirst((yield* TaskRepo).saveTask(task, change, yield* Clock.currentTimeMillis))
})

/** Nothing happens to the task for a while, and nothing is held against it. Its row says why, where that is given. */
export const pauseTask = Effect.fnUntraced(function* (task: Task, pauseMs: number, why?: string) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const note = why === undefined ? {} : noteOf(task, why)
  yield* repo.saveTask(task, { nextActionAtMs: nowMs + pauseMs, ...note }, nowMs)
})

/** A row of the order cannot be written: a pause is ours alone, and no change of that row. */
export const pauseUnwritable = (task: Task) => (error: LedgerError) =>
  pauseTask(task, error.reason === "Contended" ? LOCKED_PAUSE_MS : UNWRITABLE_PAUSE_MS)

/** Holds an order. `Outrun` where another program locks its row, or it has ended: the next turn reads it again. */
export const holdOrder = Effect.fnUntraced(function* ({ id }: Task, reason: string) {
  if (!(yield* holdTask(id, reason)).has(id)) return yield* new Outrun()
})

/** Where another program holds the order's row, not even a pause can be noted: others have their turn. */
export const unlessLocked = <A, E, R>(work: Effect.Effect<A, E | LedgerError, R>) =>
  Effect.catchIf(work, isLocked, () => Effect.undefined)

export const isLocked = (error: unknown): error is LedgerError =>
  error instanceof LedgerError && error.reason === "Contended"

/** The environment did not answer: all wallets wait, and no retry is counted. */
export const pauseForOutage = Effect.fnUntraced(function* (task: Task, reason: string) {
  const pauseMs = yield* (yield* Outage).failed
  yield* Log.warnOnce(`outage:${reason}`, `⚠️ Minting is paused for ${Math.ceil(pauseMs / 1000)}s: ${reason}`)
  return yield* pauseTask(task, pauseMs, reason)
})

/** How many wallets met this very refusal of late, where they are so many that it is the environment's. */
const manyRefusedAlike = Effect.fnUntraced(function* (reason: string) {
  const wallets = yield* (yield* TaskRepo).walletsRefused(
    reason,
    (yield* Clock.currentTimeMillis) - REFUSED_ALIKE_WITHIN_MS
  )
  if (wallets < WALLETS_REFUSED_ALIKE) return undefined
  yield* Incidents.raise(`refused:${reason}`, `${wallets} wallets are refused alike by the mint server: ${reason}`)
  return wallets
})

/** What a refusal changes: one more in a row, and a pause; unless it is the server's and many wallets met the same one. */
export const refusal = Effect.fnUntraced(function* (task: Task, reason: string, by: "server" | "chain" = "server") {
  const { maxRetryCount } = yield* Settings
  const nowMs = yield* Clock.currentTimeMillis
  // What the chain shows does not pass: a token that is sold out stays so, for every wallet.
  const wallets = by === "chain" ? undefined : yield* manyRefusedAlike(reason)
  if (wallets !== undefined) {
    const pauseMs = yield* (yield* Outage).failed
    yield* Log.warnOnce(`alike:${reason}`, `⚠️ ${wallets} wallets are refused alike, no retry is counted: ${reason}`)
    const next = { retryCount: task.retryCount, nextActionAtMs: nowMs + pauseMs, refusal: reason }
    return { ...next, ...noteOf(task, reason) } satisfies TaskChange
  }
  const retryCount = task.retryCount + 1
  const pauseMs = REFUSAL_PAUSES_MS[Math.min(retryCount, REFUSAL_PAUSES_MS.length) - 1] ?? 0
  const again = retryCount < maxRetryCount
  const errorMessage = (again ? messages.retrying : messages.refusedForGood)(retryCount, maxRetryCount, reason)
  yield* Log.warn(`⚠️ Task ${shortId(task.id)} was refused. ${errorMessage}`, { task: task.id, attempt: retryCount })
  const next = { nextActionAtMs: nowMs + pauseMs, refusal: reason, stalledSinceMs: null }
  return { retryCount, errorMessage, ...next } satisfies TaskChange
})

/** The pause after a refusal that is not the order's is as long as such refusals have lasted, within these. */
const STALL_PAUSE_MS_MIN = 5_000
const STALL_PAUSE_MS_MAX = 60_000

/**
 * What a refusal changes that is the wallet's, ours, or of words that are not known: nothing is counted, and the order
 * says what it waits for.
 */
export const stall = Effect.fnUntraced(function* (task: Task, reason: string) {
  const nowMs = yield* Clock.currentTimeMillis
  const stalledSinceMs = task.stalledSinceMs ?? nowMs
  const pauseMs = Math.min(STALL_PAUSE_MS_MAX, Math.max(STALL_PAUSE_MS_MIN, nowMs - stalledSinceMs))
  const next = { nextActionAtMs: nowMs + pauseMs, refusal: reason, stalledSinceMs }
  return { ...next, ...noteOf(task, reason) } satisfies TaskChange
})

/**
 * Leaves a stalled order to a person once it has lasted as long as a payment is valid: there is no known reason to wait
 * longer, or to give up. Not where many wallets are stalled alike. Returns whether it did.
 */
export const holdStalled = Effect.fnUntraced(function* (task: Task, sinceMs: number, reason: string) {
  const { authorizationWindow } = yield* Settings
  const nowMs = yield* Clock.currentTimeMillis
  if (nowMs - sinceMs < Duration.toMillis(authorizationWindow)) return false
  if ((yield* manyRefusedAlike(reason)) !== undefined) return false
  yield* wasFirst((yield* TaskRepo).saveTask(task, { stalledSinceMs: null }, nowMs))
  yield* holdTask(task.id, messages.held(reason))
  return true
})

/** Stalled before anything was signed: asked again after a pause. Others go on meanwhile. */
export const stallTask = Effect.fnUntraced(function* (task: Task, reason: string) {
  const change = yield* stall(task, reason)
  yield* (yield* TaskRepo).saveTask(task, change, yield* Clock.currentTimeMillis)
  yield* Log.warnOnce(`stalled:${task.id}:${reason}`, `⚠️ Task ${shortId(task.id)} waits: ${reason}`, { task: task.id })
  yield* holdStalled(task, change.stalledSinceMs, reason)
})

/**
 * Holds a task whose wallet has become an account with code: it is asked for its signatures, which the key alone does
 * not make any more. Source: EIP-7702 (`0xef0100` and the address of the code); USDC's `SignatureChecker`.
 */
export const holdForCode = Effect.fnUntraced(function* (task: Task, payer: Address, reason: string) {
  const read = yield* Effect.result((yield* ChainClient).codeOf(payer))
  const code = Result.getOrUndefined(read)
  if (code === undefined) return
  const whose = code.startsWith("0xef0100") ? `0x${code.slice(8)} (EIP-7702)` : "a contract"
  const cause = `the agent wallet ${payer} has the code of ${whose}, so its key's signature is not taken`
  yield* holdTask(task.id, messages.held(`${cause}: ${reason}`))
})

/** Refused before anything was signed: the task tries again later, or has failed. */
export const refuseTask = Effect.fnUntraced(function* (task: Task, reason: string, by?: "server" | "chain") {
  const repo = yield* TaskRepo
  const { maxRetryCount } = yield* Settings
  const change = yield* refusal(task, reason, by)
  if (change.retryCount >= maxRetryCount) return yield* failTask(task, change.retryCount, reason)
  yield* repo.saveTask(task, change, yield* Clock.currentTimeMillis)
})

/** Stops the batch and its task for a person: what happened must not happen, and no rule decides it. */
export const holdBatch = Effect.fnUntraced(function* (batch: Batch, what: string, spent?: UsedNonce) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const reason = `batch ${batch.number}: ${what}`
  yield* repo.saveBatch({ before: batch, after: hold(batch, reason, nowMs, spent) }, nowMs)
  const held = yield* holdTask(batch.taskId, messages.held(reason))
  // An order that has ended cannot be held: without this line no one would hear of it.
  if (!held.has(batch.taskId)) yield* Log.error(`🚨 Task ${shortId(batch.taskId)}, ${reason}`, { task: batch.taskId })
})
