import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Ref, Schedule, Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { ALL_PARTS, type Part } from "../../src/domain/Part.ts"
import { type Relay, relayTo } from "../support/LedgerRelay.ts"
import { clientAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { type BaseSepolia, openBaseSepolia } from "./baseSepolia.ts"
import { areDividedAmong, awaits, type Load, load, locks, startRunner } from "./runners.ts"
import { type Running, temporaryDirectory } from "./support.ts"

/** One of several executors, which reaches the database by a way of its own. */
export interface Runner extends Running {
  readonly way: Relay
}

/** One chain, mint server and database for all stories of a file, and the executors that are left from the last one. */
export class Stage extends Context.Service<
  Stage,
  {
    readonly world: BaseSepolia
    /** Starts an executor that lasts beyond the story. */
    readonly start: (env?: Readonly<Record<string, string>>) => Effect.Effect<Runner, unknown>
    /** So many executors that share, the oldest first. Further ones are stopped. */
    readonly have: (count: number) => Effect.Effect<ReadonlyArray<Runner>, unknown, SqlClient.SqlClient>
    /** Pays for orders that are looked at when all stories are over. */
    readonly order: (name: string, mints: number) => Effect.Effect<Load, unknown, SqlClient.SqlClient>
    readonly orders: Effect.Effect<ReadonlyArray<Load>>
    /** What the server said of its locks so far: see `Ownerships`. */
    readonly ownerships: Ownerships
  }
>()("test/e2e/Stage") {
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      return Layer.effect(Stage, makeStage(url)).pipe(Layer.provideMerge(clientAt(url)))
    })
  )
}

const makeStage = Effect.fnUntraced(function* (url: string) {
  const world = yield* openBaseSepolia
  const scope = yield* Effect.scope
  const runners = yield* Ref.make<ReadonlyArray<Runner>>([])
  // What Node compiles is kept by the first that ends well: the next ones start in half the time.
  const NODE_COMPILE_CACHE = yield* temporaryDirectory
  const start = (env?: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const way = yield* relayTo(url)
      const runner: Runner = { ...(yield* startRunner(world, way.url, { NODE_COMPILE_CACHE, ...env })), way }
      yield* Ref.update(runners, (before) => [...before, runner])
      return runner
    }).pipe(Scope.provide(scope))
  const have = Effect.fnUntraced(function* (count: number) {
    const alive = (yield* Ref.get(runners)).filter(({ ending }) => ending() === undefined)
    const missing = Array.from({ length: Math.max(0, count - alive.length) }, () => start())
    const all = [...alive, ...(yield* Effect.all(missing, { concurrency: 2 }))]
    for (const one of all.slice(count)) yield* stop(one)
    const kept = all.slice(0, count)
    yield* awaits(`${count} share`, areDividedAmong(kept))
    return kept
  })
  const loads = yield* Ref.make<ReadonlyArray<Load>>([])
  const order = Effect.fnUntraced(function* (name: string, mints: number) {
    const placed = yield* load(world, name, ORDERS, mints)
    yield* Ref.update(loads, (before) => [...before, placed])
    return placed
  })
  return Stage.of({ world, start, have, order, orders: Ref.get(loads), ownerships: yield* recordOwnerships })
})

/** Orders of one story: with them each of three executors has some. */
const ORDERS = 8

/** Asks it to stop, and waits until it has. */
export const stop = Effect.fnUntraced(function* (runner: Running) {
  yield* runner.kill("SIGTERM")
  assert.deepStrictEqual(yield* runner.ended, { code: 0, signal: null })
})

/** Who holds the lock of each part, as the server had it at each look. */
export interface Ownerships {
  /** A moment to look back to. */
  readonly mark: Effect.Effect<number>
  /** For each part, how long it had no owner at the longest since then, in milliseconds. */
  readonly longestGapMs: (since: number) => Effect.Effect<number>
  /** How often any part got another owner, or the same one anew, since then. */
  readonly changes: (since: number) => Effect.Effect<number>
}

interface Look {
  readonly atMs: number
  /** The session that holds the lock of each part. */
  readonly owners: ReadonlyMap<Part, number>
}

const LOOK_EVERY = Schedule.spaced("50 millis")

const recordOwnerships = Effect.gen(function* () {
  const looks: Array<Look> = []
  const look = Effect.gen(function* () {
    const held = yield* locks
    looks.push({ atMs: performance.now(), owners: new Map(held.map(({ part, pid }) => [part, pid])) })
  })
  yield* Effect.forkScoped(Effect.repeat(look, LOOK_EVERY))
  const from = (since: number) => Effect.sync(() => looks.filter(({ atMs }) => atMs >= since))
  return {
    mark: Effect.sync(() => performance.now()),
    longestGapMs: (since) => Effect.map(from(since), (all) => Math.max(...ALL_PARTS.map((part) => gapMs(all, part)))),
    changes: (since) => Effect.map(from(since), (all) => ALL_PARTS.reduce((sum, part) => sum + changesOf(all, part), 0))
  } satisfies Ownerships as Ownerships
})

const gapMs = (looks: ReadonlyArray<Look>, part: Part): number => {
  let [longest, sinceMs] = [0, undefined as number | undefined]
  for (const { atMs, owners } of looks) {
    if (owners.has(part)) sinceMs = undefined
    else longest = Math.max(longest, atMs - (sinceMs ??= atMs))
  }
  return longest
}

const changesOf = (looks: ReadonlyArray<Look>, part: Part): number => {
  const owners = looks.flatMap(({ owners: of }) => of.get(part) ?? [])
  return owners.filter((owner, index) => index > 0 && owner !== owners[index - 1]).length
}
