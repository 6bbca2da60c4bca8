import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { noting, qualified } from "./0004_events_and_pauses.ts"

/** Who made a decision: told with it in the history, as what was decided is. Of decisions from before it is not known. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_decisions ADD COLUMN made_by text`
  yield* sql`DROP TRIGGER ai_agent_events_new ON ai_agent_decisions`
  yield* sql`DROP FUNCTION ai_agent_note_decisions()`
  yield* noting(
    "ai_agent_note_decisions",
    sql`
      INSERT INTO ${yield* qualified("ai_agent_events")} (kind, task_id, wallet_id, detail)
      VALUES ('decision.made', NEW.task_id, NEW.wallet_id,
        jsonb_build_object('command', NEW.command, 'said', NEW.said, 'why', NEW.why, 'by', NEW.made_by))`
  )
  yield* sql`
    CREATE TRIGGER ai_agent_events_new AFTER INSERT ON ai_agent_decisions
    FOR EACH ROW EXECUTE FUNCTION ai_agent_note_decisions()`
})
