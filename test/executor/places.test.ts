import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, FiberSet, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { Orders } from "../../src/executor/Orders.ts"
import { Outage } from "../../src/executor/Outage.ts"
import { makePlaces, monotonicMs } from "../../src/executor/Places.ts"
import { makeRequests, type Place } from "../../src/executor/ServerRequests.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import * as MinterV1 from "../../src/mint/MinterV1.ts"
import * as MinterX402 from "../../src/mint/MinterX402.ts"
import { uuid } from "../domain/given.ts"
import { order, settings } from "../mint/fixtures.ts"
import { answers, type Script, scriptedServer } from "../mint/scriptedServer.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** Wallets that ask as the turns do, without orders: what only an order in trouble needs is not there. */
const outside = (serverUrl: string, protocol: "x402" | "v1" = "x402") =>
  Layer.mergeAll(
    Layer.succeed(Orders, {} as never),
    Layer.succeed(TaskRepo, {} as never),
    Outage.layer,
    protocol === "v1" ? MinterV1.layer : MinterX402.layer
  ).pipe(Layer.provideMerge(settings(serverUrl, protocol)))

const walletOf = (index: number) => uuid(index) as unknown as WalletId

/** Wallets that come when they are called, and do this from their place. */
const wallets = Effect.fnUntraced(function* (max: Effect.Effect<number>, work: (place: Place) => Effect.Effect<void>) {
  const turns = yield* FiberSet.make<unknown>()
  const { service } = yield* makeRequests({
    onEnd: () => Effect.void,
    onCall: (walletId) => Effect.asVoid(FiberSet.run(turns, come(walletId))),
    max
  })
  const come = (walletId: WalletId): Effect.Effect<unknown> => service.withPlace(walletId, work)
  return { ...service, come }
})

describe("places among the requests to the mint server", () => {
  test("are never more than may be, for 300 wallets and a real server, and each wallet has its turn", function* () {
    const MAX = 16
    let [now, most, asked] = [0, 0, 0]
    const counts: Script = (response, request) => {
      most = Math.max(most, ++now)
      response.on("close", () => now--)
      const isBusy = ++asked > 100 && asked <= 120
      const answer = answers(isBusy ? 429 : 404, isBusy ? { "retry-after": "0" } : {}, { error: "no" })
      // All that has arrived by now is there at once.
      setTimeout(() => answer(response, request), 2)
    }
    const server = yield* scriptedServer(counts)
    const seen = { begun: 0 }
    const done = yield* Deferred.make<void>()
    yield* Effect.gen(function* () {
      const { come } = yield* wallets(Effect.succeed(MAX), (place) =>
        place.start(
          Effect.ignore(place.quote(order)).pipe(
            Effect.andThen(Effect.ignore(place.quote(order))),
            Effect.andThen(
              Effect.suspend(() => (++seen.begun === 300 ? Deferred.succeed(done, undefined) : Effect.void))
            ),
            Effect.as(undefined)
          )
        )
      )
      yield* Effect.forEach(
        Array.from({ length: 300 }, (_, index) => walletOf(index)),
        come,
        {
          concurrency: "unbounded"
        }
      )
      yield* Deferred.await(done)
    }).pipe(Effect.provide(outside(server.url)), TestClock.withLive)
    assert.strictEqual(asked, 600)
    assert.isAtMost(most, MAX)
    assert.isAbove(most, 1)
  })

  const alone = outside("http://127.0.0.1:9")

  test("are free again after an interruption, a defect, and a failure, and only then", function* () {
    yield* Effect.gen(function* () {
      const [first, second] = [walletOf(1), walletOf(2)]
      const { withPlace } = yield* wallets(Effect.succeed(1), () => Effect.void)
      const isFree = Effect.map(
        withPlace(second, () => Effect.succeed("free" as const)),
        (is) => is === "free"
      )
      const held = yield* Effect.forkChild(withPlace(first, () => Effect.never))
      yield* Effect.yieldNow
      assert.isFalse(yield* isFree)
      yield* Fiber.interrupt(held)
      yield* Effect.yieldNow
      assert.isTrue(yield* isFree)
      yield* Effect.exit(withPlace(first, () => Effect.die("broken")))
      assert.isTrue(yield* isFree)
      const answered = yield* Deferred.make<void>()
      const request = Effect.andThen(Deferred.await(answered), Effect.die("broken"))
      yield* Effect.exit(withPlace(first, (place) => Effect.andThen(place.start(request), Effect.fail("broken"))))
      assert.isFalse(yield* isFree)
      yield* Deferred.succeed(answered, undefined)
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      assert.isTrue(yield* isFree)
    }).pipe(Effect.provide(alone))
  })

  test("are closed by a dead server that is asked what became of a payment", function* () {
    yield* Effect.gen(function* () {
      const { withPlace } = yield* wallets(Effect.succeed(8), () => Effect.void)
      yield* withPlace(walletOf(1), (place) => Effect.ignore(place.follow("17")))
      assert.strictEqual(yield* withPlace(walletOf(2), () => Effect.void), "InLine")
    }).pipe(Effect.provide(outside("http://127.0.0.1:9", "v1")))
  })

  test("follow a maximum that changes, and a wallet that does not come keeps no place", function* () {
    yield* Effect.gen(function* () {
      let max = 2
      const called: Array<WalletId> = []
      const { service } = yield* makeRequests({
        onEnd: () => Effect.void,
        onCall: (walletId) => Effect.sync(() => void called.push(walletId)),
        max: Effect.sync(() => max)
      })
      max = 1
      const first = yield* Effect.forkChild(service.withPlace(walletOf(1), () => Effect.never))
      yield* Effect.yieldNow
      for (const one of [2, 3, 4, 2]) {
        assert.strictEqual(yield* service.withPlace(walletOf(one), () => Effect.void), "InLine")
      }
      max = 2
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(called, [walletOf(2), walletOf(3)])
      assert.strictEqual(yield* service.withPlace(walletOf(5), () => Effect.void), "InLine")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(called.slice(2), [walletOf(4), walletOf(5)])
      assert.isUndefined(yield* service.withPlace(walletOf(4), () => Effect.void))
    }).pipe(Effect.provide(alone))
  })

  test("are looked at no more often after hours in which the server now and then had too much to do", function* () {
    const seen = { looks: 0, asked: 0 }
    const turns = yield* FiberSet.make<void>()
    const places = yield* makePlaces({
      onCall: (walletId) => Effect.asVoid(FiberSet.run(turns, come(walletId))),
      max: Effect.sync(() => (seen.looks++, 8))
    })
    const come = (walletId: WalletId): Effect.Effect<void> =>
      Effect.gen(function* () {
        // A turn asks the chain first, and meanwhile a place is kept for its wallet.
        yield* Effect.sleep("700 millis")
        if (!(yield* places.take(walletId))) return
        const leftMs = yield* monotonicMs
        yield* Effect.sleep("100 millis")
        const end = { kind: "quote", leftMs, endedMs: yield* monotonicMs } as const
        const isBusy = ++seen.asked % 40 === 0
        yield* places.noteEnd(isBusy ? { ...end, trouble: "Overloaded", retryAfterMs: 2_000 } : end)
        yield* places.leave
        yield* come(walletId)
      })
    yield* Effect.forEach(
      Array.from({ length: 30 }, (_, index) => walletOf(index)),
      (one) => FiberSet.run(turns, come(one))
    )
    const looksIn = Effect.fnUntraced(function* (minutes: number) {
      const before = seen.looks
      yield* TestClock.adjust(Duration.minutes(minutes))
      return seen.looks - before
    })
    const first = yield* looksIn(10)
    yield* looksIn(20)
    assert.isAtMost(yield* looksIn(10), first * 1.05)
  })
})
