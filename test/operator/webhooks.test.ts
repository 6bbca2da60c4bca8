import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { base } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { KeyId } from "../../src/domain/Key.ts"
import { WebhookRepo } from "../../src/ledger/WebhookRepo.ts"
import { type Caller, CurrentCaller } from "../../src/operator/Caller.ts"
import * as Webhooks from "../../src/operator/webhooks.ts"
import { CurrentLookUp } from "../../src/ops/webhookTarget.ts"
import { onGiven } from "../support/operator.ts"
import * as Postgres from "../support/Postgres.ts"
import { atWork, casesIn, decisions, refusal, stories } from "./given.ts"

const URL = "http://127.0.0.1:9/hook"
const ANN = address(`0x${"aa".repeat(20)}`)
const BOB = address(`0x${"bb".repeat(20)}`)

const add = onGiven(Webhooks.addWebhook)
const list = onGiven(Webhooks.listWebhooks)()
const rotate = onGiven(Webhooks.rotateWebhook)
const remove = onGiven(Webhooks.removeWebhook)
const deliveries = onGiven(Webhooks.listDeliveries)
const redeliver = onGiven(Webhooks.redeliver)

/** One with a key that is bound to a person. */
const bound = (user: typeof ANN, n: number): Caller => ({
  words: "a key",
  may: new Set(["webhooks"]),
  keyId: KeyId.make(`0000000${n}-0000-4000-8000-000000000000`),
  user
})

const emptied = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`TRUNCATE ai_agent_webhooks, ai_agent_webhook_deliveries, ai_agent_keys, ai_agent_decisions`
  return sql
})

layer(Postgres.session())("webhooks by command", (it) => {
  const { onSql } = stories(it)
  const inPublic = casesIn(it, atWork({ network: base }))

  onSql("have a secret that is shown at their making and is nowhere else", function* () {
    const sql = yield* emptied
    const made = yield* add({ url: URL, events: ["order.failed", "order.completed", "order.failed"] })
    assert.match(made.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    assert.deepStrictEqual(made.events, ["order.completed", "order.failed"])
    const rows =
      yield* sql`SELECT w::text AS row FROM ai_agent_webhooks w UNION ALL SELECT d::text FROM ai_agent_decisions d`
    assert.lengthOf(rows, 2)
    assert.notInclude(JSON.stringify([rows, yield* list]), made.secret.slice(6))
    const rotated = yield* rotate(made.id.slice(0, 8))
    assert.notStrictEqual(rotated.secret, made.secret)
    assert.isAbove(rotated.oldSecretUntil ?? 0, 0)
    yield* remove(made.id)
    assert.include(yield* refusal(rotate(made.id)), "has ended")
    assert.deepStrictEqual(
      (yield* decisions).map(({ command }) => command),
      ["webhooks add", "webhooks rotate", "webhooks remove"]
    )
  })

  onSql("hear of events that there are", function* () {
    yield* emptied
    const words = yield* refusal(add({ url: URL, events: ["order.completed", "order.gone"] }))
    assert.include(words, "There is no event order.gone. Events are: order.created, order.funded")
    assert.include(yield* refusal(deliveries({ webhook: "abcdef01" })), "There is no webhook abcdef01")
    assert.include(yield* refusal(redeliver("nonsense")), "There is no delivery nonsense")
  })

  onSql("of one person are none to another", function* () {
    yield* emptied
    const asAnn = Effect.provideService(CurrentCaller, bound(ANN, 1))
    const asBob = Effect.provideService(CurrentCaller, bound(BOB, 2))
    const { id } = yield* asAnn(add({ url: URL, events: ["order.completed"] }))
    assert.deepInclude((yield* asAnn(list)).webhooks[0], { id, user: ANN })
    assert.deepStrictEqual((yield* asBob(list)).webhooks, [])
    const repo = yield* WebhookRepo
    const whole = { user: undefined, webhookId: undefined, state: undefined }
    const sent = yield* repo.send(
      (yield* repo.find(id, whole))[0] ?? assert.fail("it is gone"),
      { type: "a", body: "{}" },
      0
    )
    assert.isDefined(sent)
    for (const ask of [
      Effect.asVoid(rotate(id)),
      Effect.asVoid(remove(id)),
      Effect.asVoid(deliveries({ webhook: id }))
    ]) {
      assert.strictEqual(yield* refusal(asBob(ask)), `There is no webhook ${id}.`)
    }
    assert.deepStrictEqual((yield* asBob(deliveries({}))).deliveries, [])
    assert.strictEqual(yield* refusal(asBob(redeliver(sent.id))), `There is no delivery ${sent.id}.`)
    assert.lengthOf((yield* asAnn(deliveries({}))).deliveries, 1)
  })

  onSql("leave places to others, however many a key asks for", function* () {
    yield* emptied
    const hook = { url: URL, events: ["order.completed"] }
    const asAnn = Effect.provideService(CurrentCaller, bound(ANN, 1))
    yield* Effect.forEach(Array.from({ length: 10 }), () => asAnn(add(hook)))
    assert.include(yield* refusal(asAnn(add(hook))), "10 of this key")
    yield* Effect.provideService(add(hook), CurrentCaller, bound(BOB, 2))
    yield* Effect.forEach(Array.from({ length: 11 }), () => add(hook))
  })

  onSql("end with the key that made them", function* () {
    const sql = yield* emptied
    const caller = bound(ANN, 1)
    yield* sql`
      INSERT INTO ai_agent_keys (id, name, digest, scopes, created_at, created_by, revoked_at)
      VALUES (${caller.keyId}::uuid, 'shop', '', ARRAY['webhooks'], now(), 'a test', now())`
    yield* Effect.provideService(add({ url: URL, events: ["order.completed"] }), CurrentCaller, caller)
    const repo = yield* WebhookRepo
    assert.deepStrictEqual(yield* repo.endpoints(0), [])
    yield* repo.tidy(1)
    assert.deepInclude((yield* list).webhooks[0]?.ended, { reason: "its key was revoked or has expired" })
  })

  inPublic("lead to public addresses over HTTPS", function* () {
    yield* emptied
    const leading = (url: string, to: string) =>
      Effect.provideService(add({ url, events: ["order.completed"] }), CurrentLookUp, async () => [to])
    assert.include(yield* refusal(leading("http://example.com/", "8.8.8.8")), "must begin with https://")
    const inside = yield* refusal(leading("https://example.com/", "10.0.0.5"))
    assert.include(inside, "example.com has an address which is no public one")
    assert.notInclude(inside, "10.0.0.5", "names of the network inside are not read through it")
    assert.strictEqual((yield* leading("https://example.com/hook", "8.8.8.8")).url, "https://example.com/hook")
  })
})
