import { assert, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SqlClient } from "effect/sql"
import * as Pglite from "../../src/sandbox/Pglite.ts"

// That one in a folder is there again the next time is a test of the sandbox that keeps it; transactions and errors are
// those of the ledger's contract suite.
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

  it.effect("lets transactions of many fibers take turns, and loses no update", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE people AS SELECT 0::int AS visits`
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
