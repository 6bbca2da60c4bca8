import { assert, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SqlClient } from "effect/sql"
import * as Pglite from "../../src/sandbox/Pglite.ts"

const names = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ name: string }>`SELECT name FROM people ORDER BY name`
  return rows.map(({ name }) => name)
})

const emptyTable = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS people`
  yield* sql`CREATE TABLE people (name text PRIMARY KEY, visits int NOT NULL DEFAULT 0)`
})

const insertAda = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`INSERT INTO people (name) VALUES ('Ada')`
})

// That one in a folder is there again the next time is a test of the sandbox that keeps it.
layer(Pglite.layer(), { excludeTestServices: true })("the embedded database", (it) => {
  it.effect("reads big integers, times, bytes, lists and documents as a real server's client does", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const time = new Date("2025-11-01T05:15:30.123Z")
      const rows = yield* sql`
        SELECT 9007199254740993::bigint AS big, count(*) AS counted, ${time}::timestamptz AS time, 7::int AS small,
          1.50::numeric AS exact, ARRAY['a', 'b'] AS list, '{"a": [1]}'::jsonb AS document, '\\x00ff'::bytea AS bytes,
          NULL::text AS nothing`
      assert.deepStrictEqual(rows, [
        {
          big: 9_007_199_254_740_993n,
          counted: 1n,
          time,
          small: 7,
          exact: "1.50",
          list: ["a", "b"],
          document: { a: [1] },
          bytes: new Uint8Array([0, 255]),
          nothing: null
        }
      ])
    })
  )

  it.effect("keeps what a transaction did, and nothing of one that failed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* emptyTable
      yield* sql.withTransaction(insertAda)
      const failing = sql.withTransaction(
        Effect.andThen(sql`INSERT INTO people (name) VALUES ('Bob')`, Effect.fail("changed my mind"))
      )
      assert.strictEqual(yield* Effect.flip(failing), "changed my mind")
      assert.deepStrictEqual(yield* names, ["Ada"])
    })
  )

  it.effect("undoes the inner one of two transactions alone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* emptyTable
      const inner = sql.withTransaction(
        Effect.andThen(sql`INSERT INTO people (name) VALUES ('Bob')`, Effect.fail("changed my mind"))
      )
      yield* sql.withTransaction(Effect.andThen(insertAda, Effect.ignore(inner)))
      assert.deepStrictEqual(yield* names, ["Ada"])
    })
  )

  it.effect("says what was wrong, and goes on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Effect.andThen(emptyTable, insertAda)
      const { reason } = yield* Effect.flip(sql`INSERT INTO people (name) VALUES ('Ada')`)
      assert.strictEqual(reason._tag, "UniqueViolation")
      assert.deepStrictEqual(yield* names, ["Ada"])
    })
  )

  it.effect("lets transactions of many fibers take turns, and loses no update", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Effect.andThen(emptyTable, insertAda)
      const visit = (index: number) =>
        sql.withTransaction(
          Effect.gen(function* () {
            const [row] = yield* sql<{ visits: number }>`SELECT visits FROM people FOR UPDATE`
            yield* sql`UPDATE people SET visits = ${(row?.visits ?? 0) + 1}`
            if (index % 5 === 0) return yield* Effect.fail("changed my mind")
          })
        )
      const visitors = Array.from({ length: 50 }, (_, index) => Effect.exit(visit(index)))
      const visits = yield* Effect.all(visitors, { concurrency: "unbounded" })
      assert.strictEqual(visits.filter(Exit.isSuccess).length, 40)
      assert.deepStrictEqual(yield* sql`SELECT visits FROM people`, [{ visits: 40 }])
    })
  )
})
