import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import * as Faults from "../../src/sandbox/faults.ts"
import * as RpcProxy from "../../src/sandbox/RpcProxy.ts"
import { newDatabase, openServer } from "../bench/database.ts"
import { localIsBaseSepolia } from "../bench/network.ts"
import { deployment, openBaseSepoliaWith, TOKEN } from "../e2e/baseSepolia.ts"
import { relayTo } from "../support/LedgerRelay.ts"

/** How long an order may be paid, in milliseconds: short, so that even a short run has orders that are cancelled. */
export const PAYMENT_TIMEOUT_MS = 60_000

/** A quick pace, so that an hour here is a long life, and limits that a fault of some seconds reaches. */
const SETTINGS = {
  CHECK_INTERVAL: "2s",
  MINT_INTERVAL: "1s",
  PAYMENT_TIMEOUT: `${PAYMENT_TIMEOUT_MS}ms`,
  MAX_BATCH_SIZE: "3",
  // More than the faults that refuse can bring about: no paid order fails.
  MAX_RETRY_COUNT: "20",
  AUTHORIZATION_WINDOW: "60s",
  MINT_TIMEOUT: "20s",
  RPC_TIMEOUT: "5s",
  DATABASE_TIMEOUT: "10s"
}

/** Besides the sandbox's: payments to a token stop while one is taken and not delivered, and the others go on. */
const MORE_TOKENS = 3

/**
 * All that the executor meets, real and on ports of this machine: PostgreSQL, a chain with Circle's USDC, an x402 mint
 * server. Faults can be switched on in all three, and reach the executor alone; people and the audit go around them.
 */
export const openWorld = Effect.gen(function* () {
  localIsBaseSepolia()
  const faults = Faults.make()
  const database = yield* newDatabase(yield* openServer)
  const relay = yield* relayTo(database.executorUrl)
  const network = yield* openBaseSepoliaWith({ faults, tokens: MORE_TOKENS })
  const node = yield* RpcProxy.serve({ target: network.chain.rpcUrl, faults })
  const env = {
    ...deployment(network, relay.url),
    ...SETTINGS,
    BASE_SEPOLIA_RPC_URL: node.url
  }
  const portOf = (url: string): number => Number(new URL(url).port)
  const ports = { database: portOf(relay.url), node: portOf(node.url), "mint server": portOf(network.serverUrl) }
  const tokens = [TOKEN, ...network.tokens]
  return { faults, database, relay, network, tokens, env, ports }
})
export type World = Effect.Success<typeof openWorld>

/** Kills a process of the server, as a bug or a lack of memory does: all others end, and it starts anew from its log. */
export const crashDatabase = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly pid: number }>`SELECT pg_backend_pid() AS pid`
  if (row !== undefined) process.kill(row.pid, "SIGKILL")
})

/** The database is not there for some seconds when its server starts anew: what may be repeated is, until it is. */
export const patiently = <A, R>(work: Effect.Effect<A, SqlError, R>): Effect.Effect<A, never, R> =>
  work.pipe(
    Effect.tapError(() => Effect.sleep("500 millis")),
    Effect.retry({ times: 60 }),
    Effect.orDie
  )
