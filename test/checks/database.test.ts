import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { address } from "../../src/domain/Address.ts"
import { Settings, type SettingsShape } from "../../src/config/Settings.ts"
import { bindingFinding, examineConnected, examineDatabase } from "../../src/checks/database.ts"
import * as Database from "../../src/ledger/Database.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { bindToChain } from "../../src/ledger/NetworkBinding.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { encrypt, order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { ENCRYPTION_KEY } from "../support/settings.ts"
import { about, sound, troubles } from "./given.ts"

const GENESIS = `0x${"9e".repeat(32)}` as const

const at = (url: string, changes: Partial<SettingsShape> = {}): SettingsShape => ({
  ...sound,
  databaseUrl: Redacted.make(url),
  ...changes
})

/** A database that is up to date after `work`, as the doctor sees it. */
const after = Effect.fnUntraced(function* <E>(
  work: Effect.Effect<unknown, E, SqlClient.SqlClient>,
  options: { readonly timezone?: string; readonly isUpToDate?: boolean; readonly changes?: Partial<SettingsShape> } = {}
) {
  const url = yield* Postgres.freshDatabase({ isUpToDate: true, ...options })
  yield* Effect.provide(work, clientAt(url, 1), { local: true })
  return yield* examineDatabase(at(url, options.changes))
})

const sqlOf = (use: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown>) =>
  Effect.andThen(migrate, Effect.flatMap(SqlClient.SqlClient, use))

describe("what the doctor says about the database", () => {
  it.live("is that all is well with one that is up to date", () =>
    Effect.gen(function* () {
      const { findings, keys, bound } = yield* after(migrate)
      assert.deepStrictEqual(troubles(findings), [])
      assert.match(about(findings, "connects"), /^ok PostgreSQL \d+.* at 127\.0\.0\.1:\d+ \(\d+ ms\)$/)
      assert.include(about(findings, "migrations"), "up to date")
      assert.include(about(findings, "tables"), "made by this program")
      assert.include(about(findings, "time zone"), "times are stored with theirs")
      assert.strictEqual(about(findings, "executors"), "ok none is connected")
      assert.strictEqual(about(keys, "wallet keys"), "ok there is no wallet yet")
      assert.deepStrictEqual(bound, { binding: undefined })
    })
  )

  it.live("is that migrations wait, in a new one and in one of v1.1, which it leaves as it is", () =>
    Effect.gen(function* () {
      const empty = yield* after(Effect.void, { isUpToDate: false })
      assert.deepStrictEqual(troubles(empty.findings), [["migrations", "warn"]])
      assert.include(about(empty.findings, "migrations"), "0001_v1_tables, 0002_exactly_once")
      const v11 = yield* after(createV11Tables(), { timezone: "Asia/Shanghai", isUpToDate: false })
      assert.deepStrictEqual(troubles(v11.findings), [["migrations", "warn"]])
      assert.include(about(v11.findings, "tables"), "made by v1.1")
      assert.include(about(v11.findings, "time zone"), "read as Asia/Shanghai, the database's own")
    })
  )

  it.live("is a failure where a newer program has been at it", () =>
    Effect.gen(function* () {
      const { findings } = yield* after(
        sqlOf((sql) => sql`INSERT INTO ai_agent_migrations (migration_id, name) VALUES (9001, 'from_the_future')`)
      )
      assert.deepStrictEqual(troubles(findings), [["migrations", "fail"]])
      assert.include(about(findings, "migrations"), "9001_from_the_future")
    })
  )

  it.live("is a failure where its user may not do what is to be done", () =>
    Effect.gen(function* () {
      const owner = yield* Postgres.freshDatabase()
      const role = `reader_${process.pid}`
      const asOwner = <A, E>(work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
        Effect.provide(work, clientAt(owner, 1), { local: true })
      yield* Effect.acquireRelease(
        asOwner(
          sqlOf((sql) =>
            Effect.all([
              sql`CREATE ROLE ${sql(role)} LOGIN`,
              sql`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${sql(role)}`,
              sql`DELETE FROM ai_agent_migrations WHERE migration_id > 1`
            ])
          )
        ),
        () =>
          asOwner(
            Effect.flatMap(SqlClient.SqlClient, (sql) =>
              Effect.andThen(sql`DROP OWNED BY ${sql(role)}`, sql`DROP ROLE ${sql(role)}`)
            )
          ).pipe(Effect.orDie)
      )
      const url = new URL(owner)
      url.username = role
      const { findings } = yield* examineDatabase(at(url.toString()))
      assert.deepStrictEqual(troubles(findings), [
        ["migrations", "warn"],
        ["privileges", "fail"],
        ["may migrate", "fail"]
      ])
      assert.include(about(findings, "privileges"), "UPDATE on ai_agent_tasks")
      assert.include(about(findings, "privileges"), "INSERT, UPDATE on ai_agent_tasks")
      assert.include(about(findings, "may migrate"), "CREATE on the schema")
      assert.match(about(findings, "may migrate"), /to own .*ai_agent_wallets/)
    })
  )

  it.live("is one failure where nobody answers, without the password", () =>
    Effect.gen(function* () {
      const { findings, keys, bound } = yield* examineDatabase(sound)
      assert.deepStrictEqual(troubles(findings), [["connects", "fail"]])
      assert.lengthOf(findings, 1)
      assert.deepStrictEqual([keys, bound], [[], undefined])
      assert.notInclude(JSON.stringify(findings), "hunter22")
    })
  )

  it.live("is that it is there, where the password or the database is wrong", () =>
    Effect.gen(function* () {
      const url = new URL(yield* Postgres.freshDatabase())
      url.pathname = "/no_such_database"
      const { findings } = yield* examineDatabase(at(url.toString()))
      assert.include(about(findings, "connects"), "3D000")
    })
  )

  it.live("is a warning where two executors seem to be connected, and no executor is itself", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const settings = at(url)
      const one = Database.layer.pipe(Layer.provide(Layer.succeed(Settings, settings)))
      const connections = (count: number) =>
        Effect.forEach(Array.from({ length: count }), () => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.reserve), {
          concurrency: "unbounded"
        })
      const seen = yield* Effect.gen(function* () {
        yield* connections(1)
        return yield* examineDatabase(settings)
      }).pipe(Effect.scoped, Effect.provide(one, { local: true }))
      assert.include(about(seen.findings, "executors"), "ok one is connected (1 connection)")
      const two = yield* Effect.gen(function* () {
        const six = Effect.flatMap(Layer.build(Layer.fresh(one)), (client) => Effect.provide(connections(6), client))
        yield* Effect.andThen(six, six)
        return [yield* examineDatabase(settings), yield* examineDatabase({ ...settings, runners: "cluster" })] as const
      }).pipe(Effect.scoped)
      assert.include(about(two[0].findings, "executors"), "warn 2 or more are connected (12 connections from 1")
      assert.include(about(two[1].findings, "executors"), "ok they have 12 connections from 1 machine")
    })
  )
})

describe("the doctor and clocks", () => {
  it.effect("warn of a database whose clock differs by seconds, and fail where it is half a minute", () =>
    Effect.gen(function* () {
      const now = TestClock.withLive(Clock.currentTimeMillis)
      // Before there is a pool: it would go through every tick of half a century.
      yield* TestClock.setTime((yield* now) - 60_000)
      const seen = yield* Effect.gen(function* () {
        const behind = yield* examineConnected(sound)
        yield* TestClock.setTime((yield* now) + 20_000)
        return [behind, yield* examineConnected(sound)]
      }).pipe(Effect.provide(Postgres.session()))
      const clocks = seen.map(({ findings }) => findings.find(({ what }) => what === "clock"))
      assert.deepStrictEqual(
        clocks.map((finding) => finding?.level),
        ["fail", "warn"]
      )
      assert.match(clocks[0]?.detail ?? "", /^the database's is 1m.* ahead of this machine's$/)
      assert.match(clocks[1]?.detail ?? "", /^the database's is \d+s behind this machine's$/)
    })
  )

  const placed = (interval: string) =>
    Effect.gen(function* () {
      yield* migrate
      const sql = yield* SqlClient.SqlClient
      yield* order(yield* person("ada"), 1)
      yield* sql`UPDATE ai_agent_tasks SET created_at = clock_timestamp() + ${interval}::interval`
    })

  it.live("warn of an order that is placed in the future", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(troubles((yield* after(placed("-3 minutes"))).findings), [])
      const { findings } = yield* after(placed("8 hours"))
      assert.deepStrictEqual(troubles(findings), [["newest order", "warn"]])
      assert.match(about(findings, "newest order"), /was placed (7h 59m|8h) from now/)
      assert.include(about(findings, "newest order"), "Set DATABASE_TIMEZONE")
    })
  )

  it.live("warn of orders that seem to have been cancelled at birth", () =>
    Effect.gen(function* () {
      const cancelled = (rows: number, extra: string) =>
        Effect.gen(function* () {
          yield* migrate
          const sql = yield* SqlClient.SqlClient
          const who = yield* person("ada")
          yield* Effect.forEach(Array.from({ length: rows }), () => order(who, 1))
          yield* sql`
            UPDATE ai_agent_tasks SET status = 'cancelled', completed_at = created_at + ${extra}::interval,
              error_message = 'Payment timeout: No sufficient balance received within 10 minutes'`
        })
      assert.deepStrictEqual(troubles((yield* after(cancelled(3, "11 minutes"))).findings), [])
      assert.deepStrictEqual(troubles((yield* after(cancelled(2, "8 hours"))).findings), [])
      assert.deepStrictEqual(troubles((yield* after(cancelled(3, "8 hours"))).findings), [["cancellations", "warn"]])
    })
  )
})

describe("the doctor and work that waits", () => {
  it.live("counts what is held, stopped and overdue", () =>
    Effect.gen(function* () {
      const { findings } = yield* after(
        Effect.gen(function* () {
          yield* migrate
          const sql = yield* SqlClient.SqlClient
          const who = yield* person("ada")
          const [held] = [yield* order(who, 1), yield* order(who, 1)]
          const other = yield* person("bob")
          yield* order(other, 1, { status: "funded" })
          yield* sql`UPDATE ai_agent_tasks SET updated_at = clock_timestamp() - interval '10 minutes' WHERE status = 'funded'`
          yield* sql`INSERT INTO ai_agent_task_state (task_id, held_at, held_reason)
            VALUES (${held}::uuid, clock_timestamp(), 'a reason')`
          yield* sql`INSERT INTO ai_agent_wallet_state (wallet_id, stopped_at, stopped_reason)
            VALUES (${who.walletId}::uuid, clock_timestamp(), 'a reason')`
          const paused = yield* person("cyd")
          yield* order(paused, 1, { status: "funded", updated_at: new Date(0) })
          yield* sql`INSERT INTO ai_agent_pauses (scope, reason, since)
            VALUES (${`wallet:${paused.walletId}`}, 'asked by mail', clock_timestamp())`
        })
      )
      assert.deepStrictEqual(troubles(findings), [
        ["work", "warn"],
        ["held orders", "warn"],
        ["stopped wallets", "warn"],
        ["paused", "warn"]
      ])
      assert.strictEqual(about(findings, "open orders"), "ok 4, 1 of them held")
      assert.include(about(findings, "work"), "has waited for 10m")
      assert.match(about(findings, "paused"), /nothing is paid for wallet:[0-9a-f-]+ \(asked by mail\)/)
      assert.include(about(findings, "held orders"), "ai-mint tasks list --held")
    })
  )
})

describe("the doctor and the rows of wallets", () => {
  it.live("names accounts that several rows have, in a database of v1.1 too", () =>
    Effect.gen(function* () {
      const twin = (id: string) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const { agentAddress, walletId } = yield* person("ada")
          yield* person("bob")
          yield* sql`INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
          VALUES (${id}::uuid, ${`0x${"cc".repeat(20)}`}, ${`0x${agentAddress.slice(2).toUpperCase()}`}, 'a copy')`
          return { agentAddress, walletId }
        })
      const id = "77777777-7777-4777-8777-777777777777"
      for (const tables of [createV11Tables(), migrate]) {
        const { findings } = yield* after(Effect.andThen(tables, twin(id)), { isUpToDate: false })
        const text = about(findings, "twin wallets")
        assert.match(
          text,
          /^warn 1 account with several rows of ai_agent_wallets: 0x[0-9a-f]{40} is that of \S+ and \S+ → /
        )
        assert.include(text, id)
        assert.include(text, "ai-mint resolve --wallet")
      }
    })
  )

  it.live("names rows whose user or agent address is another than it was", () =>
    Effect.gen(function* () {
      const { findings } = yield* after(
        Effect.gen(function* () {
          yield* migrate
          const sql = yield* SqlClient.SqlClient
          for (const name of ["ada", "bob", "cyd"]) yield* person(name)
          yield* sql`INSERT INTO ai_agent_wallet_pins (wallet_id, user_address, agent_address)
            SELECT id, lower(user_address), lower(agent_address) FROM ai_agent_wallets`
          yield* sql`UPDATE ai_agent_wallets SET user_address = ${`0x${"dd".repeat(20)}`}
            WHERE id = (SELECT id FROM ai_agent_wallets ORDER BY id LIMIT 1)`
        })
      )
      const text = about(findings, "changed wallets")
      assert.match(
        text,
        /^warn 1 row of ai_agent_wallets changed since first seen: of wallet [0-9a-f-]{36}, its user_address was 0x[0-9a-f]{40} and is 0x(dd){20} → /
      )
      assert.deepStrictEqual(troubles(findings), [["changed wallets", "warn"]])
    })
  )

  it.live("says nothing where all is as it was", () =>
    Effect.gen(function* () {
      const { findings } = yield* after(Effect.andThen(migrate, person("ada")))
      assert.deepStrictEqual(troubles(findings), [])
    })
  )
})

describe("the doctor and keys", () => {
  const ordered = Effect.gen(function* () {
    yield* migrate
    yield* order(yield* person("ada"), 1)
    yield* order(yield* person("bob"), 1)
  })

  it.live("says that they open, and that none does with another AGENT_ENCRYPTION_KEY, beside what is broken", () =>
    Effect.gen(function* () {
      const right = yield* after(ordered)
      assert.strictEqual(about(right.keys, "wallet keys"), "ok those of all 2 wallets with open orders can be opened")
      const other = "77".repeat(32)
      const broken = Effect.flatMap(person("cyd", { key: "no key at all" }), (cyd) => order(cyd, 1))
      const changes = { agentEncryptionKey: Redacted.make(other) }
      const wrong = yield* after(Effect.andThen(ordered, broken), { changes })
      assert.match(
        about(wrong.keys, "wallet keys"),
        /^fail AGENT_ENCRYPTION_KEY opens none of 2 .*\nfail 1 of 3 wallets .*: the key is not of the form/
      )
      assert.notInclude(JSON.stringify(wrong), other)
      assert.notInclude(JSON.stringify(wrong), ENCRYPTION_KEY)
    })
  )

  it.live("names each reason once, and does not mind a wallet that no order waits for", () =>
    Effect.gen(function* () {
      const stored = encrypt("ab".repeat(32))
      const { keys } = yield* after(
        Effect.gen(function* () {
          yield* ordered
          yield* order(yield* person("cyd", { key: "no key at all" }), 1)
          yield* order(yield* person("dee", { key: stored }), 1)
          yield* person("eve", { key: "nor this, and nobody waits for it" })
        })
      )
      assert.lengthOf(keys, 2)
      const text = about(keys, "wallet keys")
      assert.include(text, "1 of 4 wallets with open orders: the key is not of the form")
      assert.include(text, "1 of 4 wallets with open orders: the key belongs to another address")
      assert.notInclude(text, stored)
    })
  )
})

describe("the doctor and the chain of the database", () => {
  const chain = { chainId: 8453, usdc: sound.network.usdc.address, genesis: GENESIS, confirmedBlock: 1n }
  const bindingAfter = Effect.fnUntraced(function* (bound: typeof chain | undefined) {
    const bind = bound === undefined ? Effect.void : Effect.asVoid(bindToChain(bound))
    const { bound: read } = yield* after(Effect.andThen(migrate, bind))
    return (yield* Effect.fromNullishOr(read)).binding
  })

  it.live("says that they belong together, or that the first start decides", () =>
    Effect.gen(function* () {
      assert.strictEqual(bindingFinding(sound, yield* bindingAfter(undefined), GENESIS).level, "ok")
      const binding = yield* bindingAfter(chain)
      assert.strictEqual(bindingFinding(sound, binding, GENESIS).level, "ok")
      assert.include(bindingFinding(sound, binding, undefined).detail, "no node told its first block")
    })
  )

  it.live("fails for a database of another chain, id, USDC or first block", () =>
    Effect.gen(function* () {
      const binding = yield* bindingAfter(chain)
      const genesis = bindingFinding(sound, binding, `0x${"00".repeat(32)}`)
      assert.strictEqual(genesis.level, "fail")
      assert.include(genesis.detail, "genesis block")
      const usdc = address(`0x${"06".repeat(20)}`)
      const other = bindingFinding(sound, yield* bindingAfter({ ...chain, chainId: 84532, usdc }), undefined)
      assert.include(other.detail, "chain id 84532, now 8453; USDC")
    })
  )
})

describe("the doctor's patience with a database", () => {
  it.live("ends with DATABASE_TIMEOUT where a table is locked", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const sleepy = at(url, { databaseTimeout: Duration.millis(300) })
      const seen = yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* migrate
        return yield* sql.withTransaction(
          Effect.andThen(sql`LOCK TABLE ai_agent_tasks IN ACCESS EXCLUSIVE MODE`, examineDatabase(sleepy))
        )
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
      assert.include(about(seen.findings, "open orders"), "Timeout")
      assert.include(about(seen.findings, "migrations"), "up to date")
    })
  )
})
