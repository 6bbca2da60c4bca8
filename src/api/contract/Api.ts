import { Schema } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi
} from "effect/http-api"
import { version } from "../../ops/process.ts"
import * as Decision from "../../operator/reports/decisions.ts"
import { Proof } from "../../proof/Proof.ts"
import { needs, needsForEveryone } from "./permissions.ts"
import {
  BadPayment,
  Conflict,
  Forbidden,
  NotFound,
  PaymentRequired,
  SettlementPending,
  TooMany,
  Unauthorized,
  Unavailable
} from "./problems.ts"
import { EventReport, StatusReport, Version } from "../../operator/reports/status.ts"
import * as Tasks from "../../operator/reports/tasks.ts"
import { Limits } from "../../operator/reports/limits.ts"
import * as V1 from "./v1.ts"
import { Name } from "../../operator/reports/values.ts"
import * as Wallets from "../../operator/reports/wallets.ts"
import * as Webhook from "../../operator/reports/webhooks.ts"
import * as Request from "../../operator/requests.ts"
import * as Keys from "../../operator/reports/keys.ts"
import { Alive, Dead, Ready, Unready } from "./health.ts"
import type { Permission } from "../../domain/Scope.ts"

/** Lets in who has the token of `OPS_TOKEN`, and who has a key with the scope of the route. */
export class Authorization extends HttpApiMiddleware.Service<Authorization>()(
  "ai-mint-executor/api/contract/Authorization",
  {
    security: { bearer: HttpApiSecurity.bearer },
    error: [Unauthorized, Forbidden, TooMany, Unavailable],
    requiredForClient: true
  }
) {}

/** The name of who asks, as the one with the token says: `ai-mint` gives that of the shell's user, a proxy whom it let in. */
export const OPERATOR_HEADER = "x-operator"

/** A task's id, or the first eight digits of it. */
const taskParam = { task: Name }

/** An agent wallet: its id, its user's address, or its own. */
const walletParam = { wallet: Name }

/** What every route may answer that asks ledger or chain. */
const asking = [NotFound, Unavailable] as const
const deciding = [NotFound, Conflict, Unavailable] as const

/** A decision about a task or a wallet, at the path of its name. */
const aboutTask = <const Name extends string, Payload extends Schema.Top, Success extends Schema.Top>(
  name: Name,
  permission: Permission,
  payload: Payload,
  success: Success
) =>
  HttpApiEndpoint.post(name, `/:task/${name}`, { params: taskParam, payload, success, error: deciding }).annotateMerge(
    needs(permission)
  )

const aboutWallet = <const Name extends string, Payload extends Schema.Top, Success extends Schema.Top>(
  name: Name,
  permission: Permission,
  payload: Payload,
  success: Success
) =>
  HttpApiEndpoint.post(name, `/:wallet/${name}`, {
    params: walletParam,
    payload,
    success,
    error: deciding
  }).annotateMerge(needs(permission))

const system = HttpApiGroup.make("system", { topLevel: true }).add(
  HttpApiEndpoint.get("healthz", "/healthz", {
    success: [Alive, Dead]
  }),
  HttpApiEndpoint.get("readyz", "/readyz", {
    success: [Ready, Unready]
  }),
  HttpApiEndpoint.get("version", "/version", { success: Version })
)

const tasks = HttpApiGroup.make("tasks")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Request.TaskQuery.fields,
      success: Tasks.TaskList,
      error: asking
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.post("create", "/", {
      payload: Request.NewTask,
      success: Decision.Created.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("orders:create")),
    HttpApiEndpoint.get("show", "/:task", {
      params: taskParam,
      success: Tasks.TaskReport,
      error: asking
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.get("explain", "/:task/explain", {
      params: taskParam,
      success: Tasks.Explanation,
      error: asking
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.get("proof", "/:task/proof", {
      params: taskParam,
      success: Proof,
      error: deciding
    }).annotateMerge(needs("audit")),
    aboutTask("cancel", "orders:cancel", Request.WhyBody, Decision.Cancelled),
    aboutTask("retry", "operate", Request.WhyBody, Decision.Retried),
    aboutTask("adopt", "operate", Request.AdoptBody, Decision.Adopted),
    aboutTask("resolve", "operate", Request.ResolveBody, Decision.Resolved)
  )
  .prefix("/api/tasks")
  .middleware(Authorization)

/** Orders that are paid by x402 (version 2) in the exchange that places them. */
const orders = HttpApiGroup.make("orders")
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

const quotes = HttpApiGroup.make("quotes")
  .add(
    HttpApiEndpoint.post("ask", "/", {
      payload: Request.NewQuote,
      success: Decision.Quoted.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("orders:create"))
  )
  .prefix("/api/quotes")
  .middleware(Authorization)

const wallets = HttpApiGroup.make("wallets")
  .add(
    HttpApiEndpoint.post("open", "/", {
      payload: Request.NewWallet,
      success: Wallets.WalletOpened,
      error: deciding
    }).annotateMerge(needs("orders:create")),
    HttpApiEndpoint.get("show", "/:wallet", {
      params: walletParam,
      success: Wallets.WalletReport,
      error: asking
    }).annotateMerge(needs("orders:read")),
    aboutWallet("resolve", "operate", Request.WhyBody, Decision.Reopened),
    aboutWallet("refund", "refunds", Request.RefundBody, Decision.RefundReport),
    aboutWallet("withdraw", "refunds", Request.WithdrawBody, Decision.Withdrawn)
  )
  .prefix("/api/wallets")
  .middleware(Authorization)

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

const control = HttpApiGroup.make("control")
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

/** Keys for programs and agents. No key makes keys, or a stolen one could make itself another. */
const keys = HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Keys.KeyList, error: asking }).annotateMerge(needs("root")),
    HttpApiEndpoint.post("create", "/", {
      payload: Request.NewKey,
      success: Keys.KeyMade.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("root")),
    HttpApiEndpoint.post("revoke", "/:key/revoke", {
      params: { key: Name },
      payload: Request.MaybeWhyBody,
      success: Keys.KeyRevoked,
      error: deciding
    }).annotateMerge(needs("root"))
  )
  .prefix("/api/keys")
  .middleware(Authorization)

/** A webhook: its id, or the first eight digits of it. */
const webhookParam = { webhook: Name }

/** Programs that are told of events: where they are, and what was sent to them. */
const webhooks = HttpApiGroup.make("webhooks")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Webhook.WebhookList, error: asking }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("add", "/", {
      payload: Request.NewWebhook,
      success: Webhook.WebhookSecret.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.get("deliveries", "/deliveries", {
      query: Request.DeliveryQuery.fields,
      success: Webhook.DeliveryList,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("redeliver", "/deliveries/:delivery/redeliver", {
      params: { delivery: Name },
      success: Webhook.Sent,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("test", "/:webhook/test", {
      params: webhookParam,
      success: Webhook.Sent,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("rotate", "/:webhook/rotate", {
      params: webhookParam,
      success: Webhook.WebhookSecret,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.delete("remove", "/:webhook", {
      params: webhookParam,
      success: Webhook.WebhookRemoved,
      error: deciding
    }).annotateMerge(needs("webhooks"))
  )
  .prefix("/api/webhooks")
  .middleware(Authorization)

/** What v1.1's front end asks its server, in the shapes that it knows. */
const v1 = HttpApiGroup.make("v1")
  .add(
    HttpApiEndpoint.get("task", "/task/:id", {
      params: { id: Schema.String },
      success: V1.OneV1,
      error: [V1.NotFoundV1, V1.BadRequestV1, Unavailable]
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.get("tasks", "/tasks/:address", {
      params: { address: Schema.String },
      query: { limit: Schema.optionalKey(Schema.String), offset: Schema.optionalKey(Schema.String) },
      success: V1.ListV1,
      error: [V1.BadRequestV1, Unavailable]
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.post("cancel", "/task/:id/cancel", {
      params: { id: Schema.String },
      success: V1.DoneV1,
      error: [V1.NotFoundV1, V1.BadRequestV1, Unavailable]
    }).annotateMerge(needs("orders:cancel")),
    HttpApiEndpoint.post("retry", "/task/:id/retry", {
      params: { id: Schema.String },
      success: V1.DoneV1,
      error: [V1.NotFoundV1, V1.BadRequestV1, Unavailable]
    }).annotateMerge(needs("operate"))
  )
  .prefix("/api/ai-agent")
  .middleware(Authorization)

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
