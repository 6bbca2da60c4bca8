import { type Cause, Duration, Effect, type Schema } from "effect"
import type { MigrationError } from "effect/sql/Migrator"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { LedgerError } from "../TaskRepo.ts"

type Failure = SqlError | MigrationError | Schema.SchemaError | Cause.TimeoutError

/**
 * Bounds a statement in time (interrupting cancels it on the server) and says in our words what went wrong. `limitName` is
 * the setting of the limit.
 */
export const bounded =
  (limit: Duration.Duration, limitName = "DATABASE_TIMEOUT") =>
  <A, R>(
    operation: string,
    query: Effect.Effect<A, SqlError | MigrationError | Schema.SchemaError, R>
  ): Effect.Effect<A, LedgerError, R> =>
    query.pipe(
      Effect.timeout(limit),
      Effect.mapError(
        (error) => new LedgerError({ operation, ...explain(error, `${Duration.format(limit)} (${limitName})`) })
      )
    )

const explain = (error: Failure, limit: string): Pick<LedgerError, "reason" | "detail"> => {
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

/** The server's own time limit and ours are the same. SQLSTATE class 57P is a server that shuts down or starts up. */
const reasonOf = (error: SqlError): LedgerError["reason"] => {
  if (error.reason._tag === "StatementTimeoutError") return "Timeout"
  return error.isRetryable || codeOf(error).startsWith("57P") ? "Unavailable" : "Rejected"
}

const serverSays = (error: SqlError): { readonly code?: unknown; readonly message?: unknown } =>
  typeof error.reason.cause === "object" && error.reason.cause !== null ? error.reason.cause : {}

const codeOf = (error: SqlError): string => String(serverSays(error).code ?? "")

const detailOf = (error: SqlError): string => {
  const { code, message } = serverSays(error)
  return [error.reason._tag, code, message].filter((part) => part !== undefined && part !== "").join(" ")
}
