import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { usdc } from "../../src/domain/Usdc.ts"

/** USDC in whole dollars. */
export const units = (amount: number) => usdc(BigInt(amount * 1_000_000))

/** Of the only wallet that has been looked at. */
export const books = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ readonly book_balance: bigint | null; readonly stopped_reason: string | null }>`
      SELECT book_balance, stopped_reason FROM ai_agent_wallet_state`
).pipe(Effect.map((rows) => rows[0]))

/** How many events of a kind there are. */
export const told = Effect.fnUntraced(function* (kind: string) {
  const sql = yield* SqlClient.SqlClient
  return (yield* sql`SELECT 1 FROM ai_agent_events WHERE kind = ${kind}`).length
})
