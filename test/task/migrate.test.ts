import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { migrate, pendingMigrations } from "../../src/task/migrate.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { createV11Tables, describeV11 } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"

/** Fresh databases on which two programs start at once. */
const ROUNDS = 6

const tableNames = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly name: string }>`
    SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`
  return rows.map(({ name }) => name)
})

const ALL_TABLES = [
  "ai_agent_batch_mints",
  "ai_agent_batches",
  "ai_agent_decisions",
  "ai_agent_deposit_uses",
  "ai_agent_deposits",
  "ai_agent_events",
  "ai_agent_migrations",
  "ai_agent_mint_records",
  "ai_agent_network",
  "ai_agent_pauses",
  "ai_agent_refunds",
  "ai_agent_task_state",
  "ai_agent_tasks",
  "ai_agent_wallet_state",
  "ai_agent_wallets"
]

describe("migrate", () => {
  it.live("makes every table at the first start, and does nothing at the second", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* migrate, 4)
      assert.deepStrictEqual(yield* tableNames, ALL_TABLES)
      const before = yield* describeV11
      assert.deepStrictEqual(yield* migrate, [])
      assert.deepStrictEqual(yield* describeV11, before)
    }).pipe(Effect.provide(Postgres.layer()))
  )

  it.live("leaves nothing behind where it fails half-way", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE ai_agent_batches (somebody_elses text)`
      const failed = yield* Effect.flip(migrate)
      assert.strictEqual(failed._tag, "MigrationError")
      assert.deepStrictEqual(yield* tableNames, ["ai_agent_batches"])
    }).pipe(Effect.provide(Postgres.layer()))
  )

  it.live(`is done once when two programs start at once on a fresh database (${ROUNDS} rounds)`, () =>
    Effect.gen(function* () {
      for (let round = 0; round < ROUNDS; round++) {
        const url = yield* Postgres.freshDatabase()
        const program = Effect.provide(migrate, clientAt(url, 2), { local: true })
        const done = yield* Effect.all([program, program], { concurrency: "unbounded" })
        assert.sameMembers(
          done.map((migrations) => migrations.length),
          [4, 0]
        )
        const tables = yield* Effect.provide(tableNames, clientAt(url, 1), { local: true })
        assert.deepStrictEqual(tables, ALL_TABLES)
      }
    })
  )

  it.live("takes a v1.1 database over without a change to its tables or rows", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* createV11Tables()
      const [wallet] = yield* sql<{ readonly id: string }>`
        INSERT INTO ai_agent_wallets (user_address, agent_address, encrypted_private_key)
        VALUES ('0xAa', '0xBb', 'key') RETURNING id`
      for (const status of ["pending_payment", "funded", "processing", "completed", "failed", "cancelled"]) {
        yield* sql`
          INSERT INTO ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint,
            total_cost, status, mints_completed)
          VALUES ('0xAa', ${wallet?.id ?? null}::uuid, '0xCc', 2, 1000000, 2000000, ${status}, NULL)`
      }
      yield* sql`INSERT INTO ai_agent_mint_records (task_id, mint_number) SELECT id, 1 FROM ai_agent_tasks`
      const before = yield* describeV11
      assert.lengthOf(yield* migrate, 4)
      assert.deepStrictEqual(yield* describeV11, before)
      assert.deepStrictEqual(yield* tableNames, ALL_TABLES)
    }).pipe(Effect.provide(Postgres.layer()))
  )
})

describe("what is to be migrated", () => {
  it.live("is told without a change: everything before, what is new since the last time, nothing after", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const before = yield* pendingMigrations
      assert.deepStrictEqual(before.applied, [])
      assert.strictEqual(before.pending[0], "0001_v1_tables")
      assert.deepStrictEqual(yield* tableNames, [])
      yield* migrate
      assert.deepStrictEqual(yield* pendingMigrations, { applied: before.pending, pending: [], unknown: [] })
      yield* sql`DELETE FROM ai_agent_migrations WHERE migration_id > 2`
      const { applied, pending } = yield* pendingMigrations
      assert.deepStrictEqual([...applied, ...pending], before.pending)
      assert.lengthOf(applied, 2)
      yield* sql`INSERT INTO ai_agent_migrations (migration_id, name) VALUES (9001, 'from_the_future')`
      const newer = yield* pendingMigrations
      assert.deepStrictEqual([newer.pending, newer.unknown], [[], ["9001_from_the_future"]])
    }).pipe(Effect.provide(Postgres.layer()))
  )
})
