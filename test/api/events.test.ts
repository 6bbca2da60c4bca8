import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Queue, Scope, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { units } from "../operator/given.ts"
import { pass, start } from "../support/executor.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { listen, type Listener, type Told, toldToTheEnd, toldUntil } from "./listening.ts"
import { atWorkWithToken, serving, withToken } from "./served.ts"

/** As many as the feed takes at once. */
const LISTENERS_MAX = 500

/** Fewer than an address may ask for in a second. */
const CROWD = 250

/** Events that nothing has happened for, each of so many bytes. The last of them is of a kind of its own. */
const makeEvents = Effect.fnUntraced(function* (count: number, bytes = 10) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_events (kind, detail)
    SELECT CASE WHEN n = ${count}::int THEN 'test.last' ELSE 'test.made' END,
      jsonb_build_object('text', repeat('x', ${bytes}::int))
    FROM generate_series(1, ${count}::int) n ORDER BY n`
})

const isLast = ({ kind }: Told): boolean => kind === "test.last"

/** The feed looks once a second. */
const second = TestClock.adjust("1 second")

/** So many listeners, a second of the test's clock after every few of them: an address may ask so often a second. */
const listeners = Effect.fnUntraced(function* (url: string, count: number) {
  const all: Array<Listener> = []
  while (all.length < count) {
    const more = Math.min(CROWD, count - all.length)
    all.push(...(yield* Effect.forEach(Array.from({ length: more }), () => listen(url), { concurrency: 50 })))
    yield* second
  }
  return all
})

const ids = (told: ReadonlyArray<Told>) => told.map(({ id }) => Number(id))

const tasks = (told: ReadonlyArray<Told>) => told.map(({ taskId }) => taskId)

/** A server that can be stopped before the test ends. */
const stoppable = Effect.fnUntraced(function* (port = 0) {
  const scope = yield* Scope.make()
  const { url } = yield* Scope.provide(serving({ ...withToken, opsPort: port }), scope)
  return { url, stop: Scope.close(scope, Exit.void) }
})

layer(Postgres.session())("whoever listens", (it) => {
  it.effect("hears of an order when it is placed, and of what becomes of it", () =>
    Effect.gen(function* () {
      const { url } = yield* serving(withToken)
      const listener = yield* listen(url)
      yield* second
      const ann = yield* person("ann")
      const task = yield* order(ann, 5)
      yield* second
      const { kind, taskId } = yield* Queue.take(listener.told)
      assert.deepStrictEqual([kind, taskId], ["task.created", task])
      const world = yield* World
      world.deposit(ann.agentAddress, units(5))
      yield* start
      yield* pass(40)
      const kinds = (yield* toldUntil(listener, (told) => told.kind === "task.completed")).map((told) => told.kind)
      for (const step of ["deposit.arrived", "task.funded", "batch.signed", "batch.delivered"]) {
        assert.include(kinds, step)
      }
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("comes back with the last number it has, and hears what it missed, and nothing twice", () =>
    Effect.gen(function* () {
      const { url } = yield* serving(withToken)
      const ann = yield* person("ann")
      const first = yield* listen(url)
      yield* second
      const placed = [yield* order(ann, 1)]
      yield* second
      const seen = yield* Queue.take(first.told)
      yield* first.leave
      placed.push(yield* order(ann, 2), yield* order(ann, 3))
      yield* second
      placed.push(yield* order(ann, 4))
      const back = yield* listen(url, { lastEventId: seen.id })
      yield* second
      placed.push(yield* order(ann, 5))
      yield* second
      const told = yield* toldUntil(back, ({ taskId }) => taskId === placed[4])
      assert.deepStrictEqual(tasks(told), placed.slice(1))
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("hears all that it missed, however much it is, and never the end before the middle", () =>
    Effect.gen(function* () {
      const { url } = yield* serving(withToken)
      yield* second
      yield* makeEvents(2_500)
      yield* second
      const all: Array<Told> = []
      while (all.at(-1)?.kind !== "test.last") {
        const listener = yield* listen(url, { lastEventId: all.at(-1)?.id ?? "0" })
        yield* second
        const more = yield* toldUntil(listener, isLast)
        assert.isNotEmpty(more)
        all.push(...more)
      }
      assert.lengthOf(all, 2_500)
      assert.deepStrictEqual(
        ids(all),
        ids(all).toSorted((a, b) => a - b)
      )
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("hears everything of a second in which much happens", () =>
    Effect.gen(function* () {
      const { url } = yield* serving(withToken)
      const crowd = yield* listeners(url, 20)
      yield* makeEvents(3_000)
      yield* second
      for (const listener of crowd) assert.lengthOf(yield* toldUntil(listener, isLast), 3_000)
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("is let go where it does not read, and keeps nobody else from hearing", () =>
    Effect.gen(function* () {
      const { url, ask } = yield* serving(withToken)
      const [good, bad] = [yield* listen(url), yield* listen(url)]
      yield* second
      yield* makeEvents(1)
      yield* second
      const before = (yield* Queue.take(bad.told)).id
      yield* Queue.take(good.told)
      yield* bad.pause
      for (let n = 0; n < 4; n++) {
        yield* makeEvents(600, 20_000)
        yield* second
        assert.lengthOf(yield* toldUntil(good, isLast), 600)
      }
      yield* bad.resume
      const heard = yield* toldToTheEnd(bad)
      assert.isBelow(heard.length, 2_400)
      assert.strictEqual((yield* ask("/api/pauses")).status, 200)
      const lastEventId = heard.at(-1)?.id ?? before
      const back = yield* listen(url, { lastEventId })
      assert.strictEqual(Number((yield* Queue.take(back.told)).id), Number(lastEventId) + 1)
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("is refused where there are too many, until one of them leaves", () =>
    Effect.gen(function* () {
      const { url } = yield* serving(withToken)
      const crowd = yield* listeners(url, LISTENERS_MAX)
      assert.isTrue(crowd.every(({ status }) => status === 200))
      assert.strictEqual((yield* listen(url)).status, 429)
      yield* makeEvents(1)
      yield* second
      for (const listener of crowd) yield* Queue.take(listener.told)
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("takes no place where it only asks, or leaves before it hears anything", () =>
    Effect.gen(function* () {
      const { url, ask } = yield* serving(withToken)
      for (let round = 0; round < 6; round++) {
        for (let n = 0; n < 100; n++) {
          yield* Effect.flatMap(listen(url, { method: "HEAD" }), ({ leave }) => leave)
          yield* Effect.flatMap(listen(url), ({ leave }) => leave)
        }
        assert.strictEqual((yield* ask("/api/pauses")).status, 200)
        yield* second
      }
      assert.strictEqual((yield* listen(url)).status, 200)
    }).pipe(Effect.scoped, atWorkWithToken())
  )
})

layer(Postgres.session())("a stop of the server", (it) => {
  it.effect("ends every listener at once, whether it reads or not", () =>
    Effect.gen(function* () {
      const { url, stop } = yield* stoppable()
      const [deaf, crowd] = [yield* listeners(url, 5), yield* listeners(url, 5)]
      for (const { pause } of deaf) yield* pause
      // More than the sockets hold, and less than what lets a listener go.
      for (let n = 0; n < 3; n++) {
        yield* makeEvents(400, 10_000)
        yield* second
        for (const listener of crowd) yield* toldUntil(listener, isLast)
      }
      crowd.push(...(yield* listeners(url, 40)))
      // Nobody turns the clock: nothing may wait for it.
      yield* stop
      for (const listener of crowd) assert.isEmpty(yield* toldToTheEnd(listener))
    }).pipe(Effect.scoped, atWorkWithToken())
  )

  it.effect("is no end for who comes back to the next one at the same port", () =>
    Effect.gen(function* () {
      const first = yield* stoppable()
      const ann = yield* person("ann")
      const listener = yield* listen(first.url)
      yield* second
      const placed = [yield* order(ann, 1)]
      yield* second
      const seen = yield* Queue.take(listener.told)
      yield* first.stop
      assert.isEmpty(yield* toldToTheEnd(listener))
      placed.push(yield* order(ann, 2))
      const next = yield* stoppable(Number(new URL(first.url).port))
      assert.strictEqual(next.url, first.url)
      const back = yield* listen(next.url, { lastEventId: seen.id })
      yield* second
      placed.push(yield* order(ann, 3))
      yield* second
      assert.deepStrictEqual(tasks(yield* toldUntil(back, ({ taskId }) => taskId === placed[2])), placed.slice(1))
      yield* next.stop
    }).pipe(Effect.scoped, atWorkWithToken())
  )
})

layer(Postgres.layer())("transactions that overlap", (it) => {
  it.effect("are each told once, the late one when it is there, and none again after a return", () =>
    Effect.gen(function* () {
      const { url } = yield* serving(withToken)
      const sql = yield* SqlClient.SqlClient
      const ann = yield* person("ann")
      const listener = yield* listen(url)
      yield* second
      const [isWritten, mayCommit] = [yield* Deferred.make<string>(), yield* Deferred.make<void>()]
      const late = yield* order(ann, 1).pipe(
        Effect.tap((id) => Deferred.succeed(isWritten, id)),
        Effect.tap(() => Deferred.await(mayCommit)),
        sql.withTransaction,
        Effect.forkScoped({ startImmediately: true })
      )
      const lateTask = yield* Deferred.await(isWritten)
      const soon = yield* order(ann, 2)
      yield* second
      assert.strictEqual((yield* Queue.take(listener.told)).taskId, soon)
      yield* Deferred.succeed(mayCommit, undefined)
      yield* Fiber.join(late)
      yield* second
      const heard = yield* Queue.take(listener.told)
      assert.strictEqual(heard.taskId, lateTask)
      yield* TestClock.adjust("5 seconds")
      const last = yield* order(ann, 3)
      yield* second
      assert.strictEqual((yield* Queue.take(listener.told)).taskId, last)
      const back = yield* listen(url, { lastEventId: heard.id })
      yield* second
      assert.deepStrictEqual(tasks(yield* toldUntil(back, ({ taskId }) => taskId === last)), [last])
    }).pipe(Effect.scoped, atWorkWithToken())
  )
})

/** Counts what is begun under it, by the names of its spans, beside whoever counts already. */
const counting = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const outer = yield* Effect.tracer
    const counts: Record<string, number> = {}
    const tracer = Tracer.make({
      span: (options) => {
        counts[options.name] = (counts[options.name] ?? 0) + 1
        return outer.span(options)
      }
    })
    yield* Effect.withTracer(work, tracer)
    return counts
  })

/** What ten seconds of an executor with orders in every state ask of the database and of the chain. */
const workBeside = (audience: number) =>
  Effect.gen(function* () {
    const { url } = yield* serving(withToken)
    const world = yield* World
    for (let n = 0; n < 10; n++) {
      const who = yield* person(`person ${n}`)
      yield* order(who, 2)
      if (n % 2 === 0) world.deposit(who.agentAddress, units(2))
    }
    const crowd = yield* listeners(url, audience)
    yield* TestClock.adjust("10 seconds")
    world.calls.length = 0
    const statements = yield* counting(Effect.andThen(start, pass(30)))
    assert.isTrue(crowd.every(({ status }) => status === 200))
    return { statements, calls: world.calls.toSorted(), mints: world.mints.length }
  }).pipe(Effect.scoped, atWorkWithToken())

layer(Postgres.session())("the work of the executor", (it) => {
  it.effect("is the same whether nobody listens or 200 do", () =>
    Effect.gen(function* () {
      const alone = yield* workBeside(0)
      assert.isAbove(alone.mints, 0)
      assert.deepStrictEqual(yield* workBeside(200), alone)
    })
  )
})
