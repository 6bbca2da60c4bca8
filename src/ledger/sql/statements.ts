import { Effect, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../../config/Settings.ts"
import { LedgerError } from "../TaskRepo.ts"
import { type TimeColumns, detect } from "./TimeColumns.ts"
import { type Failure, bounded } from "./failure.ts"

/** What every statement is made with. */
export interface Statements {
  readonly sql: SqlClient.SqlClient
  readonly time: TimeColumns
}

/** Rows for `jsonb_to_recordset`. Text that was cut inside a character has a half of one, which `jsonb` refuses. */
export const jsonOf = (rows: ReadonlyArray<object>): string =>
  JSON.stringify(rows, (_, value) => (typeof value === "string" ? value.toWellFormed() : value))

/** Makes a method out of its name in errors and of its statements. */
type MethodOf = <Args extends ReadonlyArray<unknown>, Eff extends Effect.Effect<unknown, unknown>, A>(
  operation: string,
  body: (...args: Args) => Generator<Eff, A, never>
) => (...args: Args) => Effect.Effect<A, LedgerError | Exclude<Effect.Error<Eff>, Failure>>

/** The statements of a ledger, and the ways in which a method runs them. Each is bounded by `DATABASE_TIMEOUT`. */
export interface SqlLedger extends Statements {
  /** Asks again where the connection had died. For questions of the executor. */
  readonly read: MethodOf
  readonly once: MethodOf
  /** In one transaction. */
  readonly transact: MethodOf
  /** In one transaction too, and not again after a conflict with another one. */
  readonly transactOnce: MethodOf
}

/** Decodes the rows that a statement gives. */
export const rowsOf =
  <T>(rows: Schema.Decoder<T>) =>
  <E>(query: Effect.Effect<unknown, E>): Effect.Effect<T, E | Schema.SchemaError> =>
    Effect.flatMap(query, Schema.decodeUnknownEffect(rows))

/** Methods of a repo, each made with what it works on. */
export type MethodsOf<On, Repo> = { readonly [Name in keyof Repo]?: (on: On) => Repo[Name] }
export type Methods<Repo> = MethodsOf<SqlLedger, Repo>

/** The methods, working on this. */
export const methodsOn = <On, M extends Readonly<Record<string, (on: On) => unknown>>>(on: On, methods: M) =>
  Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, method(on)])) as {
    readonly [Name in keyof M]: ReturnType<M[Name]>
  }

/** Connections that died while idle fail once each: a read is worth a second and a third try. */
const READ_AGAIN = Schedule.upTo(Schedule.spaced("100 millis"), { times: 2 })

export const openLedger = Effect.gen(function* () {
  const { databaseTimeout, databaseTimezone } = yield* Settings
  const sql = yield* SqlClient.SqlClient
  const bound = bounded(databaseTimeout)
  const boundOnce = bounded(databaseTimeout, { again: false })
  const time = yield* bound("read the columns", detect(sql, databaseTimezone))
  const run = <Args extends ReadonlyArray<unknown>, Eff extends Effect.Effect<unknown, unknown>, A>(
    body: (...args: Args) => Generator<Eff, A, never>,
    args: Args
  ) => Effect.gen(() => body(...args)) as Effect.Effect<A, Effect.Error<Eff>>
  const once: MethodOf =
    (operation, body) =>
    (...args) =>
      bound(operation, run(body, args))
  const read: MethodOf =
    (operation, body) =>
    (...args) =>
      Effect.retry(bound(operation, run(body, args)), { schedule: READ_AGAIN, while: isUnavailable })
  const transact: MethodOf =
    (operation, body) =>
    (...args) =>
      bound(operation, sql.withTransaction(run(body, args)))
  const transactOnce: MethodOf =
    (operation, body) =>
    (...args) =>
      boundOnce(operation, sql.withTransaction(run(body, args)))
  return { sql, time, read, once, transact, transactOnce } satisfies SqlLedger as SqlLedger
})

const isUnavailable = (error: unknown): boolean => error instanceof LedgerError && error.reason === "Unavailable"
