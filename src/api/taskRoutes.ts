import { Duration, Effect } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { HttpApiBuilder } from "effect/http-api"
import { Settings } from "../config/Settings.ts"
import { parse } from "../domain/Address.ts"
import type { Status } from "../domain/Task.ts"
import { adopt } from "../operator/adopt.ts"
import { cancel } from "../operator/cancel.ts"
import { create } from "../operator/create.ts"
import { explain } from "../operator/explain.ts"
import { findTask, findWallet } from "../operator/find.ts"
import { missing } from "../operator/Refused.ts"
import { resolve } from "../operator/resolve.ts"
import { retry } from "../operator/retry.ts"
import { type TaskPlace, WatchRepo } from "../task/WatchRepo.ts"
import { asking, deciding } from "./answers.ts"
import { Api } from "./contract/Api.ts"
import { type NewTask, Status as StatusText, type TaskQuery } from "./contract/tasks.ts"
import { inside } from "./Tools.ts"
import { explanationOf, taskOf } from "./views.ts"

const PAGE = 50

export const layer = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fnUntraced(function* (handlers) {
    const { paymentTimeout } = yield* Settings
    const timeoutMs = Duration.toMillis(paymentTimeout)
    const use = yield* inside
    return handlers.handleAll({
      list: ({ query }) =>
        use(
          asking(
            Effect.map(listTasks(query), ({ tasks, next }) => ({
              tasks: tasks.map((task) => taskOf(task, timeoutMs)),
              next: next && `${next.placedAtMs}_${next.id}`
            }))
          )
        ),
      create: ({ payload }) => use(deciding(place(payload))),
      show: ({ params }) => use(asking(Effect.map(showTask(params.task), (task) => taskOf(task, timeoutMs)))),
      explain: ({ params }) =>
        use(asking(Effect.map(explain(params.task), (explanation) => explanationOf(explanation, timeoutMs)))),
      cancel: ({ params, payload }) => use(deciding(cancel(params.task, payload.why))),
      retry: ({ params, payload }) => use(deciding(retry(params.task, payload.why))),
      adopt: ({ params, payload }) => use(deciding(adopt(params.task, payload, payload.why))),
      resolve: ({ params, payload }) => use(deciding(resolve(params.task, payload, payload.why)))
    })
  })
)

const listTasks = Effect.fnUntraced(function* (query: typeof TaskQuery.Type) {
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

/** A cursor that nobody gave out leads to the beginning. */
const placeOf = (cursor: string | undefined): TaskPlace | undefined => {
  const [, ms, id] =
    /^(-?(?:\d{1,17}(?:\.\d{1,6})?|Infinity))_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor ?? "") ?? []
  return ms === undefined || id === undefined ? undefined : { placedAtMs: Number(ms), id }
}

const showTask = Effect.fnUntraced(function* (name: string) {
  const { row } = yield* findTask(name)
  const task = yield* (yield* WatchRepo).viewTask(row.id)
  return task ?? (yield* missing(`There is no task ${name}.`))
})

const place = Effect.fnUntraced(function* (order: typeof NewTask.Type) {
  const id = order.id?.toLowerCase() ?? (yield* (yield* SecureRandom.SecureRandom).uuidV4())
  const { userAddress, tokenAddress: token, quantity, pricePerMint } = order
  return yield* create({ id, userAddress, token, quantity, pricePerMint }, "asked for through the API")
})
