import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** The client's own name of a payment: one of each key's, and one of those without a key's. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_pay_ins ADD COLUMN payment_identifier text`
  yield* sql`
    CREATE UNIQUE INDEX ai_agent_pay_ins_identifiers ON ai_agent_pay_ins (payment_identifier, coalesce(key_id::text, ''))
    WHERE payment_identifier IS NOT NULL`
})
