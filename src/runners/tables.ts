import { Effect, Layer } from "effect"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import { SqlClient } from "effect/sql"
import { REGISTRY, registryColumns } from "./registry.ts"

/** The tables of Effect's cluster are `ai_agent_cluster_runners`, `…_locks` and `…_runner_migrations`. */
export const PREFIX = "ai_agent_cluster"

/** Any number that no other program uses as an advisory lock. */
const LOCK = 8_453_402_110n

const TABLES = [REGISTRY, `${PREFIX}_runners`, `${PREFIX}_locks`]

/**
 * Makes the tables that several executors need, where they are not there: only with `RUNNERS=cluster`, and so apart from
 * the migrations that every database goes through. Where they are there, the user of `DATABASE_URL` needs no right to make
 * any.
 */
export const makeTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(
    Effect.gen(function* () {
      // Of two that start at once the second waits for the lock, and finds them.
      yield* sql`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`
      const missing = yield* sql`SELECT 1 FROM unnest(${TABLES}::text[]) AS name WHERE to_regclass(name) IS NULL`
      if (missing.length === 0) return
      yield* Effect.scoped(Layer.build(SqlRunnerStorage.layerMigrations({ prefix: PREFIX })))
      yield* sql`CREATE TABLE IF NOT EXISTS ${sql(REGISTRY)} (${sql.literal(registryColumns)})`
    })
  )
})
