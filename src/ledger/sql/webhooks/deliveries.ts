import { Effect, Schema } from "effect"
import type { Fragment } from "effect/sql/Statement"
import { DELIVERY_STATES } from "../../../domain/webhooks.ts"
import {
  type Attempt,
  type Backlog,
  type Delivery,
  DeliveryId,
  WebhookId,
  type WebhookRepo
} from "../../WebhookRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { jsonOf, type Methods, type Statements, rowsOf } from "../statements.ts"
import { isSeenBy, maySendTo } from "./endpoints.ts"

const Ms = Schema.NullOr(Schema.Number)

const Deliveries = Schema.Array(
  Schema.Struct({
    id: DeliveryId,
    webhook_id: WebhookId,
    type: Schema.String,
    state: Schema.Literals(DELIVERY_STATES),
    attempts: Schema.Number,
    next_ms: Schema.Number,
    last_status: Schema.NullOr(Schema.Number),
    last_error: Schema.NullOr(Schema.String),
    created_ms: Schema.Number,
    attempted_ms: Ms,
    delivered_ms: Ms
  })
)

const Attempts = Schema.Array(
  Schema.Struct({
    id: DeliveryId,
    webhook_id: WebhookId,
    body: Schema.String,
    attempts: Schema.Number,
    nth: Schema.Number
  })
)

const Backlogs = Schema.Tuple([Schema.Struct({ waiting: Schema.Number, due_ms: Ms })])

/** As many wait for one endpoint at most. Those that wait longest are given up, and can be asked for again. */
const WAITING_MAX = 100_000

/** What is over is kept for so long. */
const KEPT_MS = 30 * 86_400_000

const KEY_ENDED = "its key was revoked or has expired"

/** Rows that are forgotten in one statement: no other one waits long for it. */
const FORGOTTEN_MAX = 5_000

/** Deliveries out of `d`. */
const columns = ({ sql }: Statements): Fragment => sql`
  d.id, d.webhook_id, d.type, d.state, d.attempts, (extract(epoch FROM d.next_at) * 1000)::float8 AS next_ms,
  d.last_status, d.last_error, (extract(epoch FROM d.created_at) * 1000)::float8 AS created_ms,
  (extract(epoch FROM d.attempted_at) * 1000)::float8 AS attempted_ms,
  (extract(epoch FROM d.delivered_at) * 1000)::float8 AS delivered_ms`

const deliveriesOf = Effect.fnUntraced(function* <E>(rows: Effect.Effect<unknown, E>) {
  return (yield* rowsOf(Deliveries)(rows)).map((row): Delivery => ({
    id: row.id,
    webhookId: row.webhook_id,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    nextAtMs: row.next_ms,
    lastStatus: row.last_status ?? undefined,
    lastError: row.last_error ?? undefined,
    createdAtMs: row.created_ms,
    attemptedAtMs: row.attempted_ms ?? undefined,
    deliveredAtMs: row.delivered_ms ?? undefined
  }))
})

/** Read within the same statement, an endpoint that has just ended takes no new delivery. */
const isOpen = ({ sql }: Statements, id: Fragment): Fragment =>
  sql`EXISTS (SELECT 1 FROM ai_agent_webhooks w WHERE w.id = ${id} AND w.ended_at IS NULL)`

export const deliveries = {
  /** Several executors take different rows. What another one is about to take is left to it. */
  claim: (on) =>
    on.once("take deliveries", function* (places, nowMs, leaseMs) {
      const { sql } = on
      const now = instantOf(sql, nowMs)
      const rows = yield* rowsOf(Attempts)(sql`
        WITH due AS (
          SELECT d.id FROM jsonb_to_recordset(${jsonOf(places)}::jsonb) AS p(id uuid, free int)
          CROSS JOIN LATERAL (
            SELECT w.id FROM ai_agent_webhook_deliveries w
            WHERE w.webhook_id = p.id AND w.state = 'waiting' AND w.next_at <= ${now}
            ORDER BY w.next_at LIMIT p.free FOR NO KEY UPDATE SKIP LOCKED
          ) d
        )
        UPDATE ai_agent_webhook_deliveries d SET attempts = d.attempts + 1, attempted_at = ${now},
          next_at = ${instantOf(sql, nowMs + leaseMs)}
        FROM due WHERE d.id = due.id
        RETURNING d.id, d.webhook_id, d.body, d.attempts, d.attempts - d.attempts_before AS nth`)
      return rows.map((row): Attempt => ({
        id: row.id,
        webhookId: row.webhook_id,
        body: row.body,
        attempt: row.attempts,
        nth: row.nth
      }))
    }),

  /** Not `state = 'waiting'`: planned while nothing waits, it would read all that waits later, and not the rows by their ids. */
  settle: (on) =>
    on.once("write what became of deliveries", function* (outcomes, nowMs) {
      const { sql } = on
      const now = instantOf(sql, nowMs)
      yield* sql`
        UPDATE ai_agent_webhook_deliveries d SET state = o.state, last_status = o.status, last_error = o.error,
          next_at = to_timestamp(o."nextAtMs" / 1000),
          delivered_at = CASE WHEN o.state = 'delivered' THEN ${now} ELSE d.delivered_at END
        FROM jsonb_to_recordset(${jsonOf(outcomes)}::jsonb)
          AS o(id uuid, attempt int, state text, status int, error text, "nextAtMs" float8)
        WHERE d.id = o.id AND d.state NOT IN ('delivered', 'given_up') AND (d.attempts = o.attempt OR o.state = 'delivered')`
    }),

  deliveries: (on) =>
    on.once("read deliveries", function* ({ webhookId, state, ...whose }, limit) {
      const { sql } = on
      return yield* deliveriesOf(sql`
        SELECT ${columns(on)} FROM ai_agent_webhook_deliveries d JOIN ai_agent_webhooks w ON w.id = d.webhook_id
        WHERE ${isSeenBy(on, whose)} AND (${webhookId ?? null}::uuid IS NULL OR w.id = ${webhookId ?? null}::uuid)
          AND (${state ?? null}::text IS NULL OR d.state = ${state ?? null}::text)
        ORDER BY d.created_at DESC, d.id LIMIT ${limit}::int`)
    }),

  findDeliveries: (on) =>
    on.once("find a delivery", function* (start, whose) {
      return yield* deliveriesOf(on.sql`
        SELECT ${columns(on)} FROM ai_agent_webhook_deliveries d JOIN ai_agent_webhooks w ON w.id = d.webhook_id
        WHERE starts_with(d.id::text, ${start.toLowerCase()}) AND ${isSeenBy(on, whose)} ORDER BY d.id LIMIT 2`)
    }),

  redeliver: (on) =>
    on.once("deliver again", function* (id, nowMs) {
      const { sql } = on
      const [row] = yield* deliveriesOf(sql`
        UPDATE ai_agent_webhook_deliveries d SET state = 'waiting', attempts_before = attempts,
          next_at = ${instantOf(sql, nowMs)}
        WHERE d.id = ${id}::uuid AND ${isOpen(on, sql`d.webhook_id`)} RETURNING ${columns(on)}`)
      return row
    }),

  send: (on) =>
    on.once("send a message", function* (id, { type, body }, nowMs) {
      const { sql } = on
      const now = instantOf(sql, nowMs)
      const [row] = yield* deliveriesOf(sql`
        INSERT INTO ai_agent_webhook_deliveries AS d (webhook_id, type, body, next_at, created_at)
        SELECT ${id}::uuid, ${type}, ${body}, ${now}, ${now} WHERE ${isOpen(on, sql`${id}::uuid`)}
        RETURNING ${columns(on)}`)
      return row
    }),

  tidy: (on) =>
    on.once("tidy the deliveries", function* (nowMs) {
      const { sql } = on
      yield* sql`
        UPDATE ai_agent_webhooks w SET ended_at = ${instantOf(sql, nowMs)}, ended_reason = ${KEY_ENDED}
        WHERE w.ended_at IS NULL AND NOT (${maySendTo(on, nowMs)})`
      // Those too that were made while their endpoint ended.
      yield* sql`
        UPDATE ai_agent_webhook_deliveries d SET state = 'given_up',
          last_error = 'the endpoint has ended: ' || w.ended_reason
        FROM ai_agent_webhooks w WHERE w.ended_at IS NOT NULL AND d.webhook_id = w.id AND d.state = 'waiting'`
      yield* sql`
        DELETE FROM ai_agent_webhook_deliveries WHERE id IN (
          SELECT id FROM ai_agent_webhook_deliveries
          WHERE state <> 'waiting' AND created_at < ${instantOf(sql, nowMs - KEPT_MS)}
          ORDER BY created_at LIMIT ${FORGOTTEN_MAX}::int)`
      yield* sql`
        UPDATE ai_agent_webhook_deliveries SET state = 'given_up',
          last_error = ${`more than ${WAITING_MAX} were waiting for the endpoint`}
        WHERE state = 'waiting' AND id IN (
          SELECT over.id FROM (
            SELECT webhook_id FROM ai_agent_webhook_deliveries WHERE state = 'waiting'
            GROUP BY webhook_id HAVING count(*) > ${WAITING_MAX}::int
          ) many CROSS JOIN LATERAL (
            SELECT d.id FROM ai_agent_webhook_deliveries d
            WHERE d.webhook_id = many.webhook_id AND d.state = 'waiting'
            ORDER BY d.created_at DESC, d.id OFFSET ${WAITING_MAX}::int
          ) over)`
      const [row] = yield* rowsOf(Backlogs)(sql`
        SELECT count(*)::int AS waiting, (extract(epoch FROM min(next_at) FILTER (WHERE next_at <= ${instantOf(sql, nowMs)}))
          * 1000)::float8 AS due_ms
        FROM ai_agent_webhook_deliveries WHERE state = 'waiting'`)
      return { waiting: row.waiting, dueSinceMs: row.due_ms ?? undefined } satisfies Backlog as Backlog
    })
} satisfies Methods<WebhookRepo["Service"]>
