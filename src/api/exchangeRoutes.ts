import { Effect } from "effect"
import { HttpEffect, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Exchange } from "../operator/exchange/Exchange.ts"
import { Api } from "./contract/Api.ts"
import * as Problem from "./contract/problems.ts"
import { deciding } from "./operatorRoutes.ts"

/** A settlement takes a block or two, and confirmed blocks come a few seconds later. */
const RETRY_AFTER_SECONDS = 5

/** The exchange of x402: what its client reads is in headers, and the body says the same for everyone else. */
export const layer = HttpApiBuilder.group(
  Api,
  "orders",
  Effect.fnUntraced(function* (handlers) {
    const exchange = yield* Exchange
    return handlers.handleAll({
      place: ({ payload, headers, request }) =>
        exchange.place({ order: payload, signature: headers["payment-signature"], url: urlOf(request) }).pipe(
          Effect.tap(({ header }) => withHeader("payment-response", header)),
          Effect.map(({ order }) => order),
          Effect.catchTags({
            PaymentRequired: ({ header, code, message: detail, amountDue, payTo }) =>
              Effect.andThen(
                withHeader("payment-required", header),
                Effect.fail(new Problem.PaymentRequired({ code, detail, amountDue, payTo }))
              ),
            BadPayment: ({ message: detail }) => Effect.fail(new Problem.BadPayment({ detail })),
            SettlementPending: ({ taskId: orderId, message: detail }) =>
              Effect.andThen(
                withHeader("retry-after", String(RETRY_AFTER_SECONDS)),
                Effect.fail(new Problem.SettlementPending({ orderId, detail }))
              ),
            Refused: (error) => deciding(Effect.fail(error)),
            Unanswered: (error) => deciding(Effect.fail(error))
          })
        )
    })
  })
)

const withHeader = (name: string, value: string) =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, name, value))
  )

/** As the client wrote it, as far as it can be known: a proxy in between may speak another protocol. */
const urlOf = ({ headers }: HttpServerRequest.HttpServerRequest): string => {
  const protocol = headers["x-forwarded-proto"] === "https" ? "https" : "http"
  return `${protocol}://${headers["host"] ?? "localhost"}/api/orders`
}
