import { DateTime, Duration, Effect } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { type Bytes32, parse } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import { parseTaskId, type Status, STATUSES } from "../domain/Task.ts"
import type { TaskPlace, TaskView } from "../ledger/WatchRepo.ts"
import { CurrentCaller } from "./Caller.ts"
import { findTaskId, findWallet, isForCaller, missingTask } from "./find.ts"
import type { BatchReport, TaskReport } from "./reports/tasks.ts"
import type { TaskQuery } from "./requests.ts"
import type { Services } from "./services.ts"

const PAGE = 50

export const paymentTimeoutMs = ({ paymentTimeout }: SettingsShape): number => Duration.toMillis(paymentTimeout)

/** Orders, newest first. */
export const listTasks = Effect.fn("operator.listTasks")(function* (services: Services, query: TaskQuery) {
  const { tasks, next } = yield* readTasks(services, query)
  const limitMs = paymentTimeoutMs(services.settings)
  return { tasks: tasks.map((task) => taskReport(task, limitMs)), next: next && `${next.placedAtMs}_${next.id}` }
})

export const showTask = Effect.fn("operator.showTask")(function* (services: Services, name: string) {
  const id = yield* findTaskId(services, name)
  const task = id === undefined ? undefined : yield* services.watch.viewTask(id)
  return task !== undefined && (yield* isForCaller(task.userAddress))
    ? taskReport(task, paymentTimeoutMs(services.settings))
    : yield* missingTask(name)
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
export const taskReport = (task: TaskView, paymentTimeoutMs: number): TaskReport => ({
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

export const batchReport = (batch: Batch): BatchReport => ({
  ...batch,
  since: batch.statusSinceMs,
  payTo: batch.window?.payTo ?? batch.payTo,
  validBefore: batch.window && batch.window.validBefore * 1000,
  nextActionAt: batch.nextActionAtMs
})
