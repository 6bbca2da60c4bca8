import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger } from "effect"
import { SqlClient } from "effect/sql"
import { migrate } from "../../src/ledger/migrate.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"

it.live("a migration that cannot get a table lets the others at it, says who has it, and is done when it can", () =>
  Effect.gen(function* () {
    const url = yield* Postgres.freshDatabase()
    const on = <A, E>(work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
      Effect.provide(work, clientAt(url, 1), { local: true })
    yield* on(createV11Tables())
    const [isHeld, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const holding = Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql`DELETE FROM ai_agent_tasks`.pipe(
        Effect.tap(Deferred.succeed(isHeld, undefined)),
        Effect.tap(Deferred.await(mayEnd)),
        sql.withTransaction
      )
    )
    const holder = yield* Effect.forkChild(on(holding))
    yield* Deferred.await(isHeld)
    const said: Array<string> = []
    const isTold = yield* Deferred.make<void>()
    const logger = Logger.make(({ message }) => {
      said.push(String(message))
      Deferred.doneUnsafe(isTold, Effect.void)
    })
    const migrating = yield* Effect.forkChild(Effect.provide(on(migrate), Logger.layer([logger]), { local: true }))
    yield* Deferred.await(isTold)
    // Another program gets at the table while the first still has it, and the migration does not.
    yield* on(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`UPDATE ai_agent_tasks SET quantity = quantity`))
    assert.match(said[0] ?? "", /its tables are held by .*\(pid \d+, idle in transaction\)/)
    yield* Deferred.succeed(mayEnd, undefined)
    yield* Fiber.join(holder)
    assert.isAbove((yield* Fiber.join(migrating)).length, 0)
  })
)
