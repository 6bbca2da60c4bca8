import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { migrateDatabase, migrateHere } from "../../src/checks/migrations.ts"
import { migrationWords } from "../../src/cli/words/doctor.ts"
import { createV11Tables, describeV11 } from "../support/LedgerV11.ts"
import { layerAsIs } from "../../src/ledger/prepare.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { CHAIN, clientAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"

const tableCount = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return (yield* sql`SELECT 1 FROM pg_tables WHERE schemaname = 'public'`).length
})

describe("ai-mint migrate", () => {
  it.live("tells beforehand what it would do and does nothing, then does it, then finds nothing to do", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const run = (dryRun: boolean) =>
        migrateDatabase({ dryRun }).pipe(Effect.provide(settings({ databaseUrl: Redacted.make(url) })))
      const tables = Effect.provide(tableCount, clientAt(url, 1), { local: true })

      const preview = yield* run(true)
      assert.deepStrictEqual(
        { ...preview, pending: preview.pending.slice(0, 2) },
        {
          command: "migrate",
          applied: [],
          pending: ["0001_v1_tables", "0002_exactly_once"],
          unknown: [],
          did: false
        }
      )
      assert.strictEqual(yield* tables, 0)
      assert.strictEqual(migrationWords(preview)[0], "   0001_v1_tables to do")

      const done = yield* run(false)
      assert.deepStrictEqual(done, { ...preview, did: true })
      assert.strictEqual(migrationWords(done)[0], "✅ 0001_v1_tables applied")

      const again = yield* run(false)
      assert.deepStrictEqual(again, { ...preview, applied: preview.pending, pending: [], did: false })
      assert.include(migrationWords(again)[0], "up to date")
    })
  )

  it.live("leaves the tables of v1.1 as they are in a preview", () =>
    Effect.gen(function* () {
      yield* createV11Tables()
      const before = yield* describeV11
      assert.isFalse((yield* migrateHere({ dryRun: true })).did)
      assert.strictEqual(yield* tableCount, 3)
      assert.deepStrictEqual(yield* describeV11, before)
    }).pipe(Effect.provide(Postgres.layer()))
  )

  it.live("does nothing in a database of a newer program", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* migrateHere({ dryRun: false })
      yield* sql`INSERT INTO ai_agent_migrations (migration_id, name) VALUES (9001, 'from_the_future')`
      const report = yield* migrateHere({ dryRun: false })
      assert.deepStrictEqual([report.unknown, report.did], [["9001_from_the_future"], false])
      assert.include(migrationWords(report).join("\n"), "install that version again")
    }).pipe(Effect.provide(Postgres.layer()))
  )

  it.live(
    "is asked for by commands that go straight to a database that is not up to date, and they leave it as it is",
    () =>
      Effect.gen(function* () {
        yield* createV11Tables()
        const before = yield* describeV11
        const look = Effect.provide(TaskRepo, layerAsIs(CHAIN).pipe(Layer.provide(settings())), { local: true })
        const refusal = yield* Effect.flip(look)
        assert.strictEqual(refusal._tag, "Outdated")
        assert.match(
          refusal.message,
          /^The database is not up to date, and nothing was done: 0001_v1_tables, .* ai-mint migrate/
        )
        assert.strictEqual(yield* tableCount, 3)
        assert.deepStrictEqual(yield* describeV11, before)
        yield* migrateHere({ dryRun: false })
        yield* look
      }).pipe(Effect.provide(Postgres.layer()))
  )

  it.effect("says whose the embedded database is", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(migrateDatabase({ dryRun: true }).pipe(Effect.provide(settings())))
      assert.strictEqual(error._tag, "NoDatabase")
      assert.include(error.message, "npm start")
    })
  )

  it.live("says what is wrong where the database does not answer, without its password", () =>
    Effect.gen(function* () {
      const databaseUrl = Redacted.make("postgres://executor:hunter22-secret@127.0.0.1:1/mint")
      const error = yield* Effect.flip(
        migrateDatabase({ dryRun: true }).pipe(Effect.provide(settings({ databaseUrl })))
      )
      assert.strictEqual(error._tag, "LedgerError")
      assert.include(error.message, "Unavailable")
      assert.notInclude(JSON.stringify(error), "hunter22")
    })
  )
})
