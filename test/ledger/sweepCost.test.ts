import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { countingClient } from "../support/countingClient.ts"
import { ledger } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { funding, NOW_MS, TIP } from "./contract/given.ts"

const WALLETS = 1_000

/** Orders and batches of the past, beside which those thousand are found. */
const ENDED = 30_000

/** A thousand wallets with a pending order each, in a database that has seen many thousand others. */
const seed = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_wallets (user_address, agent_address, encrypted_private_key)
    SELECT '0x' || lpad(to_hex(n), 40, '0'), '0x' || lpad(to_hex(n + 1000000), 40, '0'), 'key'
    FROM generate_series(1, ${WALLETS}::int) n`
  const insertOrders = (status: string, count: number) => sql`
    INSERT INTO ai_agent_tasks (agent_wallet_id, user_address, token_address, quantity, price_per_mint, total_cost, status)
    SELECT id, user_address, agent_address, 2, 1000000, 2000000, ${status}
    FROM ai_agent_wallets, generate_series(1, ${count / WALLETS}::int)`
  yield* insertOrders("completed", ENDED)
  yield* insertOrders("pending_payment", WALLETS)
  yield* sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, nonce, status, payment_tx, paid_amount, minted, status_since)
    SELECT id, 1, agent_wallet_id, 1, 2, total_cost, token_address, user_address, token_address, user_address,
      id::text, 'delivered', '0x', total_cost, 2, now()
    FROM ai_agent_tasks WHERE status = 'completed'`
  yield* sql`ANALYZE ai_agent_tasks`
  yield* sql`ANALYZE ai_agent_batches`
})

/** Rows that were read one after the other because no index led to them. */
const rowsScanned = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT pg_stat_force_next_flush()`
  const rows = yield* sql<{ readonly scanned: bigint }>`
    SELECT sum(seq_tup_read)::bigint AS scanned FROM pg_stat_user_tables
    WHERE relname IN ('ai_agent_tasks', 'ai_agent_batches')`
  return rows[0]?.scanned ?? 0n
})

describe("a sweep over a thousand wallets", () => {
  it.live("takes twelve statements, however many wallets, and reads no order that has ended", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase({ isUpToDate: true })
      let statements = 0
      const client = countingClient(url, () => void statements++, { minConnections: 1, maxConnections: 1 })
      yield* Effect.gen(function* () {
        yield* seed
        // At the first sight of a wallet its addresses are noted.
        yield* Effect.flatMap(TaskRepo, (ledger) => ledger.checkWallets(NOW_MS))
        const scannedBefore = yield* rowsScanned
        const repo = yield* TaskRepo
        statements = 0
        assert.deepStrictEqual(yield* repo.checkWallets(NOW_MS), [])
        const { wallets, cursor } = yield* repo.pendingPage({ cursor: undefined, walletsMax: WALLETS + 1 })
        const orders = wallets.flatMap((ofWallet) => ofWallet.pending.map((task) => funding(ofWallet, task.id)))
        const [paid, unpaid, strange] = [orders.slice(0, 400), orders.slice(400, 800), orders.slice(800)]
        const funded = yield* repo.fund(paid, TIP, NOW_MS)
        const late = unpaid.map((order) => ({ ...order, message: "not paid" }))
        const cancelled = yield* repo.cancel(late, TIP, NOW_MS)
        const held = yield* repo.hold(
          strange.map(({ taskId }) => ({ taskId, reason: "a person looks" })),
          NOW_MS
        )
        // New wallets and changed ones; orders; begin, lock, write and commit for funding and for cancelling; holds.
        assert.strictEqual(statements, 12)
        assert.isUndefined(cursor)
        assert.deepStrictEqual([funded.length, cancelled.length, held.length], [400, 400, 200])
        assert.strictEqual(yield* rowsScanned, scannedBefore)
      }).pipe(Effect.provide(ledger().pipe(Layer.provideMerge(client)), { local: true }))
    })
  )
})
