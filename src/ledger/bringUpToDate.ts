import { Duration, type Effect, type Schema } from "effect"
import type { MigrationError } from "effect/sql/Migrator"
import type { SqlError } from "effect/sql/SqlError"
import { bounded } from "./sql/failure.ts"
import type { LedgerError } from "./TaskRepo.ts"

/**
 * Indexes over tens of millions of rows take minutes: `DATABASE_TIMEOUT` would end a migration at every start, for ever.
 * What takes longer than this waits for a lock that somebody has forgotten.
 */
const LIMIT = Duration.hours(1)

const bound = bounded(LIMIT, "the limit of a migration")

/** Bounds a migration, and says in our words what went wrong. */
export const bringUpToDate = <A, R>(
  migration: Effect.Effect<A, SqlError | MigrationError | Schema.SchemaError, R>
): Effect.Effect<A, LedgerError, R> => bound("bring the database of DATABASE_URL up to date", migration)
