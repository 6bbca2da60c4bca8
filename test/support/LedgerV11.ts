import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * The tables as an installation of v1.1 has them: times without a zone, columns with a default that may be null, a
 * foreign key, a trigger. `strict: false` leaves out the key, as some installations do.
 */
export const createV11Tables = Effect.fnUntraced(function* (options: { readonly strict: boolean } = { strict: true }) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_wallets (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_address varchar(42) UNIQUE NOT NULL,
      agent_address varchar(42) UNIQUE NOT NULL,
      encrypted_private_key text NOT NULL,
      usdc_balance bigint DEFAULT 0,
      last_balance_check timestamp,
      created_at timestamp DEFAULT now(),
      updated_at timestamp DEFAULT now()
    )`
  const wallet = options.strict ? sql`REFERENCES ai_agent_wallets (id) ON DELETE CASCADE` : sql``
  yield* sql`
    CREATE TABLE ai_agent_tasks (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_address varchar(42) NOT NULL,
      agent_wallet_id uuid NOT NULL ${wallet},
      token_address varchar(42) NOT NULL,
      quantity int NOT NULL,
      price_per_mint bigint NOT NULL,
      total_cost bigint NOT NULL,
      status varchar(20) DEFAULT 'pending_payment',
      mints_completed int DEFAULT 0,
      mints_failed int DEFAULT 0,
      retry_count int DEFAULT 0,
      funding_tx_hash varchar(66),
      funding_received_at timestamp,
      started_at timestamp,
      completed_at timestamp,
      error_message text,
      created_at timestamp DEFAULT now(),
      updated_at timestamp DEFAULT now()
    )`
  yield* sql`CREATE INDEX idx_ai_agent_tasks_status ON ai_agent_tasks (status)`
  const task = options.strict ? sql`REFERENCES ai_agent_tasks (id) ON DELETE CASCADE` : sql``
  yield* sql`
    CREATE TABLE ai_agent_mint_records (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      task_id uuid NOT NULL ${task},
      mint_number int NOT NULL,
      status varchar(20) DEFAULT 'pending',
      tx_hash varchar(66),
      error_message text,
      created_at timestamp DEFAULT now(),
      completed_at timestamp
    )`
  if (options.strict) yield* createTrigger
})

const createTrigger = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END'`
  yield* sql`
    CREATE TRIGGER update_ai_agent_tasks_updated_at BEFORE UPDATE ON ai_agent_tasks
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()`
})

interface Described {
  readonly line: string
}

/** Everything about v1.1's three tables that other programs could depend on, in lines: columns, keys, triggers, rows. */
export const describeV11 = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tables = ["ai_agent_tasks", "ai_agent_wallets", "ai_agent_mint_records"]
  const columns = yield* sql<Described>`
    SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, character_maximum_length, is_nullable,
      column_default) AS line
    FROM information_schema.columns WHERE table_name = ANY(${tables}::text[]) ORDER BY table_name, ordinal_position`
  const keys = yield* sql<Described>`
    SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS line
    FROM pg_constraint WHERE conrelid::regclass::text = ANY(${tables}::text[]) ORDER BY 1`
  const triggers = yield* sql<Described>`
    SELECT pg_get_triggerdef(oid) AS line FROM pg_trigger
    WHERE tgrelid::regclass::text = ANY(${tables}::text[]) AND NOT tgisinternal
      AND NOT starts_with(tgname, 'ai_agent_events_') AND NOT starts_with(tgname, 'ai_agent_journal_') ORDER BY 1`
  const rows = yield* sql<Described>`
    SELECT to_jsonb(t)::text AS line FROM ai_agent_tasks t
    UNION ALL SELECT to_jsonb(w)::text FROM ai_agent_wallets w
    UNION ALL SELECT to_jsonb(r)::text FROM ai_agent_mint_records r ORDER BY 1`
  return [...columns, ...keys, ...triggers, ...rows].map(({ line }) => line)
})
