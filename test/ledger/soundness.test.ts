import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { migrate } from "../../src/ledger/migrate.ts"
import { saslPrep, saslPrepUrl } from "../../src/ledger/saslPrep.ts"
import { readSoundness } from "../../src/ledger/soundness.ts"
import { clientAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"

const on = <A, E>(url: string, work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(work, clientAt(url, 1), { local: true })

const named = (url: string, change: (url: URL) => void): string => {
  const changed = new URL(url)
  change(changed)
  return changed.href
}

describe("what a database keeps from us without an error", () => {
  it.live("is nothing where nothing is set up so", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      assert.deepStrictEqual(yield* on(url, Effect.andThen(migrate, readSoundness)), [])
    })
  )

  it.live("are rows that a policy hides from its role", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const role = `blind_${new URL(url).pathname.slice(1)}`
      yield* on(
        url,
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* migrate
          yield* sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
          yield* sql.unsafe(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`)
          yield* sql`ALTER TABLE ai_agent_tasks ENABLE ROW LEVEL SECURITY`
        })
      )
      const asBlind = named(url, (changed) => {
        changed.username = role
        changed.password = "x"
      })
      const [found] = yield* on(asBlind, readSoundness)
      assert.strictEqual(found?.what, "row security")
      assert.include(found?.detail, `which rows of ai_agent_tasks the role ${role} sees`)
      yield* on(
        url,
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          Effect.andThen(sql.unsafe(`DROP OWNED BY ${role}`), sql.unsafe(`DROP ROLE ${role}`))
        )
      )
    })
  )

  it.live("are texts that its encoding has no letters for", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      const name = `latin1_${new URL(url).pathname.slice(1)}`
      yield* on(
        url,
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          sql.unsafe(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`)
        )
      )
      const [found] = yield* on(
        named(url, (changed) => void (changed.pathname = name)),
        readSoundness
      )
      assert.deepInclude(found, { what: "encoding" })
      assert.include(found?.detail, "LATIN1")
      yield* on(
        url,
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(`DROP DATABASE ${name} WITH (FORCE)`))
      )
    })
  )
})

describe("a password that SCRAM has to prepare", () => {
  it("is as psql and the server have it", () => {
    assert.strictEqual(saslPrep("a½"), "a1⁄2")
    assert.strictEqual(saslPrep("a\u0308"), "ä")
    assert.strictEqual(saslPrep("one\u00a0two"), "one two")
    assert.strictEqual(saslPrep("I\u00adX"), "IX")
    assert.strictEqual(saslPrep("plain ~ASCII!"), "plain ~ASCII!")
  })

  it("is left alone where it has what it must not have, as PostgreSQL does", () => {
    assert.strictEqual(saslPrep("½\u0007"), "½\u0007")
  })

  it("is prepared inside its URL, and nothing else of that is changed", () => {
    assert.strictEqual(
      saslPrepUrl("postgres://me:a%C2%BD@db:5432/x?sslmode=require"),
      "postgres://me:a1%E2%81%842@db:5432/x?sslmode=require"
    )
    const plain = "postgres://me:pass@db/x"
    assert.strictEqual(saslPrepUrl(plain), plain)
    assert.strictEqual(saslPrepUrl("postgres://me:%ff@db/x"), "postgres://me:%ff@db/x")
  })
})
