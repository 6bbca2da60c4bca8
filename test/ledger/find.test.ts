import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { address, type Bytes32 } from "../../src/domain/Address.ts"
import type { Status } from "../../src/domain/Task.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import * as LedgerSql from "../../src/ledger/LedgerSql.ts"
import { type TaskFilter, WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { anyId } from "../support/anyId.ts"
import { countingClient } from "../support/countingClient.ts"
import { ledger } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"

const NOW_MS = 1_761_974_130_000
const DAY = 86_400_000

const uuid = (n: number) => anyId(`${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`)
const wallet = (n: number) => anyId(`${String(n).padStart(8, "0")}-1111-4111-8111-111111111111`)
const tx = (n: number): Bytes32 => `0x${String(n).padStart(64, "0")}`

const found = Effect.fnUntraced(function* (filter: Partial<TaskFilter>, limit = 10) {
  const { tasks } = yield* (yield* WatchRepo).listTasks({ statuses: [], ...filter }, { after: undefined, limit })
  return tasks.map(({ id }) => Number(id.slice(0, 8)))
})

const STATUS_OF: ReadonlyArray<Status> = ["completed", "completed", "failed", "cancelled", "pending_payment", "funded"]

/** Orders 1 to 6, one a day from the oldest on, of wallets 1 to 3; what paid for them, and what came of it. */
const seed = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const [index, status] of STATUS_OF.entries()) {
    yield* sql`
      INSERT INTO ai_agent_tasks (id, user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost,
        status, created_at, funding_tx_hash)
      VALUES (${uuid(index + 1)}::uuid, '0xAa', ${wallet(1 + (index % 3))}::uuid, '0xCc', 1, 1, 1, ${status},
        to_timestamp(${(NOW_MS + index * DAY) / 1000}::float8), ${index === 0 ? tx(90).replace("90", "9A") : null})`
  }
  yield* sql`
    INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at) VALUES
      (${tx(1)}, 1, ${wallet(1)}::uuid, '0xaa', 5, 4, 1, now()), (${tx(2)}, 1, ${wallet(3)}::uuid, '0xaa', 3, 3, 1, now())`
  yield* sql`
    INSERT INTO ai_agent_deposit_uses (tx_hash, log_index, task_id, amount) VALUES (${tx(1)}, 1, ${uuid(4)}::uuid, 1)`
  yield* sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, nonce, status, payment_tx, paid_amount, minted, status_since)
    VALUES (${uuid(2)}::uuid, 1, ${wallet(2)}::uuid, 1, 1, 1, '0xcc', '0xaa', '0xcc', '0xaa', 'n', 'delivered', ${tx(3)},
      1, 1, now())`
  yield* sql`
    INSERT INTO ai_agent_batch_mints (tx_hash, log_index, task_id, batch_number, mint_number, token, recipient)
    VALUES (${tx(4)}, 1, ${uuid(2)}::uuid, 1, 1, '0xcc', '0xaa'), (${tx(4)}, 2, ${uuid(6)}::uuid, 1, 1, '0xcc', '0xab')`
  yield* sql`
    INSERT INTO ai_agent_refunds (id, wallet_id, payer, pay_to, amount, nonce, status, tx_hash, block, created_at, updated_at)
    VALUES (${uuid(1)}::uuid, ${wallet(2)}::uuid, '0xaa', '0xaa', 1, 'n', 'paid', ${tx(5)}, 1, now(), now())`
})

layer(
  LedgerSql.layer.pipe(
    Layer.provideMerge(Layer.effectDiscard(seed).pipe(Layer.provideMerge(Postgres.session()))),
    Layer.provide(settings())
  )
)("orders are found", (it) => {
  it.effect("by every transaction that is theirs", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* found({ tx: tx(1) }), [4], "the deposit that paid for it")
      assert.deepStrictEqual(yield* found({ tx: `0x${"0".repeat(62)}9a` }), [1], "the same, as v1.1 noted it")
      assert.deepStrictEqual(yield* found({ tx: tx(2) }), [6, 3], "a deposit that has paid for nothing: its wallet's")
      assert.deepStrictEqual(yield* found({ tx: tx(3) }), [2], "a payment")
      assert.deepStrictEqual(yield* found({ tx: tx(4) }), [6, 2], "a mint of two orders")
      assert.deepStrictEqual(yield* found({ tx: tx(5) }), [5, 2], "a refund: its wallet's")
      assert.deepStrictEqual(yield* found({ tx: tx(6) }), [])
      assert.deepStrictEqual(yield* found({ tx: tx(4), statuses: ["completed"] }), [2])
    })
  )

  it.effect("by status, newest first whatever statuses there are of", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* found({ statuses: ["completed", "failed", "cancelled"] }), [4, 3, 2, 1])
      assert.deepStrictEqual(yield* found({ statuses: ["funded", "completed", "pending_payment"] }), [6, 5, 2, 1])
      assert.deepStrictEqual(yield* found({ statuses: ["cancelled"] }), [4])
      assert.deepStrictEqual(yield* found({ statuses: ["processing"] }), [])
    })
  )

  it.effect("by when they were placed", () =>
    Effect.gen(function* () {
      const period = { fromMs: NOW_MS + DAY, beforeMs: NOW_MS + 3 * DAY }
      assert.deepStrictEqual(yield* found(period), [3, 2])
      assert.deepStrictEqual(yield* found({ ...period, statuses: ["failed"] }), [3])
      assert.deepStrictEqual(yield* found({ fromMs: 0, beforeMs: NOW_MS }), [])
    })
  )
})

const ENDED = 30_000

/** Of so few, all are read where a page names fifty of them. */
const WALLETS = 5_000

/** The most rows that a page of 50 may take to be found by indexes. */
const FETCHED_MAX = 1_000

/** Closed orders of these wallets. The failed ones are the oldest, and one token is as old. */
const seedEnded = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_wallets (user_address, agent_address, encrypted_private_key)
    SELECT '0x' || lpad(to_hex(n), 40, '0'), '0x' || lpad(to_hex(n + 1000000), 40, '0'), 'key'
    FROM generate_series(1, ${WALLETS}::int) n`
  yield* sql`
    INSERT INTO ai_agent_tasks (agent_wallet_id, user_address, token_address, quantity, price_per_mint, total_cost, status,
      created_at, funding_tx_hash)
    SELECT w.id, w.user_address, CASE WHEN n <= 100 THEN '0x' || lpad('DD', 40, '0') ELSE '0x' || lpad('CC', 40, '0') END, 1, 1, 1,
      CASE WHEN n <= 100 THEN 'failed' WHEN n % 3 = 0 THEN 'cancelled' ELSE 'completed' END,
      to_timestamp(${NOW_MS / 1000}::float8 + n), '0x' || lpad(to_hex(n), 64, '0')
    FROM generate_series(1, ${ENDED}::int) n
    JOIN (SELECT id, user_address, row_number() OVER () AS nth FROM ai_agent_wallets) w ON w.nth = 1 + n % ${WALLETS}::int`
  yield* sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, nonce, status, payment_tx, paid_amount, minted, status_since)
    SELECT id, 1, agent_wallet_id, 1, 1, 1, '0xcc', '0xaa', '0xcc', '0xaa', id::text, 'delivered', funding_tx_hash, 1, 1, now()
    FROM ai_agent_tasks`
  yield* sql`
    INSERT INTO ai_agent_batch_mints (tx_hash, log_index, task_id, batch_number, mint_number, token, recipient)
    SELECT payment_tx, 1, task_id, 1, 1, '0xcc', '0xaa' FROM ai_agent_batches`
  yield* sql`
    INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
    SELECT payment_tx, 1, wallet_id, '0xaa', 1, 0, 1, now() FROM ai_agent_batches`
  yield* sql`
    INSERT INTO ai_agent_deposit_uses (tx_hash, log_index, task_id, amount)
    SELECT payment_tx, 1, task_id, 1 FROM ai_agent_batches`
  yield* sql`ANALYZE`
})

/** Rows of every table that were read one after the other, and entries of indexes that were. */
const rowsRead = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT pg_stat_force_next_flush()`
  const rows = yield* sql<{ readonly scanned: number; readonly fetched: number }>`
    SELECT sum(seq_tup_read)::int AS scanned, sum(coalesce(idx_tup_fetch, 0))::int AS fetched FROM pg_stat_user_tables`
  return { scanned: rows[0]?.scanned ?? 0, fetched: rows[0]?.fetched ?? 0 }
})

describe("beside thirty thousand closed orders", () => {
  it.live("a page of any list and every search take one statement, and read few rows, each by an index", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase({ isUpToDate: true })
      let statements = 0
      const client = countingClient(url, () => void statements++, { minConnections: 1, maxConnections: 1 })
      yield* Effect.gen(function* () {
        yield* seedEnded
        const expectFew = Effect.fnUntraced(function* <E, R>(
          what: string,
          count: number,
          ask: Effect.Effect<number, E, R>,
          scannedMax = WALLETS
        ) {
          const before = yield* rowsRead
          statements = 0
          assert.strictEqual(yield* ask, count, what)
          assert.strictEqual(statements, 1, what)
          const after = yield* rowsRead
          assert.isAtMost(after.scanned - before.scanned, scannedMax, what)
          assert.isAtMost(after.fetched - before.fetched, FETCHED_MAX, what)
        })
        const listed = (filter: Partial<TaskFilter>) => Effect.map(found(filter, 50), ({ length }) => length)
        const closed: ReadonlyArray<Status> = ["completed", "failed", "cancelled"]
        const user = address(`0x${"1".padStart(40, "0")}`)
        const fromMs = NOW_MS + 20_000_000
        yield* expectFew("all that are closed", 50, listed({ statuses: closed }))
        yield* expectFew("the failed ones, which are the oldest", 50, listed({ statuses: ["failed"] }))
        yield* expectFew("two statuses", 50, listed({ statuses: ["failed", "cancelled"] }))
        yield* expectFew("a token of long ago", 50, listed({ token: address(`0x${"dd".padStart(40, "0")}`) }))
        yield* expectFew("a person's", 6, listed({ statuses: closed, userAddress: user }))
        yield* expectFew("a period", 50, listed({ statuses: closed, fromMs, beforeMs: fromMs + 100_000 }))
        yield* expectFew("a period of failed ones, in which there is none", 0, listed({ statuses: ["failed"], fromMs }))
        for (const hash of [17, 29_000]) {
          const wanted: Bytes32 = `0x${hash.toString(16).padStart(64, "0")}`
          yield* expectFew("a transaction", 1, listed({ tx: wanted }))
          yield* expectFew("a transaction of a closed order", 1, listed({ tx: wanted, statuses: closed }))
        }
        const { findWallets } = yield* DecisionRepo
        yield* expectFew(
          "a wallet by its user",
          1,
          Effect.map(findWallets(user), ({ length }) => length)
        )
      }).pipe(Effect.provide(ledger().pipe(Layer.provideMerge(client)), { local: true }))
    })
  )
})
