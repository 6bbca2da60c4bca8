import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * What the ledger has to remember so that nothing is believed unchecked: where deposits, payments and mints were seen,
 * and what was held to be true when they were recorded.
 */
export default Effect.gen(function* () {
  yield* withdrawals
  yield* unitsOfMints
  yield* usdcImplementation
  yield* wallets
  yield* requests
  yield* stalls
})

/** What is withdrawn when the chain takes it back. */
const withdrawals = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // A row stays when its transfer leaves the chain: mined again it is the same deposit, with what it paid for.
  yield* sql`ALTER TABLE ai_agent_deposits ADD COLUMN withdrawn_at timestamptz`
  // A look that is older than a recorded deposit says nothing about the wallet, as with a proven payment.
  yield* sql`
    UPDATE ai_agent_wallet_state ws SET proven_block = greatest(ws.proven_block, newest.block)
    FROM (SELECT wallet_id, max(block) AS block FROM ai_agent_deposits GROUP BY wallet_id) newest
    WHERE newest.wallet_id = ws.wallet_id`
})

/**
 * A mint is named by its transaction, token and person, and its number among the mints of these: nodes differ in the
 * index of a log, and several events may tell of one mint. The portion is what a mint of a batch is counted in.
 */
export const unitsOfMints = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_batches ADD COLUMN portion numeric CHECK (portion > 0)`
  yield* sql`
    ALTER TABLE ai_agent_batch_mints
      ADD COLUMN token text,
      ADD COLUMN recipient text,
      ADD COLUMN part int NOT NULL DEFAULT 0 CHECK (part >= 0)`
  yield* sql`
    UPDATE ai_agent_batch_mints m SET token = known.token, recipient = known.recipient, part = known.part
    FROM (
      SELECT k.tx_hash, k.log_index, coalesce(b.token, '') AS token, coalesce(b.recipient, '') AS recipient,
        row_number() OVER (PARTITION BY k.tx_hash, b.token, b.recipient ORDER BY k.log_index) - 1 AS part
      FROM ai_agent_batch_mints k
      LEFT JOIN ai_agent_batches b ON b.task_id = k.task_id AND b.number = k.batch_number
    ) known
    WHERE m.tx_hash = known.tx_hash AND m.log_index = known.log_index`
  yield* sql`ALTER TABLE ai_agent_batch_mints DROP CONSTRAINT ai_agent_batch_mints_pkey`
  yield* sql`ALTER TABLE ai_agent_batch_mints ADD PRIMARY KEY (tx_hash, token, recipient, part)`
})

/** The code behind the USDC proxy that an operator has agreed to. */
const usdcImplementation = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`ALTER TABLE ai_agent_network ADD COLUMN usdc_code text`
)

/** What wallets and their refunds need. */
const wallets = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // Mints on chain that a person has said are of no order here, as `mintRowKey` names them.
  yield* sql`
    CREATE TABLE ai_agent_stray_mints (
      mint_key text PRIMARY KEY,
      task_id uuid NOT NULL,
      decided_at timestamptz NOT NULL
    )`
  // How often a signed refund has lapsed unused; and, of one that is held, whether its money is kept for it.
  yield* sql`
    ALTER TABLE ai_agent_refunds
      ADD COLUMN voids int NOT NULL DEFAULT 0 CHECK (voids >= 0),
      ADD COLUMN keeps_money boolean NOT NULL DEFAULT false`
  yield* sql`ALTER TABLE ai_agent_refunds DROP CONSTRAINT ai_agent_refunds_status_check`
  yield* sql`
    ALTER TABLE ai_agent_refunds ADD CONSTRAINT ai_agent_refunds_status_check
      CHECK (status IN ('planned', 'signed', 'paid', 'held', 'withdrawn'))`
  yield* sql`
    CREATE INDEX ai_agent_refunds_kept ON ai_agent_refunds (wallet_id) WHERE status = 'held' AND keeps_money`
})

/** What was asked of the mint server before it is asked again. */
const requests = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    ALTER TABLE ai_agent_batches
      ADD COLUMN asked_since bigint,
      ADD COLUMN asked_until bigint,
      ADD COLUMN tried_at timestamptz,
      ADD COLUMN claims int NOT NULL DEFAULT 0,
      ADD COLUMN said text[] NOT NULL DEFAULT '{}'`
})

/** Since when a mint server refuses for reasons that are not the order's: held, once that has lasted. */
const stalls = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_task_state ADD COLUMN stalled_since timestamptz`
})
