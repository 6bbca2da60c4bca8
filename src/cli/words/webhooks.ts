import type {
  DeliveryList,
  DeliveryReport,
  Sent,
  WebhookList,
  WebhookRemoved,
  WebhookReport,
  WebhookSecret
} from "../../operator/reports/webhooks.ts"
import type { Look } from "./paint.ts"
import { type Cell, table } from "./table.ts"
import { ageOf, hang, utc } from "./text.ts"

const short = (id: string): string => id.slice(0, 8)

/** `ai-mint webhooks list`. */
export const webhooksWords = ({ webhooks }: WebhookList, look: Look): ReadonlyArray<string> =>
  webhooks.length === 0
    ? ["There is no webhook."]
    : webhooks.flatMap((webhook, at) => [...(at === 0 ? [] : [""]), ...webhookLines(webhook, look)])

const webhookLines = (webhook: WebhookReport, { paint, nowMs }: Look): ReadonlyArray<string> => {
  const { id, url, events, user, waiting, givenUp, deliveredAt, oldSecretUntil, ended } = webhook
  const last = deliveredAt === undefined ? "nothing delivered yet" : `delivered ${ageOf(deliveredAt, nowMs)} ago`
  return [
    `${paint.strong(short(id))} ${url}`,
    ...hang("   Events:     ", events.join(", ")),
    ...(user === undefined ? [] : [`   Orders of:  ${user}`]),
    `   Deliveries: ${last}, ${waiting} waiting, ${givenUp} given up`,
    ...(oldSecretUntil === undefined ? [] : [`   The secret before signs too until ${utc(oldSecretUntil)}`]),
    ...(ended === undefined ? [] : hang("   Ended:      ", `${utc(ended.at)}: ${ended.reason}`))
  ]
}

/** `ai-mint webhooks add` and `rotate`. */
export const webhookSecretWords = (report: WebhookSecret): ReadonlyArray<string> => [
  report.command === "add"
    ? `🪝 Webhook ${short(report.id)} is added.`
    : `🪝 Webhook ${short(report.id)} has a new secret.`,
  `   URL:    ${report.url}`,
  ...hang("   Events: ", report.events.join(", ")),
  `   Secret: ${report.secret}`,
  "   Keep the secret: it is not shown again. It checks the signatures of Standard Webhooks.",
  ...(report.oldSecretUntil === undefined ? [] : [`   The one before signs too until ${utc(report.oldSecretUntil)}.`]),
  `   → ai-mint webhooks test ${short(report.id)}`
]

export const webhookRemovedWords = ({ id, url }: WebhookRemoved): ReadonlyArray<string> =>
  hang("🪝 ", `Webhook ${short(id)} is removed: nothing more is sent to ${url}`)

/** `ai-mint webhooks deliveries`. */
export const deliveriesWords = ({ deliveries }: DeliveryList, { paint }: Look): ReadonlyArray<string> => {
  if (deliveries.length === 0) return ["There is no delivery."]
  const columns = [
    { title: "delivery" },
    { title: "webhook" },
    { title: "event" },
    { title: "state" },
    { title: "attempts", right: true },
    { title: "last" }
  ]
  const rows = deliveries.map((delivery): ReadonlyArray<Cell> => [
    short(delivery.id),
    short(delivery.webhookId),
    delivery.type,
    { text: STATES[delivery.state], as: COLOURS[delivery.state] },
    String(delivery.attempts),
    lastWords(delivery)
  ])
  return table({ columns, rows, wrapLast: true }, paint)
}

const STATES = { waiting: "waiting", delivered: "delivered", given_up: "given up" } as const
const COLOURS = { waiting: "warn", delivered: "good", given_up: "bad" } as const

const lastWords = ({ state, deliveredAt, attemptedAt, nextAt, lastError }: DeliveryReport): string => {
  if (state === "delivered") return deliveredAt === undefined ? "" : utc(deliveredAt)
  const why = lastError ?? (attemptedAt === undefined ? "not tried yet" : "under way")
  return nextAt === undefined ? why : `${why}; next ${utc(nextAt)}`
}

/** `ai-mint webhooks test` and `redeliver`. */
export const sentWords = ({ command, delivery }: Sent, { paint }: Look): ReadonlyArray<string> => {
  const { id, webhookId, type, state } = delivery
  const what = `${type} to webhook ${short(webhookId)}`
  if (state === "delivered") return [paint.good(`✅ Delivered: ${what} (delivery ${short(id)})`)]
  return [
    ...hang(command === "test" ? "❌ " : "🪝 ", `Not delivered yet: ${what}: ${lastWords(delivery)}`),
    `   → ai-mint webhooks deliveries ${short(webhookId)}`
  ]
}
