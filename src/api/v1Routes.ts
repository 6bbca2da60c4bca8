import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { ChainError } from "../chain/ChainClient.ts"
import { parse } from "../domain/Address.ts"
import { cancel } from "../operator/cancel.ts"
import type { Refused } from "../operator/Refused.ts"
import { retry } from "../operator/retry.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import { type TaskView, WatchRepo } from "../ledger/WatchRepo.ts"
import { Api } from "./contract/Api.ts"
import { Unavailable } from "./contract/problems.ts"
import { BadRequestV1, NotFoundV1, type TaskV1 } from "./contract/v1.ts"
import { inside } from "./Tools.ts"

const PAGE = 20
const PAGE_MAX = 100

/** What v1.1 noted as the reason of whoever asks through its front end. */
const WHY = "asked for by the user"

/** v1.1's routes, in v1.1's words: its front end reads them. */
export const layer = HttpApiBuilder.group(
  Api,
  "v1",
  Effect.fnUntraced(function* (handlers) {
    const use = yield* inside
    return handlers.handleAll({
      task: ({ params }) =>
        use(
          Effect.map(find(params.id), (task) => ({ success: true as const, task: taskOf(task) })).pipe(
            Effect.catchTag("LedgerError", unavailable)
          )
        ),
      tasks: ({ params, query }) => use(list(params.address, query).pipe(Effect.catchTag("LedgerError", unavailable))),
      cancel: ({ params }) => use(decide(params.id, cancel, "Cannot cancel task", "Task cancelled")),
      retry: ({ params }) => use(decide(params.id, retry, "Cannot retry task", "Task will be retried"))
    })
  })
)

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const find = Effect.fnUntraced(function* (id: string) {
  const task = ID.test(id) ? yield* (yield* WatchRepo).viewTask(id.toLowerCase()) : undefined
  return task ?? (yield* Effect.fail(new NotFoundV1({ error: "Task not found" })))
})

const list = Effect.fnUntraced(function* (
  address: string,
  query: { readonly limit?: string; readonly offset?: string }
) {
  const user = parse(address)
  if (user === undefined) return yield* Effect.fail(new BadRequestV1({ error: "Invalid address" }))
  const page = { limit: numberIn(query.limit, 1, PAGE_MAX, PAGE), offset: numberIn(query.offset, 0, 1_000_000, 0) }
  const { tasks, total } = yield* (yield* WatchRepo).tasksOf(user, page)
  return { success: true as const, tasks: tasks.map(taskOf), total }
})

/** v1.1 took whatever came: what is no number is the default, and what is too large the most. */
const numberIn = (text: string | undefined, min: number, max: number, fallback: number): number =>
  /^\d{1,9}$/.test(text ?? "") ? Math.min(max, Math.max(min, Number(text))) : fallback

const decide = Effect.fnUntraced(function* <R>(
  id: string,
  decision: (name: string, why: string) => Effect.Effect<unknown, Refused | LedgerError | ChainError, R>,
  error: string,
  message: string
) {
  const done = { success: true as const, message }
  return yield* Effect.flatMap(find(id), ({ id: found }) => decision(found, WHY)).pipe(
    Effect.as(done),
    Effect.catchTags({
      Refused: (refused) => Effect.fail(new BadRequestV1({ error, message: refused.message })),
      LedgerError: unavailable,
      ChainError: unavailable
    })
  )
})

const unavailable = ({ message }: { readonly message: string }) => Effect.fail(new Unavailable({ detail: message }))

const taskOf = (task: TaskView): typeof TaskV1.Type => ({
  id: task.id,
  userAddress: task.userAddress,
  agentWalletId: task.walletId,
  tokenAddress: task.token,
  quantity: task.quantity,
  pricePerMint: task.pricePerMint,
  totalCost: task.totalCost,
  status: task.status,
  mintsCompleted: task.mintsCompleted,
  mintsFailed: task.mintsFailed,
  fundingTxHash: task.fundingTx,
  errorMessage: task.errorMessage,
  createdAt: Number.isFinite(task.createdAtMs) ? task.createdAtMs : undefined,
  completedAt: task.completedAtMs
})
