import { assert, describe, it, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import * as Database from "../../src/ledger/Database.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import * as LedgerSql from "../../src/ledger/LedgerSql.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { clientAt, ledger, ledgerAndFixture, ledgerAt } from "../support/LedgerSql.ts"
import { relayTo } from "../support/LedgerRelay.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"
import { funding, givenOrder, givenWallet, NOW_MS, ordersOf, TIP } from "./contract/given.ts"

const SHORT = { databaseTimeout: Duration.millis(300) }

/** One fundable order in a database, and the call that would fund it. */
const givenFundable = Effect.gen(function* () {
  const wallet = yield* givenWallet()
  const id = yield* givenOrder(wallet)
  const orders = yield* ordersOf(wallet)
  return { id, fundBy: (repo: TaskRepo["Service"]) => repo.fund([funding(orders, id)], TIP, NOW_MS) }
})

/** Runs `work` while another program holds every wallet's row. */
const whileLocked = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const locked = yield* Deferred.make<void>()
    const done = yield* Deferred.make<void>()
    yield* Effect.forkScoped(
      sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`LOCK TABLE ai_agent_wallet_state IN ACCESS EXCLUSIVE MODE`
          yield* Deferred.succeed(locked, undefined)
          yield* Deferred.await(done)
        })
      )
    )
    yield* Deferred.await(locked)
    return yield* Effect.ensuring(work, Deferred.succeed(done, undefined))
  })

/** Statements that other sessions of this database are still busy with. */
const busySessions = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'`
  return rows.length
})

/** On a database with the ledger's tables, and with the other programs' access to it. */
const onDatabase = <A, E, R>(test: (url: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Postgres.freshDatabase({ isUpToDate: true }), (url) =>
    Effect.provide(test(url), ledgerAndFixture().pipe(Layer.provideMerge(clientAt(url))), { local: true })
  )

describe("what the ledger says when it cannot", () => {
  it.live("no server at the address: Unavailable, at the start too", () =>
    Effect.gen(function* () {
      const relay = yield* relayTo(yield* Postgres.freshDatabase())
      yield* relay.close
      const failure = yield* Effect.flip(ledgerAt(relay.url))
      assert.deepInclude(failure, { _tag: "LedgerError", reason: "Unavailable" })
      assert.include(failure.message, "ECONNREFUSED")
    })
  )

  it.live("a server that goes away: Unavailable, and all is well when it is back", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const relay = yield* relayTo(url)
        const repo = yield* ledgerAt(relay.url)
        const { id, fundBy } = yield* givenFundable
        yield* relay.close
        assert.strictEqual((yield* Effect.flip(repo.openTasks)).reason, "Unavailable")
        assert.strictEqual((yield* Effect.flip(fundBy(repo))).reason, "Unavailable")
        yield* relay.open
        assert.deepStrictEqual(yield* fundBy(repo), [id])
        assert.strictEqual((yield* repo.openTasks).funded, 1)
      })
    )
  )

  it.live("connections that died while idle: a reading does not notice", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const relay = yield* relayTo(url)
        const repo = yield* ledgerAt(relay.url)
        yield* Effect.all(
          Array.from({ length: 2 }, () => repo.openTasks),
          { concurrency: "unbounded" }
        )
        yield* relay.breakConnections
        assert.strictEqual((yield* repo.openTasks).funded, 0)
      })
    )
  )

  it.live("a statement that takes too long: Timeout, nothing is written, and nothing goes on at the server", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const repo = yield* ledgerAt(url, SHORT)
        const { id, fundBy } = yield* givenFundable
        const failure = yield* whileLocked(
          Effect.gen(function* () {
            const failure = yield* Effect.flip(fundBy(repo))
            assert.strictEqual(yield* busySessions, 0)
            return failure
          })
        )
        assert.strictEqual(failure.message, "fund tasks: Timeout (no answer within 300ms (DATABASE_TIMEOUT))")
        assert.strictEqual((yield* (yield* LedgerFixture).readTask(id)).status, "pending_payment")
        assert.deepStrictEqual(yield* fundBy(repo), [id])
      })
    )
  )

  it.live("the server's own limit, which outlives this process, is a Timeout as well", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const databaseUrl = Redacted.make(url)
        const limited = Database.layer.pipe(Layer.provide(settings({ ...SHORT, databaseUrl })))
        const { fundBy } = yield* givenFundable
        const failing = Effect.flip(Effect.flatMap(TaskRepo, fundBy)).pipe(
          // Patient itself: only the server gives up.
          Effect.provide(ledger().pipe(Layer.provide(limited)), { local: true })
        )
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(10); RETURN NEW; END'`
        yield* sql`CREATE TRIGGER sleep BEFORE UPDATE ON ai_agent_tasks FOR EACH ROW EXECUTE FUNCTION sleep()`
        const failure = yield* failing
        assert.deepInclude(failure, { _tag: "LedgerError", reason: "Timeout" })
        assert.include(failure.message, "canceling statement due to statement timeout")
      })
    )
  )

  it.live("a lock that another program keeps is Contended long before the statement's own time is up", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const databaseUrl = Redacted.make(url)
        const limited = Database.layer.pipe(Layer.provide(settings({ ...SHORT, databaseUrl })))
        const { fundBy } = yield* givenFundable
        const failing = Effect.flip(Effect.flatMap(TaskRepo, fundBy)).pipe(
          Effect.provide(ledger().pipe(Layer.provide(limited)), { local: true })
        )
        assert.deepInclude(yield* whileLocked(failing), { _tag: "LedgerError", reason: "Contended" })
      })
    )
  )

  it.live("a process that freezes in the middle of a transaction lets go of its rows, and the others go on", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const databaseUrl = Redacted.make(url)
        const impatient = yield* Layer.build(Database.layer.pipe(Layer.provide(settings({ ...SHORT, databaseUrl }))))
        const repo = yield* ledgerAt(url)
        const { id, fundBy } = yield* givenFundable
        const locked = yield* Deferred.make<void>()
        const frozen = Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const lock = sql`LOCK TABLE ai_agent_wallet_state IN ACCESS EXCLUSIVE MODE`
          const freeze = Effect.andThen(Deferred.succeed(locked, undefined), Effect.never)
          yield* sql.withTransaction(Effect.andThen(lock, freeze))
        })
        yield* Effect.forkScoped(Effect.provideContext(frozen, impatient))
        yield* Deferred.await(locked)
        assert.deepStrictEqual(yield* fundBy(repo), [id])
      })
    )
  )

  it.live("a connection that the server ends in the middle of a write: Unavailable, and nothing is written", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const repo = yield* ledgerAt(url)
        const { id, fundBy } = yield* givenFundable
        yield* sql`
          CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'`
        yield* sql`CREATE TRIGGER die BEFORE UPDATE ON ai_agent_tasks FOR EACH ROW EXECUTE FUNCTION die()`
        const failure = yield* Effect.flip(fundBy(repo))
        assert.strictEqual(failure.reason, "Unavailable")
        yield* sql`DROP TRIGGER die ON ai_agent_tasks`
        assert.strictEqual((yield* (yield* LedgerFixture).readTask(id)).status, "pending_payment")
        assert.deepStrictEqual(yield* fundBy(repo), [id])
      })
    )
  )

  layer(ledgerAndFixture().pipe(Layer.provideMerge(Postgres.layer({ isUpToDate: true }))), {
    excludeTestServices: true
  })((it) => {
    for (const [trouble, code, reason] of [
      ["a server that shuts down", "57P01", "Unavailable"],
      ["a server that is not up yet", "57P03", "Unavailable"],
      ["a database that takes no writes", "25006", "Unavailable"],
      ["a deadlock at every try", "40P01", "Contended"],
      ["a serialization failure at every try", "40001", "Contended"],
      ["a lock that is never free", "55P03", "Contended"],
      ["a permission that is missing", "42501", "Rejected"],
      ["a broken rule", "23514", "Rejected"]
    ] as const) {
      it.effect(`${trouble} (SQLSTATE ${code}): ${reason}, and nothing is written`, () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const fixture = yield* LedgerFixture
          yield* fixture.clear
          const { id, fundBy } = yield* givenFundable
          yield* sql`
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
            AS ${sql.literal(`'BEGIN RAISE EXCEPTION ''so it is'' USING ERRCODE = ''${code}''; END'`)}`
          yield* sql`CREATE TRIGGER fail BEFORE UPDATE ON ai_agent_tasks FOR EACH ROW EXECUTE FUNCTION fail()`
          const failure = yield* Effect.flip(fundBy(yield* TaskRepo)).pipe(
            Effect.ensuring(Effect.orDie(sql`DROP TRIGGER fail ON ai_agent_tasks`))
          )
          assert.strictEqual(failure.reason, reason)
          assert.include(failure.message, `${code} so it is`)
          assert.strictEqual(failure.message.includes("ai-mint doctor names the rights"), code === "42501")
          assert.strictEqual((yield* fixture.readTask(id)).status, "pending_payment")
        })
      )
    }
  })

  it.live("a conflict that passes is tried again, and is no failure: the whole transaction, written once", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const repo = yield* ledgerAt(url)
        yield* sql`CREATE SEQUENCE tries`
        for (const code of ["40001", "40P01", "55P03"]) {
          yield* (yield* LedgerFixture).clear
          const { id, fundBy } = yield* givenFundable
          yield* sql`ALTER SEQUENCE tries RESTART`
          yield* sql`
            CREATE OR REPLACE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql
            AS ${sql.literal(`'BEGIN IF nextval(''tries'') <= 2 THEN RAISE EXCEPTION ''not now'' USING ERRCODE = ''${code}''; END IF; RETURN NEW; END'`)}`
          yield* sql`CREATE TRIGGER fail BEFORE UPDATE ON ai_agent_tasks FOR EACH ROW EXECUTE FUNCTION fail_twice()`
          assert.deepStrictEqual(yield* fundBy(repo), [id])
          yield* sql`DROP TRIGGER fail ON ai_agent_tasks`
          const tries = yield* sql<{ readonly last_value: bigint }>`SELECT last_value FROM tries`
          assert.strictEqual(Number(tries[0]?.last_value), 3)
        }
      })
    )
  )

  it.effect("connections to a server that became read only are left for new ones, without a restart", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const name = sql(new URL(url).pathname.slice(1))
        const { id, fundBy } = yield* givenFundable
        yield* sql`ALTER DATABASE ${name} SET default_transaction_read_only = on`
        const databaseUrl = Redacted.make(url)
        const executor = LedgerSql.layer.pipe(Layer.provide(Database.layer), Layer.provide(settings({ databaseUrl })))
        yield* Effect.gen(function* () {
          const repo = yield* TaskRepo
          const watch = yield* WatchRepo
          assert.isFalse(yield* watch.takesWrites)
          const failure = yield* Effect.flip(fundBy(repo))
          assert.strictEqual(failure.reason, "Unavailable")
          assert.include(failure.message, "read-only transaction")
          // From now on a new connection would do, as after a failover.
          yield* sql`ALTER DATABASE ${name} RESET default_transaction_read_only`
          assert.isFalse(yield* watch.takesWrites)
          yield* TestClock.adjust("31 seconds")
          // A connection that was opened and never used is used once, however old it is.
          yield* watch.takesWrites
          assert.isTrue(yield* watch.takesWrites)
          assert.deepStrictEqual(yield* fundBy(repo), [id])
        }).pipe(Effect.provide(executor, { local: true }))
      })
    )
  )

  it.live("a table that is missing: Rejected, in the server's words", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const repo = yield* ledgerAt(url)
        yield* sql`DROP TABLE ai_agent_task_state`
        const failure = yield* Effect.flip(repo.openTasks)
        assert.strictEqual(failure.reason, "Rejected")
        assert.include(failure.message, "count open tasks: Rejected (")
        assert.include(failure.message, 'relation "ai_agent_task_state" does not exist')
      })
    )
  )

  it.live("a column of a kind that this program does not know: Unreadable", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const repo = yield* ledgerAt(url)
        yield* givenFundable
        yield* sql`ALTER TABLE ai_agent_tasks ALTER COLUMN quantity TYPE text`
        const failure = yield* Effect.flip(repo.pendingPage({ cursor: undefined, walletsMax: 1 }))
        assert.strictEqual(failure.reason, "Unreadable")
        assert.include(failure.message, "quantity")
      })
    )
  )
})
