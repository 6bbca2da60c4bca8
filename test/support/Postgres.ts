import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { inject } from "vitest"

let databases = 0

/** The server of the run. */
const server = (): string => {
  const url: string | undefined = inject("postgresUrl")
  if (url === undefined) throw new Error("a test on PostgreSQL has to be in `onPostgres` of vitest.config.ts")
  return url
}

const client = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 10 })

const onServer = <A, E>(work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  work.pipe(Effect.provide(client(server()), { local: true }), Effect.orDie)

interface DatabaseOptions {
  /** Its default zone. */
  readonly timezone?: string
  /** Whether it has the tables of this version already: that takes a tenth of the time of making them. */
  readonly isUpToDate?: boolean
}

/** A new database on the server of the run, dropped when the scope closes. */
export const freshDatabase = Effect.fnUntraced(function* (options: DatabaseOptions = {}) {
  const name = `test_${process.pid}_${++databases}`
  yield* Effect.acquireRelease(
    onServer(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE DATABASE ${sql(name)} TEMPLATE ${sql(options.isUpToDate ? inject("upToDate") : "template1")}`
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
  const url = new URL(server())
  url.pathname = `/${name}`
  return url.toString()
})

/** A client of a new, empty database. */
export const layer = (options: DatabaseOptions = {}) => Layer.unwrap(Effect.map(freshDatabase(options), client))

/** One connection to a new database that is up to date: it answers in the order asked. */
export const session = () =>
  Layer.unwrap(
    Effect.map(freshDatabase({ isUpToDate: true }), (url) =>
      PgClient.layer({ url: Redacted.make(url), minConnections: 1, maxConnections: 1 })
    )
  )
