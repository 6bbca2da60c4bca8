import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Queue, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Webhook } from "standardwebhooks"
import * as Deliveries from "../../../src/api/webhooks/Deliveries.ts"
import { SecretBox } from "../../../src/chain/SecretBox.ts"
import * as SecretBoxAes from "../../../src/chain/SecretBoxAes.ts"
import { base, local } from "../../../src/config/Network.ts"
import { PAUSES_MS } from "../../../src/domain/webhooks.ts"
import {
  type Attempt,
  DeliveryId,
  type Endpoint,
  type Outcome,
  WebhookId,
  WebhookRepo
} from "../../../src/ledger/WebhookRepo.ts"
import { CurrentLookUp } from "../../../src/ops/webhookTarget.ts"
import { settings } from "../../support/settings.ts"
import { endpoint, type Received, status } from "./endpoint.ts"

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`
const OLD_SECRET = `whsec_${Buffer.alloc(24, 9).toString("base64")}`
const DAY_MS = 86_400_000

const hookId = (n: number) => WebhookId.make(`${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`)
const deliveryId = (n: number) => DeliveryId.make(`a${String(n).padStart(7, "0")}-0000-4000-8000-000000000000`)

/** A delivery, as a repo has it. */
interface Row {
  readonly attempt: Attempt
  dueAtMs: number
  state: Outcome["state"]
}

/** What the loops work on: deliveries in memory, and what was written of them. */
const memory = Effect.gen(function* () {
  const endpoints: Array<Endpoint> = []
  const rows = new Map<string, Row>()
  const settled = yield* Queue.unbounded<Outcome>()
  const ended: Array<string> = []
  const repo = Layer.mock(WebhookRepo, {
    endpoints: () => Effect.sync(() => endpoints.filter(({ id }) => !ended.includes(id))),
    fanOut: () => Effect.succeed(0),
    claim: (places, nowMs, leaseMs) =>
      Effect.sync(() =>
        places.flatMap(({ id, free }) =>
          [...rows.values()]
            .filter((row) => row.attempt.webhookId === id && row.state === "waiting" && row.dueAtMs <= nowMs)
            .slice(0, free)
            .map((row) => {
              row.dueAtMs = nowMs + leaseMs
              const attempt = { ...row.attempt, attempt: row.attempt.attempt + 1, nth: row.attempt.nth + 1 }
              rows.set(attempt.id, { ...row, attempt })
              return attempt
            })
        )
      ),
    settle: (outcomes) =>
      Effect.sync(() => {
        for (const outcome of outcomes) {
          const row = rows.get(outcome.id)
          if (row !== undefined) rows.set(outcome.id, { ...row, state: outcome.state, dueAtMs: outcome.nextAtMs })
          Queue.offerUnsafe(settled, outcome)
        }
      }),
    end: (id) => Effect.sync(() => void ended.push(id)).pipe(Effect.as(true)),
    tidy: () => Effect.succeed({ waiting: 0, dueSinceMs: undefined })
  })
  return {
    repo,
    ended,
    outcome: Queue.take(settled),
    add: (one: Endpoint) => void endpoints.push(one),
    deliver: (n: number, webhookId: WebhookId, dueAtMs: number, attempts = 0) => {
      const attempt = {
        id: deliveryId(n),
        webhookId,
        body: `{"type":"order.completed","n":${n}}`,
        attempt: attempts,
        nth: attempts
      }
      rows.set(attempt.id, { attempt, dueAtMs, state: "waiting" })
    }
  }
})

const sealed = Effect.fnUntraced(function* (id: WebhookId, secret: string) {
  return yield* (yield* SecretBox).seal(Redacted.make(secret), id)
})

/** The loops over such a repo. */
const delivering = Effect.fnUntraced(function* (network = local) {
  // The library of receivers compares with the clock of the machine.
  const nowMs = yield* TestClock.withLive(Clock.currentTimeMillis)
  yield* TestClock.setTime(nowMs)
  const store = yield* memory
  const box = SecretBoxAes.layer.pipe(Layer.provide(settings({ network })))
  const on = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, box)
  const addEndpoint = Effect.fnUntraced(function* (n: number, url: string, rotated: Partial<Endpoint> = {}) {
    const id = hookId(n)
    const sealedSecret = yield* on(sealed(id, SECRET))
    store.add({
      ...{ id, url, events: ["order.completed"], sealedSecret },
      ...{ oldSealedSecret: undefined, oldSecretUntilMs: undefined },
      ...rotated
    })
    return id
  })
  const layer = Deliveries.layer.pipe(Layer.provide([box, settings({ network }), store.repo]))
  const start = Effect.andThen(Layer.build(Layer.fresh(layer)), TestClock.adjust(0))
  return { ...store, addEndpoint, start, on, nowMs }
})

/** What the library of receivers reads out of a message; it throws where the signature does not fit. */
const verified = (secret: string, { headers, body }: Received): unknown =>
  new Webhook(secret).verify(body, headers as Record<string, string>)

describe("deliveries of webhooks", () => {
  it.effect("are signed as a receiver's library has it, with both secrets while one is rotated", () =>
    Effect.gen(function* () {
      const there = yield* endpoint(status(200))
      const { addEndpoint, deliver, start, outcome, on, nowMs } = yield* delivering()
      const oldSealedSecret = yield* on(sealed(hookId(1), OLD_SECRET))
      const id = yield* addEndpoint(1, there.url, { oldSealedSecret, oldSecretUntilMs: nowMs + DAY_MS })
      deliver(1, id, nowMs)
      yield* start
      const received = yield* there.next
      for (const secret of [SECRET, OLD_SECRET]) {
        assert.deepStrictEqual(verified(secret, received), { type: "order.completed", n: 1 })
      }
      assert.throws(() => verified(`whsec_${Buffer.alloc(32).toString("base64")}`, received))
      assert.throws(() => verified(SECRET, { ...received, body: `${received.body} ` }))
      assert.strictEqual(received.headers["webhook-id"], `msg_${deliveryId(1)}`)
      assert.deepInclude(yield* outcome, { state: "delivered", status: 200, attempt: 1 })
    })
  )

  it.effect(
    "are signed by the new secret alone, where the old one does not open: the key that sealed it was rotated",
    () =>
      Effect.gen(function* () {
        const there = yield* endpoint(status(200))
        const { addEndpoint, deliver, start, outcome, nowMs } = yield* delivering()
        const id = yield* addEndpoint(1, there.url, { oldSealedSecret: "AAAA", oldSecretUntilMs: nowMs + DAY_MS })
        deliver(1, id, nowMs)
        yield* start
        const received = yield* there.next
        assert.deepStrictEqual(verified(SECRET, received), { type: "order.completed", n: 1 })
        assert.lengthOf(String(received.headers["webhook-signature"]).split(" "), 1)
        assert.deepInclude(yield* outcome, { state: "delivered" })
      })
  )

  it.effect("come again under the same id after each pause, and are given up after the tenth", () =>
    Effect.gen(function* () {
      const there = yield* endpoint(status(500))
      const { addEndpoint, deliver, start, outcome, nowMs } = yield* delivering()
      const id = yield* addEndpoint(1, there.url)
      deliver(1, id, nowMs)
      yield* start
      const ids = new Set<unknown>()
      const states: Array<string> = []
      for (const pauseMs of PAUSES_MS.slice(0, 3)) {
        const received = yield* there.next
        ids.add(received.headers["webhook-id"])
        const { state, error, nextAtMs } = yield* outcome
        states.push(state)
        assert.strictEqual(error, "it answered 500")
        const attemptedAtMs = Number(received.headers["webhook-timestamp"]) * 1_000
        assert.isAtLeast(nextAtMs - attemptedAtMs, pauseMs)
        yield* TestClock.setTime(nextAtMs - 1)
        assert.strictEqual(yield* there.size, 0)
        yield* TestClock.adjust("1 second")
      }
      yield* there.next
      assert.deepStrictEqual([states, ids.size], [["waiting", "waiting", "waiting"], 1])
      assert.strictEqual((yield* outcome).state, "waiting")
      deliver(2, id, 0, 9)
      yield* TestClock.adjust("1 second")
      yield* there.next
      assert.deepInclude(yield* outcome, { id: deliveryId(2), state: "given_up" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* there.size, 0)
    })
  )

  it.effect("wait as long as Retry-After asks, and end with 410", () =>
    Effect.gen(function* () {
      const there = yield* endpoint(status(429, { "retry-after": "600" }), status(410))
      const { addEndpoint, deliver, start, outcome, ended, nowMs } = yield* delivering()
      const id = yield* addEndpoint(1, there.url)
      deliver(1, id, nowMs)
      yield* start
      yield* there.next
      assert.isAtLeast((yield* outcome).nextAtMs, nowMs + 600_000)
      yield* TestClock.adjust("700 seconds")
      yield* there.next
      assert.deepInclude(yield* outcome, { state: "given_up", status: 410 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended, [id])
    })
  )

  it.effect("to one endpoint do not wait for another that never answers, which gets one request at a time", () =>
    Effect.gen(function* () {
      const dead = yield* endpoint(() => undefined)
      const well = yield* endpoint(status(200))
      const { addEndpoint, deliver, start, outcome, nowMs } = yield* delivering()
      const [first, second] = [yield* addEndpoint(1, dead.url), yield* addEndpoint(2, well.url)]
      for (let n = 1; n <= 40; n++) deliver(n, first, nowMs)
      for (let n = 41; n <= 90; n++) deliver(n, second, nowMs)
      yield* start
      for (let n = 41; n <= 90; n++) assert.strictEqual((yield* outcome).state, "delivered")
      for (let n = 0; n < 32; n++) yield* dead.next
      assert.strictEqual(yield* dead.size, 0)
      yield* TestClock.adjust("20 seconds")
      for (let n = 0; n < 32; n++) assert.strictEqual((yield* outcome).error, "no answer within 20s")
      yield* dead.next
      assert.strictEqual(yield* dead.size, 0)
    })
  )

  it.effect("go nowhere where the name leads inside by then", () =>
    Effect.gen(function* () {
      const { addEndpoint, deliver, start, outcome, nowMs } = yield* delivering(base)
      deliver(1, yield* addEndpoint(1, "https://hook.example/"), nowMs)
      yield* Effect.provideService(start, CurrentLookUp, async () => ["127.0.0.1"])
      assert.include((yield* outcome).error ?? "", "an address which is no public one")
    })
  )

  it.effect("are not made with a secret that does not open", () =>
    Effect.gen(function* () {
      const there = yield* endpoint(status(200))
      const { addEndpoint, deliver, start, outcome, on, nowMs } = yield* delivering()
      // Sealed for another row.
      const sealedSecret = yield* on(sealed(hookId(2), SECRET))
      deliver(1, yield* addEndpoint(1, there.url, { sealedSecret }), nowMs)
      yield* start
      assert.include((yield* outcome).error ?? "", "does not open with AGENT_ENCRYPTION_KEY")
      assert.strictEqual(yield* there.size, 0)
    })
  )
})

describe("places for deliveries", () => {
  it("are 32 for an endpoint, one for one that fails, and 256 in all", () => {
    const all = Array.from({ length: 12 }, (_, n) => ({ id: hookId(n) }))
    const busy = new Map([
      [hookId(0), { inFlight: 0, isFailing: true }],
      [hookId(1), { inFlight: 1, isFailing: true }],
      [hookId(2), { inFlight: 10, isFailing: false }]
    ])
    const free = (ends: typeof all) => Deliveries.placesFor(ends, busy).map((place) => place.free)
    assert.deepStrictEqual(free(all.slice(0, 4)), [1, 22, 32])
    const sum = free(all).reduce((total, one) => total + one, 0)
    assert.isAtMost(sum + 11, 256)
  })
})
