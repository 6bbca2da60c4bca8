import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { noting, qualified } from "./0004_events_and_pauses.ts"

/**
 * The journal: every change of a wallet's books and of what is reserved of them, entry by entry, with nothing ever changed
 * or deleted. It is written by triggers on the rows that say what moved, while the executor keeps the books by itself: that
 * the sums agree is a check of both. A fault of the journal costs no order and no payment: it is a difference.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // `amount`: USDC that came in (+) or went out. `books`: what the books of the wallet changed by; zero where they were
  // not open, or where their opening balance holds it already. `reserved`: what is assigned to orders and refunds.
  yield* sql`
    CREATE TABLE ai_agent_journal (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT now(),
      kind text NOT NULL,
      wallet_id uuid NOT NULL,
      task_id uuid,
      batch int,
      refund_id uuid,
      token text,
      tx_hash text,
      log_index int,
      block bigint,
      amount bigint NOT NULL DEFAULT 0,
      books bigint NOT NULL DEFAULT 0,
      reserved bigint NOT NULL DEFAULT 0
    )`
  yield* sql`CREATE INDEX ai_agent_journal_by_time ON ai_agent_journal (at, id)`
  yield* sql`
    CREATE INDEX ai_agent_journal_reserved ON ai_agent_journal (task_id) WHERE task_id IS NOT NULL AND reserved <> 0`
  const journal = yield* qualified("ai_agent_journal")
  const states = yield* qualified("ai_agent_wallet_state")
  yield* beginWith
  yield* keepOpenings(journal)
  yield* keepDeposits(journal, states)
  yield* keepPayments(journal, states)
  yield* keepRefunds(journal, states)
  yield* keepReservations(journal)
})

/** What was there before. Times of payments are those of their events where there are any. */
const beginWith = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    WITH moved AS (
      SELECT d.block_at AS at, 'deposit' AS kind, d.wallet_id, NULL::uuid AS task_id, NULL::int AS batch,
        NULL::uuid AS refund_id, NULL AS token, d.tx_hash, d.log_index, d.block, d.amount
      FROM ai_agent_deposits d WHERE d.withdrawn_at IS NULL
      UNION ALL
      SELECT coalesce((SELECT max(e.at) FROM ai_agent_events e
          WHERE e.task_id = b.task_id AND e.batch = b.number AND e.kind = 'batch.paid'), b.status_since),
        'payment', b.wallet_id, b.task_id, b.number, NULL, b.token, b.payment_tx, NULL, b.payment_block, -b.paid_amount
      FROM ai_agent_batches b
      WHERE b.payment_tx IS NOT NULL AND b.paid_amount IS NOT NULL AND b.payment_block IS NOT NULL
      UNION ALL
      SELECT r.updated_at, 'refund', r.wallet_id, NULL, NULL, r.id, NULL, r.tx_hash, NULL, r.block, -r.amount
      FROM ai_agent_refunds r WHERE r.status = 'paid'
    ), booked AS (
      SELECT m.*, CASE WHEN m.block > ws.opened_block THEN m.amount ELSE 0 END AS books
      FROM moved m LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = m.wallet_id
    ), all_of_it AS (
      SELECT coalesce((SELECT min(b.at) FROM booked b WHERE b.wallet_id = ws.wallet_id AND b.books <> 0), now()) AS at,
        'opened' AS kind, ws.wallet_id, NULL::uuid AS task_id, NULL::int AS batch, NULL::uuid AS refund_id,
        NULL AS token, NULL AS tx_hash, NULL::int AS log_index, ws.opened_block AS block, 0::bigint AS amount,
        (ws.book_balance - coalesce((SELECT sum(b.books) FROM booked b WHERE b.wallet_id = ws.wallet_id), 0))::bigint
          AS books, 0::bigint AS reserved
      FROM ai_agent_wallet_state ws WHERE ws.book_balance IS NOT NULL
      UNION ALL
      SELECT at, kind, wallet_id, task_id, batch, refund_id, token, tx_hash, log_index, block, amount, books, 0 FROM booked
      UNION ALL
      SELECT now(), 'reserved', t.agent_wallet_id, t.id, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0,
        greatest(t.total_cost::numeric - coalesce((SELECT sum(b.paid_amount) FROM ai_agent_batches b
          WHERE b.task_id = t.id), 0), 0)::bigint
      FROM ai_agent_tasks t JOIN ai_agent_task_state s ON s.task_id = t.id AND s.reserved_at_block IS NOT NULL
      WHERE t.status IN ('funded', 'processing') AND t.total_cost > 0
      UNION ALL
      SELECT r.created_at, 'reserved', r.wallet_id, NULL, NULL, r.id, NULL, NULL, NULL, NULL, 0, 0, r.amount
      FROM ai_agent_refunds r WHERE r.status IN ('planned', 'signed') OR (r.status = 'held' AND r.keeps_money)
    )
    INSERT INTO ai_agent_journal
      (at, kind, wallet_id, task_id, batch, refund_id, token, tx_hash, log_index, block, amount, books, reserved)
    SELECT * FROM all_of_it ORDER BY at, kind = 'opened' DESC, block, tx_hash, log_index`
})

const onRows = Effect.fnUntraced(function* (table: string, name: string, event: Fragment, when: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TRIGGER ${sql(name)} AFTER ${event} ON ${sql(table)}
    FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION ${sql(`${name}`)}()`
})

/** Books that are opened, opened anew by a person, or closed as the chain was reorganised below their opening. */
const keepOpenings = Effect.fnUntraced(function* (journal: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_journal_openings",
    sql`
      INSERT INTO ${journal} (kind, wallet_id, block, books)
      VALUES (CASE WHEN NEW.book_balance IS NULL THEN 'closed' ELSE 'opened' END, NEW.wallet_id, NEW.opened_block,
        coalesce(NEW.book_balance, 0) - coalesce(OLD.book_balance, 0))`
  )
  yield* onRows(
    "ai_agent_wallet_state",
    "ai_agent_journal_openings",
    sql`UPDATE`,
    sql`OLD.opened_block IS DISTINCT FROM NEW.opened_block`
  )
})

/** A deposit that the chain took back has an entry that undoes its own. */
const keepDeposits = Effect.fnUntraced(function* (journal: Fragment, states: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_journal_deposits",
    sql`
      INSERT INTO ${journal} (kind, wallet_id, tx_hash, log_index, block, amount, books)
      SELECT m.kind, NEW.wallet_id, NEW.tx_hash, NEW.log_index, NEW.block, m.amount,
        CASE WHEN NEW.block > ws.opened_block THEN m.amount ELSE 0 END
      FROM (SELECT CASE WHEN NEW.withdrawn_at IS NULL THEN 'deposit' ELSE 'deposit withdrawn' END AS kind,
        CASE WHEN NEW.withdrawn_at IS NULL THEN NEW.amount ELSE -NEW.amount END AS amount) m
      LEFT JOIN ${states} ws ON ws.wallet_id = NEW.wallet_id`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_journal_new_deposits AFTER INSERT ON ai_agent_deposits
    FOR EACH ROW EXECUTE FUNCTION ai_agent_journal_deposits()`
  yield* onRows(
    "ai_agent_deposits",
    "ai_agent_journal_deposits",
    sql`UPDATE`,
    sql`(OLD.withdrawn_at IS NULL) <> (NEW.withdrawn_at IS NULL)`
  )
})

/** A payment that is proven, or is not on chain any more. It uses up what is reserved for its order. */
const keepPayments = Effect.fnUntraced(function* (journal: Fragment, states: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_journal_payments",
    sql`
      INSERT INTO ${journal} (kind, wallet_id, task_id, batch, token, tx_hash, block, amount, books, reserved)
      SELECT m.kind, NEW.wallet_id, NEW.task_id, NEW.number, NEW.token, m.tx_hash, m.block, m.amount,
        CASE WHEN m.block > ws.opened_block THEN m.amount ELSE 0 END,
        CASE WHEN m.amount > 0 THEN m.amount ELSE -least(-m.amount, greatest((SELECT coalesce(sum(j.reserved), 0)
          FROM ${journal} j WHERE j.task_id = NEW.task_id AND j.reserved <> 0), 0)) END
      FROM (
        SELECT 'payment' AS kind, NEW.payment_tx AS tx_hash, NEW.payment_block AS block, -NEW.paid_amount AS amount
        WHERE NEW.payment_tx IS NOT NULL
        UNION ALL
        SELECT 'payment withdrawn', OLD.payment_tx, OLD.payment_block, OLD.paid_amount WHERE NEW.payment_tx IS NULL
      ) m LEFT JOIN ${states} ws ON ws.wallet_id = NEW.wallet_id
      WHERE m.amount IS NOT NULL AND m.block IS NOT NULL`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_journal_new_payments AFTER INSERT ON ai_agent_batches
    FOR EACH ROW WHEN (NEW.payment_tx IS NOT NULL) EXECUTE FUNCTION ai_agent_journal_payments()`
  yield* onRows(
    "ai_agent_batches",
    "ai_agent_journal_payments",
    sql`UPDATE`,
    sql`(OLD.payment_tx IS NULL) <> (NEW.payment_tx IS NULL)`
  )
})

/** A refund is reserved until it is paid, or given up. */
const keepRefunds = Effect.fnUntraced(function* (journal: Fragment, states: Fragment) {
  const sql = yield* SqlClient.SqlClient
  const kept = (row: Fragment) => sql`
    CASE WHEN ${row}.status IN ('planned', 'signed') OR (${row}.status = 'held' AND ${row}.keeps_money)
      THEN ${row}.amount ELSE 0 END`
  const paid = (row: Fragment) => sql`CASE WHEN ${row}.status = 'paid' THEN ${row}.amount ELSE 0 END`
  const [before, after] = [sql`OLD`, sql`NEW`]
  yield* noting(
    "ai_agent_journal_refunds",
    sql`
      INSERT INTO ${journal} (kind, wallet_id, refund_id, tx_hash, block, amount, books, reserved)
      SELECT CASE WHEN m.amount < 0 THEN 'refund' WHEN m.amount > 0 THEN 'refund withdrawn'
          WHEN m.reserved > 0 THEN 'reserved' ELSE 'released' END,
        NEW.wallet_id, NEW.id, m.tx_hash, m.block, m.amount,
        CASE WHEN m.block > ws.opened_block THEN m.amount ELSE 0 END, m.reserved
      FROM (
        SELECT coalesce(${paid(before)}, 0) - ${paid(after)} AS amount,
          ${kept(after)} - coalesce(${kept(before)}, 0) AS reserved,
          CASE WHEN NEW.status = 'paid' THEN NEW.tx_hash WHEN OLD.status = 'paid' THEN OLD.tx_hash END AS tx_hash,
          CASE WHEN NEW.status = 'paid' THEN NEW.block WHEN OLD.status = 'paid' THEN OLD.block END AS block
      ) m LEFT JOIN ${states} ws ON ws.wallet_id = NEW.wallet_id
      WHERE m.amount <> 0 OR m.reserved <> 0`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_journal_new_refunds AFTER INSERT ON ai_agent_refunds
    FOR EACH ROW EXECUTE FUNCTION ai_agent_journal_refunds()`
  yield* onRows(
    "ai_agent_refunds",
    "ai_agent_journal_refunds",
    sql`UPDATE`,
    sql`OLD.status <> NEW.status OR OLD.keeps_money <> NEW.keeps_money`
  )
})

/** What an order has reserved is what it still may cost when it is funded, less its payments, until it ends. */
const keepReservations = Effect.fnUntraced(function* (journal: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_journal_reservations",
    sql`
      INSERT INTO ${journal} (kind, wallet_id, task_id, reserved)
      SELECT CASE WHEN m.reserved > 0 THEN 'reserved' ELSE 'released' END, NEW.agent_wallet_id, NEW.id, m.reserved
      FROM (
        SELECT CASE WHEN NEW.status = 'funded'
          THEN greatest(NEW.total_cost - NEW.price_per_mint * coalesce(NEW.mints_completed, 0), 0) ELSE 0 END
          - (SELECT coalesce(sum(j.reserved), 0) FROM ${journal} j WHERE j.task_id = NEW.id AND j.reserved <> 0)
          AS reserved
      ) m WHERE m.reserved <> 0`
  )
  yield* onRows(
    "ai_agent_tasks",
    "ai_agent_journal_reservations",
    sql`UPDATE`,
    sql`OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('funded', 'completed', 'failed', 'cancelled')`
  )
})
