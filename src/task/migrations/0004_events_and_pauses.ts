import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * What happened, written by the database itself in the transaction in which it happens, whoever's it is; and what is
 * paused. The history must never cost an order: what goes wrong with it in another program's statement is a warning.
 */
export default Effect.gen(function* () {
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

  // With the rights of the owner of the tables: programs that write orders know nothing of ours.
  yield* sql`
    CREATE FUNCTION ai_agent_note_new_tasks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, task_id, wallet_id, detail)
      SELECT 'task.created', n.id, n.agent_wallet_id,
        jsonb_build_object('status', n.status, 'quantity', n.quantity, 'cost', n.total_cost::text)
      FROM new_rows n;
      RETURN NULL;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'ai_agent_events: %', SQLERRM;
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE FUNCTION ai_agent_note_tasks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, task_id, wallet_id, detail)
      SELECT CASE WHEN n.status IS DISTINCT FROM o.status THEN 'task.' || n.status ELSE 'task.refused' END,
        n.id, n.agent_wallet_id,
        jsonb_build_object('from', o.status, 'minted', n.mints_completed, 'quantity', n.quantity,
          'retries', n.retry_count, 'message', n.error_message)
      FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.status IS DISTINCT FROM o.status OR n.retry_count > o.retry_count;
      RETURN NULL;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'ai_agent_events: %', SQLERRM;
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_tasks
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_new_tasks()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_tasks
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_tasks()`

  yield* sql`
    CREATE FUNCTION ai_agent_note_holds() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, task_id, wallet_id, detail)
      VALUES (CASE WHEN NEW.held_at IS NULL THEN 'task.released' ELSE 'task.held' END, NEW.task_id,
        (SELECT agent_wallet_id FROM ai_agent_tasks WHERE id = NEW.task_id),
        jsonb_build_object('reason', NEW.held_reason));
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_task_state
    FOR EACH ROW WHEN (NEW.held_at IS NOT NULL) EXECUTE FUNCTION ai_agent_note_holds()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_task_state
    FOR EACH ROW WHEN (OLD.held_at IS DISTINCT FROM NEW.held_at) EXECUTE FUNCTION ai_agent_note_holds()`

  // One event for a plan, however many batches it has.
  yield* sql`
    CREATE FUNCTION ai_agent_note_new_batches() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, task_id, wallet_id, detail)
      SELECT 'batch.' || n.status, n.task_id, n.wallet_id,
        jsonb_build_object('batches', count(*), 'first', min(n.number), 'quantity', sum(n.quantity),
          'amount', sum(n.amount)::text)
      FROM new_rows n GROUP BY n.status, n.task_id, n.wallet_id;
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE FUNCTION ai_agent_note_batches() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, task_id, wallet_id, batch, detail)
      VALUES (
        CASE WHEN NEW.status <> OLD.status THEN 'batch.' || NEW.status
          WHEN NEW.minted <> OLD.minted THEN 'batch.minted'
          WHEN NEW.sends <> OLD.sends THEN 'batch.resent'
          ELSE 'batch.noted' END,
        NEW.task_id, NEW.wallet_id, NEW.number,
        jsonb_build_object('from', OLD.status, 'quantity', NEW.quantity, 'minted', NEW.minted,
          'amount', coalesce(NEW.paid_amount, NEW.signed_amount, NEW.amount)::text, 'nonce', NEW.nonce,
          'validBefore', NEW.valid_before, 'sends', NEW.sends, 'tx', NEW.payment_tx,
          'block', NEW.payment_block::text, 'reason', NEW.reason));
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_batches
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_new_batches()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_batches
    FOR EACH ROW WHEN (OLD.status <> NEW.status OR OLD.minted <> NEW.minted OR NEW.sends > OLD.sends
      OR (NEW.reason IS NOT NULL AND OLD.reason IS DISTINCT FROM NEW.reason))
    EXECUTE FUNCTION ai_agent_note_batches()`

  yield* sql`
    CREATE FUNCTION ai_agent_note_deposits() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, wallet_id, detail)
      SELECT 'deposit.arrived', n.wallet_id,
        jsonb_build_object('amount', n.amount::text, 'from', n.sender, 'tx', n.tx_hash, 'block', n.block::text)
      FROM new_rows n;
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_deposits
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ai_agent_note_deposits()`

  yield* sql`
    CREATE FUNCTION ai_agent_note_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, wallet_id, detail)
      VALUES ('refund.' || NEW.status, NEW.wallet_id, jsonb_build_object('refund', NEW.id, 'amount', NEW.amount::text,
        'to', NEW.pay_to, 'tx', NEW.tx_hash, 'reason', NEW.reason));
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_refunds
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_refunds()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_refunds
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION ai_agent_note_refunds()`

  yield* sql`
    CREATE FUNCTION ai_agent_note_stops() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, wallet_id, detail)
      VALUES (CASE WHEN NEW.stopped_at IS NULL THEN 'wallet.reopened' ELSE 'wallet.stopped' END, NEW.wallet_id,
        jsonb_build_object('reason', NEW.stopped_reason));
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_wallet_state
    FOR EACH ROW WHEN (OLD.stopped_at IS DISTINCT FROM NEW.stopped_at) EXECUTE FUNCTION ai_agent_note_stops()`

  yield* sql`
    CREATE FUNCTION ai_agent_note_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO ai_agent_events (kind, task_id, wallet_id, detail)
      VALUES ('decision.made', NEW.task_id, NEW.wallet_id,
        jsonb_build_object('command', NEW.command, 'said', NEW.said, 'why', NEW.why));
      RETURN NULL;
    END $$`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_decisions
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_decisions()`

  // Lists begin with the newest order, and are read page by page.
  yield* sql`CREATE INDEX ai_agent_tasks_newest ON ai_agent_tasks (created_at DESC NULLS LAST, id DESC)`
  // What is told of one person, wallet or order is found without reading what is told of all the others.
  yield* sql`
    CREATE INDEX ai_agent_tasks_of_user ON ai_agent_tasks (lower(user_address), created_at DESC NULLS LAST, id DESC)`
  yield* sql`
    CREATE INDEX ai_agent_tasks_of_wallet ON ai_agent_tasks (agent_wallet_id, created_at DESC NULLS LAST, id DESC)`
  yield* sql`CREATE INDEX ai_agent_task_state_held ON ai_agent_task_state (task_id) WHERE held_at IS NOT NULL`
  yield* sql`CREATE INDEX ai_agent_wallets_by_id ON ai_agent_wallets ((id::text))`
  yield* sql`CREATE INDEX ai_agent_wallets_by_user ON ai_agent_wallets (lower(user_address))`
  yield* sql`CREATE INDEX ai_agent_wallets_by_agent ON ai_agent_wallets (lower(agent_address))`
  yield* sql`CREATE INDEX ai_agent_deposits_of_wallet ON ai_agent_deposits (wallet_id, block DESC, log_index DESC)`
  yield* sql`
    CREATE INDEX ai_agent_deposit_uses_of_task ON ai_agent_deposit_uses (task_id) WHERE task_id IS NOT NULL`
  yield* sql`CREATE INDEX ai_agent_refunds_of_wallet ON ai_agent_refunds (wallet_id, created_at DESC)`
  yield* sql`CREATE INDEX ai_agent_decisions_of_wallet ON ai_agent_decisions (wallet_id, id DESC)`
})
