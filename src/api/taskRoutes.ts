import { Effect } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { HttpApiBuilder } from "effect/http-api"
import { adopt } from "../operator/adopt.ts"
import { cancel } from "../operator/cancel.ts"
import { create } from "../operator/create.ts"
import { resolve } from "../operator/resolve.ts"
import { retry } from "../operator/retry.ts"
import { asking, deciding } from "./answers.ts"
import { Api } from "./contract/Api.ts"
import type { NewTask } from "../operator/requests.ts"
import { explainTask, listTasks, showTask } from "./questions.ts"
import { inside } from "./Tools.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fnUntraced(function* (handlers) {
    const use = yield* inside
    return handlers.handleAll({
      list: ({ query }) => use(asking(listTasks(query))),
      create: ({ payload }) => use(deciding(place(payload))),
      show: ({ params }) => use(asking(showTask(params.task))),
      explain: ({ params }) => use(asking(explainTask(params.task))),
      cancel: ({ params, payload }) => use(deciding(cancel(params.task, payload.why))),
      retry: ({ params, payload }) => use(deciding(retry(params.task, payload.why))),
      adopt: ({ params, payload }) => use(deciding(adopt(params.task, payload, payload.why))),
      resolve: ({ params, payload }) => use(deciding(resolve(params.task, payload, payload.why)))
    })
  })
)

const place = Effect.fnUntraced(function* (order: typeof NewTask.Type) {
  const id = order.id?.toLowerCase() ?? (yield* (yield* SecureRandom.SecureRandom).uuidV4())
  const { userAddress, tokenAddress: token, quantity, pricePerMint } = order
  return yield* create({ id, userAddress, token, quantity, pricePerMint }, "asked for through the API")
})
