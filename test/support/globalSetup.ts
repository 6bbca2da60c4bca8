import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { TestProject } from "vitest/node"
import { migrate } from "../../src/ledger/migrate.ts"
import { clientAt } from "./LedgerSql.ts"
import { startPostgres } from "./postgresServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** A server on which tests may create databases: `TEST_DATABASE_URL`, else one that lives as long as the run. */
    readonly postgresUrl: string
    /** The name of a database on it that is up to date and empty, to be copied. */
    readonly upToDate: string
  }
}

const server = async (): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> => {
  const given = process.env["TEST_DATABASE_URL"] ?? ""
  return given === "" ? startPostgres() : { url: given, stop: () => Promise.resolve() }
}

const onDatabase = <E>(url: string, work: Effect.Effect<unknown, E, SqlClient.SqlClient>) =>
  Effect.runPromise(Effect.provide(work, clientAt(url, 1)))

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await server()
  const name = `test_template_${process.pid}`
  const upToDate = new URL(url)
  upToDate.pathname = `/${name}`
  const create = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE DATABASE ${sql(name)}`)
  const drop = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`DROP DATABASE ${sql(name)} WITH (FORCE)`)
  await onDatabase(url, create)
  await onDatabase(upToDate.toString(), migrate)
  project.provide("postgresUrl", url)
  project.provide("upToDate", name)
  return async () => {
    await onDatabase(url, drop)
    await stop()
  }
}
