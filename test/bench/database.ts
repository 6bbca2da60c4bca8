import { Array as Arr, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes, randomUUID } from "node:crypto"
import { privateKeyToAddress } from "viem/accounts"
import { address } from "../../src/domain/Address.ts"
import { WalletId } from "../../src/domain/Wallet.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { PRICE, TOKEN } from "../e2e/baseSepolia.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { encrypt, type Person } from "../support/orders.ts"
import { startPostgres } from "../support/postgresServer.ts"

/**
 * As an operator runs PostgreSQL: a commit is on the disk, and tables are tended. `pg_stat_statements` counts the
 * statements of each role.
 */
const SETTINGS = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  autovacuum: "on",
  max_connections: "50",
  shared_buffers: "256MB",
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.max": "10000"
}

/** The role of the executor, so that what the benchmark itself asks is not counted. */
const EXECUTOR = "executor"

/** A PostgreSQL server until the scope closes. */
export const openServer = Effect.gen(function* () {
  const { url } = yield* Effect.acquireRelease(
    Effect.promise(() => startPostgres(SETTINGS)),
    ({ stop }) => Effect.promise(stop)
  )
  yield* Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE EXTENSION pg_stat_statements`
    yield* sql`CREATE ROLE ${sql(EXECUTOR)} SUPERUSER LOGIN`
  }).pipe(Effect.provide(clientAt(`${url}/postgres`, 1)))
  return { url }
})

/** A new database with the tables of this version: for the benchmark, and for the executor. */
export const newDatabase = Effect.fnUntraced(function* (server: { readonly url: string }) {
  const name = `bench_${randomBytes(4).toString("hex")}`
  yield* Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE DATABASE ${sql(name)}`
  }).pipe(Effect.provide(clientAt(`${server.url}/postgres`, 1)))
  const url = `${server.url}/${name}`
  const database = { name, url, executorUrl: url.replace("postgres@", `${EXECUTOR}@`), layer: clientAt(url, 4) }
  yield* Effect.provide(Effect.andThen(migrate, sqlUse("CREATE EXTENSION pg_stat_statements")), database.layer)
  return database
})
export type Database = Effect.Success<ReturnType<typeof newDatabase>>

const sqlUse = (statement: string) => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement))

/** So many rows go into the database in one statement. */
const ROWS_AT_ONCE = 1_000

const newWallet = (): Payer => {
  const privateKey = randomBytes(32).toString("hex")
  return {
    walletId: WalletId.make(randomUUID()),
    userAddress: address(`0x${randomBytes(20).toString("hex")}`),
    agentAddress: address(privateKeyToAddress(`0x${privateKey}`)),
    privateKey
  }
}

/** A person with a wallet, and its key. */
export interface Payer extends Person {
  readonly privateKey: string
}

/** At least one. */
export const newWallets = (count: number): Arr.NonEmptyReadonlyArray<Payer> => Arr.makeBy(count, newWallet)

/** People with a wallet each and an order of so many mints, which waits for its payment. */
export const seedOrders = Effect.fnUntraced(function* (count: number, mints: number) {
  const sql = yield* SqlClient.SqlClient
  const people = newWallets(count)
  for (const some of Arr.chunksOf(people, ROWS_AT_ONCE)) {
    const wallets = Arr.map(some, ({ walletId, userAddress, agentAddress, privateKey }) => ({
      id: walletId,
      user_address: userAddress,
      agent_address: agentAddress,
      encrypted_private_key: encrypt(privateKey)
    }))
    yield* sql`INSERT INTO ai_agent_wallets ${sql.insert(wallets)}`
  }
  yield* sql`
    INSERT INTO ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost)
    SELECT user_address, id, ${TOKEN}, ${mints}::int, ${PRICE}, ${PRICE * BigInt(mints)} FROM ai_agent_wallets`
  yield* sql`VACUUM ANALYZE`
  return people
})

/** A statement, its values left out, and what it has cost since the server started. */
export interface Statement {
  readonly text: string
  readonly calls: number
  readonly ms: number
  readonly walBytes: number
}

/** What the executor has asked of this database so far, and its transactions. */
export const statementsOf = (database: Database) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const statements = yield* sql<Statement>`
      SELECT regexp_replace(query, '\\s+', ' ', 'g') AS text, sum(calls)::float8 AS calls,
        sum(total_exec_time)::float8 AS ms, sum(wal_bytes)::float8 AS "walBytes"
      FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
      WHERE r.rolname = ${EXECUTOR} AND d.datname = ${database.name} AND toplevel
      GROUP BY 1`
    const [of] = yield* sql<{ readonly transactions: number }>`
      SELECT (xact_commit - (SELECT coalesce(sum(s.calls), 0) FROM pg_stat_statements s
          JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname <> ${EXECUTOR} AND s.dbid = datid AND toplevel))::float8
          AS transactions
      FROM pg_stat_database WHERE datname = ${database.name}`
    return { statements, transactions: of?.transactions ?? 0 }
  })
