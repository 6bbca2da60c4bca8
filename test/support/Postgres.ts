import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { inject } from "vitest"

let databases = 0

const client = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 10 })

const onServer = <A, E>(work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  work.pipe(Effect.provide(client(inject("postgresUrl")), { local: true }), Effect.orDie)

/** A new database on the real server, dropped when the scope closes. `timezone` becomes its default zone. */
export const freshDatabase = Effect.fnUntraced(function* (options: { readonly timezone?: string } = {}) {
  const name = `test_${process.pid}_${++databases}`
  yield* Effect.acquireRelease(
    onServer(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE DATABASE ${sql(name)}`
        if (options.timezone !== undefined) {
          yield* sql`ALTER DATABASE ${sql(name)} SET timezone TO ${sql.literal(`'${options.timezone}'`)}`
        }
      })
    ),
    () =>
      onServer(
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`DROP DATABASE ${sql(name)} WITH (FORCE)`
        })
      )
  )
  const url = new URL(inject("postgresUrl"))
  url.pathname = `/${name}`
  return url.toString()
})

/** A client of a new database on the real server. */
export const layer = (options: { readonly timezone?: string } = {}) =>
  Layer.unwrap(Effect.map(freshDatabase(options), client))
