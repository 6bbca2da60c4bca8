import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * Until when a request about a batch may be on its way to the mint server. It was in `next_action_at` before, as nothing
 * was done for the batch until then.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_batches ADD COLUMN answer_by timestamptz`
  // What a stopped executor had sent: all of it is looked after from now on, and nothing is sent again too early.
  yield* sql`
    UPDATE ai_agent_batches SET answer_by = next_action_at, next_action_at = now()
    WHERE status = 'signed' AND next_action_at > now()`
})
