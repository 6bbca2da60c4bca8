import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { noting, qualified } from "./0004_events_and_pauses.ts"

/** Blocks that were seen, by their hashes, so that a chain that was reorganised can be told from one that was not. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_batch_mints ADD COLUMN block bigint`
  yield* sql`CREATE TABLE ai_agent_anchors (block bigint PRIMARY KEY, hash text NOT NULL, is_proof boolean NOT NULL)`
  yield* sql`
    CREATE TABLE ai_agent_reorganisations (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      noticed_at timestamptz NOT NULL,
      fork_block bigint NOT NULL,
      old_block bigint NOT NULL,
      noticed_block bigint NOT NULL
    )`
  yield* noteReorganisations
})

/** Told as what else happens is: by the database, in the transaction in which it happens. */
const noteReorganisations = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const events = yield* qualified("ai_agent_events")
  yield* noting(
    "ai_agent_note_withdrawals",
    sql`
      INSERT INTO ${events} (kind, wallet_id, detail)
      VALUES (CASE WHEN NEW.withdrawn_at IS NULL THEN 'deposit.arrived' ELSE 'deposit.withdrawn' END, NEW.wallet_id,
        jsonb_build_object('amount', NEW.amount::text, 'from', NEW.sender, 'tx', NEW.tx_hash, 'block', NEW.block::text))`
  )
  yield* noting(
    "ai_agent_note_reorganisations",
    sql`
      INSERT INTO ${events} (kind, detail)
      VALUES ('chain.reorganised', jsonb_build_object('fork', NEW.fork_block::text, 'block', NEW.old_block::text))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_changed AFTER UPDATE ON ai_agent_deposits
    FOR EACH ROW WHEN (OLD.withdrawn_at IS DISTINCT FROM NEW.withdrawn_at)
    EXECUTE FUNCTION ai_agent_note_withdrawals()`
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_reorganisations
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_reorganisations()`
})
