import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What may be signed for payments in a sliding day, and what was. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_limits (
      scope text PRIMARY KEY,
      per_day bigint NOT NULL CHECK (per_day > 0),
      reason text NOT NULL,
      since timestamptz NOT NULL
    )`
  yield* signedTimes
  yield* sql`ALTER TABLE ai_agent_task_state ADD COLUMN limited_since timestamptz`
  yield* sql`
    CREATE INDEX ai_agent_task_state_limited ON ai_agent_task_state (task_id) WHERE limited_since IS NOT NULL`
})

/**
 * When a payment was signed that still counts; null where nothing is signed or what was is void. And the key that placed its
 * order. Payments of the last day are given the time of their status, which is a little later: a limit that is set at once counts them too.
 */
const signedTimes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_batches ADD COLUMN signed_at timestamptz, ADD COLUMN key_id uuid`
  yield* sql`
    UPDATE ai_agent_batches SET signed_at = status_since
    WHERE (signed_amount IS NOT NULL OR paid_amount IS NOT NULL) AND status_since > now() - interval '1 day'`
  // A sum reads what its own limit lets through in a day, however many payments others made.
  yield* sql`CREATE INDEX ai_agent_batches_signed ON ai_agent_batches (signed_at) WHERE signed_at IS NOT NULL`
  yield* sql`
    CREATE INDEX ai_agent_batches_signed_for_token ON ai_agent_batches (token, signed_at) WHERE signed_at IS NOT NULL`
  yield* sql`
    CREATE INDEX ai_agent_batches_signed_for_user ON ai_agent_batches (recipient, signed_at) WHERE signed_at IS NOT NULL`
  yield* sql`
    CREATE INDEX ai_agent_batches_signed_for_key ON ai_agent_batches (key_id, signed_at)
    WHERE signed_at IS NOT NULL AND key_id IS NOT NULL`
})
