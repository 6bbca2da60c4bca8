import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { vi } from "vitest"
import { ALL_PARTS } from "../../src/domain/Part.ts"
import { relayTo } from "../support/LedgerRelay.ts"
import { clientAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { openBaseSepolia } from "./baseSepolia.ts"
import {
  areDividedAmong,
  awaits,
  deliveredIn,
  endAndAudit,
  haveGoneOnSince,
  load,
  locks,
  partsOf,
  startRunner
} from "./runners.ts"
import { temporaryDirectory, TIMEOUT_MS } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

/** Orders last longer than what is done meanwhile. */
const ORDERS = 8
const MINTS = 10

/** Every order has a batch that is delivered, and more to come. */
const allHaveBegun = awaits(
  "each order has begun",
  Effect.map(deliveredIn(ALL_PARTS), (rows) => rows.length === ORDERS)
)

const recorder = fileURLToPath(new URL("programs/recordModules.ts", import.meta.url))

/** Tables that only executors that share a database have. */
const sharedTables = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`SELECT tablename FROM pg_tables WHERE tablename ~ '^ai_agent_(cluster|runners)'`
)

describe("several executors on one database", () => {
  it.live(
    "are not thought of by one that is alone; and where they and one that owns everything meet, all is paid once",
    () =>
      Effect.gen(function* () {
        const world = yield* openBaseSepolia
        const url = yield* Postgres.freshDatabase()
        const directory = yield* temporaryDirectory
        const recording = (name: string) => ({
          file: join(directory, name),
          env: { NODE_OPTIONS: `--import=${recorder}`, MODULES: join(directory, name) }
        })
        yield* Effect.gen(function* () {
          const alone = recording("alone")
          yield* startRunner(world, url, { ...alone.env, RUNNERS: "single" })
          assert.isFalse(existsSync(alone.file), "it loads nothing of the cluster")
          assert.deepStrictEqual(yield* sharedTables, [])
          const orders = yield* load(world, "first", ORDERS, MINTS)
          yield* allHaveBegun
          const shared = recording("shared")
          const two = [yield* startRunner(world, url, shared.env), yield* startRunner(world, url)]
          assert.include(readFileSync(shared.file, "utf8"), "/cluster/Sharding")
          yield* awaits("two own everything once more", areDividedAmong(two))
          yield* endAndAudit(world, [orders], MINTS)
        }).pipe(Effect.provide(clientAt(url)))
      }),
    TIMEOUT_MS
  )

  it.live(
    "divide the wallets, and go on with those of one that is killed, and of one that is stopped",
    () =>
      Effect.gen(function* () {
        const world = yield* openBaseSepolia
        const url = yield* Postgres.freshDatabase()
        const start = startRunner(world, url)
        const one = yield* start
        yield* Effect.gen(function* () {
          yield* awaits("the first owns everything", areDividedAmong([one]))
          const other = yield* start
          yield* awaits("two share", areDividedAmong([one, other]))
          const all = [one, other, yield* start, yield* start]
          yield* awaits("four share", areDividedAmong(all))
          const orders = yield* load(world, "first", ORDERS, MINTS)
          yield* allHaveBegun

          const killed = yield* deliveredIn(yield* partsOf(one))
          yield* one.kill("SIGKILL")
          yield* awaits("three share", areDividedAmong(all.slice(1)))
          yield* awaits("the wallets of the one that was killed go on", haveGoneOnSince(killed, MINTS))

          const stopped = yield* deliveredIn(yield* partsOf(other))
          yield* other.kill("SIGTERM")
          const successor = yield* start
          yield* awaits("the next one shares", areDividedAmong([...all.slice(2), successor]))
          yield* awaits("the wallets of the one that was stopped go on", haveGoneOnSince(stopped, MINTS))
          assert.deepStrictEqual(yield* other.ended, { code: 0, signal: null })
          yield* endAndAudit(world, [orders], MINTS)
        }).pipe(Effect.provide(clientAt(url)))
      }),
    TIMEOUT_MS
  )

  it.live(
    "take over from one that stands still or is cut from the database, and share again when it is back",
    () =>
      Effect.gen(function* () {
        const world = yield* openBaseSepolia
        const url = yield* Postgres.freshDatabase()
        const [near, far] = [yield* relayTo(url), yield* relayTo(url)]
        const one = yield* startRunner(world, near.url)
        const other = yield* startRunner(world, far.url)
        yield* Effect.gen(function* () {
          const both = awaits("two share", areDividedAmong([one, other]))
          yield* both
          const orders = yield* load(world, "first", ORDERS, MINTS)
          yield* allHaveBegun

          const frozen = yield* deliveredIn(yield* partsOf(one))
          yield* one.kill("SIGSTOP")
          yield* awaits("the wallets of the one that stands still go on", haveGoneOnSince(frozen, MINTS))
          yield* one.kill("SIGCONT")
          yield* both

          const cut = yield* deliveredIn(yield* partsOf(other))
          yield* far.close
          yield* awaits("the other owns everything", areDividedAmong([one]))
          yield* awaits("the wallets of the one that is cut off go on", haveGoneOnSince(cut, MINTS))
          yield* far.open
          yield* both

          yield* Effect.all([near.close, far.close], { concurrency: 2 })
          yield* awaits(
            "both let go",
            Effect.map(locks, (held) => held.length === 0)
          )
          yield* Effect.all([near.open, far.open], { concurrency: 2 })
          yield* both
          yield* endAndAudit(world, [orders], MINTS)
        }).pipe(Effect.provide(clientAt(url)))
      }),
    TIMEOUT_MS
  )
})
