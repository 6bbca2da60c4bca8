import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { usdc, zero } from "../../src/domain/Usdc.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import * as LedgerSql from "../../src/ledger/LedgerSql.ts"
import { type TaskPlace, WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { anyId } from "../support/anyId.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"

const WALLET = anyId("11111111-1111-4111-8111-111111111111")
const TASK = anyId("22222222-2222-4222-8222-222222222222")

/** An order as another program writes it, which knows nothing of events. */
const placeOrder = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* migrate
  yield* sql`TRUNCATE ai_agent_tasks, ai_agent_task_state, ai_agent_batches, ai_agent_events`
  yield* sql`
    INSERT INTO ai_agent_tasks (id, user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost)
    VALUES (${TASK}::uuid, '0xAa', ${WALLET}::uuid, '0xCc', 2, 1000000, 2000000)`
  return sql
})

const kinds = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly kind: string }>`SELECT kind FROM ai_agent_events ORDER BY id`
  return rows.map(({ kind }) => kind)
})

layer(
  LedgerSql.layer.pipe(
    Layer.provideMerge(Layer.effectDiscard(migrate)),
    Layer.provideMerge(Postgres.session()),
    Layer.provide(settings())
  )
)("what the database writes down by itself", (it) => {
  it.effect("every step of an order, whoever takes it", () =>
    Effect.gen(function* () {
      const sql = yield* placeOrder
      yield* sql`UPDATE ai_agent_tasks SET status = 'cancelled', error_message = 'the user asked' WHERE id = ${TASK}::uuid`
      yield* sql`UPDATE ai_agent_tasks SET updated_at = now() WHERE id = ${TASK}::uuid`
      const [created, cancelled, ...others] = yield* (yield* WatchRepo).eventsAfter(0, { limit: 10 })
      assert.deepInclude(created, { kind: "task.created", taskId: TASK, walletId: WALLET })
      assert.deepInclude(created?.detail, { quantity: 2, cost: "2000000" })
      assert.deepInclude(cancelled?.detail, { from: "pending_payment", message: "the user asked" })
      assert.deepStrictEqual(others, [])
    })
  )

  it.effect("a hold and its end, a refusal, and one event for a plan of many batches", () =>
    Effect.gen(function* () {
      const sql = yield* placeOrder
      yield* sql`INSERT INTO ai_agent_task_state (task_id, held_at, held_reason) VALUES (${TASK}::uuid, now(), 'why')`
      yield* sql`UPDATE ai_agent_task_state SET held_at = NULL, held_reason = NULL`
      yield* sql`UPDATE ai_agent_tasks SET retry_count = 1, error_message = 'Retry 1/3: no'`
      yield* sql`
          INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
            recipient, nonce, status, status_since)
          SELECT ${TASK}::uuid, n, ${WALLET}::uuid, n, 1, 1000000, '0xcc', '0xaa', '0xcc', '0xaa', 'nonce' || n, 'planned',
            now() FROM generate_series(1, 2) n`
      yield* sql`UPDATE ai_agent_batches SET status = 'held', reason = 'odd' WHERE number = 2`
      yield* sql`UPDATE ai_agent_batches SET looks = looks + 1`
      assert.deepStrictEqual(yield* kinds, [
        "task.created",
        "task.held",
        "task.released",
        "task.refused",
        "batch.planned",
        "batch.held"
      ])
    })
  )

  it.effect("and never at the cost of an order: a history that cannot be written is a warning", () =>
    Effect.gen(function* () {
      const sql = yield* placeOrder
      yield* sql`ALTER TABLE ai_agent_events RENAME TO ai_agent_events_gone`
      yield* sql`UPDATE ai_agent_tasks SET status = 'cancelled' WHERE id = ${TASK}::uuid`
      yield* sql`ALTER TABLE ai_agent_events_gone RENAME TO ai_agent_events`
      const rows = yield* sql`SELECT status FROM ai_agent_tasks`
      assert.deepStrictEqual(rows, [{ status: "cancelled" }])
      assert.deepStrictEqual(yield* kinds, ["task.created"])
    })
  )

  it.effect("nor at the cost of a payment, a hold, a deposit, a refund or a decision", () =>
    Effect.gen(function* () {
      const sql = yield* placeOrder
      yield* sql`TRUNCATE ai_agent_deposits, ai_agent_refunds, ai_agent_decisions, ai_agent_wallet_state`
      yield* sql`ALTER TABLE ai_agent_events RENAME TO ai_agent_events_gone`
      yield* sql`INSERT INTO ai_agent_task_state (task_id, held_at, held_reason) VALUES (${TASK}::uuid, now(), 'why')`
      yield* sql`
        INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
          recipient, nonce, status, status_since)
        VALUES (${TASK}::uuid, 1, ${WALLET}::uuid, 1, 1, 1, '0xcc', '0xaa', '0xcc', '0xaa', 'nonce', 'planned', now())`
      yield* sql`UPDATE ai_agent_batches SET status = 'held'`
      yield* sql`
        INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
        VALUES ('0x1', 1, ${WALLET}::uuid, '0xaa', 1, 1, 1, now())`
      yield* sql`
        INSERT INTO ai_agent_refunds (id, wallet_id, payer, pay_to, amount, nonce, status, created_at, updated_at)
        VALUES (${TASK}::uuid, ${WALLET}::uuid, '0xaa', '0xaa', 1, 'nonce', 'planned', now(), now())`
      yield* sql`INSERT INTO ai_agent_wallet_state (wallet_id) VALUES (${WALLET}::uuid)`
      yield* sql`UPDATE ai_agent_wallet_state SET stopped_at = now()`
      yield* sql`INSERT INTO ai_agent_decisions (decided_at, command, said, why) VALUES (now(), 'a', 'b', 'c')`
      yield* sql`ALTER TABLE ai_agent_events_gone RENAME TO ai_agent_events`
      assert.deepStrictEqual(yield* kinds, ["task.created"])
      assert.lengthOf(yield* sql`SELECT 1 FROM ai_agent_batches WHERE status = 'held'`, 1)
      assert.lengthOf(yield* sql`SELECT 1 FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL`, 1)
    })
  )

  it.effect("each step of a pay-in", () =>
    Effect.gen(function* () {
      const sql = yield* placeOrder
      yield* sql`TRUNCATE ai_agent_pay_ins`
      yield* sql`
        INSERT INTO ai_agent_pay_ins (task_id, payer, nonce, amount, pay_to, valid_after, valid_before, wallet_id, token,
          quantity, recipient, created_at)
        VALUES (${TASK}::uuid, '0xaa', '0x01', 2000000, '0xbb', 1, 2, ${WALLET}::uuid, '0xcc', 2, '0xdd', now())`
      yield* sql`UPDATE ai_agent_pay_ins SET reason = 'the same status says nothing new'`
      yield* sql`UPDATE ai_agent_pay_ins SET status = 'settled', tx_hash = '0x02', block = 7`
      const [, placed, settled, ...others] = yield* (yield* WatchRepo).eventsAfter(0, { limit: 10 })
      assert.deepInclude(placed, { kind: "pay_in.placed", taskId: TASK, walletId: WALLET })
      assert.deepInclude(placed?.detail, { amount: "2000000", from: "0xaa", nonce: "0x01", validBefore: 2 })
      assert.deepInclude(settled, { kind: "pay_in.settled" })
      assert.deepInclude(settled?.detail, { tx: "0x02", block: "7" })
      assert.deepStrictEqual(others, [])
    })
  )

  it.effect("is read from a number on, with those that came late", () =>
    Effect.gen(function* () {
      const sql = yield* placeOrder
      yield* sql`TRUNCATE ai_agent_events RESTART IDENTITY`
      yield* sql`INSERT INTO ai_agent_events (kind) SELECT 'a.b' FROM generate_series(1, 6)`
      const { eventsAfter } = yield* WatchRepo
      const read = (after: number, page: Parameters<typeof eventsAfter>[1]) =>
        Effect.map(eventsAfter(after, page), (events) => events.map(({ id }) => id))
      assert.deepStrictEqual(yield* read(3, { limit: 10 }), [4, 5, 6])
      assert.deepStrictEqual(yield* read(3, { limit: 10, late: [5, 1, 99] }), [1, 4, 5, 6])
      assert.deepStrictEqual(yield* read(3, { limit: 2, late: [1] }), [1, 4])
      assert.deepStrictEqual(yield* read(6, { limit: 2, late: [2] }), [2])
    })
  )
})

describe("its reader", () => {
  layer(
    LedgerSql.layer.pipe(
      Layer.provideMerge(Layer.effectDiscard(migrate)),
      Layer.provideMerge(Postgres.session()),
      Layer.provide(settings())
    )
  )("of lists", (it) => {
    it.effect("gives pages that begin with the newest order, and shows none twice", () =>
      Effect.gen(function* () {
        const sql = yield* placeOrder
        yield* sql`
            INSERT INTO ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost,
              created_at)
            SELECT '0xAa', ${WALLET}::uuid, '0xCc', 1, 1, 1, now() - (n / 2) * interval '1 minute'
            FROM generate_series(2, 25) n`
        const watch = yield* WatchRepo
        const filter = { statuses: ["pending_payment" as const] }
        const seen: Array<string> = []
        let after: TaskPlace | undefined
        do {
          const page = yield* watch.listTasks(filter, { after, limit: 4 })
          seen.push(...page.tasks.map(({ id }) => id))
          after = page.next
        } while (after !== undefined)
        assert.lengthOf(seen, 25)
        assert.lengthOf(new Set(seen), 25)
        assert.strictEqual(seen[0], TASK)
        assert.lengthOf((yield* watch.listTasks({ statuses: ["funded"] }, { after: undefined, limit: 4 })).tasks, 0)
      })
    )

    it.effect("sums up the ledger, and gives the story of an order and of a wallet", () =>
      Effect.gen(function* () {
        const sql = yield* placeOrder
        const watch = yield* WatchRepo
        const figures = yield* watch.figures(0)
        assert.isUndefined(yield* watch.dueSince(0))
        assert.deepInclude(figures.tasks[0], {
          status: "pending_payment",
          held: false,
          count: 1,
          cost: usdc(2_000_000n)
        })
        assert.strictEqual((yield* watch.funnel(0)).created, 1)
        assert.deepStrictEqual(yield* watch.attention(10), [])
        const story = yield* watch.storyOf(TASK)
        assert.strictEqual(story?.task.totalCost, 2_000_000n)
        assert.lengthOf(story?.events ?? [], 1)
        assert.isUndefined(yield* watch.storyOf(WALLET))
        assert.isUndefined(yield* watch.walletStory(WALLET))
        assert.deepInclude(yield* watch.viewTask(TASK), { userAddress: "0xAa", agentAddress: undefined })
        yield* sql`INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
            VALUES (${WALLET}::uuid, ${`0x${"a".repeat(40)}`}, ${`0x${"b".repeat(40)}`}, '')`
        const wallet = yield* watch.walletStory(WALLET)
        assert.deepInclude(wallet, { reserved: zero, stopped: undefined, books: undefined })
      })
    )
  })
})
