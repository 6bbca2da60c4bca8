import { Clock, Effect } from "effect"
import { Settings } from "../config/Settings.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { hold } from "../domain/BatchLife.ts"
import { messages, shortId, type Task, type TaskId } from "../domain/Task.ts"
import * as Log from "../ops/Log.ts"
import { type TaskChange, TaskRepo } from "../task/TaskRepo.ts"
import { Outage } from "./Outage.ts"

/** Pauses after the first, second, … refusal in a row; the last one is for all that follow. */
const REFUSAL_PAUSES_MS = [5_000, 30_000, 120_000]

/** The same refusal by this many wallets within this time is the environment, and nobody's fault. */
const WALLETS_REFUSED_ALIKE = 3
const REFUSED_ALIKE_WITHIN_MS = 300_000

/** Sets a task aside for a person. */
export const holdTask = Effect.fnUntraced(function* (taskId: TaskId, reason: string) {
  const repo = yield* TaskRepo
  const held = yield* repo.hold([{ taskId, reason }], yield* Clock.currentTimeMillis)
  if (held.length > 0) yield* Log.warn(`⚠️ Task ${shortId(taskId)} is held: ${reason}`, { task: taskId })
})

export const completeTask = Effect.fnUntraced(function* (task: Task) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const change: TaskChange = { status: "completed", completedAtMs: nowMs, errorMessage: null }
  const done = yield* repo.saveTask(task, change, nowMs)
  if (done) {
    yield* Log.success(`Task ${shortId(task.id)}: processing → completed, ${task.quantity} mint(s)`, { task: task.id })
  }
  return done
})

/** The rest of its money is free for the wallet's other tasks from here on. */
export const failTask = Effect.fnUntraced(function* (task: Task, attempts: number, reason: string) {
  const repo = yield* TaskRepo
  const errorMessage = messages.exceeded(attempts, reason)
  const change: TaskChange = { status: "failed", retryCount: attempts, errorMessage }
  const failed = yield* repo.saveTask(task, change, yield* Clock.currentTimeMillis)
  if (failed) {
    yield* Log.error(`❌ Task ${shortId(task.id)}: ${task.status} → failed. ${errorMessage}`, { task: task.id })
  }
  return failed
})

/** Nothing happens to the task for a while, and nothing is held against it. */
export const pauseTask = Effect.fnUntraced(function* (task: Task, pauseMs: number) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  return yield* repo.saveTask(task, { nextActionAtMs: nowMs + pauseMs }, nowMs)
})

/** The environment did not answer: everybody waits, no retry is burnt. */
export const pauseForOutage = Effect.fnUntraced(function* (task: Task, reason: string) {
  const pauseMs = yield* (yield* Outage).failed
  yield* Log.warnOnce(`outage:${reason}`, `⚠️ Minting is paused for ${Math.ceil(pauseMs / 1000)}s: ${reason}`)
  return yield* pauseTask(task, pauseMs)
})

/** What a refusal changes: one more in a row, and a pause; unless it is the server's and many wallets met the same one. */
export const refusal = Effect.fnUntraced(function* (task: Task, reason: string, by: "server" | "chain" = "server") {
  const repo = yield* TaskRepo
  const { maxRetryCount } = yield* Settings
  const nowMs = yield* Clock.currentTimeMillis
  // What the chain says does not pass: a token that is sold out is that for everybody, and for good.
  const wallets = by === "chain" ? 0 : yield* repo.walletsRefused(reason, nowMs - REFUSED_ALIKE_WITHIN_MS)
  if (wallets >= WALLETS_REFUSED_ALIKE) {
    const pauseMs = yield* (yield* Outage).failed
    yield* Log.warnOnce(`alike:${reason}`, `⚠️ ${wallets} wallets are refused alike, no retry is counted: ${reason}`)
    return { retryCount: task.retryCount, nextActionAtMs: nowMs + pauseMs, refusal: reason } satisfies TaskChange
  }
  const retryCount = task.retryCount + 1
  const pauseMs = REFUSAL_PAUSES_MS[Math.min(retryCount, REFUSAL_PAUSES_MS.length) - 1] ?? 0
  const errorMessage = messages.retrying(retryCount, maxRetryCount, reason)
  yield* Log.warn(`⚠️ Task ${shortId(task.id)} was refused. ${errorMessage}`, { task: task.id, attempt: retryCount })
  return { retryCount, nextActionAtMs: nowMs + pauseMs, errorMessage, refusal: reason } satisfies TaskChange
})

/** Refused before anything was signed: the task tries again later, or has failed. */
export const refuseTask = Effect.fnUntraced(function* (task: Task, reason: string, by?: "server" | "chain") {
  const repo = yield* TaskRepo
  const { maxRetryCount } = yield* Settings
  const change = yield* refusal(task, reason, by)
  if (change.retryCount >= maxRetryCount) return yield* failTask(task, change.retryCount, reason)
  return yield* repo.saveTask(task, change, yield* Clock.currentTimeMillis)
})

/** Stops the batch and its task for a person: what happened must not happen, and no rule decides it. */
export const setAside = Effect.fnUntraced(function* (batch: Batch, what: string, outcome?: AuthorizationOutcome) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const reason = `batch ${batch.number}: ${what}`
  const spent = outcome?._tag === "Used" ? outcome : undefined
  const saved = yield* repo.saveBatch({ before: batch, after: hold(batch, reason, nowMs, spent) }, nowMs)
  if (saved) {
    yield* Log.error(`🚨 Task ${shortId(batch.taskId)}, ${reason}`, { task: batch.taskId, nonce: batch.nonce })
    yield* holdTask(batch.taskId, messages.held(reason))
  }
  return saved
})
