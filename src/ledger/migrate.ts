import { Duration, Effect, LogLevel, References, Schedule, Schema } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import type { MigrationError } from "effect/sql/Migrator"
import type { SqlError } from "effect/sql/SqlError"
import v1Tables from "./migrations/0001_v1_tables.ts"
import exactlyOnce from "./migrations/0002_exactly_once.ts"
import moneyAndDecisions from "./migrations/0003_money_and_decisions.ts"
import eventsAndPauses from "./migrations/0004_events_and_pauses.ts"
import verifyBeforeBelieving from "./migrations/0005_verify_before_believing.ts"
import reorganisations from "./migrations/0006_reorganisations.ts"
import contain from "./migrations/0007_contain.ts"
import answers from "./migrations/0008_answers.ts"
import actors from "./migrations/0009_actors.ts"
import keysAndQuotes from "./migrations/0010_keys_and_quotes.ts"
import webhooks from "./migrations/0011_webhooks.ts"
import limits from "./migrations/0012_limits.ts"
import payIns from "./migrations/0013_pay_ins.ts"
import paymentIdentifiers from "./migrations/0014_payment_identifiers.ts"
import journal from "./migrations/0015_journal.ts"
import findByTransaction from "./migrations/0016_find_by_transaction.ts"
import { bounded, isConflict } from "./sql/failure.ts"
import type { LedgerError } from "./TaskRepo.ts"
import { indexTheirTables } from "./theirIndexes.ts"

/** Any number that no other program uses as an advisory lock. */
const LOCK = 8_453_402_101n

const TABLE = "ai_agent_migrations"

/** What a database goes through to be up to date, by number. An entry that was released stays as it is. */
const MIGRATIONS = {
  "0001_v1_tables": v1Tables,
  "0002_exactly_once": exactlyOnce,
  "0003_money_and_decisions": moneyAndDecisions,
  "0004_events_and_pauses": eventsAndPauses,
  "0005_verify_before_believing": verifyBeforeBelieving,
  "0006_reorganisations": reorganisations,
  "0007_contain": contain,
  "0008_answers": answers,
  "0009_actors": actors,
  "0010_keys_and_quotes": keysAndQuotes,
  "0011_webhooks": webhooks,
  "0012_limits": limits,
  "0013_pay_ins": payIns,
  "0014_payment_identifiers": paymentIdentifiers,
  "0015_journal": journal,
  "0016_find_by_transaction": findByTransaction
}

/** A statement that waits for a table keeps everyone out who comes after it: so long, and no longer. */
const LOCK_WAIT = "2s"

/** Between two tries the others get on with what they were kept from. */
const TRY_AGAIN = Schedule.spaced("5 seconds")

/**
 * Indexes over tens of millions of rows take minutes: `DATABASE_TIMEOUT` would end a migration at every start, for ever.
 * What takes longer than this waits for a lock that was forgotten.
 */
const LIMIT = Duration.hours(1)

const bound = bounded(LIMIT, { limitName: "the limit of a migration" })

/** Bounds a migration, and says in our words what went wrong. */
export const bringUpToDate = <A, R>(
  migration: Effect.Effect<A, SqlError | MigrationError | Schema.SchemaError, R>
): Effect.Effect<A, LedgerError, R> => bound("bring the database of DATABASE_URL up to date", migration)

/**
 * Brings the database up to date, in one transaction; where it has orders already, it says so before. Safe to run again
 * and by two programs at once: the second waits for the lock and finds nothing left to do. Tables of v1.1 that exist stay
 * as they are. Where another program holds one of them, nothing waits for it: all is tried again later, and the log says which
 * program that is.
 */
export const migrateTelling = Effect.fnUntraced(function* (
  tell: (pending: ReadonlyArray<string>) => Effect.Effect<void>
) {
  const done = yield* inTransaction(tell).pipe(
    Effect.tapError((error) => (isConflict(error) ? tellBlockers : Effect.void)),
    Effect.retry({ schedule: TRY_AGAIN, while: isConflict })
  )
  yield* indexTheirTables
  return done
})

const inTransaction = Effect.fnUntraced(function* (tell: (pending: ReadonlyArray<string>) => Effect.Effect<void>) {
  const sql = yield* SqlClient.SqlClient
  return yield* sql.withTransaction(
    Effect.gen(function* () {
      // The limit of a question: what is done for every row of a large table takes longer, and so may the wait for the lock.
      yield* sql`SET LOCAL statement_timeout = 0`
      yield* sql`SET LOCAL lock_timeout = 0`
      yield* sql`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`
      yield* sql`SET LOCAL lock_timeout = ${sql.literal(`'${LOCK_WAIT}'`)}`
      const { pending } = yield* pendingMigrations
      if (pending.length === 0) return []
      // In a new database it is done within a moment.
      if (yield* isThere("ai_agent_tasks")) yield* tell(pending)
      // Its own lines, "Running migration", say nothing new.
      return yield* Effect.updateService(
        Migrator.make({})({ loader: Migrator.fromRecord(MIGRATIONS), table: TABLE }),
        References.MinimumLogLevel,
        (level) => (LogLevel.isLessThan(level, "Info") ? "Info" : level)
      )
    })
  )
})

const Blockers = Schema.Array(
  Schema.Struct({ pid: Schema.Number, name: Schema.String, state: Schema.NullOr(Schema.String) })
)

/** Who has the tables of orders and wallets at this moment, those first that have had them for longest. */
const tellBlockers = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const raw = yield* sql`
    SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, '') AS name, a.state
    FROM pg_stat_activity a
    WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT l.pid FROM pg_locks l WHERE l.granted
      AND l.relation IN (to_regclass('ai_agent_tasks'), to_regclass('ai_agent_wallets'), to_regclass('ai_agent_mint_records')))
    ORDER BY a.xact_start LIMIT 3`
  const who = (yield* Schema.decodeUnknownEffect(Blockers)(raw)).map(
    ({ pid, name, state }) => `${name} (pid ${pid}, ${state ?? "unknown"})`
  )
  const by = who.length === 0 ? "another program" : who.join(", ")
  yield* Effect.logWarning(
    `⏳ The database is not brought up to date yet: its tables are held by ${by}. Trying again in 5s`
  )
}).pipe(Effect.ignore)

/** The same without a word. */
export const migrate = Effect.suspend(() => migrateTelling(() => Effect.void))

const isThere = Effect.fnUntraced(function* (table: string) {
  const sql = yield* SqlClient.SqlClient
  return (yield* sql`SELECT 1 FROM to_regclass(${table}::text) AS name WHERE name IS NOT NULL`).length > 0
})

/** What a database has been through, by the names in `MIGRATIONS`. */
export interface MigrationState {
  readonly applied: ReadonlyArray<string>
  /** What the next `migrate` does, in that order. */
  readonly pending: ReadonlyArray<string>
  /** What it has and this program does not know: a newer one has been at it. */
  readonly unknown: ReadonlyArray<string>
}

const Rows = Schema.Array(Schema.Struct({ migration_id: Schema.Int, name: Schema.String }))

const migrationName = (id: number, name: string): string => `${String(id).padStart(4, "0")}_${name}`

/** How far the database is, with nothing changed. As `Migrator` has it, what comes after the newest applied is pending. */
export const pendingMigrations = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const raw = (yield* isThere(TABLE)) ? yield* sql`SELECT migration_id, name FROM ${sql(TABLE)} ORDER BY 1` : []
  const rows = yield* Schema.decodeUnknownEffect(Rows)(raw)
  const newest = rows.at(-1)?.migration_id ?? 0
  const known = yield* Migrator.fromRecord(MIGRATIONS)
  const newestKnown = known.at(-1)?.[0] ?? 0
  return {
    applied: rows.map((row) => migrationName(row.migration_id, row.name)),
    pending: known.filter(([id]) => id > newest).map(([id, name]) => migrationName(id, name)),
    unknown: rows
      .filter((row) => row.migration_id > newestKnown)
      .map((row) => migrationName(row.migration_id, row.name))
  } satisfies MigrationState
})
