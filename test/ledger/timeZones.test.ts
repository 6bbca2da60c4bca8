import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { migrate } from "../../src/ledger/migrate.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"
import { NOW_MS, PRICE, TOKEN } from "./contract/given.ts"

const EXECUTOR = fileURLToPath(new URL("programs/executor.ts", import.meta.url))

/** UTC+14 and UTC-11: the same moment is never on the same day in both. */
const EAST = "Pacific/Kiritimati"
const WEST = "Pacific/Pago_Pago"
/** Half an hour beside every other zone, and with summer time. */
const ODD = "America/St_Johns"

const MINUTE_MS = 60_000

interface World {
  readonly tables: "v1.1's" | "our"
  readonly database: string
  readonly process: string
  /** The zone that the program which takes orders sets for itself. */
  readonly writer?: string
}

const Report = Schema.fromJsonString(
  Schema.Struct({
    zoneOffsetMinutes: Schema.Number,
    createdAtMs: Schema.Array(Schema.Number),
    startedAtMs: Schema.Number,
    updatedAtMs: Schema.Number
  })
)

/** Runs the executor's side in another process, in another time zone. */
const runExecutor = (url: string, world: World) =>
  Effect.promise(() =>
    promisify(execFile)(process.execPath, [EXECUTOR], {
      env: {
        DATABASE_URL: url,
        TZ: world.process,
        ...(world.writer === undefined ? {} : { DATABASE_TIMEZONE: world.writer })
      }
    })
  ).pipe(Effect.flatMap(({ stdout }) => Schema.decodeEffect(Report)(stdout)))

/** An order with only the required columns, and when that truly was. */
const insertOrder = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const order = { token_address: TOKEN, quantity: 4, price_per_mint: PRICE, total_cost: PRICE * 4n }
  const [row] = yield* sql<{ readonly truth_ms: number }>`
    INSERT INTO ai_agent_tasks (agent_wallet_id, user_address, token_address, quantity, price_per_mint, total_cost)
    SELECT id, user_address, ${order.token_address}, ${order.quantity}, ${order.price_per_mint}, ${order.total_cost}
    FROM ai_agent_wallets
    RETURNING (extract(epoch FROM now()) * 1000)::float8 AS truth_ms`
  return row?.truth_ms ?? Number.NaN
})

/** Two orders, one after the other, as the program that takes them writes them. */
const takeOrders = Effect.fnUntraced(function* (world: World) {
  const sql = yield* SqlClient.SqlClient
  if (world.tables === "v1.1's") yield* createV11Tables()
  yield* migrate
  if (world.writer !== undefined) yield* sql`SELECT set_config('TimeZone', ${world.writer}, false)`
  yield* sql`
    INSERT INTO ai_agent_wallets (user_address, agent_address, encrypted_private_key)
    VALUES (${`0x${"a".repeat(40)}`}, ${`0x${"b".repeat(40)}`}, 'key')`
  return [yield* insertOrder, yield* insertOrder]
})

/** Every time that was written, as a program sees it whose session is in the writer's zone. */
const timesWritten = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly name: string; readonly ms: number }>`
    SELECT name, (extract(epoch FROM at) * 1000)::float8 AS ms FROM (
      SELECT status || '.completed_at' AS name, completed_at::timestamptz AS at FROM ai_agent_tasks
      UNION ALL SELECT 'started_at', started_at::timestamptz FROM ai_agent_tasks
      UNION ALL SELECT 'funding_received_at', funding_received_at::timestamptz FROM ai_agent_tasks
      UNION ALL SELECT 'record.created_at', min(created_at)::timestamptz FROM ai_agent_mint_records
      UNION ALL SELECT 'record.completed_at', max(completed_at)::timestamptz FROM ai_agent_mint_records
    ) written WHERE at IS NOT NULL`
  return Object.fromEntries(rows.map(({ name, ms }) => [name, ms]))
})

const nowMs = Effect.map(
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql<{ readonly ms: number }>`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`
  ),
  (rows) => rows[0]?.ms ?? Number.NaN
)

const worlds: ReadonlyArray<World> = [
  { tables: "v1.1's", database: EAST, process: WEST },
  { tables: "v1.1's", database: WEST, process: EAST },
  { tables: "v1.1's", database: "UTC", process: EAST, writer: ODD },
  { tables: "our", database: EAST, process: WEST },
  { tables: "our", database: WEST, process: EAST }
]

describe("an order is as old as it is (L23)", () => {
  for (const world of worlds) {
    const writer = world.writer === undefined ? "" : `, DATABASE_TIMEZONE=${world.writer}`
    it.live(`in ${world.tables} tables: database in ${world.database}, process in ${world.process}${writer}`, () =>
      Effect.gen(function* () {
        const url = yield* Postgres.freshDatabase({ timezone: world.database })
        yield* Effect.gen(function* () {
          const created = yield* takeOrders(world)
          const read = yield* runExecutor(url, world)
          assert.strictEqual(read.zoneOffsetMinutes, world.process === EAST ? -14 * 60 : 11 * 60)
          for (const [index, atMs] of created.entries()) {
            assert.approximately(read.createdAtMs[index] ?? Number.NaN, atMs, 1, "created_at")
          }
          assert.strictEqual(read.startedAtMs, NOW_MS)
          assert.deepStrictEqual(yield* timesWritten, {
            "cancelled.completed_at": NOW_MS,
            "completed.completed_at": NOW_MS,
            started_at: NOW_MS,
            funding_received_at: NOW_MS,
            "record.created_at": NOW_MS,
            "record.completed_at": NOW_MS
          })
          // v1.1's trigger replaces this time by that of the database, in the zone of the executor's session.
          if (world.tables === "v1.1's") assert.approximately(read.updatedAtMs, yield* nowMs, MINUTE_MS)
          else assert.strictEqual(read.updatedAtMs, NOW_MS)
        }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
      })
    )
  }
})
