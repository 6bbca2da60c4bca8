import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { noting, qualified } from "./0004_events_and_pauses.ts"

/**
 * Endpoints that events are sent to, the deliveries to them, and what needs attention now.
 *
 * The outbox has the numbers of events that no endpoint has been given yet, written in the transaction of the event. A row
 * that is deleted when it was given on is found whenever its transaction ends. A cursor would miss those that end late; one
 * over transaction ids would stand still behind any long transaction of the server, and fail where a dump is restored.
 */
export default Effect.gen(function* () {
  yield* makeTables
  const sql = yield* SqlClient.SqlClient
  const webhooks = yield* qualified("ai_agent_webhooks")
  // Without an endpoint nothing is kept for one.
  yield* noting(
    "ai_agent_note_outbox",
    sql`
      INSERT INTO ${yield* qualified("ai_agent_webhook_outbox")} (event_id)
      SELECT n.id FROM new_rows n WHERE EXISTS (SELECT 1 FROM ${webhooks} w WHERE w.ended_at IS NULL)`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_outbox AFTER INSERT ON ai_agent_events
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_outbox()`
})

const makeTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // Secrets are sealed. The old one signs too until its time is over. Events up to `after_event` were before the endpoint.
  yield* sql`
    CREATE TABLE ai_agent_webhooks (
      id uuid PRIMARY KEY,
      url text NOT NULL,
      events text[] NOT NULL,
      secret text NOT NULL,
      old_secret text,
      old_secret_until timestamptz,
      key_id uuid,
      user_address text,
      after_event bigint NOT NULL,
      created_at timestamptz NOT NULL,
      ended_at timestamptz,
      ended_reason text
    )`
  yield* sql`CREATE TABLE ai_agent_webhook_outbox (event_id bigint PRIMARY KEY)`
  // `attempts` only rises: it is the version of the row. `attempts_before` are those before it was asked for again.
  yield* sql`
    CREATE TABLE ai_agent_webhook_deliveries (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      webhook_id uuid NOT NULL,
      event_id bigint,
      type text NOT NULL,
      body text NOT NULL,
      state text NOT NULL DEFAULT 'waiting',
      attempts int NOT NULL DEFAULT 0,
      attempts_before int NOT NULL DEFAULT 0,
      next_at timestamptz NOT NULL,
      last_status int,
      last_error text,
      created_at timestamptz NOT NULL,
      attempted_at timestamptz,
      delivered_at timestamptz,
      UNIQUE (webhook_id, event_id)
    )`
  yield* sql`
    CREATE INDEX ai_agent_webhook_deliveries_waiting ON ai_agent_webhook_deliveries (webhook_id, next_at)
    WHERE state = 'waiting'`
  yield* sql`
    CREATE INDEX ai_agent_webhook_deliveries_newest ON ai_agent_webhook_deliveries (created_at DESC, id)`
  yield* sql`
    CREATE TABLE ai_agent_attention (
      item text PRIMARY KEY,
      about text NOT NULL,
      task_id uuid,
      wallet_id uuid,
      batch int,
      opened_at timestamptz NOT NULL
    )`
})
