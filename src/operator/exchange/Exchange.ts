import { Context, type Effect, Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { TaskId } from "../../domain/Task.ts"
import type { OperatorError } from "../Operator.ts"
import type { TaskReport } from "../reports/tasks.ts"
import { Amount } from "../reports/values.ts"
import type { NewPaidOrder } from "../requests.ts"

/**
 * Why an order has to be paid (anew). Nothing is written, and no payment is under way.
 *
 * - `payment_required`: no payment came with the request.
 * - `price_changed`: the mint server asks more by now than was signed for.
 * - `payment_refused`: the payment that came is not what was asked for, or USDC would not take it.
 * - `payment_lapsed`: the payment that came can never be settled any more; it moved nothing.
 */
export const PAYMENT_CODES = ["payment_required", "price_changed", "payment_refused", "payment_lapsed"] as const

export class PaymentRequired extends Schema.TaggedError<PaymentRequired>()("PaymentRequired", {
  code: Schema.Literals(PAYMENT_CODES),
  message: Schema.String,
  amountDue: Amount,
  /** The person's agent wallet. */
  payTo: Address,
  /** The value of the `PAYMENT-REQUIRED` header. */
  header: Schema.String
}) {}

/** The `PAYMENT-SIGNATURE` header cannot be read, or is not signed by its payer. Nothing has changed. */
export class BadPayment extends Schema.TaggedError<BadPayment>()("BadPayment", { message: Schema.String }) {}

/**
 * The order is placed, and whether its payment is made is not known yet: money may have moved. The same request again finds
 * out, and pays nothing twice.
 */
export class SettlementPending extends Schema.TaggedError<SettlementPending>()("SettlementPending", {
  taskId: TaskId,
  message: Schema.String
}) {}

/** An order that is paid. */
export interface PaidAnswer {
  readonly order: TaskReport
  /** The value of the `PAYMENT-RESPONSE` header. */
  readonly header: string
}

/** A request to place an order and pay for it. */
export interface ExchangeRequest {
  readonly order: NewPaidOrder
  /** The value of its `PAYMENT-SIGNATURE` header. */
  readonly signature: string | undefined
  /** Where it came to, as the client knows it. */
  readonly url: string
}

export type ExchangeError = PaymentRequired | BadPayment | SettlementPending | OperatorError

/**
 * Orders that are paid in the exchange that places them, by x402. What settles a payment decides nothing about its
 * order: only the executor's sweep counts money.
 */
export class Exchange extends Context.Service<
  Exchange,
  { readonly place: (request: ExchangeRequest) => Effect.Effect<PaidAnswer, ExchangeError> }
>()("ai-mint-executor/operator/Exchange") {}
