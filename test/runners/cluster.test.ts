import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Schedule, Scope } from "effect"
import { SqlClient } from "effect/sql"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { ALL_PARTS } from "../../src/domain/Part.ts"
import * as Database from "../../src/ledger/Database.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import * as Runners from "../../src/ops/Runners.ts"
import * as Cluster from "../../src/runners/cluster.ts"
import { sharingProblem, versionProblem } from "../../src/runners/fitness.ts"
import { Ownership } from "../../src/runners/Ownership.ts"
import { clientAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { log, LogLines } from "../support/executor.ts"
import { settings } from "../support/settings.ts"
import { transactionPooler } from "./transactionPooler.ts"

/** One of several executors, as far as it divides the wallets. */
const join = Effect.fnUntraced(function* (url: string, changes: Partial<SettingsShape> = {}) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const state = Layer.mergeAll(Incidents.layer, Runners.layer, log)
  const built = yield* Layer.buildWithScope(
    Layer.fresh(Cluster.layer).pipe(
      Layer.provideMerge(Layer.fresh(state)),
      Layer.provide(settings({ databaseUrl: Redacted.make(url), ...changes }))
    ),
    scope
  )
  return { ...Context.get(built, Ownership), built, end: Scope.close(scope, Exit.void) }
})

/** Far longer than it takes. */
const LIMIT = "60 seconds"

const until = <E>(what: string, holds: Effect.Effect<boolean, E>) =>
  Effect.repeat(holds, { schedule: Schedule.spaced("50 millis"), until: (it) => it }).pipe(
    Effect.timeoutOrElse({ duration: LIMIT, orElse: () => Effect.die(new Error(`in vain: ${what}`)) })
  )

type Joined = Effect.Success<ReturnType<typeof join>>

const areDivided = (...all: ReadonlyArray<Joined>) =>
  Effect.gen(function* () {
    const parts = yield* Effect.forEach(all, (one) => one.parts)
    return (
      parts.every((own) => own.length > 0) &&
      parts
        .flat()
        .toSorted((a, b) => a - b)
        .join() === ALL_PARTS.join()
    )
  })

describe("executors that share a database", () => {
  it.live("own every part once, also when they start at once, and what one leaves the other has", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const [one, other] = yield* Effect.all([join(url), join(url)], { concurrency: 2 })
      yield* until("two own all", areDivided(one, other))
      const gained = yield* Effect.forkChild(one.gained)
      yield* other.leave
      assert.deepStrictEqual(yield* other.parts, [])
      yield* until("one owns all", areDivided(one))
      yield* Fiber.join(gained)
      yield* other.end
      assert.deepStrictEqual(yield* one.parts, ALL_PARTS)
    })
  )

  it.live("know each other, and say where one is not the same program with the same settings", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const one = yield* join(url)
      const known = Effect.provide(Runners.all, one.built)
      yield* until(
        "it knows itself",
        Effect.map(known, ({ length }) => length === 1)
      )
      const other = yield* join(url, { maxBatchSize: 7 })
      yield* until(
        "it knows the other",
        Effect.map(known, ({ length }) => length === 2)
      )
      const [incident] = yield* Effect.provide(Incidents.open, one.built)
      assert.include(incident?.words, "has another MAX_BATCH_SIZE than this one")
      assert.isFalse(incident?.stopsMoney)
      yield* other.leave
      yield* until(
        "it is alone again",
        Effect.map(known, ({ length }) => length === 1)
      )
      assert.deepStrictEqual(yield* Effect.provide(Incidents.open, one.built), [])
    })
  )

  it.live("say so where one is connected that owns everything", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const one = yield* join(url)
      const open = Effect.map(Effect.provide(Incidents.open, one.built), (all) => all.map(({ words }) => words).join())
      const alone = Database.layer.pipe(Layer.provide(settings({ databaseUrl: Redacted.make(url) })))
      const connected = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1`)
      const isSaid = Effect.map(open, (words) => words.includes("An executor that does not share is connected too"))
      yield* Effect.andThen(connected, until("it says that one does not share", isSaid)).pipe(
        Effect.provide(alone, { local: true })
      )
      yield* until(
        "it says so no more",
        Effect.map(open, (words) => words === "")
      )
    })
  )

  it.live("say so while the others cannot be told of them, and go on when they can", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const one = yield* join(url)
      const said = Effect.map(Effect.provide(LogLines, one.built), ({ all }) => all.join("\n"))
      const known = Effect.provide(Runners.all, one.built)
      const rename = (from: string, to: string) =>
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql`ALTER TABLE ${sql(from)} RENAME TO ${sql(to)}`)
      yield* Effect.gen(function* () {
        yield* rename("ai_agent_runners", "elsewhere")
        yield* until(
          "it says that it cannot tell the others",
          Effect.map(said, (lines) =>
            lines.includes("⚠️ The other executors take this one for gone before long: write the heartbeat: Rejected")
          )
        )
        yield* rename("elsewhere", "ai_agent_runners")
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
      yield* join(url)
      yield* until(
        "it knows the other",
        Effect.map(known, ({ length }) => length === 2)
      )
    })
  )

  it.live("need no right to make tables where they are there", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      yield* (yield* join(url)).end
      const role = `poor_${new URL(url).pathname.slice(1)}`
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
        yield* sql.unsafe(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`)
        yield* sql.unsafe(`GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`)
        yield* sql.unsafe("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
      const poor = new URL(url)
      poor.username = role
      poor.password = "x"
      const one = yield* join(poor.href)
      yield* until("it owns all", areDivided(one))
      yield* one.end
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql.unsafe(`DROP OWNED BY ${role}`)
        yield* sql.unsafe(`DROP ROLE ${role}`)
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
    })
  )
})

describe("a database", () => {
  it.live("can be shared where a connection has a session of its own", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      assert.isUndefined(yield* Effect.provide(sharingProblem, clientAt(url, 2)))
    })
  )

  it.live("cannot be shared through a pooler that lends a session for one transaction, and the start says so", () =>
    Effect.gen(function* () {
      const pooled = yield* transactionPooler(yield* Postgres.freshDatabase())
      const error = yield* Effect.flip(join(pooled))
      assert.include(error.message, "DATABASE_URL leads to a pooler that lends one for a transaction at a time")
      assert.include(error.message, "set RUNNERS=single.")
    })
  )

  it("cannot be shared by a PostgreSQL before 14", () => {
    assert.isUndefined(versionProblem({ version: "14.0", number: 140_000 }))
    const problem = versionProblem({ version: "13.22", number: 130_022 })
    assert.strictEqual(problem?.detail, "RUNNERS=cluster needs PostgreSQL 14 or later, and this is 13.22")
  })
})
