import { HttpApi, HttpApiMiddleware, OpenApi } from "effect/http-api"
import { version } from "../../ops/process.ts"
import { control } from "./control.ts"
import { system } from "./health.ts"
import { keys } from "./keys.ts"
import { orders, quotes } from "./orders.ts"
import { tasks } from "./tasks.ts"
import { v1 } from "./v1.ts"
import { wallets } from "./wallets.ts"
import { webhooks } from "./webhooks.ts"

/** The whole of it: the server, the client of `ai-mint` and the OpenAPI document come from here. */
export class Api extends HttpApi.make("ai-mint-executor")
  .add(system)
  .add(tasks)
  .add(orders)
  .add(quotes)
  .add(wallets)
  .add(control)
  .add(keys)
  .add(webhooks)
  .add(v1)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "AI Mint Executor",
      version,
      description: "What operators see and decide. Amounts are USDC in base units (6 decimals), as text."
    })
  ) {}
