import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * What the ledger has to remember so that nothing is believed unchecked: where deposits, payments and mints were seen,
 * and what was held to be true when they were recorded.
 */
export default Effect.gen(function* () {
  yield* reorganisations
  yield* unitsOfMints
  yield* usdcImplementation
  yield* wallets
  yield* requests
})

/** Anchors of the chain, and what is withdrawn when the chain takes it back. */
const reorganisations = Effect.void

/** A mint's part beside transaction and log index, and the portion that a task's mints are counted in. */
const unitsOfMints = Effect.void

/** The code behind the USDC proxy that an operator has agreed to. */
const usdcImplementation = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`ALTER TABLE ai_agent_network ADD COLUMN usdc_code text`
)

/** What wallets and their refunds need. */
const wallets = Effect.void

/** What was asked of the mint server before it is asked again. */
const requests = Effect.void
