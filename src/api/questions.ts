import { Duration, Effect } from "effect"
import { Settings } from "../config/Settings.ts"
import { parse } from "../domain/Address.ts"
import type { Status } from "../domain/Task.ts"
import { explain } from "../operator/explain.ts"
import { findTask, findWallet } from "../operator/find.ts"
import { missing } from "../operator/Refused.ts"
import { showWallet } from "../operator/showWallet.ts"
import { type TaskPlace, WatchRepo } from "../ledger/WatchRepo.ts"
import { Status as StatusText } from "../operator/reports/tasks.ts"
import type { TaskQuery } from "../operator/requests.ts"
import { explanationOf, taskOf, walletOf } from "./views.ts"

// What only looks, as the contract has it: answered by the executor over HTTP, or by a command straight from the ledger.

const PAGE = 50

const timeoutMs = Effect.map(Settings, ({ paymentTimeout }) => Duration.toMillis(paymentTimeout))

export const listTasks = Effect.fnUntraced(function* (query: typeof TaskQuery.Type) {
  const { tasks, next } = yield* readTasks(query)
  const limitMs = yield* timeoutMs
  return { tasks: tasks.map((task) => taskOf(task, limitMs)), next: next && `${next.placedAtMs}_${next.id}` }
})

export const showTask = Effect.fnUntraced(function* (name: string) {
  return taskOf(yield* readTask(name), yield* timeoutMs)
})

export const explainTask = Effect.fnUntraced(function* (name: string) {
  return explanationOf(yield* explain(name), yield* timeoutMs)
})

export const walletReport = Effect.fnUntraced(function* (name: string) {
  return walletOf(yield* showWallet(name), yield* timeoutMs)
})

const readTasks = Effect.fnUntraced(function* (query: typeof TaskQuery.Type) {
  const statuses = (query.status ?? "").split(",").filter((status): status is Status => isStatus(status))
  const wallet = query.wallet === undefined ? undefined : yield* findWallet(query.wallet)
  const filter = {
    statuses,
    userAddress: parse(query.user ?? ""),
    token: parse(query.token ?? ""),
    walletId: wallet?.id,
    held: query.held === undefined ? undefined : query.held === "true"
  }
  return yield* (yield* WatchRepo).listTasks(filter, { after: placeOf(query.cursor), limit: query.limit ?? PAGE })
})

const isStatus = (text: string): boolean => StatusText.literals.some((status) => status === text)

/** Beyond these PostgreSQL has no finite times: 4713 BC and 294276 AD ("Date/Time Types"). */
const PLACED_MS_MIN = -210_866_803_200_000
const PLACED_MS_MAX = 9_224_318_016_000_000

/** A cursor that nobody gave out leads to the beginning. */
const placeOf = (cursor: string | undefined): TaskPlace | undefined => {
  const [, ms, id] =
    /^(-?(?:\d{1,17}(?:\.\d{1,6})?|Infinity))_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor ?? "") ?? []
  const placedAtMs = Number(ms)
  const isTime = !Number.isFinite(placedAtMs) || (placedAtMs > PLACED_MS_MIN && placedAtMs < PLACED_MS_MAX)
  return ms === undefined || id === undefined || !isTime ? undefined : { placedAtMs, id }
}

const readTask = Effect.fnUntraced(function* (name: string) {
  const { row } = yield* findTask(name)
  const task = yield* (yield* WatchRepo).viewTask(row.id)
  return task ?? (yield* missing(`There is no task ${name}.`))
})
