import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { address } from "../../src/domain/Address.ts"
import { attentionOf } from "../../src/operator/Status.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import * as LedgerSql from "../../src/ledger/LedgerSql.ts"
import { type TaskPlace, WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { type AnyId, anyId } from "../support/anyId.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"

const WALLET = anyId("11111111-1111-4111-8111-111111111111")
const USER = `0x${"aa".repeat(20)}`
const BIGINT_MAX = 2n ** 63n - 1n
const NOW_MS = 1_761_974_130_000
const MINUTE = 60_000

const uuid = (n: number): AnyId => anyId(`${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`)

const emptied = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    TRUNCATE ai_agent_wallets, ai_agent_tasks, ai_agent_task_state, ai_agent_wallet_state, ai_agent_batches,
      ai_agent_deposits, ai_agent_refunds, ai_agent_pauses, ai_agent_events`
  return sql
})

interface Order {
  readonly id: number
  readonly status?: string | null
  readonly wallet?: string
  readonly token?: string
  readonly cost?: bigint
  readonly updatedMs?: number
  readonly isTimeless?: boolean
}

/** An order in v1.1's table, whose times have no zone. */
const placed = Effect.fnUntraced(function* (order: Order) {
  const sql = yield* SqlClient.SqlClient
  const { id, status = "funded", wallet = WALLET, token = "0xCc", cost = 1n, updatedMs = NOW_MS } = order
  yield* sql`
    INSERT INTO ai_agent_tasks (id, user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost,
      status, created_at, updated_at)
    VALUES (${uuid(id)}::uuid, ${USER}, ${wallet}::uuid, ${token}, 1, 1, ${cost}::bigint, ${status},
      CASE WHEN NOT ${order.isTimeless === true}::boolean THEN to_timestamp(${NOW_MS}::float8 / 1000)::timestamp END,
      to_timestamp(${updatedMs}::float8 / 1000)::timestamp)`
})

/** A payment of the order, to be looked at in so long. */
const paying = Effect.fnUntraced(function* (
  taskId: number,
  options: { readonly amount?: bigint; readonly inMs: number }
) {
  const sql = yield* SqlClient.SqlClient
  const amount = sql`${options.amount ?? 1n}::bigint`
  yield* sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, nonce, status, signed_amount, valid_before, next_action_at, status_since)
    VALUES (${uuid(taskId)}::uuid, 1, ${WALLET}::uuid, 1, 1, ${amount}, '0xcc', '0xaa', '0xcc', '0xaa',
      ${`nonce ${taskId}`}, 'signed', ${amount}, 1, to_timestamp(${NOW_MS + options.inMs}::float8 / 1000), now())`
})

const refunded = Effect.fnUntraced(function* (
  id: number,
  refund: { readonly status: string; readonly createdMs: number; readonly nextMs?: number }
) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_refunds (id, wallet_id, payer, pay_to, amount, nonce, status, reason, next_action_at, created_at,
      updated_at)
    VALUES (${uuid(id)}::uuid, ${WALLET}::uuid, '0xaa', '0xaa', 1, ${`nonce ${id}`}, ${refund.status}, 'no gas',
      to_timestamp(${refund.nextMs ?? null}::float8 / 1000), to_timestamp(${refund.createdMs}::float8 / 1000),
      to_timestamp(${refund.createdMs}::float8 / 1000))`
})

const dueSince = Effect.flatMap(WatchRepo, (watch) => watch.dueSince(NOW_MS))

layer(
  LedgerSql.layer.pipe(
    Layer.provideMerge(Layer.effectDiscard(Effect.andThen(createV11Tables({ strict: false }), migrate))),
    Layer.provideMerge(Postgres.layer({ timezone: "Pacific/Kiritimati" })),
    Layer.provide(settings())
  ),
  { excludeTestServices: true }
)("what operators look at, in v1.1's tables", (it) => {
  it.effect("is there whatever the sums come to", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      const watch = yield* WatchRepo
      for (const id of [1, 2]) {
        yield* placed({ id, cost: BIGINT_MAX })
        yield* paying(id, { amount: BIGINT_MAX, inMs: MINUTE })
        yield* sql`
          INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
          VALUES ('0x1', ${id}, ${WALLET}::uuid, '0xaa', ${BIGINT_MAX}::bigint, ${BIGINT_MAX}::bigint, 1, now())`
      }
      const { tasks, batches, money } = yield* watch.figures(NOW_MS)
      assert.deepStrictEqual(
        [tasks[0]?.cost, batches[0]?.amount, money.deposited, money.credit],
        [BIGINT_MAX, BIGINT_MAX, BIGINT_MAX, BIGINT_MAX]
      )
      yield* sql`
        INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
        VALUES (${WALLET}::uuid, ${USER}, ${`0x${"bb".repeat(20)}`}, '')`
      const story = yield* watch.walletStory(WALLET)
      assert.deepStrictEqual([story?.reserved, story?.maybeSpent], [BIGINT_MAX, BIGINT_MAX])
    })
  )

  it.effect("counts as credit what the books of a wallet have, whatever seems to be left of its deposits", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      const watch = yield* WatchRepo
      const credit = Effect.map(watch.figures(NOW_MS), ({ money }) => money.credit)
      yield* sql`
        INSERT INTO ai_agent_deposits (tx_hash, log_index, wallet_id, sender, amount, remaining, block, block_at)
        VALUES ('0x1', 1, ${WALLET}::uuid, '0xaa', 5, 5, 1, now()), ('0x1', 2, ${WALLET}::uuid, '0xaa', 3, 2, 1, now())`
      assert.strictEqual(yield* credit, 7n, "its books are not opened yet")
      yield* sql`INSERT INTO ai_agent_wallet_state (wallet_id, book_balance) VALUES (${WALLET}::uuid, 4)`
      assert.strictEqual(yield* credit, 4n)
      yield* sql`UPDATE ai_agent_wallet_state SET book_balance = -1`
      assert.strictEqual(yield* credit, 0n)
    })
  )

  it.effect("asks for attention to payments that are unproven or undelivered for a minute", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      for (const id of [1, 2, 3, 4]) yield* paying(id, { inMs: MINUTE })
      yield* sql`
        UPDATE ai_agent_batches SET status_since = now() - CASE WHEN task_id IN (${uuid(1)}::uuid, ${uuid(2)}::uuid)
          THEN interval '61 seconds' ELSE interval '1 second' END,
          status = CASE WHEN task_id IN (${uuid(1)}::uuid, ${uuid(3)}::uuid) THEN 'unknown' ELSE 'paid' END,
          payment_tx = '0x1', payment_block = 1, paid_amount = 1`
      const items = yield* (yield* WatchRepo).attention(10)
      assert.sameDeepMembers(
        items.map(({ kind, taskId }) => [kind, taskId]),
        [
          ["unknown", uuid(1)],
          ["undelivered", uuid(2)]
        ]
      )
    })
  )

  it.effect("leaves out orders whose state is none of ours", () =>
    Effect.gen(function* () {
      yield* emptied
      const watch = yield* WatchRepo
      for (const [id, status] of ["pending_payment", null, "on hold", "completed"].entries())
        yield* placed({ id, status })
      const { tasks } = yield* watch.figures(NOW_MS)
      assert.sameMembers(
        tasks.map(({ status, count }) => `${status} ${count}`),
        ["pending_payment 1", "completed 1"]
      )
      const all = yield* watch.listTasks({ statuses: [] }, { after: undefined, limit: 10 })
      const shown = [uuid(3), uuid(0)]
      assert.deepStrictEqual(
        all.tasks.map(({ id }) => id),
        shown
      )
      const theirs = yield* watch.tasksOf(address(USER), { limit: 10, offset: 0 })
      assert.deepStrictEqual([theirs.total, theirs.tasks.map(({ id }) => id)], [2, shown])
      assert.isUndefined(yield* watch.viewTask(uuid(1)))
      assert.isUndefined(yield* watch.storyOf(uuid(2)))
      assert.strictEqual((yield* watch.funnel(0)).created, 2)
    })
  )

  it.effect("has every order on some page, those without a time last", () =>
    Effect.gen(function* () {
      yield* emptied
      const watch = yield* WatchRepo
      for (const id of [1, 2, 3, 4, 5, 6, 7]) yield* placed({ id, isTimeless: id % 2 === 1 })
      const seen: Array<string> = []
      let after: TaskPlace | undefined
      do {
        const page = yield* watch.listTasks({ statuses: [] }, { after, limit: 2 })
        seen.push(...page.tasks.map(({ id }) => id))
        after = page.next
      } while (after !== undefined)
      assert.deepStrictEqual(seen, [6, 4, 2, 7, 5, 3, 1].map(uuid))
      const theirs = yield* watch.tasksOf(address(USER), { limit: 3, offset: 2 })
      assert.deepStrictEqual(
        theirs.tasks.map(({ id }) => id),
        [2, 7, 5].map(uuid)
      )
    })
  )

  it.effect("shows times that no clock can show as none, and has those orders on some page", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      const watch = yield* WatchRepo
      for (const id of [1, 2, 3, 4, 5]) yield* placed({ id })
      const strange = ["infinity", "-infinity", "294000-01-01"]
      for (const [index, time] of strange.entries()) {
        yield* sql`
          UPDATE ai_agent_tasks SET created_at = ${time}::timestamp, updated_at = ${time}::timestamp,
            started_at = ${time}::timestamp, completed_at = ${time}::timestamp, funding_received_at = ${time}::timestamp
          WHERE id = ${uuid(index + 1)}::uuid`
      }
      const seen: Array<string> = []
      let after: TaskPlace | undefined
      do {
        const page = yield* watch.listTasks({ statuses: [] }, { after, limit: 1 })
        seen.push(...page.tasks.map(({ id }) => id))
        after = page.next
      } while (after !== undefined)
      assert.deepStrictEqual(seen, [1, 3, 5, 4, 2].map(uuid))
      const story = yield* watch.storyOf(uuid(3))
      assert.isTrue(Number.isNaN(story?.task.createdAtMs))
      const view = yield* watch.viewTask(uuid(1))
      assert.deepStrictEqual(
        [view?.startedAtMs, view?.completedAtMs, view?.fundingReceivedAtMs],
        [undefined, undefined, undefined]
      )
      assert.strictEqual((yield* watch.figures(NOW_MS)).tasks.length, 1)
    })
  )

  it.effect("cuts what another program wrote into a text, however long that is", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      const watch = yield* WatchRepo
      yield* placed({ id: 1, status: "failed" })
      yield* sql`
        UPDATE ai_agent_tasks SET error_message = repeat('x', 20000000)`
      assert.lengthOf((yield* watch.viewTask(uuid(1)))?.errorMessage ?? "", 4_000)
    })
  )

  it.effect("is due since the last step of its wallet, where an order waits for no time", () =>
    Effect.gen(function* () {
      yield* emptied
      assert.isUndefined(yield* dueSince)
      yield* placed({ id: 1, updatedMs: NOW_MS - 9 * MINUTE })
      assert.strictEqual(yield* dueSince, NOW_MS - 9 * MINUTE)
      yield* placed({ id: 2, status: "completed", updatedMs: NOW_MS - MINUTE })
      yield* placed({ id: 3, status: "pending_payment" })
      assert.strictEqual(yield* dueSince, NOW_MS - MINUTE)
      yield* placed({ id: 4, wallet: uuid(9), updatedMs: NOW_MS - 5 * MINUTE })
      assert.strictEqual(yield* dueSince, NOW_MS - 5 * MINUTE)
    })
  )

  it.effect("is not due while a payment of the same token is on its way, and then when that is", () =>
    Effect.gen(function* () {
      yield* emptied
      yield* placed({ id: 1, updatedMs: NOW_MS - 9 * MINUTE })
      yield* placed({ id: 2, updatedMs: NOW_MS - 9 * MINUTE })
      yield* paying(1, { inMs: MINUTE })
      assert.isUndefined(yield* dueSince)
      yield* placed({ id: 3, token: "0xDd", updatedMs: NOW_MS - 8 * MINUTE })
      assert.strictEqual(yield* dueSince, NOW_MS - 8 * MINUTE)
      yield* placed({ id: 4, wallet: uuid(9), status: "processing" })
      yield* paying(4, { inMs: -10 * MINUTE })
      assert.strictEqual(yield* dueSince, NOW_MS - 10 * MINUTE)
    })
  )

  it.effect("counts refunds among what is due, and nothing that is paused", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      yield* refunded(1, { status: "planned", createdMs: NOW_MS, nextMs: NOW_MS - 3 * MINUTE })
      assert.strictEqual(yield* dueSince, NOW_MS - 3 * MINUTE)
      yield* placed({ id: 1, updatedMs: NOW_MS - 9 * MINUTE })
      yield* sql`INSERT INTO ai_agent_pauses (scope, reason, since) VALUES ('token:0xcc', 'odd', now())`
      assert.strictEqual(yield* dueSince, NOW_MS - 3 * MINUTE)
      yield* sql`INSERT INTO ai_agent_pauses (scope, reason, since) VALUES (${`wallet:${WALLET}`}, 'odd', now())`
      assert.isUndefined(yield* dueSince)
    })
  )

  it.effect(
    "puts few of many that are held for one cause first, so that they hide no other, and says how many they are",
    () =>
      Effect.gen(function* () {
        yield* emptied
        const sql = yield* SqlClient.SqlClient
        const held = Effect.fnUntraced(function* (id: number, reason: string) {
          yield* placed({ id })
          yield* sql`
          INSERT INTO ai_agent_task_state (task_id, held_at, held_reason)
          VALUES (${uuid(id)}::uuid, to_timestamp(${NOW_MS + id}::float8 / 1000), ${reason})`
        })
        for (let id = 1; id <= 30; id++) yield* held(id, `the key of agent wallet 0xab${id} does not decrypt (${id})`)
        yield* held(31, "its nonce was cancelled")
        const items = yield* (yield* WatchRepo).attention(10)
        assert.deepStrictEqual(
          items.map(({ taskId, alike }) => [taskId, alike]),
          [...[1, 2, 3, 4, 5].map((id) => [uuid(id), 30]), [uuid(31), 1], ...[6, 7, 8, 9].map((id) => [uuid(id), 30])]
        )
      })
  )

  it.effect("says since when its sums count, where v1.1 minted before", () =>
    Effect.gen(function* () {
      yield* emptied
      const sql = yield* SqlClient.SqlClient
      const watch = yield* WatchRepo
      yield* placed({ id: 1, status: "completed" })
      assert.isUndefined((yield* watch.figures(NOW_MS)).beganMs, "an order that minted nothing is left out of nothing")
      yield* sql`UPDATE ai_agent_tasks SET mints_completed = 1`
      assert.isAbove((yield* watch.figures(NOW_MS)).beganMs ?? 0, NOW_MS)
    })
  )

  it.effect("names a wallet by its id where another program's text stands for its address", () =>
    Effect.gen(function* () {
      const sql = yield* emptied
      yield* sql`
        INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
        VALUES (${WALLET}::uuid, ${USER}, '$(id>/tmp/x)', '')`
      yield* sql`
        INSERT INTO ai_agent_wallet_state (wallet_id, stopped_at, stopped_reason)
        VALUES (${WALLET}::uuid, now(), 'money is missing')`
      const [item] = yield* (yield* WatchRepo).attention(10)
      assert.deepInclude(item, { kind: "stopped", walletId: WALLET, agentAddress: undefined })
      const offered = item && attentionOf(item)
      assert.deepInclude(offered, { wallet: WALLET, command: `wallets show ${WALLET}` })
    })
  )

  it.effect("asks for attention to refunds that are held or take too long, until another is asked for", () =>
    Effect.gen(function* () {
      yield* emptied
      const watch = yield* WatchRepo
      const nowMs = Date.now()
      const refunds = Effect.map(watch.attention(10), (items) => items.map(({ kind, sinceMs }) => [kind, sinceMs]))
      yield* refunded(1, { status: "held", createdMs: nowMs - 60 * MINUTE })
      assert.deepInclude((yield* watch.attention(10))[0], { kind: "refund", walletId: WALLET, reason: "no gas" })
      yield* refunded(2, { status: "planned", createdMs: nowMs - 30 * MINUTE })
      yield* refunded(3, { status: "planned", createdMs: nowMs - 5 * MINUTE })
      assert.deepStrictEqual(yield* refunds, [["refund", nowMs - 30 * MINUTE]])
    })
  )
})
