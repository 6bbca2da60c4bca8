import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { noting, qualified } from "./0004_events_and_pauses.ts"

/**
 * Payments for orders that clients signed for from accounts of their own. A row is there before anything is submitted, and
 * says what the payer signed for: a repeated request with other content is another request.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_pay_ins (
      task_id uuid PRIMARY KEY,
      payer text NOT NULL,
      nonce text NOT NULL,
      amount bigint NOT NULL,
      pay_to text NOT NULL,
      valid_after bigint NOT NULL,
      valid_before bigint NOT NULL,
      wallet_id uuid NOT NULL,
      token text NOT NULL,
      quantity int NOT NULL,
      recipient text NOT NULL,
      status text NOT NULL DEFAULT 'live',
      tx_hash text,
      block bigint,
      reason text,
      created_at timestamptz NOT NULL,
      key_id uuid,
      UNIQUE (payer, nonce)
    )`
  yield* sql`CREATE INDEX ai_agent_pay_ins_of_wallet ON ai_agent_pay_ins (wallet_id, created_at DESC)`
  // What a reorganisation takes back is found by its block.
  yield* sql`CREATE INDEX ai_agent_pay_ins_of_block ON ai_agent_pay_ins (block) WHERE block IS NOT NULL`
  yield* notePayIns
})

const notePayIns = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* noting(
    "ai_agent_note_pay_ins",
    sql`
      INSERT INTO ${yield* qualified("ai_agent_events")} (kind, task_id, wallet_id, detail)
      VALUES (CASE WHEN TG_OP = 'INSERT' THEN 'pay_in.placed' ELSE 'pay_in.' || NEW.status END, NEW.task_id, NEW.wallet_id,
        jsonb_build_object('amount', NEW.amount::text, 'from', NEW.payer, 'to', NEW.pay_to, 'nonce', NEW.nonce,
          'validBefore', NEW.valid_before, 'tx', NEW.tx_hash, 'block', NEW.block::text, 'reason', NEW.reason))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_pay_ins
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_pay_ins()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_pay_ins
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION ai_agent_note_pay_ins()`
})
