import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"

/**
 * What happened, written by the database itself in the transaction in which it happens, whoever's it is; and what is
 * paused. The history must never cost an order or a payment: what goes wrong with it is a warning.
 */
export default Effect.gen(function* () {
  yield* makeTables
  yield* indexOurs
  // The locks of the triggers keep writers of orders out until the end: what takes long comes first.
  const events = yield* qualified("ai_agent_events")
  yield* noteTasks(events)
  yield* noteHolds(events, yield* qualified("ai_agent_tasks"))
  yield* noteBatches(events)
  yield* noteMoney(events)
  yield* noteDecisions(events)
})

const makeTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_events (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT now(),
      kind text NOT NULL,
      task_id uuid,
      wallet_id uuid,
      batch int,
      detail jsonb NOT NULL DEFAULT '{}'
    )`
  yield* sql`CREATE INDEX ai_agent_events_of_task ON ai_agent_events (task_id, id) WHERE task_id IS NOT NULL`
  yield* sql`
    CREATE TABLE ai_agent_pauses (
      scope text PRIMARY KEY,
      reason text NOT NULL,
      since timestamptz NOT NULL
    )`
})

/** What is told of one wallet or order is found without reading what is told of all the others. */
const indexOurs = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE INDEX ai_agent_task_state_held ON ai_agent_task_state (task_id) WHERE held_at IS NOT NULL`
  yield* sql`CREATE INDEX ai_agent_deposits_of_wallet ON ai_agent_deposits (wallet_id, block DESC, log_index DESC)`
  yield* sql`
    CREATE INDEX ai_agent_deposit_uses_of_task ON ai_agent_deposit_uses (task_id) WHERE task_id IS NOT NULL`
  yield* sql`CREATE INDEX ai_agent_refunds_of_wallet ON ai_agent_refunds (wallet_id, created_at DESC)`
  yield* sql`CREATE INDEX ai_agent_decisions_of_wallet ON ai_agent_decisions (wallet_id, id DESC)`
})

/** The table with its schema, for a function that must find this one and no other of the name. */
export const qualified = Effect.fnUntraced(function* (table: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly name: string }>`
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${table}::regclass`
  return sql.literal(row?.name ?? table)
})

/**
 * A trigger function that writes events. It has the rights of its owner, as programs that write orders know nothing of
 * events; so it must not find anything that such a program can put in its way. It looks for names among PostgreSQL's own
 * only (temporary ones, which would come first, are named last), and its statement names tables with their schema. That
 * also makes it work where `search_path` is empty, as while a backup is restored. No one else may hang it on a table of
 * his own and so write history.
 */
export const noting = Effect.fnUntraced(function* (name: string, statement: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE FUNCTION ${sql(name)}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $note$
    BEGIN
      ${statement};
      RETURN NULL;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'ai_agent_events: %', SQLERRM;
      RETURN NULL;
    END $note$`
  yield* sql`REVOKE ALL ON FUNCTION ${sql(name)}() FROM PUBLIC`
})

const noteTasks = Effect.fnUntraced(function* (events: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_note_new_tasks",
    sql`
      INSERT INTO ${events} (kind, task_id, wallet_id, detail)
      SELECT 'task.created', n.id, n.agent_wallet_id,
        jsonb_build_object('status', n.status, 'quantity', n.quantity, 'cost', n.total_cost::text)
      FROM new_rows n`
  )
  yield* noting(
    "ai_agent_note_tasks",
    sql`
      INSERT INTO ${events} (kind, task_id, wallet_id, detail)
      SELECT CASE WHEN n.status IS DISTINCT FROM o.status THEN 'task.' || coalesce(n.status, 'none')
          ELSE 'task.refused' END,
        n.id, n.agent_wallet_id,
        jsonb_build_object('from', o.status, 'minted', n.mints_completed, 'quantity', n.quantity,
          'retries', n.retry_count, 'message', n.error_message)
      FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.status IS DISTINCT FROM o.status OR n.retry_count > o.retry_count`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_tasks
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_new_tasks()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_tasks
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_tasks()`
})

const noteHolds = Effect.fnUntraced(function* (events: Fragment, tasks: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_note_holds",
    sql`
      INSERT INTO ${events} (kind, task_id, wallet_id, detail)
      VALUES (CASE WHEN NEW.held_at IS NULL THEN 'task.released' ELSE 'task.held' END, NEW.task_id,
        (SELECT agent_wallet_id FROM ${tasks} WHERE id = NEW.task_id),
        jsonb_build_object('reason', NEW.held_reason))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_task_state
    FOR EACH ROW WHEN (NEW.held_at IS NOT NULL) EXECUTE FUNCTION ai_agent_note_holds()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_task_state
    FOR EACH ROW WHEN (OLD.held_at IS DISTINCT FROM NEW.held_at) EXECUTE FUNCTION ai_agent_note_holds()`
})

/** One event for a plan, however many batches it has. */
const noteBatches = Effect.fnUntraced(function* (events: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_note_new_batches",
    sql`
      INSERT INTO ${events} (kind, task_id, wallet_id, detail)
      SELECT 'batch.' || n.status, n.task_id, n.wallet_id,
        jsonb_build_object('batches', count(*), 'first', min(n.number), 'quantity', sum(n.quantity),
          'amount', sum(n.amount)::text)
      FROM new_rows n GROUP BY n.status, n.task_id, n.wallet_id`
  )
  yield* noting(
    "ai_agent_note_batches",
    sql`
      INSERT INTO ${events} (kind, task_id, wallet_id, batch, detail)
      VALUES (
        CASE WHEN NEW.status <> OLD.status THEN 'batch.' || NEW.status
          WHEN NEW.minted <> OLD.minted THEN 'batch.minted'
          WHEN NEW.sends <> OLD.sends THEN 'batch.resent'
          ELSE 'batch.noted' END,
        NEW.task_id, NEW.wallet_id, NEW.number,
        jsonb_build_object('from', OLD.status, 'quantity', NEW.quantity, 'minted', NEW.minted,
          'amount', coalesce(NEW.paid_amount, NEW.signed_amount, NEW.amount)::text, 'nonce', NEW.nonce,
          'validBefore', NEW.valid_before, 'sends', NEW.sends, 'tx', NEW.payment_tx,
          'block', NEW.payment_block::text, 'reason', NEW.reason))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_batches
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_new_batches()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_batches
    FOR EACH ROW WHEN (OLD.status <> NEW.status OR OLD.minted <> NEW.minted OR NEW.sends > OLD.sends
      OR (NEW.reason IS NOT NULL AND OLD.reason IS DISTINCT FROM NEW.reason))
    EXECUTE FUNCTION ai_agent_note_batches()`
})

/** What comes into a wallet and goes back out of it, and what stops it. */
const noteMoney = Effect.fnUntraced(function* (events: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_note_deposits",
    sql`
      INSERT INTO ${events} (kind, wallet_id, detail)
      SELECT 'deposit.arrived', n.wallet_id,
        jsonb_build_object('amount', n.amount::text, 'from', n.sender, 'tx', n.tx_hash, 'block', n.block::text)
      FROM new_rows n`
  )
  yield* noting(
    "ai_agent_note_refunds",
    sql`
      INSERT INTO ${events} (kind, wallet_id, detail)
      VALUES ('refund.' || NEW.status, NEW.wallet_id, jsonb_build_object('refund', NEW.id, 'amount', NEW.amount::text,
        'to', NEW.pay_to, 'tx', NEW.tx_hash, 'reason', NEW.reason))`
  )
  yield* noting(
    "ai_agent_note_stops",
    sql`
      INSERT INTO ${events} (kind, wallet_id, detail)
      VALUES (CASE WHEN NEW.stopped_at IS NULL THEN 'wallet.reopened' ELSE 'wallet.stopped' END, NEW.wallet_id,
        jsonb_build_object('reason', NEW.stopped_reason))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_deposits
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_deposits()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_refunds
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_refunds()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_refunds
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION ai_agent_note_refunds()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_wallet_state
    FOR EACH ROW WHEN (OLD.stopped_at IS DISTINCT FROM NEW.stopped_at) EXECUTE FUNCTION ai_agent_note_stops()`
})

const noteDecisions = Effect.fnUntraced(function* (events: Fragment) {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_note_decisions",
    sql`
      INSERT INTO ${events} (kind, task_id, wallet_id, detail)
      VALUES ('decision.made', NEW.task_id, NEW.wallet_id,
        jsonb_build_object('command', NEW.command, 'said', NEW.said, 'why', NEW.why))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_decisions
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_decisions()`
})
