import { Schema } from "effect"
import { type Address, parse } from "../../../domain/Address.ts"
import { messageOf, type WebhookMessage } from "../../../domain/webhooks.ts"
import { type WebhookRepo } from "../../WebhookRepo.ts"
import { attentionNow } from "../watch/attention.ts"
import { Detail } from "../watch/events.ts"
import { instantOf } from "../TimeColumns.ts"
import { maySendTo } from "./endpoints.ts"
import { jsonOf, type Methods, type Statements, rowsOf } from "../statements.ts"

const Events = Schema.Array(
  Schema.Struct({
    id: Schema.BigInt,
    at_ms: Schema.Number,
    kind: Schema.String,
    task_id: Schema.NullOr(Schema.String),
    wallet_id: Schema.NullOr(Schema.String),
    batch: Schema.NullOr(Schema.Number),
    detail: Detail,
    wallet_user: Schema.NullOr(Schema.String),
    task_user: Schema.NullOr(Schema.String)
  })
)

const Listeners = Schema.Array(
  Schema.Struct({
    id: Schema.String,
    events: Schema.Array(Schema.String),
    user_address: Schema.NullOr(Schema.String),
    after_event: Schema.BigInt
  })
)

type Listener = (typeof Listeners.Type)[number]

const isFor = ({ events, user_address, after_event }: Listener, id: bigint, message: WebhookMessage): boolean =>
  id > after_event && events.includes(message.type) && (user_address === null || user_address === message.user)

/**
 * Takes events out of the outbox, oldest first. Those that another executor is about to take are left to it. The person is
 * the one whose wallet it is: an order's own user is only a column that another program wrote. Each row is looked up by its
 * key, however large the tables are: joins would be planned for `limit` rows, and there are mostly few.
 */
const takeEvents = ({ sql }: Statements, limit: number) => sql`
  WITH taken AS (
    DELETE FROM ai_agent_webhook_outbox WHERE event_id = ANY(ARRAY(
      SELECT event_id FROM ai_agent_webhook_outbox ORDER BY event_id LIMIT ${limit}::int FOR UPDATE SKIP LOCKED))
    RETURNING event_id
  )
  SELECT e.id, (extract(epoch FROM e.at) * 1000)::float8 AS at_ms, e.kind, e.task_id, e.wallet_id, e.batch,
    e.detail::text AS detail, t.user_address AS task_user,
    (SELECT left(w.user_address, 100) FROM ai_agent_wallets w
      WHERE w.id = coalesce(e.wallet_id, t.agent_wallet_id)) AS wallet_user
  FROM taken
  CROSS JOIN LATERAL (SELECT * FROM ai_agent_events WHERE id = taken.event_id LIMIT 1) e
  LEFT JOIN LATERAL (SELECT left(user_address, 100) AS user_address, agent_wallet_id FROM ai_agent_tasks
    WHERE id = e.task_id LIMIT 1) t ON true
  ORDER BY e.id`

const userOf = (row: (typeof Events.Type)[number]): Address | undefined => parse(row.wallet_user ?? row.task_user ?? "")

/** Any number that no other program uses as an advisory lock. */
const ATTENTION_LOCK = 4_021_600_617n

/** As many that began or ended become events in one round; the others follow. */
const CHANGES_MAX = 1_000

export const outbox = {
  /** In one transaction: an event is out of the outbox when its deliveries are there, and not before. */
  fanOut: (on) =>
    on.transact("give events to webhooks", function* (limit, nowMs) {
      const { sql } = on
      const events = yield* rowsOf(Events)(takeEvents(on, limit))
      if (events.length === 0) return 0
      const listeners = yield* rowsOf(Listeners)(sql`
        SELECT w.id, w.events, w.user_address, w.after_event FROM ai_agent_webhooks w
        WHERE ${maySendTo(on, nowMs)}`)
      const made = events.flatMap((row) => {
        const { id, kind, detail } = row
        const message = messageOf({
          id: Number(id),
          atMs: row.at_ms,
          kind,
          taskId: row.task_id ?? undefined,
          walletId: row.wallet_id ?? undefined,
          user: userOf(row),
          batch: row.batch ?? undefined,
          detail
        })
        if (message === undefined) return []
        const receivers = listeners.filter((listener) => isFor(listener, id, message))
        return receivers.map((listener) => ({
          webhook: listener.id,
          event: String(id),
          type: message.type,
          body: message.body
        }))
      })
      if (made.length > 0) {
        const now = instantOf(sql, nowMs)
        yield* sql`
          INSERT INTO ai_agent_webhook_deliveries (webhook_id, event_id, type, body, next_at, created_at)
          SELECT m.webhook, m.event, m.type, m.body, ${now}, ${now}
          FROM jsonb_to_recordset(${jsonOf(made)}::jsonb) AS m(webhook uuid, event bigint, type text, body text)
          ON CONFLICT (webhook_id, event_id) DO NOTHING`
      }
      return events.length
    }),

  /** What is known to need attention changes with the event that says so. */
  trackAttention: (on) =>
    on.transact("follow what needs attention", function* (nowMs) {
      const { sql } = on
      const [lock] = yield* sql<{ readonly held: boolean }>`
        SELECT pg_try_advisory_xact_lock(${ATTENTION_LOCK}::bigint) AS held`
      if (lock?.held !== true) return undefined
      const changed = yield* sql`
        WITH now_open AS (
          SELECT concat_ws(':', a.kind, a.task_id, a.wallet_id, a.batch, a.refund) AS item, a.kind AS about, a.task_id,
            a.wallet_id, a.batch, a.since FROM (${attentionNow(sql, nowMs)}) a
        ), closed AS (
          DELETE FROM ai_agent_attention WHERE item IN (
            SELECT known.item FROM ai_agent_attention known
            WHERE NOT EXISTS (SELECT 1 FROM now_open WHERE now_open.item = known.item)
            LIMIT ${CHANGES_MAX}::int)
          RETURNING about, task_id, wallet_id, batch
        ), opened AS (
          INSERT INTO ai_agent_attention (item, about, task_id, wallet_id, batch, opened_at)
          SELECT item, about, task_id, wallet_id, batch, ${instantOf(sql, nowMs)} FROM now_open
          WHERE NOT EXISTS (SELECT 1 FROM ai_agent_attention known WHERE known.item = now_open.item)
          ORDER BY since LIMIT ${CHANGES_MAX}::int
          ON CONFLICT DO NOTHING
          RETURNING about, task_id, wallet_id, batch
        )
        INSERT INTO ai_agent_events (kind, task_id, wallet_id, batch, detail)
        SELECT 'attention.closed', task_id, wallet_id, batch, jsonb_build_object('about', about) FROM closed
        UNION ALL
        SELECT 'attention.opened', task_id, wallet_id, batch, jsonb_build_object('about', about) FROM opened
        RETURNING id`
      return changed.length
    })
} satisfies Methods<WebhookRepo["Service"]>
