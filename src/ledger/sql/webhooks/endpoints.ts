import { Schema } from "effect"
import { parse } from "../../../domain/Address.ts"
import {
  type Endpoint,
  type Webhook,
  WebhookId,
  type WebhookRepo,
  WEBHOOKS_MAX,
  WEBHOOKS_OF_KEY_MAX,
  type Whose
} from "../../WebhookRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { noteDecision } from "../notes.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"

const Ms = Schema.NullOr(Schema.Number)

const Webhooks = Schema.Array(
  Schema.Struct({
    id: WebhookId,
    url: Schema.String,
    events: Schema.Array(Schema.String),
    user_address: Schema.NullOr(Schema.String),
    created_ms: Schema.Number,
    old_until_ms: Ms,
    ended_ms: Ms,
    ended_reason: Schema.NullOr(Schema.String),
    waiting: Schema.Number,
    given_up: Schema.Number,
    delivered_ms: Ms
  })
)

const Endpoints = Schema.Array(
  Schema.Struct({
    id: WebhookId,
    url: Schema.String,
    events: Schema.Array(Schema.String),
    secret: Schema.String,
    old_secret: Schema.NullOr(Schema.String),
    old_until_ms: Ms
  })
)

const Ids = Schema.Array(Schema.Struct({ id: WebhookId }))

/** What has ended is shown for so long. */
const SHOWN_MS = 30 * 86_400_000

/** Whether the caller may know of the endpoint `w`. */
export const isSeenBy = ({ sql }: Statements, { user }: Whose) =>
  sql`(${user ?? null}::text IS NULL OR w.user_address = ${user ?? null}::text)`

/** Whether anything may be sent to the endpoint `w`: not where the key that added it is revoked or has expired. */
export const maySendTo = ({ sql }: Statements, nowMs: number) => sql`
  w.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM ai_agent_keys k WHERE k.id = w.key_id
    AND (k.revoked_at IS NOT NULL OR k.expires_at <= ${instantOf(sql, nowMs)}))`

const ms = ({ sql }: Statements, column: string) => sql`(extract(epoch FROM ${sql(column)}) * 1000)::float8`

export const endpoints = {
  add: (on) =>
    on.transact("add a webhook", function* (webhook, decision, nowMs) {
      const { sql } = on
      const added = yield* sql`
        INSERT INTO ai_agent_webhooks (id, url, events, secret, key_id, user_address, after_event, created_at)
        SELECT ${webhook.id}::uuid, ${webhook.url}, ${webhook.events}::text[], ${webhook.sealedSecret},
          ${webhook.keyId ?? null}::uuid, ${webhook.user ?? null},
          (SELECT coalesce(max(id), 0) FROM ai_agent_events), ${instantOf(sql, nowMs)}
        WHERE (SELECT count(*) FROM ai_agent_webhooks WHERE ended_at IS NULL) < ${WEBHOOKS_MAX}::int
          AND (SELECT count(*) FROM ai_agent_webhooks WHERE ended_at IS NULL AND key_id = ${webhook.keyId ?? null}::uuid)
            < ${WEBHOOKS_OF_KEY_MAX}::int
        RETURNING id`
      if (added.length > 0) yield* noteDecision(on, decision, {}, nowMs)
      return added.length > 0
    }),

  list: (on) =>
    on.once("read the webhooks", function* (whose, nowMs) {
      const { sql } = on
      const rows = yield* rowsOf(Webhooks)(sql`
        SELECT w.id, w.url, w.events, w.user_address, ${ms(on, "w.created_at")} AS created_ms,
          ${ms(on, "w.old_secret_until")} AS old_until_ms, ${ms(on, "w.ended_at")} AS ended_ms, w.ended_reason,
          d.waiting, d.given_up, d.delivered_ms
        FROM ai_agent_webhooks w CROSS JOIN LATERAL (
          SELECT count(*) FILTER (WHERE state = 'waiting')::int AS waiting,
            count(*) FILTER (WHERE state = 'given_up')::int AS given_up,
            (extract(epoch FROM max(delivered_at)) * 1000)::float8 AS delivered_ms
          FROM ai_agent_webhook_deliveries WHERE webhook_id = w.id
        ) d
        WHERE ${isSeenBy(on, whose)} AND (w.ended_at IS NULL OR w.ended_at > ${instantOf(sql, nowMs - SHOWN_MS)})
        ORDER BY w.created_at DESC, w.id`)
      return rows.map((row): Webhook => ({
        id: row.id,
        url: row.url,
        events: row.events,
        user: parse(row.user_address ?? ""),
        createdAtMs: row.created_ms,
        oldSecretUntilMs: (row.old_until_ms ?? 0) > nowMs ? (row.old_until_ms ?? undefined) : undefined,
        ended: row.ended_ms === null ? undefined : { atMs: row.ended_ms, reason: row.ended_reason ?? "" },
        waiting: row.waiting,
        givenUp: row.given_up,
        deliveredAtMs: row.delivered_ms ?? undefined
      }))
    }),

  find: (on) =>
    on.once("find a webhook", function* (start, whose) {
      const rows = yield* rowsOf(Ids)(on.sql`
        SELECT w.id FROM ai_agent_webhooks w
        WHERE starts_with(w.id::text, ${start.toLowerCase()}) AND ${isSeenBy(on, whose)} ORDER BY w.id LIMIT 2`)
      return rows.map(({ id }) => id)
    }),

  end: (on) =>
    on.transact("end a webhook", function* (id, reason, decision, nowMs) {
      const { sql } = on
      const ended = yield* sql`
        UPDATE ai_agent_webhooks SET ended_at = ${instantOf(sql, nowMs)}, ended_reason = ${reason}
        WHERE id = ${id}::uuid AND ended_at IS NULL RETURNING id`
      if (ended.length === 0) return false
      yield* sql`
        UPDATE ai_agent_webhook_deliveries SET state = 'given_up', last_error = ${`the endpoint has ended: ${reason}`}
        WHERE webhook_id = ${id}::uuid AND state = 'waiting'`
      if (decision !== undefined) yield* noteDecision(on, decision, {}, nowMs)
      return true
    }),

  rotate: (on) =>
    on.transact("rotate the secret of a webhook", function* (id, { sealed, oldUntilMs }, decision, nowMs) {
      const { sql } = on
      const rotated = yield* sql`
        UPDATE ai_agent_webhooks SET secret = ${sealed}, old_secret = secret,
          old_secret_until = ${instantOf(sql, oldUntilMs)}
        WHERE id = ${id}::uuid AND ended_at IS NULL RETURNING id`
      if (rotated.length > 0) yield* noteDecision(on, decision, {}, nowMs)
      return rotated.length > 0
    }),

  endpoints: (on) =>
    on.once("read where webhooks lead", function* (nowMs) {
      const rows = yield* rowsOf(Endpoints)(on.sql`
        SELECT w.id, w.url, w.events, w.secret, w.old_secret, ${ms(on, "w.old_secret_until")} AS old_until_ms
        FROM ai_agent_webhooks w WHERE ${maySendTo(on, nowMs)} ORDER BY w.id`)
      return rows.map((row): Endpoint => ({
        id: row.id,
        url: row.url,
        events: row.events,
        sealedSecret: row.secret,
        oldSealedSecret: row.old_secret ?? undefined,
        oldSecretUntilMs: row.old_until_ms ?? undefined
      }))
    })
} satisfies Methods<WebhookRepo["Service"]>
