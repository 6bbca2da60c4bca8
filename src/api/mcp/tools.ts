import { Schema } from "effect"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { STATUSES } from "../../domain/Task.ts"
import { Quoted } from "../../operator/reports/decisions.ts"
import { TaskList, TaskReport } from "../../operator/reports/tasks.ts"
import { Amount, described, orNull } from "../../operator/reports/values.ts"
import { NewTask, TaskQuery, WhyBody } from "../../operator/requests.ts"
import { NeedsScope } from "../contract/permissions.ts"

/** `wait_for_order` answers within this many seconds: clients end a call after 60 at the earliest, and proxies after 30. */
export const WAIT_SECONDS_MAX = 25

const LIST_MAX = 50

/** A tool call that was not carried out. The message says why, whether money may have moved, and what to do next. */
export class ToolProblem extends Schema.TaggedError<ToolProblem>()("ToolProblem", { message: Schema.String }) {}

const Summary = Schema.String.annotate({
  description: "What there is to know, in a sentence or two: what to pay, to where, until when, and what to do next."
})

/** An order, and what it means. */
export const OrderAnswer = Schema.Struct({ summary: Summary, order: TaskReport })
export type OrderAnswer = typeof OrderAnswer.Type

const EXAMPLE_ID = "7f9c24e8-3b12-4a5d-9c0e-1f2a3b4c5d6e"
const EXAMPLE_USER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
const EXAMPLE_TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"

const order = Schema.String.check(Schema.isMaxLength(64)).annotate({
  description: "The id of the order: a UUID, as place_order and list_orders give it.",
  examples: [EXAMPLE_ID]
})

const user = NewTask.fields.userAddress.annotate({
  description:
    "The person's own address on Base. The tokens are minted to it, and the order is paid from the agent wallet that is kept for it.",
  examples: [EXAMPLE_USER]
})

const token = NewTask.fields.tokenAddress.annotate({
  description: "The contract of the token that is minted.",
  examples: [EXAMPLE_TOKEN]
})

const quantity = NewTask.fields.quantity.annotate({ description: "How many mints.", examples: [5] })

const quoteMint = Tool.make("quote_mint", {
  description:
    "What mints of a token cost a person now, how many are left, and the quoteId to order them with. Nothing is ordered or " +
    "paid. Opens the person's agent wallet, which orders are paid to, where there is none yet. Then call place_order " +
    "before quote.expiresAt.",
  parameters: Schema.Struct({ user, token, quantity }),
  success: Schema.Struct({ summary: Summary, quote: Quoted }),
  failure: ToolProblem
})
  .annotate(Tool.Title, "Ask for a price")
  .annotate(NeedsScope, "orders:create")
  .annotate(Tool.Destructive, false)

const placeOrder = Tool.make("place_order", {
  description:
    "Orders mints of a token for a person, at the price of a quote. Nothing is paid by this call: the answer says how many " +
    "USDC (order.amountDue, base units of 6 decimals) have to be sent to which address (order.payTo) before when " +
    "(order.payBy). Send exactly that amount of USDC on the same chain, in one transfer; then call wait_for_order until the " +
    "order is completed. The same call again, after an error or a timeout, finds the same order and never makes a second one.",
  parameters: Schema.Struct({
    user,
    token,
    quantity,
    quoteId: Schema.String.check(Schema.isUUID()).annotate({
      description: "quote.quoteId of quote_mint, which was asked with the same user, token and quantity.",
      examples: [EXAMPLE_ID]
    }),
    id: NewTask.fields.id.annotate({
      description: "A random UUID of your own to name the order by. Default: the quoteId.",
      examples: [EXAMPLE_ID]
    })
  }),
  success: Schema.Struct({
    ...OrderAnswer.fields,
    isNew: Schema.Boolean.annotate({ description: "false: this very order was there already." })
  }),
  failure: ToolProblem
})
  .annotate(Tool.Title, "Place an order")
  .annotate(NeedsScope, "orders:create")
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)

const getOrder = Tool.make("get_order", {
  description: "How an order stands now: what it waits for, what has been minted, and what to do next.",
  parameters: Schema.Struct({ order }),
  success: OrderAnswer,
  failure: ToolProblem
})
  .annotate(Tool.Title, "Look at an order")
  .annotate(NeedsScope, "orders:read")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

const waitForOrder = Tool.make("wait_for_order", {
  description:
    `Waits until something changes about an order, ${WAIT_SECONDS_MAX} seconds at most, and says how it stands then. ` +
    "Returns at once when the order has ended. Call it again while order.nextAction is wait. An order that is paid is usually completed within 30 seconds.",
  parameters: Schema.Struct({
    order,
    seconds: Schema.optionalKey(
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: WAIT_SECONDS_MAX })).annotate({
        description: `How long to wait at most: 1 to ${WAIT_SECONDS_MAX}. Default: ${WAIT_SECONDS_MAX}.`,
        examples: [WAIT_SECONDS_MAX]
      })
    )
  }),
  success: Schema.Struct({
    ...OrderAnswer.fields,
    changed: Schema.Boolean.annotate({ description: "Whether the order changed while this call waited." })
  }),
  failure: ToolProblem
})
  .annotate(Tool.Title, "Wait for an order")
  .annotate(NeedsScope, "orders:read")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

const cancelOrder = Tool.make("cancel_order", {
  description:
    "Ends an order that waits for its money. The chain is checked first: an order that is paid is not cancelled. " +
    "USDC that came already stays the wallet's credit: a later order of the same person uses it.",
  parameters: Schema.Struct({
    order,
    why: WhyBody.fields.why.annotate({
      description: "The reason, in a few words. It is kept with the order.",
      examples: ["the user changed their mind"]
    })
  }),
  success: Schema.Struct({
    ...OrderAnswer.fields,
    credit: orNull(Amount).pipe(described("USDC in base units that the wallet keeps; null where that is not known."))
  }),
  failure: ToolProblem
})
  .annotate(Tool.Title, "Cancel an unpaid order")
  .annotate(NeedsScope, "orders:cancel")
  .annotate(Tool.Destructive, true)
  .annotate(Tool.Idempotent, true)

const listOrders = Tool.make("list_orders", {
  description: "Orders, newest first. Use it to find an order whose id you do not have.",
  parameters: Schema.Struct({
    user: Schema.optionalKey(user),
    token: Schema.optionalKey(token),
    status: Schema.optionalKey(
      Schema.Array(Schema.Literals(STATUSES)).annotate({
        description: "Only orders in one of these states.",
        examples: [["pending_payment", "funded", "processing"]]
      })
    ),
    limit: Schema.optionalKey(
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: LIST_MAX })).annotate({
        description: `How many: 1 to ${LIST_MAX}. Default: 10.`
      })
    ),
    cursor: TaskQuery.fields.cursor.annotate({ description: "`next` of the answer before, for the page behind it." })
  }),
  success: Schema.Struct({ summary: Summary, ...TaskList.fields }),
  failure: ToolProblem
})
  .annotate(Tool.Title, "List orders")
  .annotate(NeedsScope, "orders:read")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

/** What an agent can do, each with the scope that its key needs: order, follow and cancel. Nothing that refunds, resolves or pauses is here. */
export const OrderTools = Toolkit.make(quoteMint, placeOrder, getOrder, waitForOrder, cancelOrder, listOrders)
