import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function* () {
  yield* pins
})

/** Whose a wallet is and which account it is, as they were when it was first seen: another program may change its row. */
const pins = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE ai_agent_wallet_pins (
      wallet_id uuid PRIMARY KEY,
      user_address text NOT NULL,
      agent_address text NOT NULL
    )`
  yield* sql`CREATE INDEX ai_agent_wallet_pins_agent ON ai_agent_wallet_pins (agent_address)`
})
