import { DateTime } from "effect"

/** The events that are sent to endpoints. Programs rely on the names: one is never renamed or given another meaning. */
export const WEBHOOK_EVENTS = [
  "order.created",
  "order.funded",
  "order.processing",
  "order.completed",
  "order.failed",
  "order.cancelled",
  "deposit.received",
  "payment.sent",
  "payment.settled",
  "payment.delivered",
  "refund.sent",
  "refund.paid",
  "attention.opened",
  "attention.closed"
] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** A secret is shown and kept as this and base64. Source: Standard Webhooks, "Signature scheme". */
export const SECRET_PREFIX = "whsec_"

/** The type of the message that `ai-mint webhooks test` sends. */
export const TEST_EVENT = "webhook.test"

export const isWebhookEvent = (name: string): name is WebhookEvent => WEBHOOK_EVENTS.some((event) => event === name)

/** The ledger's own kinds of event that are sent, and their public names. All others stay inside. */
const EVENT_OF_KIND: ReadonlyMap<string, WebhookEvent> = new Map([
  ["task.created", "order.created"],
  ["task.funded", "order.funded"],
  ["task.processing", "order.processing"],
  ["task.completed", "order.completed"],
  ["task.failed", "order.failed"],
  ["task.cancelled", "order.cancelled"],
  ["deposit.arrived", "deposit.received"],
  ["batch.signed", "payment.sent"],
  ["batch.paid", "payment.settled"],
  ["batch.delivered", "payment.delivered"],
  ["refund.signed", "refund.sent"],
  ["refund.paid", "refund.paid"],
  ["attention.opened", "attention.opened"],
  ["attention.closed", "attention.closed"]
])

export const webhookEventOf = (kind: string): WebhookEvent | undefined => EVENT_OF_KIND.get(kind)

/** An event of the ledger. */
export interface Happened {
  readonly id: number
  readonly atMs: number
  readonly kind: string
  readonly taskId: string | undefined
  readonly walletId: string | undefined
  /** The person whose wallet it is; `undefined` where no row says so. */
  readonly user: string | undefined
  readonly batch: number | undefined
  readonly detail: { readonly [name: string]: string | number | null }
}

/** A message as it is sent, but for its id, its time and its signature. */
export interface WebhookMessage {
  readonly type: WebhookEvent
  readonly user: string | undefined
  /** JSON. The same for every attempt. */
  readonly body: string
}

/** Details that are sent, by the part of the kind before its dot. Reasons are not: they may name what is not the order's. */
const DETAILS: Readonly<Record<string, ReadonlyArray<string>>> = {
  batch: ["amount", "quantity", "tx"],
  deposit: ["amount", "tx"],
  refund: ["refund", "amount", "tx"],
  attention: ["about"]
}

/**
 * The message of an event; `undefined` where none is sent. Thin: it says what happened to which order, and the API says the
 * rest. `sequence` rises with time, as messages may arrive in another order. Source: Standard Webhooks, "Payload structure".
 */
export const messageOf = (event: Happened): WebhookMessage | undefined => {
  const type = webhookEventOf(event.kind)
  if (type === undefined) return undefined
  const [entity = "", state = ""] = event.kind.split(".")
  const details = (DETAILS[entity] ?? []).flatMap((name) => {
    const value = event.detail[name] ?? null
    return value === null ? [] : [[name, value] as const]
  })
  const data = {
    sequence: event.id,
    orderId: event.taskId ?? null,
    walletId: event.walletId ?? null,
    user: event.user ?? null,
    ...(entity === "task" ? { status: state === "created" ? (event.detail["status"] ?? null) : state } : {}),
    ...(event.batch === undefined ? {} : { batch: event.batch }),
    ...Object.fromEntries(details)
  }
  return { type, user: event.user, body: bodyOf(type, event.atMs, data) }
}

/** The message with which an endpoint is tried out. */
export const testMessage = (atMs: number, webhookId: string): string => bodyOf(TEST_EVENT, atMs, { webhookId })

const bodyOf = (type: string, atMs: number, data: object): string =>
  JSON.stringify({ type, timestamp: DateTime.formatIso(DateTime.makeUnsafe(atMs)), data })

/** `waiting`: the next attempt is due at its time. `given_up`: the last one failed, or its webhook has ended. */
export const DELIVERY_STATES = ["waiting", "delivered", "given_up"] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** What lies between an attempt that failed and the next one. Source: Standard Webhooks, "Deliverability and reliability". */
export const PAUSES_MS: ReadonlyArray<number> = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR
]

/** An endpoint that asks for more patience gets this much: a message waits days, and not for ever. */
const RETRY_AFTER_MAX_MS = 24 * HOUR

/** The part of a pause by which it may be longer, so that messages that failed together do not all come back at once. */
const JITTER = 0.1

/**
 * How long to wait behind the attempt of this number, from 1 on, which failed; `undefined` behind the last one.
 * `chance`: from 0 to 1. `retryAfterMs`: what the endpoint asked for.
 */
export const pauseAfter = (attempt: number, chance: number, retryAfterMs = 0): number | undefined => {
  const pause = PAUSES_MS[attempt - 1]
  if (pause === undefined) return undefined
  const asked = Math.min(Math.max(0, retryAfterMs), RETRY_AFTER_MAX_MS)
  return Math.round(Math.max(pause, asked) * (1 + JITTER * chance))
}
