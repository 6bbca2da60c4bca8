import { assert, layer } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect } from "effect"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { version } from "../../src/ops/process.ts"
import * as Runners from "../../src/ops/Runners.ts"
import { launch, inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import { order, paidOrder, PRICE, readBatches, readTask } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { stories } from "../support/stories.ts"
import { settlesAndMints } from "./given.ts"

const names = (count: number) => Array.from({ length: count }, (_, index) => `person ${index}`)

const busy = new NoOffer({ reason: "Unavailable", message: "busy", trouble: "Overloaded", retryAfterMs: 40_000 })
const silent = new NoOffer({ reason: "Unavailable", message: "unreachable", did: "nothing", trouble: "NoAnswer" })

/** How many requests are at the server, and how many there ever were at once. */
const counting = () => {
  const seen = { now: 0, most: 0 }
  const during = (time: Effect.Effect<void>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => (seen.most = Math.max(seen.most, ++seen.now))),
      () => time,
      () => Effect.sync(() => seen.now--)
    )
  return { seen, during }
}

layer(Postgres.session())("requests to the mint server", (it) => {
  const NOW = { drainTimeout: Duration.zero }
  const few = (mintConcurrency: number) => stories(it, inMemory({ ...NOW, mintConcurrency }))

  few(3)("are never more at once than MINT_CONCURRENCY, and every order is served", function* (world) {
    const { seen, during } = counting()
    world.manners.delay = (request) => during(Effect.sleep(request === "pay" ? "2 seconds" : "100 millis"))
    const orders = yield* Effect.forEach(names(15), (name) => paidOrder(name, 12))
    yield* pass(6)
    yield* startFor(90)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(seen.most, 3)
    assert.strictEqual(world.payments.length, 30)
  })

  few(6)("are divided among the executors that share the wallets", function* (world) {
    const { seen, during } = counting()
    world.manners.delay = () => during(Effect.sleep("2 seconds"))
    const shared = Effect.gen(function* () {
      yield* Runners.note(["one", "two"].map((name) => ({ name, version, settings: {}, parts: [] })))
      yield* Effect.forEach(names(12), (name) => paidOrder(name, 3))
      yield* pass(6)
      yield* startFor(60)
    })
    yield* Effect.provide(shared, Runners.layer)
    assert.strictEqual(seen.most, 3)
    assert.strictEqual(world.payments.length, 12)
  })

  few(1)("come to each wallet in turn: a large order delays another one by one batch", function* (world) {
    world.manners.delay = (request) => (request === "pay" ? Effect.sleep("1 second") : Effect.void)
    const large = yield* paidOrder("ann", 100)
    yield* pass(6)
    yield* startFor(2)
    const small = yield* Effect.forEach(names(5), (name) => paidOrder(name, 2))
    yield* pass(90)
    for (const { task } of small) assert.strictEqual((yield* readTask(task)).status, "completed")
    const paying = world.payments.map(({ from }) => from)
    const first = Math.min(...small.map(({ who }) => paying.indexOf(who.agentAddress)))
    const last = Math.max(...small.map(({ who }) => paying.indexOf(who.agentAddress)))
    const between = paying.slice(first, last).filter((from) => from === large.who.agentAddress)
    assert.isAtMost(between.length, 1)
    assert.isAbove(paying.filter((from) => from === large.who.agentAddress).length, 3, "and it goes on itself")
  })

  few(4)("wait for as long as the server asks to be left alone, and then go on", function* (world) {
    world.manners.quote = () => (world.quotedAtMs.length <= 1 ? busy : undefined)
    const orders = yield* Effect.forEach(names(10), (name) => paidOrder(name, 3))
    yield* pass(6)
    yield* start
    yield* pass(10)
    const asked = world.quotedAtMs.length
    assert.isAtMost(asked, 4)
    yield* pass(29)
    assert.strictEqual(world.quotedAtMs.length, asked)
    yield* pass(40)
    for (const { task } of orders) {
      assert.deepInclude(yield* readTask(task), { status: "completed", retry_count: 0, mints_completed: 3 })
    }
  })

  few(4)("are one at a time to a server that is dead, and all go on when it is back", function* (world) {
    world.manners.quote = () => silent
    const orders = yield* Effect.forEach(names(30), (name) => paidOrder(name, 3))
    yield* pass(6)
    yield* startFor(5)
    const atOnce = world.quotedAtMs.length
    assert.isAtMost(atOnce, 4)
    yield* pass(300)
    const probes = world.quotedAtMs.slice(atOnce)
    const pauses = probes.slice(1).map((atMs, index) => atMs - probes[index]!)
    for (const pause of pauses) assert.isAtLeast(pause, 10_000)
    assert.isAtLeast(probes.length, 15)
    for (const { task } of orders) assert.deepInclude(yield* readTask(task), { retry_count: 0 })
    delete world.manners.quote
    yield* pass(90)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.payments.length, 30)
  })

  few(1)("are made again for a payment that was lost, however many wallets are in line", function* (world) {
    world.manners.delay = (request) => (request === "pay" ? Effect.sleep("1 second") : Effect.void)
    const { who, task } = yield* paidOrder("ann", 3)
    world.manners.pay = ({ payment }) =>
      payment.from === who.agentAddress && world.payments.length === 1
        ? { _tag: "Unclear", reason: "the connection was reset" }
        : undefined
    yield* pass(6)
    yield* startFor(2)
    const others = yield* Effect.forEach(names(12), (name) => paidOrder(name, 100))
    yield* pass(90)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual((yield* readBatches(task))[0]?.sends, 2)
    for (const other of others) assert.strictEqual((yield* readTask(other.task)).status, "processing")
  })

  few(1)("cost the chain nothing while their wallets are in line", function* (world) {
    const answered = yield* Deferred.make<void>()
    world.manners.delay = () => Deferred.await(answered)
    const orders = yield* Effect.forEach(names(10), (name) => paidOrder(name, 3))
    yield* pass(6)
    yield* startFor(5)
    const asked = () => world.calls.filter((call) => call === "confirmedBlock" || call === "readAuthorizations").length
    const before = asked()
    yield* pass(50)
    assert.strictEqual(asked(), before)
    yield* Deferred.succeed(answered, undefined)
    yield* pass(60)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  few(1)(
    "are only for what is to be paid: an order that is paused leaves its place in line to others",
    function* (world) {
      const answered = yield* Deferred.make<void>()
      world.manners.delay = () => Deferred.await(answered)
      const first = yield* paidOrder("ann", 3)
      yield* pass(6)
      yield* startFor(5)
      const second = yield* paidOrder("ben", 3)
      yield* pass(12)
      const third = yield* order(second.who, 2)
      world.deposit(second.who.agentAddress, usdc(2n * PRICE))
      yield* pass(12)
      yield* Deferred.succeed(answered, undefined)
      yield* pass(60)
      for (const task of [first.task, second.task, third])
        assert.strictEqual((yield* readTask(task)).status, "completed")
    }
  )

  stories(it, onWorld(NOW))("that have not begun keep no executor from stopping", function* (world) {
    world.manners.delay = (request) => (request === "pay" ? Effect.sleep("10 seconds") : Effect.void)
    world.manners.pay = settlesAndMints(3, { _tag: "Accepted", mintTxs: [], paymentTx: undefined })
    yield* Effect.forEach(names(8), (name) => paidOrder(name, 3))
    yield* pass(6)
    const executor = yield* launch({ mintConcurrency: 1, drainTimeout: Duration.seconds(30) })
    yield* pass(2)
    const beganMs = yield* Clock.currentTimeMillis
    const stopping = yield* Effect.forkChild(executor.stop)
    yield* pass(12)
    assert.isDefined(stopping.pollUnsafe(), "only the one that is on its way is waited for")
    assert.strictEqual(world.payments.length, 1)
    assert.isAtMost((yield* Clock.currentTimeMillis) - beganMs, 12_000)
  })
})
