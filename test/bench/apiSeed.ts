import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What has happened before. */
export interface Past {
  readonly orders: number
  readonly wallets: number
  /** How many of the orders are not over: half of them are funded, half are processing. */
  readonly underWay: number
}

/** `n` of the row as 20 bytes in hexadecimal, of a kind of its own. */
const hex = (sql: SqlClient.SqlClient, kind: number) =>
  sql`('0x' || lpad(to_hex(n + ${kind * 10_000_000}::int), 40, '0'))`

const wallets = (sql: SqlClient.SqlClient, past: Past) => sql`
  INSERT INTO ai_agent_wallets (user_address, agent_address, encrypted_private_key)
  SELECT ${hex(sql, 1)}, ${hex(sql, 2)}, 'key' FROM generate_series(1, ${past.wallets}::int) n`

/** A month of orders: most are completed, some were never paid, a few failed. */
const tasks = (sql: SqlClient.SqlClient, past: Past) => sql`
  INSERT INTO ai_agent_tasks (agent_wallet_id, user_address, token_address, quantity, price_per_mint, total_cost,
    status, mints_completed, created_at, funding_received_at, completed_at, error_message)
  SELECT w.id, w.user_address, '0x' || lpad(to_hex(n % 50), 40, '7'), 4, 1000000, 4000000, s.status,
    CASE WHEN s.status = 'completed' THEN 4 ELSE 0 END, s.at, s.at + interval '1 minute',
    CASE WHEN n > ${past.underWay}::int THEN s.at + interval '3 minutes' END, CASE WHEN s.status = 'failed' THEN 'Retry 3/3: no' END
  FROM generate_series(1, ${past.orders}::int) n
  JOIN (SELECT *, row_number() OVER (ORDER BY user_address) AS k FROM ai_agent_wallets WHERE encrypted_private_key = 'key') w
    ON w.k = n % ${past.wallets}::int + 1
  CROSS JOIN LATERAL (SELECT now() - n * interval '27 seconds' AS at,
    CASE WHEN n <= ${past.underWay}::int / 2 THEN 'processing' WHEN n <= ${past.underWay}::int THEN 'funded' WHEN n % 100 < 88 THEN 'completed'
      WHEN n % 100 < 96 THEN 'cancelled' ELSE 'failed' END AS status) s`

const states = (sql: SqlClient.SqlClient) => sql`
  INSERT INTO ai_agent_task_state (task_id, reserved_at_block, held_at, held_reason)
  SELECT id, 1, CASE WHEN k <= 20 THEN now() END, CASE WHEN k <= 20 THEN 'a person looks' END
  FROM (SELECT id, status, row_number() OVER (PARTITION BY status ORDER BY id) + CASE WHEN status = 'processing' THEN 0
    ELSE 1000 END AS k FROM ai_agent_tasks WHERE status NOT IN ('pending_payment', 'cancelled')) t`

/** One payment for each. */
const batches = (sql: SqlClient.SqlClient) => sql`
  INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to, recipient,
    nonce, status, signed_amount, valid_after, valid_before, payment_tx, payment_block, paid_amount, minted,
    next_action_at, status_since)
  SELECT id, 1, agent_wallet_id, 1, 4, total_cost, token_address, user_address, token_address, user_address, id::text,
    CASE status WHEN 'completed' THEN 'delivered' ELSE 'paid' END, total_cost, 0, 2000000000, '0x' || id::text, 1,
    total_cost, mints_completed, CASE status WHEN 'completed' THEN NULL ELSE now() + interval '1 hour' END, now()
  FROM ai_agent_tasks WHERE status IN ('completed', 'processing')`

const deposits = (sql: SqlClient.SqlClient) => sql`
  INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
  SELECT 'in ' || task_id::text, 0, wallet_id, recipient, amount, 0, 1, now() FROM ai_agent_batches`

const uses = (sql: SqlClient.SqlClient) => sql`
  INSERT INTO ai_agent_deposit_uses (tx_hash, log_index, task_id, amount)
  SELECT 'in ' || task_id::text, 0, task_id, amount FROM ai_agent_batches`

const mints = (sql: SqlClient.SqlClient) => sql`
  INSERT INTO ai_agent_batch_mints (tx_hash, token, recipient, part, log_index, task_id, batch_number, mint_number)
  SELECT 'out ' || task_id::text, token, recipient, m - 1, m, task_id, 1, m FROM ai_agent_batches, generate_series(1, 4) m
  WHERE status = 'delivered'`

const decisions = (sql: SqlClient.SqlClient) => sql`
  INSERT INTO ai_agent_decisions (decided_at, command, task_id, wallet_id, said, why)
  SELECT now(), 'retry', id, agent_wallet_id, 'it is tried again', 'asked for by the user' FROM ai_agent_tasks
  WHERE status = 'failed'`

/** A ledger that has run for a month, beside whatever is in it already. Its events are written by the database itself. */
export const seedPast = Effect.fnUntraced(function* (past: Past) {
  const sql = yield* SqlClient.SqlClient
  for (const rows of [wallets, tasks, states, batches, deposits, uses, mints, decisions]) yield* rows(sql, past)
  yield* sql`VACUUM ANALYZE`
})

/**
 * Orders that are over, with their batches, beside whatever is in the ledger: without triggers and checks of keys, so
 * that a million take seconds.
 */
export const seedFinished = Effect.fnUntraced(function* (past: Omit<Past, "underWay">) {
  const sql = yield* SqlClient.SqlClient
  const insert = Effect.gen(function* () {
    yield* sql`SET LOCAL session_replication_role = replica`
    for (const rows of [wallets, tasks, states, batches]) yield* rows(sql, { ...past, underWay: 0 })
  })
  yield* sql.withTransaction(insert)
  yield* sql`VACUUM ANALYZE`
})
