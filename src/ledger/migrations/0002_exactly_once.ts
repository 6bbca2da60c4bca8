import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What v1.1 has no column for. All of it is ours: nobody else writes here. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_wallet_state (
      wallet_id uuid PRIMARY KEY,
      version bigint NOT NULL DEFAULT 0,
      proven_block bigint NOT NULL DEFAULT 0
    )`
  yield* sql`
    CREATE TABLE ai_agent_task_state (
      task_id uuid PRIMARY KEY,
      reserved_at_block bigint,
      next_action_at timestamptz,
      held_at timestamptz,
      held_reason text,
      refusal text,
      refused_at timestamptz
    )`
  yield* sql`
    CREATE TABLE ai_agent_batches (
      task_id uuid NOT NULL,
      number int NOT NULL CHECK (number >= 1),
      wallet_id uuid NOT NULL,
      first_mint int NOT NULL CHECK (first_mint >= 1),
      quantity int NOT NULL CHECK (quantity >= 1),
      amount bigint NOT NULL CHECK (amount > 0),
      token text NOT NULL,
      payer text NOT NULL,
      pay_to text NOT NULL,
      recipient text NOT NULL,
      nonce text NOT NULL UNIQUE,
      status text NOT NULL
        CHECK (status IN ('planned', 'signed', 'accepted', 'unknown', 'paid', 'delivered', 'held')),
      version int NOT NULL DEFAULT 0,
      signed_amount bigint CHECK (signed_amount > 0 AND signed_amount <= amount),
      signed_pay_to text,
      valid_after bigint,
      valid_before bigint,
      signed_block bigint,
      sends int NOT NULL DEFAULT 0,
      looks int NOT NULL DEFAULT 0,
      payment_tx text,
      payment_block bigint,
      paid_amount bigint,
      mint_txs text[] NOT NULL DEFAULT '{}',
      minted int NOT NULL DEFAULT 0 CHECK (minted >= 0 AND minted <= quantity),
      next_action_at timestamptz,
      reason text,
      status_since timestamptz NOT NULL,
      PRIMARY KEY (task_id, number),
      CHECK (status NOT IN ('signed', 'accepted', 'unknown') OR
        (signed_amount IS NOT NULL AND valid_before IS NOT NULL AND next_action_at IS NOT NULL)),
      CHECK (status NOT IN ('paid', 'delivered') OR (payment_tx IS NOT NULL AND paid_amount IS NOT NULL)),
      CHECK (status <> 'delivered' OR minted = quantity)
    )`
  yield* sql`
    CREATE TABLE ai_agent_batch_mints (
      tx_hash text NOT NULL,
      log_index int NOT NULL,
      task_id uuid NOT NULL,
      batch_number int NOT NULL,
      mint_number int NOT NULL,
      PRIMARY KEY (tx_hash, log_index),
      UNIQUE (task_id, mint_number)
    )`
  yield* sql`
    CREATE TABLE ai_agent_network (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      chain_id bigint NOT NULL,
      usdc text NOT NULL,
      genesis text NOT NULL
    )`
  yield* sql`
    CREATE INDEX ai_agent_batches_due ON ai_agent_batches (next_action_at)
    WHERE status IN ('signed', 'accepted', 'unknown', 'paid')`
  yield* sql`CREATE INDEX ai_agent_batches_unsettled ON ai_agent_batches (wallet_id) WHERE status <> 'delivered'`
})
