import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import v1Tables from "./migrations/0001_v1_tables.ts"
import exactlyOnce from "./migrations/0002_exactly_once.ts"
import moneyAndDecisions from "./migrations/0003_money_and_decisions.ts"

/** Any number that no other program uses as an advisory lock. */
const LOCK = 8_453_402_101n

const TABLE = "ai_agent_migrations"

/**
 * Brings the database up to date, in one transaction. Safe to run again and by two programs at once: the second waits
 * for the lock and finds nothing left to do. Tables of v1.1 that exist stay as they are.
 */
export const migrate = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`
      return yield* Migrator.make({})({
        loader: Migrator.fromRecord({
          "0001_v1_tables": v1Tables,
          "0002_exactly_once": exactlyOnce,
          "0003_money_and_decisions": moneyAndDecisions
        }),
        table: TABLE
      })
    })
  )
})
