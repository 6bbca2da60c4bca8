import { Effect, Runtime, Schema } from "effect"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { layerAs } from "../ledger/Database.ts"
import { bringUpToDate, migrate, pendingMigrations } from "../ledger/migrate.ts"
import { bounded } from "../ledger/sql/failure.ts"

/** The report of `ai-mint migrate`. */
export interface MigrationReport {
  readonly command: "migrate"
  /** Migrations that were applied before. */
  readonly applied: ReadonlyArray<string>
  /** Migrations that were missing. */
  readonly pending: ReadonlyArray<string>
  /** Migrations that this program does not know: a newer one applied them, and an older one must not run on it. */
  readonly unknown: ReadonlyArray<string>
  /** Whether the pending ones were applied now. */
  readonly did: boolean
}

/** There is no database that could be migrated from here. The message says what to do. */
export class NoDatabase extends Schema.TaggedError<NoDatabase>()("NoDatabase", {}) {
  override readonly [Runtime.errorExitCode] = 78
  override get message(): string {
    return (
      "DATABASE_URL is not set: the embedded database belongs to the sandbox, which brings it up to date at its " +
      "start (npm start)."
    )
  }
}

/** Brings the database of `DATABASE_URL` up to date, or only reports what that would do. Needs no chain. */
export const migrateDatabase = Effect.fn("doctor.migrate")(function* (options: { readonly dryRun: boolean }) {
  const settings = yield* Settings
  if (settings.databaseUrl === undefined) return yield* new NoDatabase()
  const looking = bounded(settings.databaseTimeout)
  return yield* options.dryRun
    ? looking("read how far the database of DATABASE_URL is", Effect.provide(migrateHere(options), connection))
    : bringUpToDate(Effect.provide(Effect.tap(migrateHere(options), makeShared(settings)), connection))
})

/** What executors that share a database need besides: then their user needs no right to make tables. */
const makeShared = ({ runners }: SettingsShape) =>
  runners === "single"
    ? Effect.void
    : Effect.flatMap(
        Effect.promise(() => import("../runners/tables.ts")),
        ({ makeTables }) => makeTables
      )

const connection = layerAs({ applicationName: "ai-mint-migrate", connectionsMax: 2 })

/**
 * The same in a database that is given. `pending` is what was seen a moment before: where another program migrates at
 * that moment, it may have done what is reported here.
 */
export const migrateHere = Effect.fnUntraced(function* ({ dryRun }: { readonly dryRun: boolean }) {
  const before = yield* pendingMigrations
  const did = !dryRun && before.pending.length > 0 && before.unknown.length === 0
  if (did) yield* migrate
  return { command: "migrate", ...before, did } satisfies MigrationReport
})
