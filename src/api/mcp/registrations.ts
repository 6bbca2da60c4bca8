import { Effect, Layer, Schema } from "effect"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import { Operator } from "../../operator/Operator.ts"
import { Explanation } from "../../operator/reports/tasks.ts"
import { version } from "../../ops/process.ts"
import * as Handlers from "./handlers.ts"
import { mayUse } from "./permissions.ts"
import { OrderTools } from "./tools.ts"

/** How the server introduces itself to a client. */
export const SERVER = {
  name: "ai-mint-executor",
  version,
  instructions:
    "Orders mints of tokens on Base and follows them. 1. quote_mint: the price, and a quoteId. 2. place_order with it: the " +
    "answer has an amount of USDC, an address and a deadline. 3. Send exactly that amount of USDC to that address before the " +
    "deadline, with your own wallet: this server does not pay for you. 4. wait_for_order, again and again, until the order is " +
    "completed: the tokens are then in the person's wallet. Each payment happens exactly once. After an error or a timeout, " +
    'repeat the same call with the same arguments; never pay twice. Amounts are USDC in base units as text: "1000000" is 1 USDC.'
} as const

const encode = Schema.encodeEffect(Schema.fromJsonString(Explanation))

/** Everything that answers "I paid, where are my tokens?". */
const explanation = Layer.unwrap(
  Effect.map(Operator, ({ explainTask }) =>
    McpServer.resource`order://${McpSchema.param("id", Schema.String)}/explain`({
      name: "explain",
      description:
        "The whole story of an order: each deposit, payment and mint with its transactions, its money, and what happens next.",
      mimeType: "application/json",
      content: (_uri, id) => mayUse("orders:read").pipe(Effect.andThen(explainTask(id)), Effect.flatMap(encode))
    })
  )
)

/** Tools and resources: the same on both transports. */
export const registrations = Layer.mergeAll(
  McpServer.toolkit(OrderTools).pipe(Layer.provide(Handlers.layer)),
  explanation
)
