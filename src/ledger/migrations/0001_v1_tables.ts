import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * The tables that other programs write and read, as v1.1 has them. On a v1.1 database they are there already and stay
 * as they are. Rules that a bad order would break are checked by this program and not by the table: an order that
 * cannot be carried out must be seen and explained, not lost in somebody else's failed insert.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE IF NOT EXISTS ai_agent_wallets (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_address varchar(42) NOT NULL UNIQUE,
      agent_address varchar(42) NOT NULL UNIQUE,
      encrypted_private_key text NOT NULL,
      usdc_balance bigint DEFAULT 0,
      last_balance_check timestamptz,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now()
    )`
  yield* sql`
    CREATE TABLE IF NOT EXISTS ai_agent_tasks (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      user_address varchar(42) NOT NULL,
      agent_wallet_id uuid NOT NULL,
      token_address varchar(42) NOT NULL,
      quantity int NOT NULL,
      price_per_mint bigint NOT NULL,
      total_cost bigint NOT NULL,
      status varchar(20) NOT NULL DEFAULT 'pending_payment',
      mints_completed int NOT NULL DEFAULT 0,
      mints_failed int NOT NULL DEFAULT 0,
      retry_count int NOT NULL DEFAULT 0,
      funding_tx_hash varchar(66),
      funding_received_at timestamptz,
      started_at timestamptz,
      completed_at timestamptz,
      error_message text,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now()
    )`
  yield* sql`
    CREATE TABLE IF NOT EXISTS ai_agent_mint_records (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      task_id uuid NOT NULL,
      mint_number int NOT NULL,
      status varchar(20) NOT NULL,
      tx_hash varchar(66),
      error_message text,
      created_at timestamptz NOT NULL DEFAULT now(),
      completed_at timestamptz
    )`
})
