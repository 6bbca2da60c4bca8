import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { TestClock } from "effect/testing"
import { readdirSync } from "node:fs"
import { unitsOfMints } from "../../src/ledger/migrations/0005_verify_before_believing.ts"
import { bringUpToDate, migrate, migrateTelling, pendingMigrations } from "../../src/ledger/migrate.ts"
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

/** How many there are. */
const MIGRATIONS = readdirSync(new URL("../../src/ledger/migrations", import.meta.url)).length

const ALL_TABLES = [
  "ai_agent_anchors",
  "ai_agent_attention",
  "ai_agent_batch_mints",
  "ai_agent_batches",
  "ai_agent_decisions",
  "ai_agent_deposit_uses",
  "ai_agent_deposits",
  "ai_agent_events",
  "ai_agent_journal",
  "ai_agent_keys",
  "ai_agent_limits",
  "ai_agent_migrations",
  "ai_agent_mint_records",
  "ai_agent_network",
  "ai_agent_pauses",
  "ai_agent_pay_ins",
  "ai_agent_quotes",
  "ai_agent_refunds",
  "ai_agent_reorganisations",
  "ai_agent_stray_mints",
  "ai_agent_task_state",
  "ai_agent_tasks",
  "ai_agent_wallet_pins",
  "ai_agent_wallet_state",
  "ai_agent_wallets",
  "ai_agent_webhook_deliveries",
  "ai_agent_webhook_outbox",
  "ai_agent_webhooks"
]

describe("migrate", () => {
  it.live("makes every table at the first start, and does nothing at the second", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* migrate, MIGRATIONS)
      assert.deepStrictEqual(yield* tableNames, ALL_TABLES)
      const before = yield* describeV11
      assert.deepStrictEqual(yield* migrate, [])
      assert.deepStrictEqual(yield* describeV11, before)
    }).pipe(Effect.provide(Postgres.layer()))
  )

  it.live("builds an index that is missing, and one that was left half done", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* migrate
      const sound = Effect.map(
        sql<{ readonly name: string }>`
          SELECT indexrelid::regclass::text AS name FROM pg_index
          WHERE indrelid IN ('ai_agent_tasks'::regclass, 'ai_agent_wallets'::regclass) AND indisvalid ORDER BY 1`,
        (rows) => rows.map(({ name }) => name)
      )
      const before = yield* sound
      assert.includeMembers(before, ["ai_agent_tasks_open", "ai_agent_tasks_newest", "ai_agent_wallets_by_id"])
      yield* sql`DROP INDEX ai_agent_tasks_open`
      yield* sql`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ai_agent_tasks_newest'::regclass`
      yield* migrate
      assert.deepStrictEqual(yield* sound, before)
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
          [MIGRATIONS, 0]
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
      assert.lengthOf(yield* migrate, MIGRATIONS)
      assert.deepStrictEqual(yield* describeV11, before)
      assert.deepStrictEqual(yield* tableNames, ALL_TABLES)
    }).pipe(Effect.provide(Postgres.layer()))
  )
})

/** `ai_agent_batch_mints` as 2.2.0 had it, with mints of one transaction that went to two people. */
const givenMintsBefore = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE ai_agent_batch_mints DROP CONSTRAINT ai_agent_batch_mints_pkey,
    DROP COLUMN token, DROP COLUMN recipient, DROP COLUMN part, ADD PRIMARY KEY (tx_hash, log_index)`
  yield* sql`ALTER TABLE ai_agent_batches DROP COLUMN portion`
  for (const [number, recipient] of [
    [1, "0xa"],
    [2, "0xb"]
  ] as const) {
    const task = sql`'00000000-0000-4000-8000-000000000000'::uuid`
    yield* sql`
      INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
        recipient, nonce, status, status_since)
      VALUES (${task}, ${number}::int, ${task}, ${number}::int, 2, 1, '0xt', '', '', ${recipient}, ${recipient},
        'planned', now())`
    yield* sql`
      INSERT INTO ai_agent_batch_mints (tx_hash, log_index, task_id, batch_number, mint_number)
      SELECT '0x1', i * 10 + ${number}::int, ${task}, ${number}::int, ${number}::int * 2 + i FROM generate_series(0, 1) i`
  }
})

describe("what is kept of mints", () => {
  it.live("names those that are recorded already by their number in the transaction, in the order of their logs", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* migrate
      yield* givenMintsBefore
      yield* unitsOfMints
      assert.deepStrictEqual(
        yield* sql`SELECT recipient, log_index, token, part FROM ai_agent_batch_mints ORDER BY recipient, part`,
        [
          { recipient: "0xa", log_index: 1, token: "0xt", part: 0 },
          { recipient: "0xa", log_index: 11, token: "0xt", part: 1 },
          { recipient: "0xb", log_index: 2, token: "0xt", part: 0 },
          { recipient: "0xb", log_index: 12, token: "0xt", part: 1 }
        ]
      )
      assert.deepStrictEqual(yield* sql`SELECT DISTINCT portion FROM ai_agent_batches`, [{ portion: null }])
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

describe("a migration of large tables", () => {
  it.live("tells what it is about to do, and is not ended by the time limit of a question", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const limit = Effect.orDie(
        Effect.map(sql<{ readonly statement_timeout: string }>`SHOW statement_timeout`, (rows) => rows[0])
      )
      yield* createV11Tables()
      const told: Array<unknown> = []
      const telling = migrateTelling((pending) =>
        Effect.map(limit, (inside) => {
          told.push(pending[0], inside)
        })
      )
      yield* telling
      assert.deepStrictEqual(told, ["0001_v1_tables", { statement_timeout: "0" }])
      yield* telling
      assert.lengthOf(told, 2)
      assert.deepStrictEqual(yield* limit, { statement_timeout: "9s" })
    }).pipe(
      Effect.provide(
        Layer.unwrap(
          Effect.map(Postgres.freshDatabase(), (url) => clientAt(`${url}?options=-c%20statement_timeout%3D9s`, 1))
        )
      )
    )
  )

  it.effect("has an hour, and says so", () =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(Effect.flip(bringUpToDate(Effect.never)))
      yield* TestClock.adjust(Duration.minutes(59))
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(Duration.minutes(1))
      assert.include((yield* Fiber.join(waiting)).message, "no answer within 1h (the limit of a migration)")
    })
  )
})

/** A role that may write orders and nothing else, as the programs before this one have it, and its connection. */
const writerOf = Effect.fnUntraced(function* (owner: string) {
  const role = `writer_${process.pid}`
  const asOwner = (work: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, SqlError>) =>
    Effect.provide(Effect.flatMap(SqlClient.SqlClient, work), clientAt(owner, 1), { local: true })
  yield* Effect.acquireRelease(
    asOwner((sql) =>
      Effect.all([sql`CREATE ROLE ${sql(role)} LOGIN`, sql`GRANT SELECT, INSERT ON ai_agent_tasks TO ${sql(role)}`])
    ),
    () => Effect.orDie(asOwner((sql) => Effect.andThen(sql`DROP OWNED BY ${sql(role)}`, sql`DROP ROLE ${sql(role)}`)))
  )
  const url = new URL(owner)
  url.username = role
  return url.toString()
})

const placeOrder = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`
    INSERT INTO public.ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost)
    VALUES ('0xAa', gen_random_uuid(), '0xCc', 2, 1000000, 2000000)`
)

const eventKinds = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly kind: string }>`SELECT kind FROM public.ai_agent_events ORDER BY id`
  return rows.map(({ kind }) => kind)
})

describe("the triggers that write the history", () => {
  it.live("write for a program that knows nothing of it, and run nothing of that program's as their owner", () =>
    Effect.gen(function* () {
      const owner = yield* Postgres.freshDatabase()
      yield* Effect.provide(migrate, clientAt(owner, 1), { local: true })
      const writer = yield* writerOf(owner)
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* placeOrder
        yield* sql`CREATE TEMP TABLE ran (as_whom text)`
        yield* sql`GRANT ALL ON ran TO PUBLIC`
        yield* sql`
          CREATE FUNCTION pg_temp.spy() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN INSERT INTO pg_temp.ran VALUES (current_user); RETURN NEW; END'`
        yield* sql`CREATE TEMP TABLE ai_agent_events (kind text, task_id uuid, wallet_id uuid, detail jsonb)`
        yield* sql`GRANT ALL ON ai_agent_events TO PUBLIC`
        yield* sql`
          CREATE TRIGGER spy BEFORE INSERT ON pg_temp.ai_agent_events FOR EACH ROW EXECUTE FUNCTION pg_temp.spy()`
        yield* placeOrder
        assert.deepStrictEqual(yield* sql`SELECT as_whom FROM ran`, [])
        assert.deepStrictEqual(yield* sql`SELECT kind FROM pg_temp.ai_agent_events`, [])
        const forged = yield* Effect.flip(sql`
          CREATE TRIGGER forge AFTER INSERT ON ran FOR EACH ROW EXECUTE FUNCTION ai_agent_note_refunds()`)
        assert.include(String(forged.reason.cause), "permission denied for function")
      }).pipe(Effect.provide(clientAt(writer, 1), { local: true }))
      const kinds = yield* Effect.provide(eventKinds, clientAt(owner, 1), { local: true })
      assert.deepStrictEqual(kinds, ["task.created", "task.created"])
    })
  )

  it.live("write where search_path is empty, as while a backup is restored", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* migrate
        yield* sql`SELECT set_config('search_path', '', false)`
        yield* placeOrder
        yield* sql`
          INSERT INTO public.ai_agent_task_state (task_id, held_at, held_reason)
          SELECT id, now(), 'why' FROM public.ai_agent_tasks`
        yield* sql`UPDATE public.ai_agent_tasks SET status = 'cancelled'`
        yield* sql`
          INSERT INTO public.ai_agent_decisions (decided_at, command, said, why) VALUES (now(), 'a', 'b', 'c')`
        assert.deepStrictEqual(yield* eventKinds, ["task.created", "task.held", "task.cancelled", "decision.made"])
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
    })
  )

  it.live("look for names nowhere but among PostgreSQL's own", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* migrate
      const functions = yield* sql`
        SELECT p.proname FROM pg_proc p WHERE starts_with(p.proname, 'ai_agent_')
          AND p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']`
      assert.deepStrictEqual(functions, [])
    }).pipe(Effect.provide(Postgres.layer()))
  )
})
