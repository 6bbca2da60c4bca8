import { Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"

/** v1.1's column may be null: such an order has a place in every list too, behind all others. */
const NEWEST = "coalesce(created_at, 'epoch') DESC, id DESC"

/**
 * On tables that other programs write. Wallets are found by any of their names; lists begin with the newest order, and are
 * read page by page, those of closed orders by status, those of a token by its contract; an order is found by the transfer
 * that paid for it; and the loops ask for open orders every few seconds, beside ever more closed ones.
 */
const INDEXES = {
  ai_agent_tasks_open: "ai_agent_tasks (agent_wallet_id) WHERE status IN ('pending_payment', 'funded', 'processing')",
  ai_agent_wallets_by_id: "ai_agent_wallets ((id::text))",
  ai_agent_wallets_named_user: "ai_agent_wallets (lower(btrim(user_address)))",
  ai_agent_wallets_named_agent: "ai_agent_wallets (lower(btrim(agent_address)))",
  ai_agent_tasks_newest: `ai_agent_tasks (${NEWEST})`,
  ai_agent_tasks_of_user: `ai_agent_tasks (lower(user_address), ${NEWEST})`,
  ai_agent_tasks_of_wallet: `ai_agent_tasks (agent_wallet_id, ${NEWEST})`,
  ai_agent_tasks_of_token: `ai_agent_tasks (lower(token_address), ${NEWEST})`,
  ai_agent_tasks_closed: `ai_agent_tasks (status, ${NEWEST}) WHERE status IN ('completed', 'failed', 'cancelled')`,
  ai_agent_tasks_by_funding: "ai_agent_tasks (lower(funding_tx_hash)) WHERE funding_tx_hash IS NOT NULL"
} as const

/** Of two programs that start at once one builds, and the other waits for it. */
const LOCK = 7_402_116_402_002n

/**
 * Builds those that are missing, without keeping writers out: that cannot be done in a transaction, and takes longer. What
 * was left half done by a program that died is built anew. Source: PostgreSQL, CREATE INDEX, "Building Indexes Concurrently".
 */
export const indexTheirTables = Effect.gen(function* () {
  if ((yield* missingIndexes).length === 0) return
  const sql = yield* SqlClient.SqlClient
  yield* Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* sql.reserve
      yield* Effect.acquireRelease(prepare(connection), () => Effect.ignore(restore(connection)))
      for (const { name, isBroken } of yield* missingBy(connection)) {
        if (isBroken) yield* connection.executeUnprepared(`DROP INDEX CONCURRENTLY ${name}`, [], undefined)
        yield* connection.executeUnprepared(`CREATE INDEX CONCURRENTLY ${name} ON ${INDEXES[name]}`, [], undefined)
      }
    })
  )
})

/** An index that is built waits for every older transaction, whose own statements wait for nothing of it. */
const prepare = Effect.fnUntraced(function* (connection: Connection) {
  yield* connection.executeUnprepared("SET statement_timeout = 0", [], undefined)
  yield* connection.executeUnprepared("SET lock_timeout = 0", [], undefined)
  // To wait in the server for the lock would be an older transaction, which who builds would wait for in turn.
  yield* tryLock(connection).pipe(Effect.repeat({ schedule: Schedule.spaced("1 second"), until: (done) => done }))
})

const tryLock = (connection: Connection) =>
  Effect.map(
    connection.executeUnprepared("SELECT pg_try_advisory_lock($1::bigint) AS done", [LOCK.toString()], undefined),
    ([row]) => row?.done === true
  )

const restore = Effect.fnUntraced(function* (connection: Connection) {
  yield* connection.executeUnprepared("SELECT pg_advisory_unlock($1::bigint)", [LOCK.toString()], undefined)
  yield* connection.executeUnprepared("RESET statement_timeout", [], undefined)
  yield* connection.executeUnprepared("RESET lock_timeout", [], undefined)
})

interface Missing {
  readonly name: keyof typeof INDEXES
  /** It is there, and not finished. */
  readonly isBroken: boolean
}

const MISSING = `
  SELECT want.name, i.indexrelid IS NOT NULL AS "isBroken"
  FROM unnest($1::text[]) WITH ORDINALITY AS want(name, place)
  LEFT JOIN pg_index i ON i.indexrelid = to_regclass(want.name)
  WHERE i.indexrelid IS NULL OR NOT i.indisvalid ORDER BY want.place`

const missingBy = (connection: Connection): Effect.Effect<ReadonlyArray<Missing>, SqlError> =>
  connection.executeUnprepared(MISSING, [Object.keys(INDEXES)], undefined)

const missingIndexes = Effect.scoped(
  Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.flatMap(sql.reserve, missingBy))
)
