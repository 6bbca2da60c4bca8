import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * Keys for programs and agents, of which only a digest is kept; what they were quoted; and which key made a decision or
 * placed an order.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_keys (
      id uuid PRIMARY KEY,
      name text NOT NULL,
      digest text NOT NULL,
      scopes text[] NOT NULL,
      user_address text,
      created_at timestamptz NOT NULL,
      created_by text NOT NULL,
      expires_at timestamptz,
      revoked_at timestamptz
    )`
  yield* sql`CREATE UNIQUE INDEX ai_agent_keys_by_name ON ai_agent_keys (name) WHERE revoked_at IS NULL`
  yield* sql`
    CREATE TABLE ai_agent_quotes (
      id uuid PRIMARY KEY,
      key_id uuid,
      wallet_id uuid NOT NULL,
      token text NOT NULL,
      quantity int NOT NULL CHECK (quantity >= 1),
      price_per_mint bigint NOT NULL CHECK (price_per_mint > 0),
      created_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      task_id uuid UNIQUE
    )`
  yield* sql`CREATE INDEX ai_agent_quotes_unused ON ai_agent_quotes (key_id, expires_at) WHERE task_id IS NULL`
  yield* sql`ALTER TABLE ai_agent_decisions ADD COLUMN key_id uuid`
  yield* sql`ALTER TABLE ai_agent_task_state ADD COLUMN key_id uuid`
})
