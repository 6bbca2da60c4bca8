import { Effect, Schema } from "effect"
import { HttpApiError } from "effect/http-api"
import { Address } from "../../domain/Address.ts"
import { NEXT_ACTIONS } from "../../domain/nextAction.ts"
import { type ProblemCode, PROBLEM_CODES, problemWords } from "../../domain/ProblemCode.ts"
import { PAYMENT_CODES } from "../../operator/exchange/Exchange.ts"
import { Amount } from "../../operator/reports/values.ts"

const TYPE = "about:blank"

/**
 * What every problem says to a program. `of` is its code unless it is made with another one. An executor before 3.0.0 sends
 * none of it.
 */
const forPrograms = (of: ProblemCode) => {
  const { nextAction, moneyMayHaveMoved } = problemWords(of)
  return {
    code: Schema.Literals(PROBLEM_CODES)
      .annotate({ description: "What is the matter, for programs: a code never changes its meaning" })
      .pipe(Schema.withConstructorDefault(Effect.succeed(of)), Schema.withDecodingDefaultKey(Effect.succeed(of))),
    nextAction: Schema.Literals(NEXT_ACTIONS)
      .annotate({
        description:
          "What the program does next. retry_same_request: send the same request again, after a moment. none: correct the " +
          "request, or there is nothing left to do. The others as for an order"
      })
      .pipe(
        Schema.withConstructorDefault(Effect.succeed(nextAction)),
        Schema.withDecodingDefaultKey(Effect.succeed(nextAction))
      ),
    moneyMayHaveMoved: Schema.Boolean.annotate({
      description:
        "true only where a payment is signed and its outcome is not proven, or where what was asked for may have been done"
    }).pipe(
      Schema.withConstructorDefault(Effect.succeed(moneyMayHaveMoved)),
      Schema.withDecodingDefaultKey(Effect.succeed(moneyMayHaveMoved))
    )
  }
}

/** There is no such task, wallet or path. */
export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  {
    type: TYPE,
    status: 404,
    title: "Not Found"
  },
  forPrograms("not_found")
) {}

/** Understood, and not done: the detail says why, and what to do. Nothing has changed. */
export class Conflict extends HttpApiError.Problem<Conflict>()(
  "Conflict",
  {
    type: TYPE,
    status: 409,
    title: "Refused"
  },
  forPrograms("refused")
) {}

/** No token, or a wrong one. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  {
    type: TYPE,
    status: 401,
    title: "Unauthorized"
  },
  forPrograms("unauthorized")
) {}

/** What is protected is off: there is no token that would open it, or the request comes from another site. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  {
    type: TYPE,
    status: 403,
    title: "Forbidden"
  },
  forPrograms("forbidden")
) {}

/** Too many requests in a second, or too many listeners. */
export class TooMany extends HttpApiError.Problem<TooMany>()(
  "TooMany",
  {
    type: TYPE,
    status: 429,
    title: "Too Many Requests"
  },
  forPrograms("too_many_requests")
) {}

/** Database, chain or mint server did not answer. Nothing has changed; the same request may be sent again. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  {
    type: TYPE,
    status: 503,
    title: "Service Unavailable"
  },
  forPrograms("unavailable")
) {}

/** Of what shares its status with another problem, RFC 9457, section 3.1.1. */
const typeOf = <const Code extends string>(code: Code) => `urn:ai-mint:${code}` as const

/** The order is not placed: pay by x402, as the `PAYMENT-REQUIRED` header says. */
export class PaymentRequired extends HttpApiError.Problem<PaymentRequired>()(
  "PaymentRequired",
  { type: typeOf("payment_required"), status: 402, title: "Payment Required" },
  {
    ...forPrograms("payment_required"),
    code: Schema.Literals(PAYMENT_CODES),
    amountDue: Amount,
    /** The person's agent wallet. */
    payTo: Address
  }
) {}

/** The `PAYMENT-SIGNATURE` header cannot be read, or is not signed by its payer. Nothing has changed. */
export class BadPayment extends HttpApiError.Problem<BadPayment>()(
  "BadPayment",
  { type: typeOf("payment_unreadable"), status: 400, title: "Bad Payment" },
  forPrograms("payment_unreadable")
) {}

/**
 * The order is placed, and money may have moved: whether its payment is made is not known yet. The same request again, with
 * the same payment, finds out and pays nothing twice. `Retry-After` says when.
 */
export class SettlementPending extends HttpApiError.Problem<SettlementPending>()(
  "SettlementPending",
  { type: typeOf("settlement_pending"), status: 503, title: "Settlement Pending" },
  { ...forPrograms("settlement_pending"), orderId: Schema.String }
) {}

/** The problems of a route that only asks the ledger or the chain. */
export const asking = [NotFound, Unavailable] as const

/** The problems of a route that decides or changes something. */
export const deciding = [NotFound, Conflict, Unavailable] as const
