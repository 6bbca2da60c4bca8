import { Cause, Duration, Effect, Schedule, Schema } from "effect"
import { MigrationError } from "effect/sql/Migrator"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { LedgerError } from "../TaskRepo.ts"

/** What a statement fails with. */
export type Failure = SqlError | MigrationError | Schema.SchemaError | Cause.TimeoutError

/**
 * SQLSTATEs of a conflict with another transaction: serialization failure, deadlock, lock not available. The server has
 * undone all of it, so the same may be tried again at once. Source: PostgreSQL, appendix "Error Codes".
 */
const CONFLICTS: ReadonlySet<string> = new Set(["40001", "40P01", "55P03"])

/** A handful of tries within a second or so. The jitter keeps two programs that met once from meeting again. */
const TRY_AGAIN = Schedule.exponential("20 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 5 }))

interface Bounds {
  /** The setting of the limit. */
  readonly limitName?: string
  /** Whether to try again after a conflict with another transaction. */
  readonly again?: boolean
}

/**
 * Bounds a statement or a transaction in time (interrupting cancels it on the server), tries it again after a conflict with
 * another transaction, and says in our words what went wrong.
 */
export const bounded =
  (limit: Duration.Duration, { limitName = "DATABASE_TIMEOUT", again = true }: Bounds = {}) =>
  <A, E, R>(operation: string, query: Effect.Effect<A, E, R>): Effect.Effect<A, LedgerError | Exclude<E, Failure>, R> =>
    query.pipe(
      Effect.catchDefect(asFailure),
      Effect.retry({ schedule: TRY_AGAIN, while: (error) => again && isConflict(error) }),
      Effect.timeout(limit),
      Effect.mapError((error) =>
        isFailure(error)
          ? new LedgerError({ operation, ...classifyFailure(error, `${Duration.format(limit)} (${limitName})`) })
          : (error as Exclude<E, Failure>)
      )
    )

const isFailure = (error: unknown): error is Failure =>
  isSqlError(error) || error instanceof MigrationError || Schema.isSchemaError(error) || Cause.isTimeoutError(error)

const classifyFailure = (error: Failure, limit: string): Pick<LedgerError, "reason" | "detail"> => {
  switch (error._tag) {
    case "TimeoutError":
      return { reason: "Timeout", detail: `no answer within ${limit}` }
    case "SchemaError":
      return { reason: "Unreadable", detail: error.message }
    case "MigrationError": {
      const cause = error.cause
      const detail = isSqlError(cause) ? `${error.message}: ${detailOf(cause)}` : error.message
      return { reason: "Rejected", detail }
    }
    case "SqlError":
      return { reason: reasonOf(error), detail: detailOf(error) }
  }
}

/**
 * A transaction whose connection breaks dies of its rollback, which has none to go by. The server has undone it, and it is
 * a failure like any other. Source: `effect/sql/SqlClient`, `makeWithTransaction`.
 */
const asFailure = (defect: unknown): Effect.Effect<never, SqlError> =>
  isSqlError(defect) ? Effect.fail(defect) : Effect.die(defect)

/** Whether another transaction was in the way: the same may be tried again. */
export const isConflict = (error: unknown): boolean => {
  const failed = error instanceof MigrationError ? error.cause : error
  return isSqlError(failed) && CONFLICTS.has(sqlStateOf(failed))
}

/** SQLSTATE of a write to a standby, or to a database that was set so. */
const READ_ONLY = "25006"

/** The server's own time limit and ours are the same. SQLSTATE class 57P is a server that shuts down or starts up. */
const reasonOf = (error: SqlError): LedgerError["reason"] => {
  if (error.reason._tag === "StatementTimeoutError") return "Timeout"
  const code = sqlStateOf(error)
  if (CONFLICTS.has(code)) return "Contended"
  return error.isRetryable || code === READ_ONLY || code.startsWith("57P") ? "Unavailable" : "Rejected"
}

/** Of questions that were asked as one: whether each would have failed alone too. */
export const isOfAll = ({ reason }: LedgerError): boolean => reason !== "Unreadable" && reason !== "Rejected"

const serverSays = (error: SqlError): { readonly code?: unknown; readonly message?: unknown } =>
  typeof error.reason.cause === "object" && error.reason.cause !== null ? error.reason.cause : {}

const sqlStateOf = (error: SqlError): string => String(serverSays(error).code ?? "")

/** SQLSTATE insufficient_privilege: after an upgrade, a table that nothing was granted on. */
const LACKS_RIGHT = "42501"

const detailOf = (error: SqlError): string => {
  const { code, message } = serverSays(error)
  const said = [error.reason._tag, code, message].filter((part) => part !== undefined && part !== "").join(" ")
  const hint = code === LACKS_RIGHT ? "ai-mint doctor names the rights that its user lacks" : poolerHint(said)
  return hint === undefined ? said : `${said}. ${hint}`
}

/**
 * What to set where a pooler stands before the server. Sources: pgbouncer's documentation, "ignore_startup_parameters" and
 * "max_prepared_statements"; SQLSTATE 26000 and 42P05 are about prepared statements of another connection.
 */
const poolerHint = (said: string): string | undefined => {
  if (said.includes("unsupported startup parameter")) {
    return "A pooler refuses settings of this program: in pgbouncer.ini set ignore_startup_parameters = statement_timeout, lock_timeout, idle_in_transaction_session_timeout, TimeZone, or let DATABASE_URL lead past the pooler"
  }
  if (/\b(26000|42P05)\b/.test(said)) {
    return "A pooler gives each transaction another connection: set pool_mode = session for this database, or let DATABASE_URL lead past the pooler"
  }
  return undefined
}
