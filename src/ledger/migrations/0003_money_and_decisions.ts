import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** The history of every wallet's money, refunds, and what people decided. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    ALTER TABLE ai_agent_wallet_state
      ADD COLUMN opened_block bigint,
      ADD COLUMN counted_block bigint,
      ADD COLUMN book_balance bigint,
      ADD COLUMN stopped_at timestamptz,
      ADD COLUMN stopped_reason text`
  yield* sql`ALTER TABLE ai_agent_network ADD COLUMN first_block bigint`
  yield* sql`ALTER TABLE ai_agent_task_state ADD COLUMN adopted_at timestamptz`
  yield* sql`
    CREATE TABLE ai_agent_deposits (
      tx_hash text NOT NULL,
      log_index int NOT NULL,
      wallet_id uuid NOT NULL,
      sender text NOT NULL,
      amount bigint NOT NULL CHECK (amount > 0),
      remaining bigint NOT NULL CHECK (remaining >= 0 AND remaining <= amount),
      block bigint NOT NULL,
      block_at timestamptz NOT NULL,
      PRIMARY KEY (tx_hash, log_index)
    )`
  yield* sql`
    CREATE TABLE ai_agent_deposit_uses (
      tx_hash text NOT NULL,
      log_index int NOT NULL,
      task_id uuid,
      refund_id uuid,
      amount bigint NOT NULL CHECK (amount > 0),
      CHECK ((task_id IS NULL) <> (refund_id IS NULL))
    )`
  yield* sql`
    CREATE TABLE ai_agent_refunds (
      id uuid PRIMARY KEY,
      wallet_id uuid NOT NULL,
      payer text NOT NULL,
      pay_to text NOT NULL,
      amount bigint NOT NULL CHECK (amount > 0),
      nonce text NOT NULL UNIQUE,
      status text NOT NULL CHECK (status IN ('planned', 'signed', 'paid', 'held')),
      version int NOT NULL DEFAULT 0,
      valid_after bigint,
      valid_before bigint,
      signed_block bigint,
      sends int NOT NULL DEFAULT 0,
      looks int NOT NULL DEFAULT 0,
      tx_hash text,
      block bigint,
      next_action_at timestamptz,
      reason text,
      created_at timestamptz NOT NULL,
      updated_at timestamptz NOT NULL,
      CHECK (status <> 'signed' OR (valid_before IS NOT NULL AND next_action_at IS NOT NULL)),
      CHECK (status <> 'paid' OR (tx_hash IS NOT NULL AND block IS NOT NULL))
    )`
  yield* sql`
    CREATE TABLE ai_agent_decisions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      decided_at timestamptz NOT NULL,
      command text NOT NULL,
      task_id uuid,
      wallet_id uuid,
      said text NOT NULL,
      why text NOT NULL
    )`
  yield* sql`ALTER TABLE ai_agent_batches ADD COLUMN reference text`
  yield* sql`ALTER TABLE ai_agent_batches DROP CONSTRAINT ai_agent_batches_status_check`
  yield* sql`
    ALTER TABLE ai_agent_batches ADD CONSTRAINT ai_agent_batches_status_check CHECK
      (status IN ('planned', 'signed', 'accepted', 'unknown', 'paid', 'delivered', 'held', 'resolved'))`
  yield* sql`CREATE INDEX ai_agent_deposits_unspent ON ai_agent_deposits (wallet_id) WHERE remaining > 0`
  yield* sql`CREATE INDEX ai_agent_deposit_uses_of ON ai_agent_deposit_uses (tx_hash, log_index)`
  yield* sql`CREATE INDEX ai_agent_refunds_open ON ai_agent_refunds (wallet_id) WHERE status IN ('planned', 'signed')`
  yield* sql`CREATE INDEX ai_agent_decisions_of_task ON ai_agent_decisions (task_id)`
})
