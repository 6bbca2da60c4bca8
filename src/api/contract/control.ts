import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Decision from "../../operator/reports/decisions.ts"
import { Limits } from "../../operator/reports/limits.ts"
import { EventReport, StatusReport } from "../../operator/reports/status.ts"
import * as Wallets from "../../operator/reports/wallets.ts"
import * as Request from "../../operator/requests.ts"
import { Authorization } from "./Authorization.ts"
import { needsForEveryone } from "./permissions.ts"
import { asking, Conflict, deciding, TooMany, Unavailable } from "./problems.ts"

/** An event as it is streamed: `id` for `Last-Event-ID`. `beat` comes every few seconds, so that a quiet stream differs from one that has ended. */
const StreamedEvent = Schema.Union([
  Schema.Struct({
    id: Schema.String,
    event: Schema.Literal("ledger"),
    data: Schema.fromJsonString(EventReport)
  }),
  Schema.Struct({
    id: Schema.optional(Schema.String),
    event: Schema.Literal("beat"),
    data: Schema.String
  })
])

/** What is about all orders together: figures, events, books, pauses and limits. */
export const control = HttpApiGroup.make("control")
  .add(
    HttpApiEndpoint.get("overview", "/overview", { success: StatusReport, error: asking }).annotateMerge(
      needsForEveryone("orders:read")
    ),
    HttpApiEndpoint.get("reconcile", "/reconcile", {
      success: Decision.Reconciled,
      error: [Conflict, TooMany, Unavailable]
    }).annotateMerge(needsForEveryone("audit")),
    HttpApiEndpoint.get("export", "/export", {
      query: Request.JournalQuery.fields,
      success: HttpApiSchema.StreamUint8Array({ contentType: "text/csv; charset=utf-8" }),
      error: deciding
    }).annotateMerge(needsForEveryone("audit")),
    HttpApiEndpoint.get("pauses", "/pauses", { success: Wallets.Paused, error: asking }).annotateMerge(
      needsForEveryone("orders:read")
    ),
    HttpApiEndpoint.post("pause", "/pause", {
      payload: Request.PauseBody,
      success: Wallets.Paused,
      error: deciding
    }).annotateMerge(needsForEveryone("operate")),
    HttpApiEndpoint.post("resume", "/resume", {
      payload: Request.PauseBody,
      success: Wallets.Paused,
      error: deciding
    }).annotateMerge(needsForEveryone("operate")),
    HttpApiEndpoint.get("limits", "/limits", { success: Limits, error: asking }).annotateMerge(
      needsForEveryone("operate")
    ),
    HttpApiEndpoint.post("setLimit", "/limits", {
      payload: Request.LimitBody,
      success: Limits,
      error: deciding
    }).annotateMerge(needsForEveryone("operate")),
    HttpApiEndpoint.post("removeLimit", "/limits/remove", {
      payload: Request.LimitTarget,
      success: Limits,
      error: deciding
    }).annotateMerge(needsForEveryone("operate")),
    HttpApiEndpoint.get("events", "/events", {
      headers: { "last-event-id": Schema.optionalKey(Schema.NumberFromString.check(Schema.isInt())) },
      success: HttpApiSchema.StreamSse({ events: StreamedEvent }),
      error: [TooMany, Unavailable]
    }).annotateMerge(needsForEveryone("orders:read"))
  )
  .prefix("/api")
  .middleware(Authorization)
