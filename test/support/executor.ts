import { setImmediate } from "node:timers/promises"
import { Clock, Context, Effect, Exit, Fiber, Layer, Scope, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { core, monitor } from "../../src/App.ts"
import * as KeyCustodyAes from "../../src/chain/KeyCustodyAes.ts"
import * as SecretBoxAes from "../../src/chain/SecretBoxAes.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import * as Clocks from "../../src/ops/Clocks.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { layerTo } from "../../src/ops/Logger.ts"
import * as LedgerMemory from "./memory/LedgerMemory.ts"
import { MemoryLedger } from "./memory/MemoryLedger.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { Ownership } from "../../src/runners/Ownership.ts"
import * as Executor from "../../src/executor/loops.ts"
import { clear } from "./LedgerFixture.ts"
import { settings } from "./settings.ts"
import { outside } from "./outside.ts"
import { World } from "./World.ts"

/** The lines of a log, as they were written. */
export class LogLines extends Context.Service<LogLines, { readonly all: ReadonlyArray<string> }>()("test/LogLines") {}

export const log = Layer.unwrap(
  Effect.sync(() => {
    const all: Array<string> = []
    const write = (lines: string) => void all.push(...lines.trimEnd().split("\n"))
    return Layer.merge(layerTo({ write, colour: false }), Layer.succeed(LogLines, { all }))
  })
)

/** Tests that share a database share a clock too: each starts at a full minute, on empty tables. */
const freshStart = Effect.gen(function* () {
  yield* TestClock.setTime(Math.ceil(((yield* Clock.currentTimeMillis) + 1) / 60_000) * 60_000)
  yield* migrate
  yield* clear
  yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`DELETE FROM ai_agent_network`)
})

/** Chain, mint server, clock and settings of a test. */
export const stage = (changes: Partial<SettingsShape>) =>
  Layer.mergeAll(outside, KeyCustodyAes.layer, SecretBoxAes.layer).pipe(
    Layer.provideMerge(World.layer),
    Layer.provideMerge(log),
    Layer.provideMerge(Layer.fresh(Layer.merge(Clocks.layer, Incidents.layer))),
    Layer.provideMerge(activity),
    Layer.provideMerge(settings(changes))
  )

/**
 * The production wiring over the database that is given, with chain, mint server and clock replaced, on empty tables.
 * The executor itself is started with `start`.
 */
export const onWorld =
  (changes: Partial<SettingsShape> = {}) =>
  <A, E, R>(test: Effect.Effect<A, E, R>) =>
    test.pipe(
      Effect.provide(
        core.pipe(Layer.provideMerge(stage(changes)), Layer.provideMerge(Layer.effectDiscard(freshStart))),
        { local: true }
      )
    )

/**
 * The same over a new ledger in memory, which the contract suite holds to the same promises: for a test that asks
 * nothing of SQL. It is ten times as fast.
 */
export const inMemory =
  (changes: Partial<SettingsShape> = {}, ownership = Ownership.single) =>
  <A, E, R>(test: Effect.Effect<A, E, R>) =>
    test.pipe(
      Effect.provide(coreInMemory(ownership).pipe(Layer.provideMerge(stage(changes)), Layer.provideMerge(memory)), {
        local: true
      })
    )

/** By the clock of a test, which begins at 0: an order of that time is long overdue. */
const BEGIN_MS = 3_600_000

const memory = Layer.mergeAll(
  Layer.fresh(MemoryLedger.layer),
  Layer.succeed(SqlClient.SqlClient, (() => {
    throw new Error("this test has its ledger in memory: with SQL it belongs to `onWorld`")
  }) as never),
  Layer.effectDiscard(TestClock.setTime(BEGIN_MS))
)

/** What the executor does, by the spans that it opens: every statement and every tick is one. */
class Activity extends Context.Service<Activity, { begun: number; open: number; heard: () => void }>()(
  "test/Activity"
) {}

const activity = Layer.unwrap(
  Effect.sync(() => {
    const seen = { begun: 0, open: 0, heard: () => {} }
    const tracer = Tracer.make({
      span: (options) => {
        seen.begun++
        const span = new Tracer.NativeSpan(options)
        return options.kind === "client" || options.name === "sql.transaction" ? counted(span, seen) : span
      }
    })
    return Layer.merge(Layer.succeed(Activity, seen), Layer.succeed(Tracer.Tracer, tracer))
  })
)

/** Of a question to the database, which answers whatever the clock says. Tells when all of them are answered. */
const counted = (span: Tracer.Span, seen: Activity["Service"]): Tracer.Span => {
  seen.open++
  const end = span.end.bind(span)
  span.end = (...args) => {
    end(...args)
    seen.open--
    if (seen.open === 0) seen.heard()
  }
  return span
}

/**
 * Waits until the executor has nothing left to do at this moment: the database has answered all that it was asked, and
 * nothing more came of that. What waits for the clock waits on.
 */
export const settled = Effect.gen(function* () {
  const seen = yield* Activity
  let before: number
  do {
    before = seen.begun
    if (seen.open > 0) yield* Effect.promise(() => new Promise<void>((resolve) => void (seen.heard = resolve)))
    for (let turn = 0; turn < 3; turn++) yield* Effect.promise(() => setImmediate())
  } while (seen.begun !== before || seen.open > 0)
})

/** Starts both loops, as `main` does; they end with the test. */
export const start = Effect.andThen(
  Effect.forkScoped(monitor(Effect.void)),
  Effect.andThen(TestClock.adjust(0), settled)
)

/** Lets seconds pass one by one, each when all that the last one brought is done. Most of them bring nothing. */
export const pass = Effect.fnUntraced(function* (seconds: number) {
  const counter = yield* Activity
  for (let second = 0; second < seconds; second++) {
    const before = counter.begun
    yield* TestClock.adjust("1 second")
    if (counter.begun !== before) yield* settled
  }
})

/** Starts both loops and lets seconds pass. */
export const startFor = (seconds: number) => Effect.andThen(start, pass(seconds))

/** What is done around each question to the ledger and each write, by the name of its method. */
export type Around = <A, E>(operation: keyof TaskRepo["Service"], work: Effect.Effect<A, E>) => Effect.Effect<A, E>

const interposed = (repo: TaskRepo["Service"], around: Around): TaskRepo["Service"] =>
  new Proxy(repo, {
    get: (target, name: keyof TaskRepo["Service"]) => {
      const member = target[name]
      if (Effect.isEffect(member)) return around<unknown, unknown>(name, member)
      return (...args: ReadonlyArray<never>) => around(name, Reflect.apply(member, undefined, args))
    }
  })

/** The ledger in memory, each question to which counts as something that the executor does. */
const watchedRepos = Layer.fresh(
  Layer.merge(
    LedgerMemory.layerNoDeps,
    Layer.effect(
      TaskRepo,
      Effect.gen(function* () {
        const seen = yield* Activity
        return interposed(yield* TaskRepo, (_, work) =>
          Effect.suspend(() => {
            seen.begun++
            return work
          })
        )
      })
    ).pipe(Layer.provide(LedgerMemory.layerNoDeps))
  )
)

/** What `core` is, over the ledger in memory. */
const coreInMemory = (ownership: Layer.Layer<Ownership>) =>
  Layer.fresh(Executor.layer).pipe(Layer.provideMerge(Layer.fresh(ownership)), Layer.provideMerge(watchedRepos))

const wiringAround = (around: Around) =>
  Layer.fresh(Executor.layer).pipe(
    Layer.provideMerge(Ownership.single),
    Layer.provideMerge(
      Layer.effect(
        TaskRepo,
        Effect.map(TaskRepo, (repo) => interposed(repo, around))
      )
    )
  )

/**
 * Another executor on the same database and world, with loops and actors of its own. `stop` ends it as SIGTERM does,
 * `kill` at once and wherever it is: what was in the middle of something never goes on.
 */
export const launch = Effect.fnUntraced(function* (changes: Partial<SettingsShape> = {}, around?: Around) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const changed = settings(changes)
  const services = around
    ? yield* Layer.buildWithScope(wiringAround(around).pipe(Layer.provideMerge(changed)), scope)
    : yield* Layer.buildWithScope(Layer.fresh(core).pipe(Layer.provideMerge(changed)), scope)
  const loops = yield* Effect.forkIn(Effect.provide(monitor(Effect.void), services), scope)
  yield* Effect.andThen(TestClock.adjust(0), settled)
  const stop = Scope.close(scope, Exit.void)
  return { loops, stop, kill: Effect.andThen(Fiber.interrupt(loops), endNow(stop)) }
})

/** Ends what waits for the clock, with a clock that stands still. */
const endNow = (stop: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const closing = yield* Effect.forkChild(stop)
    yield* Effect.andThen(TestClock.adjust(0), settled)
    yield* Fiber.join(closing)
  })
