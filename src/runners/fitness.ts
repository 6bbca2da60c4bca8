import { Effect, Runtime, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Connection } from "effect/sql/SqlConnection"
import { type Problem, problemMessage } from "../domain/requirements.ts"

/** `server_version_num` of PostgreSQL 14, the first with `idle_session_timeout`: a frozen executor lets go by it. */
const VERSION_MIN = 140_000

/** A pooler with one connection to the server makes the second of ours wait for the first. */
const PATIENCE = "3 seconds"

/** Several executors cannot share this database. The same settings would only fail again: see `BadSettings`. */
export class CannotShare extends Schema.TaggedError<CannotShare>()("CannotShare", { message: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 78
}

/** Why wallets cannot be divided on this server; `undefined` where they can. Needs a client with two connections. */
export const sharingProblem = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [server] = yield* sql<ServerVersion>`
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number`
  const outdated = server && versionProblem(server)
  if (outdated !== undefined) return outdated
  const isPooled = yield* isPooledByTransaction(sql).pipe(
    Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.succeed(true) })
  )
  return isPooled ? POOLED : undefined
})

/** Refuses to share where that cannot work. */
export const refuseUnfit = Effect.flatMap(sharingProblem, (problem) =>
  problem === undefined ? Effect.void : Effect.fail(new CannotShare({ message: problemMessage(problem) }))
)

interface ServerVersion {
  readonly version: string
  /** `server_version_num`. */
  readonly number: number
}

export const versionProblem = ({ version, number }: ServerVersion): Problem | undefined =>
  number >= VERSION_MIN
    ? undefined
    : {
        what: "runners",
        detail: `RUNNERS=cluster needs PostgreSQL 14 or later, and this is ${version}`,
        remedy: "Update the server, or set RUNNERS=single."
      }

const POOLED: Problem = {
  what: "runners",
  detail:
    "RUNNERS=cluster needs a session of its own on the server, and DATABASE_URL leads to a pooler that lends one " +
    "for a transaction at a time",
  remedy: "Let DATABASE_URL lead to PostgreSQL itself or to a pool in session mode, or set RUNNERS=single."
}

/**
 * Whether two statements of one connection may reach two sessions of the server, as behind a pooler in transaction mode:
 * locks of a session would then belong to anyone. A second connection keeps in a transaction what the first had before.
 */
const isPooledByTransaction = (sql: SqlClient.SqlClient) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [one, other] = [yield* sql.reserve, yield* sql.reserve]
      const before = yield* sessionOf(one)
      yield* Effect.acquireRelease(run(other, "BEGIN"), () => Effect.ignore(run(other, "ROLLBACK")))
      if ((yield* sessionOf(other)) === before) return true
      return (yield* sessionOf(one)) !== before
    })
  )

const run = (connection: Connection, statement: string) => connection.executeUnprepared(statement, [], undefined)

const sessionOf = (connection: Connection) =>
  Effect.map(run(connection, "SELECT pg_backend_pid() AS pid"), ([row]) => Number(row?.["pid"]))
