import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { address } from "../../src/domain/Address.ts"
import type { WebhookEvent } from "../../src/domain/webhooks.ts"
import * as LedgerSql from "../../src/ledger/LedgerSql.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { type DeliveryId, type Outcome, WebhookId, WebhookRepo } from "../../src/ledger/WebhookRepo.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"

const NOW_MS = 1_761_974_130_000
const MINUTE = 60_000
const LEASE_MS = 90_000
const DECISION = { command: "webhooks add", said: "a webhook", why: "a test", by: "a test" }
const ANN = address(`0x${"aa".repeat(20)}`)
const BOB = address(`0x${"bb".repeat(20)}`)

const uuid = (n: number): string => `${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`
const HOOK = WebhookId.make(uuid(1))
const OTHER = WebhookId.make(uuid(2))

const emptied = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    TRUNCATE ai_agent_wallets, ai_agent_tasks, ai_agent_task_state, ai_agent_wallet_state, ai_agent_batches,
      ai_agent_events, ai_agent_webhooks, ai_agent_webhook_outbox, ai_agent_webhook_deliveries, ai_agent_attention`
  for (const [n, user] of [
    [11, ANN],
    [12, BOB]
  ] as const) {
    yield* sql`
      INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
      VALUES (${uuid(n)}::uuid, ${user}, ${`0x${String(n).repeat(20)}`}, '')`
  }
  return { sql, repo: yield* WebhookRepo }
})

const added = Effect.fnUntraced(function* (
  id: WebhookId,
  events: ReadonlyArray<WebhookEvent> = ["order.created"],
  user = undefined as typeof ANN | undefined
) {
  const webhook = { id, url: "https://example.com/", events, user, keyId: undefined, sealedSecret: "sealed" }
  assert.isTrue(yield* (yield* WebhookRepo).add(webhook, DECISION, NOW_MS))
})

/** An order as another program writes it. */
const placed = Effect.fnUntraced(function* (n: number, wallet = 11) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_tasks (id, user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost)
    VALUES (${uuid(n)}::uuid, ${ANN}, ${uuid(wallet)}::uuid, '0xCc', 1, 1, 1)`
})

const bodies = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly webhook_id: string; readonly body: string }>`
    SELECT webhook_id, body FROM ai_agent_webhook_deliveries ORDER BY event_id, webhook_id`
  return rows.map(({ webhook_id, body }) => ({ webhook: webhook_id, ...JSON.parse(body) }))
})

const fanOut = Effect.flatMap(WebhookRepo, (repo) => repo.fanOut(100, NOW_MS))

const failed = (attempt: { readonly id: DeliveryId; readonly attempt: number }, nextAtMs: number): Outcome => ({
  id: attempt.id,
  attempt: attempt.attempt,
  state: "waiting",
  nextAtMs,
  status: 500,
  error: "it answered 500"
})

layer(
  LedgerSql.layer.pipe(
    Layer.provideMerge(Layer.effectDiscard(migrate)),
    Layer.provideMerge(Postgres.layer({ isUpToDate: true })),
    Layer.provide(settings())
  ),
  { excludeTestServices: true }
)("what webhooks are told, in PostgreSQL", (it) => {
  it.effect("keeps nothing for endpoints while there is none, and tells a new one of nothing that was before", () =>
    Effect.gen(function* () {
      const { sql } = yield* emptied
      yield* placed(21)
      assert.lengthOf(yield* sql`SELECT 1 FROM ai_agent_webhook_outbox`, 0)
      yield* added(HOOK)
      yield* placed(22)
      yield* added(OTHER)
      yield* fanOut
      const [told, ...others] = yield* bodies
      assert.deepStrictEqual(others, [])
      assert.deepInclude(told, { webhook: HOOK, type: "order.created" })
      assert.deepInclude(told.data, { orderId: uuid(22), user: ANN, walletId: uuid(11), status: "pending_payment" })
      assert.sameMembers(Object.keys(told), ["webhook", "type", "timestamp", "data"])
    })
  )

  it.effect("tells an endpoint of one person only of that person's wallets", () =>
    Effect.gen(function* () {
      yield* emptied
      yield* added(HOOK, ["order.created"], BOB)
      yield* placed(21, 11)
      // The order's own column says Ann: whose it is, the wallet says.
      yield* placed(22, 12)
      yield* fanOut
      assert.deepStrictEqual(
        (yield* bodies).map(({ data }) => [data.orderId, data.user]),
        [[uuid(22), BOB]]
      )
      const { list, find } = yield* WebhookRepo
      assert.lengthOf(yield* list({ user: ANN }, NOW_MS), 0)
      assert.lengthOf(yield* find(HOOK.slice(0, 8), { user: ANN }), 0)
      assert.lengthOf(yield* find(HOOK.slice(0, 8), { user: BOB }), 1)
    })
  )

  it.effect("misses no event of a transaction that ends after a later one, and tells none that was rolled back", () =>
    Effect.gen(function* () {
      const { sql } = yield* emptied
      yield* added(HOOK)
      // Outside of the transaction: another connection.
      const outside = Effect.runPromiseWith(yield* Effect.context<SqlClient.SqlClient | WebhookRepo>())
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* placed(21)
          yield* Effect.promise(() => outside(Effect.andThen(placed(22), fanOut)))
          assert.lengthOf(yield* Effect.promise(() => outside(bodies)), 1)
        })
      )
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(placed(23), Effect.fail("the writer gives up"))))
      yield* fanOut
      assert.sameMembers(
        (yield* bodies).map(({ data }) => data.orderId),
        [uuid(21), uuid(22)]
      )
    })
  )

  it.effect("gives each delivery to one of several executors that ask at once", () =>
    Effect.gen(function* () {
      const { repo } = yield* emptied
      yield* added(HOOK)
      yield* added(OTHER)
      for (let n = 21; n < 61; n++) yield* placed(n)
      const fanned = yield* Effect.all([fanOut, fanOut, fanOut], { concurrency: "unbounded" })
      yield* fanOut
      assert.isAtLeast(
        fanned.reduce((sum, count) => sum + count, 0),
        1
      )
      assert.lengthOf(yield* bodies, 80)
      const places = [HOOK, OTHER].map((id) => ({ id, free: 12 }))
      const claims = yield* Effect.all(
        Array.from({ length: 5 }, () => repo.claim(places, NOW_MS, LEASE_MS)),
        { concurrency: "unbounded" }
      )
      const taken = claims.flat()
      assert.strictEqual(new Set(taken.map(({ id }) => id)).size, taken.length)
      assert.isTrue(claims.every((claim) => claim.filter(({ webhookId }) => webhookId === HOOK).length <= 12))
    })
  )

  it.effect(
    "makes an attempt again whose executor died with it, and takes no word of the dead one but that it arrived",
    () =>
      Effect.gen(function* () {
        const { repo } = yield* emptied
        const places = [{ id: HOOK, free: 5 }]
        yield* added(HOOK)
        yield* placed(21)
        yield* fanOut
        const [first] = yield* repo.claim(places, NOW_MS, LEASE_MS)
        assert.isDefined(first)
        assert.lengthOf(yield* repo.claim(places, NOW_MS + LEASE_MS - 1, LEASE_MS), 0)
        const [second] = yield* repo.claim(places, NOW_MS + LEASE_MS, LEASE_MS)
        assert.deepInclude(second, { id: first.id, attempt: 2, nth: 2 })
        yield* repo.settle([failed(first, NOW_MS)], NOW_MS)
        assert.lengthOf(yield* repo.claim(places, NOW_MS + LEASE_MS + 1, LEASE_MS), 0, "the second one is under way")
        yield* repo.settle([{ ...failed(first, NOW_MS), state: "delivered", status: 200, error: undefined }], NOW_MS)
        const [delivery] = yield* repo.deliveries({ user: undefined, webhookId: HOOK, state: undefined }, 10)
        assert.deepInclude(delivery, { state: "delivered", deliveredAtMs: NOW_MS, attempts: 2 })
      })
  )

  it.effect("delivers again what was given up, and from the first pause on", () =>
    Effect.gen(function* () {
      const { repo } = yield* emptied
      const places = [{ id: HOOK, free: 5 }]
      yield* added(HOOK)
      yield* placed(21)
      yield* fanOut
      const [first] = yield* repo.claim(places, NOW_MS, LEASE_MS)
      assert.isDefined(first)
      yield* repo.settle([{ ...failed(first, NOW_MS), state: "given_up" }], NOW_MS)
      assert.lengthOf(yield* repo.claim(places, NOW_MS + LEASE_MS, LEASE_MS), 0)
      assert.deepInclude(yield* repo.redeliver(first.id, NOW_MS), { state: "waiting", attempts: 1 })
      const [again] = yield* repo.claim(places, NOW_MS, LEASE_MS)
      assert.deepInclude(again, { id: first.id, attempt: 2, nth: 1 })
      assert.isTrue(yield* repo.end(HOOK, "it answered 410 Gone", undefined, NOW_MS))
      assert.isUndefined(yield* repo.redeliver(first.id, NOW_MS))
      const [ended] = yield* repo.list({ user: undefined }, NOW_MS)
      assert.deepInclude(ended, { waiting: 0, givenUp: 1 })
    })
  )

  it.effect("writes once that something needs attention and once that it no longer does, whoever looks", () =>
    Effect.gen(function* () {
      const { sql, repo } = yield* emptied
      yield* added(HOOK, ["attention.opened", "attention.closed"])
      yield* placed(21)
      yield* sql`INSERT INTO ai_agent_task_state (task_id, held_at, held_reason) VALUES (${uuid(21)}::uuid, now(), 'odd')`
      yield* sql`INSERT INTO ai_agent_wallet_state (wallet_id, stopped_at) VALUES (${uuid(12)}::uuid, now())`
      const look = repo.trackAttention(NOW_MS)
      yield* Effect.all([look, look, look], { concurrency: "unbounded" })
      yield* look
      yield* sql`UPDATE ai_agent_task_state SET held_at = NULL`
      yield* Effect.all([look, look, look], { concurrency: "unbounded" })
      yield* look
      yield* fanOut
      assert.sameDeepMembers(
        (yield* bodies).map(({ type, data }) => [type, data.about, data.orderId, data.user]),
        [
          ["attention.opened", "held", uuid(21), ANN],
          ["attention.opened", "stopped", null, BOB],
          ["attention.closed", "held", uuid(21), ANN]
        ]
      )
    })
  )

  it.effect("forgets what is long over, and says what waits", () =>
    Effect.gen(function* () {
      const { repo } = yield* emptied
      yield* added(HOOK)
      yield* placed(21)
      yield* placed(22)
      yield* fanOut
      const [first] = yield* repo.claim([{ id: HOOK, free: 1 }], NOW_MS, LEASE_MS)
      assert.isDefined(first)
      yield* repo.settle([{ ...failed(first, NOW_MS), state: "delivered" }], NOW_MS)
      assert.deepStrictEqual(yield* repo.tidy(NOW_MS + MINUTE), { waiting: 1, dueSinceMs: NOW_MS })
      yield* repo.tidy(NOW_MS + 31 * 24 * 60 * MINUTE)
      assert.lengthOf(yield* bodies, 1)
    })
  )
})
