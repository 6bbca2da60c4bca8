import { Schema } from "effect"
import { DELIVERY_STATES } from "../../domain/webhooks.ts"
import { Instant, orNull } from "./values.ts"

/** An endpoint that events are sent to. Its secret is only in the reports of `add` and `rotate`. */
export const WebhookReport = Schema.Struct({
  id: Schema.String,
  url: Schema.String,
  events: Schema.Array(Schema.String),
  /** Only events of this person's orders are sent to it; `null`: those of all. */
  user: orNull(Schema.String),
  createdAt: Instant,
  /** Until when the secret before the last rotation signs too. */
  oldSecretUntil: orNull(Instant),
  ended: orNull(Schema.Struct({ at: Instant, reason: Schema.String })),
  /** Messages that wait, and that were given up in the last 30 days. */
  waiting: Schema.Int,
  givenUp: Schema.Int,
  /** When something was last delivered. */
  deliveredAt: orNull(Instant)
})
export type WebhookReport = typeof WebhookReport.Type

export const WebhookList = Schema.Struct({
  command: Schema.Literal("webhooks"),
  /** Newest first. */
  webhooks: Schema.Array(WebhookReport)
})
export type WebhookList = typeof WebhookList.Type

/** An endpoint with a new secret, which is shown this once. */
export const WebhookSecret = Schema.Struct({
  command: Schema.Literals(["add", "rotate"]),
  id: Schema.String,
  url: Schema.String,
  events: Schema.Array(Schema.String),
  /** `whsec_` and base64: what checks the signatures of Standard Webhooks. */
  secret: Schema.String,
  /** Until when the one before it signs too. */
  oldSecretUntil: orNull(Instant)
})
export type WebhookSecret = typeof WebhookSecret.Type

export const WebhookRemoved = Schema.Struct({
  command: Schema.Literal("remove"),
  id: Schema.String,
  url: Schema.String
})
export type WebhookRemoved = typeof WebhookRemoved.Type

/** One message to one endpoint. */
export const DeliveryReport = Schema.Struct({
  /** `webhook-id` is this behind `msg_`. */
  id: Schema.String,
  webhookId: Schema.String,
  type: Schema.String,
  state: Schema.Literals(DELIVERY_STATES),
  attempts: Schema.Int,
  createdAt: Instant,
  attemptedAt: orNull(Instant),
  /** When it is tried next; `null` where it is not. */
  nextAt: orNull(Instant),
  deliveredAt: orNull(Instant),
  /** The HTTP status of the last answer. */
  lastStatus: orNull(Schema.Int),
  lastError: orNull(Schema.String)
})
export type DeliveryReport = typeof DeliveryReport.Type

export const DeliveryList = Schema.Struct({
  command: Schema.Literal("deliveries"),
  /** Newest first, at most 100. */
  deliveries: Schema.Array(DeliveryReport)
})
export type DeliveryList = typeof DeliveryList.Type

/** A message that was asked for, and what has become of it so far. */
export const Sent = Schema.Struct({
  command: Schema.Literals(["test", "redeliver"]),
  delivery: DeliveryReport
})
export type Sent = typeof Sent.Type
