import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Decision from "../../operator/reports/decisions.ts"
import * as Tasks from "../../operator/reports/tasks.ts"
import * as Request from "../../operator/requests.ts"
import { Authorization } from "./Authorization.ts"
import { needs } from "./permissions.ts"
import {
  BadPayment,
  Conflict,
  deciding,
  NotFound,
  PaymentRequired,
  SettlementPending,
  Unavailable
} from "./problems.ts"

/** Orders that are paid by x402 (version 2) in the exchange that places them. */
export const orders = HttpApiGroup.make("orders")
  .add(
    HttpApiEndpoint.post("place", "/", {
      headers: { "payment-signature": Schema.optionalKey(Schema.String) },
      payload: Request.NewPaidOrder,
      success: Tasks.TaskReport,
      error: [BadPayment, PaymentRequired, NotFound, Conflict, Unavailable, SettlementPending]
    }).annotateMerge(needs("orders:create"))
  )
  .prefix("/api/orders")
  .middleware(Authorization)

/** Prices that hold for an order. */
export const quotes = HttpApiGroup.make("quotes")
  .add(
    HttpApiEndpoint.post("ask", "/", {
      payload: Request.NewQuote,
      success: Decision.Quoted.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("orders:create"))
  )
  .prefix("/api/quotes")
  .middleware(Authorization)
