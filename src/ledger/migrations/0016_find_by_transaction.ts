import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * A payment and a refund are found by their transaction. Deposits and mints have it in their primary keys. The two indexes
 * on wallets were of no use, as the question has another expression: `theirIndexes.ts` has those that fit.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE INDEX ai_agent_batches_by_payment ON ai_agent_batches (payment_tx) WHERE payment_tx IS NOT NULL`
  yield* sql`CREATE INDEX ai_agent_refunds_by_tx ON ai_agent_refunds (tx_hash) WHERE tx_hash IS NOT NULL`
  yield* sql`DROP INDEX IF EXISTS ai_agent_wallets_by_user, ai_agent_wallets_by_agent`
})
