import { Clock, Effect, Redacted, Schedule } from "effect"
import { isWebhookEvent, SECRET_PREFIX, TEST_EVENT, testMessage, WEBHOOK_EVENTS } from "../domain/webhooks.ts"
import {
  type Delivery,
  type Webhook,
  WebhookId,
  WEBHOOKS_MAX,
  WEBHOOKS_OF_KEY_MAX,
  type Whose
} from "../ledger/WebhookRepo.ts"
import { resolveTarget } from "../ops/webhookTarget.ts"
import { CurrentCaller } from "./Caller.ts"
import { decide, type Decided } from "./commit.ts"
import { START_OF_ID } from "./find.ts"
import { missing, refuse } from "./Operator.ts"
import type {
  DeliveryList,
  DeliveryReport,
  Sent,
  WebhookList,
  WebhookRemoved,
  WebhookReport,
  WebhookSecret
} from "./reports/webhooks.ts"
import type { DeliveryQuery, NewWebhook } from "./requests.ts"
import type { Services } from "./services.ts"

/** Bytes of a secret. Source: Standard Webhooks, "Signature scheme": 24 to 64. */
const SECRET_BYTES = 32

/** For so long a rotated secret signs beside the new one. */
const BOTH_SIGN_MS = 24 * 3_600_000

const DELIVERIES_MAX = 100

const ASKED = "asked for through the API"

/** A key that is bound to a person sees that person's webhooks only. */
const whose: Effect.Effect<Whose> = Effect.map(CurrentCaller, ({ user }) => ({ user }))

/** Adds an endpoint. The report holds its secret, which is shown this once. */
export const addWebhook = Effect.fn("operator.addWebhook")(function* (services: Services, wish: NewWebhook) {
  const { user, keyId } = yield* CurrentCaller
  const events = WEBHOOK_EVENTS.filter((event) => wish.events.includes(event))
  const unknown = wish.events.filter((name) => !isWebhookEvent(name))
  if (unknown.length > 0) {
    return yield* refuse(`There is no event ${unknown.join(", ")}. Events are: ${WEBHOOK_EVENTS.join(", ")}.`)
  }
  const { url } = yield* checkedTarget(services, wish.url)
  const id = WebhookId.make(yield* services.random.uuidV4())
  const { secret, sealed } = yield* newSecret(services, id)
  const decided = decisionOf("webhooks add", `webhook ${id} to ${url.host} gets ${events.join(", ")}`)
  const webhook = { id, url: url.href, events, user, keyId, sealedSecret: sealed }
  yield* decide(decided, (made, nowMs) =>
    Effect.flatMap(services.webhooks.add(webhook, made, nowMs), (isAdded) => (isAdded ? Effect.void : refuse(TOO_MANY)))
  )
  const report = { id, url: url.href, events, secret, oldSecretUntil: undefined }
  return { command: "add", ...report } satisfies WebhookSecret as WebhookSecret
})

const TOO_MANY = `There are ${WEBHOOKS_MAX} webhooks already, or ${WEBHOOKS_OF_KEY_MAX} of this key: remove one first.`

const decisionOf = (command: string, said: string): Decided => ({ command, said, why: ASKED })

const checkedTarget = ({ settings }: Services, url: string) =>
  Effect.catchTag(resolveTarget(url, { isLocal: settings.network.hasSandbox }), "BadTarget", ({ message }) =>
    refuse(message)
  )

const newSecret = Effect.fnUntraced(function* ({ random, box }: Services, id: WebhookId) {
  const bytes = yield* random.randomBytes(SECRET_BYTES)
  const secret = `${SECRET_PREFIX}${Buffer.from(bytes).toString("base64")}`
  const sealed = yield* Effect.catchTag(box.seal(Redacted.make(secret), id), "SecretError", ({ message }) =>
    refuse(message)
  )
  return { secret, sealed }
})

export const listWebhooks = Effect.fn("operator.listWebhooks")(function* ({ webhooks }: Services) {
  const all = yield* webhooks.list(yield* whose, yield* Clock.currentTimeMillis)
  return { command: "webhooks", webhooks: all.map(webhookReport) } satisfies WebhookList as WebhookList
})

const webhookReport = (webhook: Webhook): WebhookReport => ({
  id: webhook.id,
  url: webhook.url,
  events: webhook.events,
  user: webhook.user,
  createdAt: webhook.createdAtMs,
  oldSecretUntil: webhook.oldSecretUntilMs,
  ended: webhook.ended && { at: webhook.ended.atMs, reason: webhook.ended.reason },
  waiting: webhook.waiting,
  givenUp: webhook.givenUp,
  deliveredAt: webhook.deliveredAtMs
})

/** The webhook of an id, or of the first eight digits of one. Another person's is answered as one that is not there. */
const findWebhook = Effect.fnUntraced(function* ({ webhooks }: Services, name: string) {
  const start = name.trim()
  const found = START_OF_ID.test(start) ? yield* webhooks.find(start, yield* whose) : []
  if (found.length > 1) return yield* refuse(`Several webhooks begin with ${start}: give the whole id.`)
  const all = found[0] === undefined ? [] : yield* webhooks.list(yield* whose, yield* Clock.currentTimeMillis)
  return all.find(({ id }) => id === found[0]) ?? (yield* missing(`There is no webhook ${start}.`))
})

const hasEnded = (id: string) => refuse(`Webhook ${id.slice(0, 8)} has ended: add a new one.`)

export const rotateWebhook = Effect.fn("operator.rotateWebhook")(function* (services: Services, name: string) {
  const { id, url, events } = yield* findWebhook(services, name)
  const { secret, sealed } = yield* newSecret(services, id)
  const oldUntilMs = (yield* Clock.currentTimeMillis) + BOTH_SIGN_MS
  yield* decide(decisionOf("webhooks rotate", `webhook ${id} has a new secret`), (made, nowMs) =>
    Effect.flatMap(services.webhooks.rotate(id, { sealed, oldUntilMs }, made, nowMs), (isDone) =>
      isDone ? Effect.void : hasEnded(id)
    )
  )
  const report = { id, url, events, secret, oldSecretUntil: oldUntilMs }
  return { command: "rotate", ...report } satisfies WebhookSecret as WebhookSecret
})

export const removeWebhook = Effect.fn("operator.removeWebhook")(function* (services: Services, name: string) {
  const { id, url } = yield* findWebhook(services, name)
  yield* decide(decisionOf("webhooks remove", `webhook ${id} is removed`), (made, nowMs) =>
    Effect.flatMap(services.webhooks.end(id, "it was removed", made, nowMs), (isDone) =>
      isDone ? Effect.void : hasEnded(id)
    )
  )
  return { command: "remove", id, url } satisfies WebhookRemoved as WebhookRemoved
})

export const listDeliveries = Effect.fn("operator.listDeliveries")(function* (
  services: Services,
  { webhook, state }: DeliveryQuery
) {
  const webhookId = webhook === undefined ? undefined : (yield* findWebhook(services, webhook)).id
  const found = yield* services.webhooks.deliveries({ ...(yield* whose), webhookId, state }, DELIVERIES_MAX)
  return { command: "deliveries", deliveries: found.map(deliveryReport) } satisfies DeliveryList as DeliveryList
})

const deliveryReport = (delivery: Delivery): DeliveryReport => ({
  id: delivery.id,
  webhookId: delivery.webhookId,
  type: delivery.type,
  state: delivery.state,
  attempts: delivery.attempts,
  createdAt: delivery.createdAtMs,
  attemptedAt: delivery.attemptedAtMs,
  nextAt: delivery.state === "waiting" ? delivery.nextAtMs : undefined,
  deliveredAt: delivery.deliveredAtMs,
  lastStatus: delivery.lastStatus,
  lastError: delivery.lastError
})

/** Sends a message of no event, and waits a moment for what becomes of it. */
export const testWebhook = Effect.fn("operator.testWebhook")(function* (services: Services, name: string) {
  const { id } = yield* findWebhook(services, name)
  const nowMs = yield* Clock.currentTimeMillis
  const message = { type: TEST_EVENT, body: testMessage(nowMs, id) }
  const sent = yield* services.webhooks.send(id, message, nowMs)
  if (sent === undefined) return yield* hasEnded(id)
  return { command: "test", delivery: yield* attempted(services, sent) } satisfies Sent as Sent
})

export const redeliver = Effect.fn("operator.redeliver")(function* (services: Services, name: string) {
  const start = name.trim().replace(/^msg_/, "")
  const found = START_OF_ID.test(start) ? yield* services.webhooks.findDeliveries(start, yield* whose) : []
  if (found.length > 1) return yield* refuse(`Several deliveries begin with ${start}: give the whole id.`)
  const [delivery] = found
  if (delivery === undefined) return yield* missing(`There is no delivery ${start}.`)
  const sent = yield* services.webhooks.redeliver(delivery.id, yield* Clock.currentTimeMillis)
  if (sent === undefined) return yield* hasEnded(delivery.webhookId)
  return { command: "redeliver", delivery: yield* attempted(services, sent) } satisfies Sent as Sent
})

/** Looks so often, for five seconds, whether an attempt has ended. */
const LOOK = Schedule.upTo(Schedule.spaced("250 millis"), { times: 20 })

/** The delivery as it is after its attempt, or as it is by then. */
const attempted = ({ webhooks }: Services, sent: Delivery) =>
  webhooks.findDeliveries(sent.id, { user: undefined }).pipe(
    Effect.map(([now]) => deliveryReport(now ?? sent)),
    Effect.repeat({
      schedule: LOOK,
      until: ({ state, attempts, lastError }) =>
        state !== "waiting" || (attempts > sent.attempts && lastError !== undefined && lastError !== sent.lastError)
    })
  )
