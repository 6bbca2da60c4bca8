import { DateTime, Duration, Effect } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { type Bytes32, parse } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import type { NextWords } from "../domain/nextAction.ts"
import { parseTaskId, type Status, STATUSES } from "../domain/Task.ts"
import type { TaskPlace, TaskView } from "../ledger/WatchRepo.ts"
import { CurrentCaller } from "./Caller.ts"
import { findTaskId, findWallet, isForCaller, missingTask } from "./find.ts"
import { nextWordsOf, nextWordsOfOne, ofView } from "./nextStep.ts"
import type { BatchReport, TaskRecord, TaskReport } from "./reports/tasks.ts"
import type { TaskQuery } from "./requests.ts"
import type { Services } from "./services.ts"

const PAGE = 50

export const paymentTimeoutMs = ({ paymentTimeout }: SettingsShape): number => Duration.toMillis(paymentTimeout)

/** Orders, newest first. */
export const listTasks = Effect.fn("operator.listTasks")(function* (services: Services, query: TaskQuery) {
  const { tasks, next } = yield* readTasks(services, query)
  return { tasks: yield* taskReports(services, tasks), next: next && `${next.placedAtMs}_${next.id}` }
})

/** Orders with their next step. */
export const taskReports = Effect.fnUntraced(function* (services: Services, tasks: ReadonlyArray<TaskView>) {
  const orders = tasks.map((task) => ({ task, order: ofView(task) }))
  const wordsOf = yield* nextWordsOf(
    services,
    orders.map(({ order }) => order)
  )
  const limitMs = paymentTimeoutMs(services.settings)
  return orders.map(({ task, order }): TaskReport => taskReport(task, limitMs, wordsOf(order)))
})

export const showTask = Effect.fn("operator.showTask")(function* (services: Services, name: string) {
  const id = yield* findTaskId(services, name)
  const task = id === undefined ? undefined : yield* services.watch.viewTask(id)
  if (task === undefined || !(yield* isForCaller(task.userAddress))) return yield* missingTask(name)
  const words = yield* nextWordsOfOne(services, ofView(task))
  return taskReport(task, paymentTimeoutMs(services.settings), words)
})

const readTasks = Effect.fnUntraced(function* (services: Services, query: TaskQuery) {
  const statuses = (query.status ?? "").split(",").filter((status): status is Status => isStatus(status))
  const wallet = query.wallet === undefined ? undefined : yield* findWallet(services, query.wallet)
  const { user } = yield* CurrentCaller
  const asked = parse(query.user ?? "")
  // Of another person there is nothing to see, as if that person had no order.
  if (user !== undefined && asked !== undefined && asked !== user) return { tasks: [], next: undefined }
  const filter = {
    statuses,
    userAddress: user ?? asked,
    token: parse(query.token ?? ""),
    walletId: wallet?.id,
    tx: bytes32(query.tx),
    fromMs: momentOf(query.from),
    beforeMs: momentOf(query.to),
    held: query.held === undefined ? undefined : query.held === "true"
  }
  return yield* services.watch.listTasks(filter, { after: placeOf(query.cursor), limit: query.limit ?? PAGE })
})

/** As it is stored: in lower case. */
const bytes32 = (text: string | undefined): Bytes32 | undefined =>
  text === undefined ? undefined : `0x${text.slice(2).toLowerCase()}`

const momentOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : DateTime.toEpochMillis(DateTime.makeUnsafe(text))

const isStatus = (text: string): boolean => STATUSES.some((status) => status === text)

/** Beyond these PostgreSQL has no finite times: 4713 BC and 294276 AD ("Date/Time Types"). */
const PLACED_MS_MIN = -210_866_803_200_000
const PLACED_MS_MAX = 9_224_318_016_000_000

/** A cursor that no page gave leads to the beginning. */
const placeOf = (cursor: string | undefined): TaskPlace | undefined => {
  const [, ms, text = ""] = /^(-?(?:\d{1,17}(?:\.\d{1,6})?|Infinity))_(.*)$/.exec(cursor ?? "") ?? []
  const id = parseTaskId(text)
  const placedAtMs = Number(ms)
  const isTime = !Number.isFinite(placedAtMs) || (placedAtMs > PLACED_MS_MIN && placedAtMs < PLACED_MS_MAX)
  return ms === undefined || id === undefined || !isTime ? undefined : { placedAtMs, id }
}

/** `undefined` where a row has no time, or an infinite one. */
const sound = (ms: number): number | undefined => (Number.isFinite(ms) ? ms : undefined)

/** `paymentTimeoutMs`: how long an order waits for its money. What is not in the report is left out where it is sent. */
export const taskRecord = (task: TaskView, paymentTimeoutMs: number): TaskRecord => ({
  ...task,
  held: task.held && { reason: task.held.reason, since: task.held.sinceMs },
  agentWalletId: task.walletId,
  tokenAddress: task.token,
  createdAt: sound(task.createdAtMs),
  deadline: sound(task.createdAtMs + paymentTimeoutMs),
  fundedAt: task.fundingReceivedAtMs,
  startedAt: task.startedAtMs,
  completedAt: task.completedAtMs,
  nextActionAt: task.nextActionAtMs
})

/** The same with its next step. */
export const taskReport = (task: TaskView, paymentTimeoutMs: number, words: NextWords): TaskReport => ({
  ...taskRecord(task, paymentTimeoutMs),
  ...words
})

export const batchReport = (batch: Batch): BatchReport => ({
  ...batch,
  since: batch.statusSinceMs,
  payTo: batch.window?.payTo ?? batch.payTo,
  validBefore: batch.window && batch.window.validBefore * 1000,
  nextActionAt: batch.nextActionAtMs
})
