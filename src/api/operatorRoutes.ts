import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Operator } from "../operator/Operator.ts"
import { Api } from "./contract/Api.ts"
import { asking, deciding } from "./errorMapping.ts"

export const tasks = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({
      list: ({ query }) => asking(operator.listTasks(query)),
      create: ({ payload }) => deciding(operator.create(payload)),
      show: ({ params }) => asking(operator.showTask(params.task)),
      explain: ({ params }) => asking(operator.explainTask(params.task)),
      cancel: ({ params, payload }) => deciding(operator.cancel(params.task, payload)),
      retry: ({ params, payload }) => deciding(operator.retry(params.task, payload)),
      adopt: ({ params, payload }) => deciding(operator.adopt(params.task, payload)),
      resolve: ({ params, payload }) => deciding(operator.resolve(params.task, payload))
    })
  })
)

export const wallets = HttpApiBuilder.group(
  Api,
  "wallets",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({
      show: ({ params }) => asking(operator.showWallet(params.wallet)),
      resolve: ({ params, payload }) => deciding(operator.reopen(params.wallet, payload)),
      refund: ({ params, payload }) => deciding(operator.refund(params.wallet, payload)),
      withdraw: ({ params, payload }) => deciding(operator.withdraw(params.wallet, payload))
    })
  })
)
