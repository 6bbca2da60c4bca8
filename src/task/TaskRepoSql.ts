import { Cause, Duration, Effect, Layer, Schedule, type Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { Settings } from "../config/Settings.ts"
import { saveBatch, saveTask, plan } from "./sql/change.ts"
import { cancel, fund, hold, pendingPage, type SweepStatements } from "./sql/sweep.ts"
import { detect } from "./sql/TimeColumns.ts"
import { attributedMints, dueWallets, openTasks, undelivered, walletsRefused, walletWork } from "./sql/work.ts"
import { LedgerError, TaskRepo } from "./TaskRepo.ts"

/** Connections that died while idle fail once each: a read is worth a second and a third try. */
const READ_AGAIN = Schedule.upTo(Schedule.spaced("100 millis"), { times: 2 })

/** The ledger in PostgreSQL. Needs the tables: run `migrate` first. */
export const layer = Layer.effect(
  TaskRepo,
  Effect.gen(function* () {
    const settings = yield* Settings
    const sql = yield* SqlClient.SqlClient
    const bound = bounded(settings.databaseTimeout)
    const time = yield* bound("read the columns", detect(sql, settings.databaseTimezone))
    const on: SweepStatements = { sql, time }
    const read = <A>(operation: string, query: Effect.Effect<A, SqlError | Schema.SchemaError>) =>
      bound(operation, query).pipe(
        Effect.retry({ schedule: READ_AGAIN, while: (error) => error.reason === "Unavailable" })
      )
    return TaskRepo.of({
      pendingPage: (page) => read("read pending tasks", pendingPage(on, page)),
      fund: (fundings, block, nowMs) => bound("fund tasks", fund(on, fundings, block, nowMs)),
      cancel: (cancellations, block, nowMs) => bound("cancel tasks", cancel(on, cancellations, block, nowMs)),
      hold: (tasks, nowMs) => bound("hold tasks", hold(on, tasks, nowMs)),
      dueWallets: (nowMs, limit) => read("read due wallets", dueWallets(on, nowMs, limit)),
      walletWork: (walletId) => read("read the work of a wallet", walletWork(on, walletId)),
      plan: (task, batches, nowMs) => bound("plan a task", plan(on, task, batches, nowMs)),
      saveBatch: (save, nowMs) => bound("save a batch", saveBatch(on, save, nowMs)),
      saveTask: (expected, change, nowMs) => bound("save a task", saveTask(on, expected, change, nowMs)),
      attributedMints: (mints) => read("read attributed mints", attributedMints(on, mints)),
      undelivered: (token, beforeMs) => read("read undelivered batches", undelivered(on, token, beforeMs)),
      walletsRefused: (reason, sinceMs) => read("count refusals", walletsRefused(on, reason, sinceMs)),
      openTasks: read("count open tasks", openTasks(on))
    })
  })
)

/** Bounds a statement in time (interrupting cancels it on the server) and says in our words what went wrong. */
const bounded =
  (limit: Duration.Duration) =>
  <A>(operation: string, query: Effect.Effect<A, SqlError | Schema.SchemaError>): Effect.Effect<A, LedgerError> =>
    query.pipe(
      Effect.timeout(limit),
      Effect.mapError((error) => new LedgerError({ operation, ...explain(error, limit) }))
    )

const explain = (
  error: SqlError | Schema.SchemaError | Cause.TimeoutError,
  limit: Duration.Duration
): Pick<LedgerError, "reason" | "detail"> => {
  switch (error._tag) {
    case "TimeoutError":
      return { reason: "Timeout", detail: `no answer within ${Duration.format(limit)} (DATABASE_TIMEOUT)` }
    case "SchemaError":
      return { reason: "Unreadable", detail: error.message }
    case "SqlError":
      return { reason: isPassing(error) ? "Unavailable" : "Rejected", detail: detailOf(error) }
  }
}

/** SQLSTATE class 57P is a server that shuts down or starts up: it comes back. */
const isPassing = (error: SqlError): boolean => error.isRetryable || codeOf(error).startsWith("57P")

const serverSays = (error: SqlError): { readonly code?: unknown; readonly message?: unknown } =>
  typeof error.reason.cause === "object" && error.reason.cause !== null ? error.reason.cause : {}

const codeOf = (error: SqlError): string => String(serverSays(error).code ?? "")

const detailOf = (error: SqlError): string => {
  const { code, message } = serverSays(error)
  return [error.reason._tag, code, message].filter((part) => part !== undefined && part !== "").join(" ")
}
