import { Clock, Context, Duration, Effect, Layer, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import type { UsedNonce } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import type { LimitReached } from "../domain/Limit.ts"
import { limitWords } from "../domain/NextStep.ts"
import { causeOf, messages, shortId, type Task, type TaskId } from "../domain/Task.ts"
import { counted } from "../domain/text.ts"
import { hold } from "../domain/transferTransitions.ts"
import type { Standstill } from "../domain/UsdcState.ts"
import type { BadTask } from "../domain/WalletState.ts"
import { LedgerError, Outrun, type TaskChange, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { eachAlone } from "../ops/eachAlone.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { Outage } from "./Outage.ts"
import { LOCKED_PAUSE_MS, UNWRITABLE_PAUSE_MS } from "./pace.ts"

/** Pauses after the first, second, … refusal in a row; the last one is for all that follow. */
const REFUSAL_PAUSES_MS = [5_000, 30_000, 120_000]

/** The same refusal of this many wallets within this time is caused by the environment, not by an order. */
const WALLETS_REFUSED_ALIKE = 3
const REFUSED_ALIKE_WITHIN_MS = 300_000

/** The pause after a refusal that is not the order's is as long as such refusals have lasted, within these. */
const STALL_PAUSE_MS_MIN = 5_000
const STALL_PAUSE_MS_MAX = 60_000

/** While an order waits for a limit: how soon it looks again, and how long at the most what was given back lies idle. */
const LIMIT_LOOK_MS_MIN = 5_000
const LIMIT_LOOK_MS_MAX = 300_000

const makeHolds = Effect.gen(function* () {
  const repo = yield* TaskRepo

  /**
   * Holds tasks for a person, and returns those that were not held before. A task whose row cannot be written is held all
   * the same; only its row does not show it.
   */
  const holdTasks = Effect.fnUntraced(function* (bad: ReadonlyArray<BadTask>) {
    const nowMs = yield* Clock.currentTimeMillis
    const held = new Set(yield* eachAlone(bad, (some) => repo.hold(some, nowMs)))
    const left = bad.filter(({ taskId }) => !held.has(taskId))
    const all = new Set([...held, ...(left.length === 0 ? [] : yield* repo.hold(left, nowMs, { inRow: false }))])
    for (const { taskId, reason } of bad) {
      if (all.has(taskId)) yield* logHeld(taskId, reason)
    }
    return all
  })
  const holdTask = (taskId: TaskId, reason: string) => holdTasks([{ taskId, reason }])

  /** Holds an order. `Outrun` where another program locks its row, or it has ended: the next turn reads it again. */
  const holdOrder = Effect.fnUntraced(function* ({ id }: Task, reason: string) {
    if (!(yield* holdTask(id, reason)).has(id)) return yield* new Outrun()
  })

  /** A pause passes by itself; what the blacklist stops is held, for only a person can help. */
  const holdWhere = Effect.fnUntraced(function* ({ _tag, reason }: Standstill, taskIds: ReadonlyArray<TaskId>) {
    if (_tag === "Paused") return
    for (const taskId of taskIds) yield* holdTask(taskId, messages.held(reason))
  })

  /** Stops the batch and its task for a person: what happened must not happen, and no rule decides it. */
  const holdBatch = Effect.fnUntraced(function* (batch: Batch, what: string, spent?: UsedNonce) {
    const nowMs = yield* Clock.currentTimeMillis
    const reason = `batch ${batch.number}: ${what}`
    yield* repo.saveBatch({ before: batch, after: hold(batch, reason, nowMs, spent) }, nowMs)
    const held = yield* holdTask(batch.taskId, messages.held(reason))
    // An order that has ended cannot be held: without this line no one would hear of it.
    if (!held.has(batch.taskId)) yield* Log.error(`🚨 Task ${shortId(batch.taskId)}, ${reason}`, { task: batch.taskId })
  })

  return { holdTasks, holdTask, holdOrder, holdWhere, holdBatch }
})

/** An error, as only a person ends it. */
const logHeld = (taskId: TaskId, reason: string): Effect.Effect<void> =>
  Log.error(`🚨 Task ${shortId(taskId)} is held: ${causeOf(reason)}. See: ai-mint explain ${shortId(taskId)}`, {
    task: taskId
  })

const makeChanges = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const outage = yield* Outage

  const saveTask = (task: Task, change: TaskChange) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => repo.saveTask(task, change, nowMs))

  const completeTask = Effect.fnUntraced(function* (task: Task) {
    const completedAtMs = yield* Clock.currentTimeMillis
    yield* saveTask(task, { status: "completed", completedAtMs, errorMessage: null })
    const said = `Task ${shortId(task.id)}: processing → completed, ${counted(task.quantity, "mint")}`
    yield* Log.success(said, { task: task.id })
  })

  /** The rest of its money is free for the wallet's other tasks from here on. */
  const failTask = Effect.fnUntraced(function* (task: Task, attempts: number, reason: string) {
    const errorMessage = messages.exceeded(attempts, reason)
    // Set to funded again it waits for nothing.
    yield* saveTask(task, { status: "failed", retryCount: attempts, errorMessage, nextActionAtMs: null })
    yield* Log.error(`❌ Task ${shortId(task.id)}: ${task.status} → failed. ${errorMessage}`, { task: task.id })
  })

  /** Says in the order's row why it waits. */
  const noteWaiting = Effect.fnUntraced(function* (task: Task, why: string) {
    const change = noteOf(task, why)
    if (change.waiting !== undefined) yield* wasFirst(saveTask(task, change))
  })

  /** Nothing happens to the task for a while, and nothing is held against it. Its row says why, where that is given. */
  const pauseTask = Effect.fnUntraced(function* (task: Task, pauseMs: number, why?: string) {
    const nowMs = yield* Clock.currentTimeMillis
    yield* saveTask(task, { nextActionAtMs: nowMs + pauseMs, ...(why !== undefined && noteOf(task, why)) })
  })

  /** A row of the order cannot be written: a pause is ours alone, and no change of that row. */
  const pauseUnwritable = (task: Task) => (error: LedgerError) =>
    pauseTask(task, error.reason === "Contended" ? LOCKED_PAUSE_MS : UNWRITABLE_PAUSE_MS)

  /** The environment did not answer: all wallets wait, and no retry is counted. */
  const pauseForOutage = Effect.fnUntraced(function* (task: Task, reason: string) {
    const pauseMs = yield* outage.failed
    yield* Log.warnOnce(`outage:${reason}`, `⚠️ Minting is paused for ${Math.ceil(pauseMs / 1000)}s: ${reason}`)
    return yield* pauseTask(task, pauseMs, reason)
  })

  return { saveTask, completeTask, failTask, noteWaiting, pauseTask, pauseUnwritable, pauseForOutage }
})

const makeWaitForLimit = Effect.map(makeChanges, ({ saveTask }) =>
  /**
   * A limit has no room for it: nothing is held against it, and its wallet is left alone until there is, or until it is
   * time to look whether a payment that was void has given some back. Written once for each of these looks.
   */
  Effect.fnUntraced(function* (task: Task, reached: LimitReached) {
    const nowMs = yield* Clock.currentTimeMillis
    const { limitedSinceMs = nowMs, nextActionAtMs = 0 } = task
    if (task.limitedSinceMs !== undefined && nextActionAtMs > nowMs) return
    const words = limitWords(reached)
    const lookMs = Math.min(reached.freeAtMs ?? Number.POSITIVE_INFINITY, nowMs + LIMIT_LOOK_MS_MAX)
    const change = { nextActionAtMs: Math.max(lookMs, nowMs + LIMIT_LOOK_MS_MIN, nextActionAtMs), limitedSinceMs }
    yield* Log.warnOnce(`limit:${reached.scope}`, `⚠️ Orders wait: ${words}. See: ai-mint limits`)
    yield* wasFirst(saveTask(task, { ...change, ...noteOf(task, words) }))
  })
)

/** A row is written only where it would say something else. */
export const noteOf = (task: Task, why: string): Pick<TaskChange, "waiting"> => {
  const waiting = messages.waiting(why)
  return task.errorMessage === waiting ? {} : { waiting }
}

/** Where another program holds the order's row, not even a pause can be noted: others have their turn. */
export const unlessLocked = <A, E, R>(work: Effect.Effect<A, E | LedgerError, R>) =>
  Effect.catchIf(work, isLocked, () => Effect.undefined)

export const isLocked = (error: unknown): error is LedgerError =>
  error instanceof LedgerError && error.reason === "Contended"

/** How many wallets met this very refusal of late, where they are so many that it is the environment's. */
const makeManyRefusedAlike = Effect.map(TaskRepo, (repo) =>
  Effect.fnUntraced(function* (reason: string) {
    const sinceMs = (yield* Clock.currentTimeMillis) - REFUSED_ALIKE_WITHIN_MS
    const wallets = yield* repo.walletsRefused(reason, sinceMs)
    if (wallets < WALLETS_REFUSED_ALIKE) return undefined
    yield* Incidents.raise(`refused:${reason}`, `${wallets} wallets are refused alike by the mint server: ${reason}`)
    return wallets
  })
)

/** Refusals that count against an order. */
const makeCounted = Effect.gen(function* () {
  const { maxRetryCount } = yield* Settings
  const outage = yield* Outage
  const { failTask, saveTask } = yield* makeChanges
  const manyRefusedAlike = yield* makeManyRefusedAlike

  /** What a refusal changes: one more in a row, and a pause; unless it is the server's and many wallets met the same one. */
  const refusal = Effect.fnUntraced(function* (task: Task, reason: string, by: "server" | "chain" = "server") {
    const nowMs = yield* Clock.currentTimeMillis
    // What the chain shows does not pass: a token that is sold out stays so, for every wallet.
    const wallets = by === "chain" ? undefined : yield* manyRefusedAlike(reason)
    if (wallets !== undefined) {
      const pauseMs = yield* outage.failed
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

  /** Refused before anything was signed: the task tries again later, or has failed. */
  const refuseTask = Effect.fnUntraced(function* (task: Task, reason: string, by?: "server" | "chain") {
    const change = yield* refusal(task, reason, by)
    if (change.retryCount >= maxRetryCount) return yield* failTask(task, change.retryCount, reason)
    yield* saveTask(task, change)
  })

  return { refusal, refuseTask }
})

/** Refusals that are the wallet's, ours, or of words that are not known: nothing is counted. */
const makeUncounted = Effect.gen(function* () {
  const { authorizationWindow } = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const { saveTask } = yield* makeChanges
  const { holdTask } = yield* makeHolds
  const manyRefusedAlike = yield* makeManyRefusedAlike

  /** What such a refusal changes: a pause, and the order says what it waits for. */
  const stall = Effect.fnUntraced(function* (task: Task, reason: string) {
    const nowMs = yield* Clock.currentTimeMillis
    const stalledSinceMs = task.stalledSinceMs ?? nowMs
    const pauseMs = Math.min(STALL_PAUSE_MS_MAX, Math.max(STALL_PAUSE_MS_MIN, nowMs - stalledSinceMs))
    const next = { nextActionAtMs: nowMs + pauseMs, refusal: reason, stalledSinceMs }
    return { ...next, ...noteOf(task, reason) } satisfies TaskChange
  })

  /**
   * Leaves a stalled order to a person once it has lasted as long as a payment is valid: there is no known reason to wait
   * longer, or to give up. Not where many wallets are stalled alike.
   */
  const holdStalled = Effect.fnUntraced(function* (task: Task, sinceMs: number, reason: string) {
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs - sinceMs < Duration.toMillis(authorizationWindow)) return
    if ((yield* manyRefusedAlike(reason)) !== undefined) return
    yield* wasFirst(repo.saveTask(task, { stalledSinceMs: null }, nowMs))
    yield* holdTask(task.id, messages.held(reason))
  })

  /** Stalled before anything was signed: asked again after a pause. Others go on meanwhile. */
  const stallTask = Effect.fnUntraced(function* (task: Task, reason: string) {
    const change = yield* stall(task, reason)
    yield* saveTask(task, change)
    const said = `⚠️ Task ${shortId(task.id)} waits: ${reason}`
    yield* Log.warnOnce(`stalled:${task.id}:${reason}`, said, { task: task.id })
    yield* holdStalled(task, change.stalledSinceMs, reason)
  })

  /**
   * Holds a task whose wallet has become an account with code: it is asked for its signatures, which the key alone does
   * not make any more. Source: EIP-7702 (`0xef0100` and the address of the code); USDC's `SignatureChecker`.
   */
  const holdForCode = Effect.fnUntraced(function* (task: Task, payer: Address, reason: string) {
    const code = Result.getOrUndefined(yield* Effect.result(chain.codeOf(payer)))
    if (code === undefined) return
    const whose = code.startsWith("0xef0100") ? `0x${code.slice(8)} (EIP-7702)` : "a contract"
    const cause = `the agent wallet ${payer} has the code of ${whose}, so its key's signature is not taken`
    yield* holdTask(task.id, messages.held(`${cause}: ${reason}`))
  })

  return { stall, holdStalled, stallTask, holdForCode }
})

const make = Effect.gen(function* () {
  return {
    ...(yield* makeHolds),
    ...(yield* makeChanges),
    ...(yield* makeCounted),
    ...(yield* makeUncounted),
    waitForLimit: yield* makeWaitForLimit
  }
})

/** Writes what becomes of an order: completed, failed, left alone for a while, refused, or held for a person. */
export class Orders extends Context.Service<Orders>()("ai-mint-executor/executor/Orders", { make }) {
  static readonly layer = Layer.effect(Orders, make)
}
