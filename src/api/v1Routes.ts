import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Settings } from "../config/Settings.ts"
import { parse } from "../domain/Address.ts"
import { WatchRepo } from "../ledger/WatchRepo.ts"
import { isForCaller } from "../operator/find.ts"
import { Operator, type OperatorError } from "../operator/Operator.ts"
import type { TaskRecord } from "../operator/reports/tasks.ts"
import { paymentTimeoutMs, taskRecord } from "../operator/tasks.ts"
import { Api } from "./contract/Api.ts"
import { Unavailable } from "./contract/problems.ts"
import { BadRequestV1, NotFoundV1, type TaskV1 } from "./contract/v1.ts"

const PAGE = 20
const PAGE_MAX = 100

/** What v1.1 noted as the reason of a decision through its front end. */
const DECISION = { why: "asked for by the user" }

/** v1.1's routes, in v1.1's words: its front end reads them. */
export const layer = HttpApiBuilder.group(
  Api,
  "v1",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    const watch = yield* WatchRepo
    const timeoutMs = paymentTimeoutMs(yield* Settings)
    const find = (id: string) =>
      ID.test(id)
        ? operator.showTask(id).pipe(Effect.catchTags({ Refused: () => notFound, Unanswered: unavailable }))
        : notFound
    const decide = (
      id: string,
      decision: (task: string, decision: { readonly why: string }) => Effect.Effect<unknown, OperatorError>,
      words: { readonly done: string; readonly refused: string }
    ) =>
      Effect.flatMap(find(id), (task) =>
        decision(task.id, DECISION).pipe(
          Effect.as({ success: true as const, message: words.done }),
          Effect.catchTags({
            Refused: ({ message }) => Effect.fail(new BadRequestV1({ error: words.refused, message })),
            Unanswered: unavailable
          })
        )
      )
    return handlers.handleAll({
      task: ({ params }) => Effect.map(find(params.id), (task) => ({ success: true as const, task: taskV1(task) })),
      tasks: Effect.fnUntraced(function* ({ params, query }) {
        const user = parse(params.address)
        if (user === undefined) return yield* Effect.fail(new BadRequestV1({ error: "Invalid address" }))
        const page = {
          limit: numberIn(query.limit, 1, PAGE_MAX, PAGE),
          offset: numberIn(query.offset, 0, 1_000_000, 0)
        }
        if (!(yield* isForCaller(user))) return { success: true as const, tasks: [], total: 0 }
        const { tasks, total } = yield* Effect.catchTag(watch.tasksOf(user, page), "LedgerError", unavailable)
        return { success: true as const, tasks: tasks.map((task) => taskV1(taskRecord(task, timeoutMs))), total }
      }),
      cancel: ({ params }) =>
        decide(params.id, operator.cancel, { done: "Task cancelled", refused: "Cannot cancel task" }),
      retry: ({ params }) =>
        decide(params.id, operator.retry, { done: "Task will be retried", refused: "Cannot retry task" })
    })
  })
)

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const notFound = Effect.fail(new NotFoundV1({ error: "Task not found" }))

const unavailable = ({ message }: { readonly message: string }) => Effect.fail(new Unavailable({ detail: message }))

/** v1.1 took any text: what is no number is the default, and what is too large the most. */
const numberIn = (text: string | undefined, min: number, max: number, fallback: number): number =>
  /^\d{1,9}$/.test(text ?? "") ? Math.min(max, Math.max(min, Number(text))) : fallback

const taskV1 = (task: TaskRecord): typeof TaskV1.Type => ({ ...task, fundingTxHash: task.fundingTx })
