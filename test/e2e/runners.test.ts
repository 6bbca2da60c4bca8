import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { vi } from "vitest"
import { ALL_PARTS } from "../../src/domain/Part.ts"
import {
  areDividedAmong,
  awaits,
  beganIn,
  auditAll,
  deliveredIn,
  end,
  goneOnAfterMs,
  haveGoneOnSince,
  locks,
  nowOfServer,
  partsOf
} from "./runners.ts"
import { type Runner, Stage, stop } from "./runnersStage.ts"
import { temporaryDirectory, TIMEOUT_MS } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

/** A batch is one mint and takes two to three seconds: orders last longer than what is done to those who work for them. */
const MINTS = 5

const recorder = fileURLToPath(new URL("programs/recordModules.ts", import.meta.url))

/** Tables that only executors that share a database have. */
const sharedTables = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`SELECT tablename FROM pg_tables WHERE tablename ~ '^ai_agent_(cluster|runners)'`
)

const areLeft = (what: string) =>
  awaits(
    what,
    Effect.map(locks, (held) => held.length === 0)
  )

/** What was measured, for those who read the log of a run. */
const measured = (what: string, ...ms: ReadonlyArray<number>) =>
  Effect.sync(() => console.info(`${what}: ${ms.map(Math.round).join(" to ")} ms`))

/** Orders of which each has a batch that is delivered, and more to come. */
const busy = Effect.fnUntraced(function* (name: string, mints = MINTS) {
  const orders = yield* (yield* Stage).order(name, mints)
  yield* awaits("each order has begun", beganIn(orders))
  return orders
})

/** Those first that own the most open orders: at random, one of four may own none of eight. */
const busiestFirst = Effect.fnUntraced(function* (runners: ReadonlyArray<Runner>) {
  const counted = yield* Effect.forEach(runners, (runner) =>
    Effect.map(Effect.flatMap(partsOf(runner), deliveredIn), ({ length }) => ({ runner, length }))
  )
  return counted.toSorted((a, b) => b.length - a.length).map(({ runner }) => runner)
})

/** How long it takes from the end of an executor until its orders have made a step elsewhere. */
const takeOver = Effect.fnUntraced(function* (of: Runner, end: Effect.Effect<void>) {
  const orders = yield* deliveredIn(yield* partsOf(of))
  yield* end
  const since = yield* nowOfServer
  yield* awaits("its wallets go on elsewhere", haveGoneOnSince(orders))
  return yield* goneOnAfterMs(orders, since)
})

layer(Stage.layer, { excludeTestServices: true, timeout: "1 minute" })("several executors on one database", (it) => {
  it.effect(
    "are not thought of by one that is alone; and where they and one that owns everything meet, all is paid once",
    () =>
      Effect.gen(function* () {
        const { start, have } = yield* Stage
        const directory = yield* temporaryDirectory
        const recording = (name: string) => ({ NODE_OPTIONS: `--import=${recorder}`, MODULES: join(directory, name) })
        const alone = yield* start({ ...recording("alone"), RUNNERS: "single" })
        assert.isFalse(existsSync(join(directory, "alone")), "it loads nothing of the cluster")
        const orders = yield* busy("forced")
        assert.deepStrictEqual(yield* sharedTables, [])
        const two = yield* Effect.all([start(recording("shared")), start()], { concurrency: 2 })
        assert.include(readFileSync(join(directory, "shared"), "utf8"), "/cluster/Sharding")
        yield* awaits("two own everything once more", areDividedAmong(two))
        yield* end(orders)
        yield* stop(alone)
        yield* have(2)
      }),
    TIMEOUT_MS
  )

  it.effect(
    "divide the wallets between two and four, and go on within 10 s with those of one that is killed",
    () =>
      Effect.gen(function* () {
        const { have, ownerships } = yield* Stage
        yield* have(2)
        const four = yield* have(4)
        yield* busy("killed")
        const [one, ...others] = yield* busiestFirst(four)
        const since = yield* ownerships.mark
        const goneOn = yield* takeOver(one!, one!.kill("SIGKILL"))
        yield* awaits("three share", areDividedAmong(others))
        const gapMs = yield* ownerships.longestGapMs(since)
        yield* measured("parts of a killed executor without an owner", gapMs)
        yield* measured("orders of a killed executor until their next step", goneOn.first, goneOn.last)
        assert.isBelow(gapMs, 10_000)
        assert.isBelow(goneOn.first, 10_000)
        assert.isBelow(goneOn.last, 30_000)
      }),
    TIMEOUT_MS
  )

  it.effect(
    "are replaced one after the other with payments in the air, and no part is without an owner for long",
    () =>
      Effect.gen(function* () {
        const { start, have, ownerships } = yield* Stage
        const old = yield* have(3)
        yield* busy("restarted")
        const since = yield* ownerships.mark
        for (const one of old) {
          yield* stop(one)
          yield* start()
        }
        yield* have(3)
        const gapMs = yield* ownerships.longestGapMs(since)
        yield* measured("parts without an owner in a rolling restart", gapMs)
        // Below 3 s is what is promised: 1.0 to 1.5 s in most runs, 3.0 s in one beside much other work.
        assert.isBelow(gapMs, 5_000)
      }),
    TIMEOUT_MS
  )

  it.effect(
    "take over from one that stands still for 20 s and from one that is cut from the database alone, and share again",
    () =>
      Effect.gen(function* () {
        const { have } = yield* Stage
        const all = yield* have(3)
        yield* busy("frozen", MINTS + 3)
        const [frozen, cut, left] = (yield* busiestFirst(all)) as unknown as readonly [Runner, Runner, Runner]
        const long = yield* Effect.forkChild(Effect.sleep("20 seconds"))
        const ends = [takeOver(frozen, frozen.kill("SIGSTOP")), takeOver(cut, cut.way.silence)] as const
        const [ofFrozen, ofCut] = yield* Effect.all(ends, { concurrency: 2 })
        yield* measured("orders of a frozen executor until their next step", ofFrozen.first, ofFrozen.last)
        yield* measured("orders of an executor that is cut off until their next step", ofCut.first, ofCut.last)
        yield* awaits("the third owns everything", areDividedAmong([left]))
        yield* Fiber.join(long)
        yield* frozen.kill("SIGCONT")
        yield* cut.way.resume
        yield* awaits("three share again", areDividedAmong(all))
      }),
    TIMEOUT_MS
  )

  it.effect(
    "let go of everything while PostgreSQL is away for 10 s, and share again when it is back",
    () =>
      Effect.gen(function* () {
        const { have, ownerships } = yield* Stage
        const all = yield* have(3)
        yield* busy("away")
        yield* Effect.forEach(all, ({ way }) => way.close, { concurrency: "unbounded" })
        yield* Effect.all([areLeft("all let go"), Effect.sleep("10 seconds")], { concurrency: 2 })
        yield* Effect.forEach(all, ({ way }) => way.open, { concurrency: "unbounded" })
        const since = yield* ownerships.mark
        yield* awaits("three share again", areDividedAmong(all))
        yield* measured("parts without an owner after the return", yield* ownerships.longestGapMs(since))
      }),
    TIMEOUT_MS
  )

  it.effect(
    "keep what they own while one of them gets a tenth of a processor",
    () =>
      Effect.gen(function* () {
        const { have, ownerships } = yield* Stage
        const [starved] = yield* have(2)
        yield* busy("starved")
        const since = yield* ownerships.mark
        const { kill } = starved!
        const second = Effect.gen(function* () {
          yield* kill("SIGSTOP")
          yield* Effect.sleep("900 millis")
          yield* kill("SIGCONT")
          yield* Effect.sleep("100 millis")
        })
        yield* Effect.repeat(second, { times: 11 })
        const changes = yield* ownerships.changes(since)
        console.info(`changes of owners while one is starved for 12 s: ${changes}`)
        assert.isAtMost(changes, ALL_PARTS.length, "no part changes hands again and again")
      }),
    TIMEOUT_MS
  )

  it.effect(
    "have paid for each batch once and had it minted once, whatever happened to them",
    () =>
      Effect.gen(function* () {
        const { world, orders } = yield* Stage
        const all = yield* orders
        yield* Effect.forEach(all, end, { discard: true })
        yield* auditAll(world, all)
      }),
    TIMEOUT_MS
  )
})
