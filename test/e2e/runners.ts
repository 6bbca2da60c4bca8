import { assert } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { ALL_PARTS, type Part, partOf } from "../../src/domain/Part.ts"
import { audit } from "../deep/audit.ts"
import { type Person, person } from "../support/orders.ts"
import { type BaseSepolia, deployment, payAll, placeOrder, TOKEN } from "./baseSepolia.ts"
import { closedPort, type Running, startExecutor, temporaryDirectory } from "./support.ts"

/**
 * A batch is one mint, so that orders last. What an executor asked the mint server before it died is asked again when
 * `MINT_TIMEOUT` is over.
 */
const PACE = { RUNNERS: "cluster", MAX_BATCH_SIZE: "1", CONFIRMATIONS: "1", MINT_TIMEOUT: "5s", DRAIN_TIMEOUT: "20s" }

/** Starts one of several executors, and waits until it has begun. */
export const startRunner = Effect.fnUntraced(function* (
  world: BaseSepolia,
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {}
) {
  const port = yield* closedPort
  const directory = yield* temporaryDirectory
  const running = yield* startExecutor(directory, {
    ...deployment(world, databaseUrl),
    ...PACE,
    OPS_PORT: String(port),
    ...env
  })
  yield* running.line("Monitoring for funded tasks...")
  return { ...running, url: `http://127.0.0.1:${port}` }
})

/** Far more than anything here takes, on a machine that has other things to do. */
const LIMIT = "90 seconds"

/** What is to hold before long, looked at again and again. */
export const awaits = <E, R>(what: string, holds: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(holds, { schedule: Schedule.spaced("100 millis"), until: (it) => it }).pipe(
    Effect.timeoutOrElse({
      duration: LIMIT,
      orElse: () => Effect.die(new Error(`not within ${LIMIT}: ${what}`))
    }),
    Effect.asVoid
  )

interface Lock {
  readonly pid: number
  readonly part: number
}

/**
 * The parts and the session that holds the lock of each, as the server has it: locks exclude each other, so that no part
 * has two owners. Effect numbers shards from 1,000,001.
 */
export const locks = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<Lock>`
    SELECT l.pid, (l.objid::bigint - 1000001)::int AS part FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.objid BETWEEN 1000001 AND 1000032
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY 2`
)

interface Row {
  readonly name: string
  readonly parts: ReadonlyArray<number>
}

/** What each executor that is there says that it owns. */
export const claims = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<Row>`
    SELECT name, parts FROM ai_agent_runners WHERE beat_at > clock_timestamp() - interval '6 seconds'`
)

/** Every part has one owner, and every one of these processes, and no other, owns some. */
export const areDividedAmong = (runners: ReadonlyArray<Pick<Running, "pid">>) =>
  Effect.gen(function* () {
    const own = yield* claims
    const parts = own.flatMap((one) => one.parts).toSorted((a, b) => a - b)
    const names = own.filter((one) => one.parts.length > 0).map(({ name }) => Number(name.split(":").at(-1)))
    return (
      (yield* locks).length === ALL_PARTS.length &&
      parts.join() === ALL_PARTS.join() &&
      names.toSorted().join() ===
        runners
          .map(({ pid }) => pid)
          .toSorted()
          .join()
    )
  }).pipe(Effect.orElseSucceed(() => false))

/** The parts that a process says it owns. */
export const partsOf = ({ pid }: Pick<Running, "pid">) =>
  Effect.map(claims, (all) => all.find(({ name }) => name.endsWith(`:${pid}`))?.parts ?? [])

export interface Load {
  readonly people: ReadonlyArray<{ readonly who: Person; readonly id: string; readonly name: string }>
  /** Of each of them. */
  readonly mints: number
}

/** People with a paid order of so many mints each. */
export const load = Effect.fnUntraced(function* (world: BaseSepolia, name: string, count: number, mints: number) {
  const names = Array.from({ length: count }, (_, index) => `${name} ${index}`)
  const people = yield* Effect.forEach(names, (one) =>
    Effect.gen(function* () {
      const who = yield* person(one)
      return { who, id: yield* placeOrder(who, mints), name: one }
    })
  )
  yield* payAll(
    world,
    people.map(({ who }) => ({ who, mints }))
  )
  return { people, mints } satisfies Load as Load
})

interface Progress {
  readonly wallet_id: Person["walletId"]
  readonly count: number
}

/** How many batches of each wallet with an open order are delivered. */
const progress = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<Progress>`
    SELECT t.agent_wallet_id AS wallet_id, count(b.*)::int AS count FROM ai_agent_tasks t
    LEFT JOIN ai_agent_batches b ON b.task_id = t.id AND b.status = 'delivered'
    WHERE t.status IN ('pending_payment', 'funded', 'processing') GROUP BY 1`
)

/** The same for the wallets in these parts. */
export const deliveredIn = (parts: ReadonlyArray<Part>) =>
  Effect.map(progress, (all) => all.filter(({ wallet_id }) => parts.includes(partOf(wallet_id))))

/** Whether each order has a batch that is delivered. */
export const beganIn = ({ people }: Load) =>
  Effect.map(progress, (all) =>
    people.every(({ who }) => all.every(({ wallet_id, count }) => wallet_id !== who.walletId || count > 0))
  )

/** Whether each has gone on since: one more batch is delivered, or the order is closed. */
export const haveGoneOnSince = (then: ReadonlyArray<Progress>) =>
  Effect.map(progress, (now) =>
    then.every(({ wallet_id, count }) => {
      const open = now.find((one) => one.wallet_id === wallet_id)
      return open === undefined || open.count > count
    })
  )

export const nowOfServer = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(sql<{ readonly now: Date }>`SELECT clock_timestamp() AS now`, ([row]) => row?.now ?? new Date(0))
)

/** A statement that a process has sent before its death may still be carried out. */
const LAST_WORDS = "200 milliseconds"

/**
 * By the ledger's own record, in milliseconds: from then until the first of these wallets made its next step, and until
 * the last of them had made it. One with a request that was claimed and may have left waits for its answer:
 * `MINT_TIMEOUT` and 5 s, and then the chain is looked at.
 */
export const goneOnAfterMs = Effect.fnUntraced(function* (orders: ReadonlyArray<Progress>, since: Date) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly first: number | null; readonly last: number | null }>`
    SELECT (extract(epoch FROM min(at) - ${since}::timestamptz) * 1000)::float8 AS first,
      (extract(epoch FROM max(at) - ${since}::timestamptz) * 1000)::float8 AS last FROM (
      SELECT min(at) AS at FROM ai_agent_events
      WHERE at > ${since}::timestamptz + ${LAST_WORDS}::interval
        AND wallet_id = ANY(${orders.map(({ wallet_id }) => wallet_id)}::uuid[])
      GROUP BY wallet_id) AS next`
  return { first: row?.first ?? Number.NaN, last: row?.last ?? Number.NaN }
})

const openOrders = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<{ readonly id: string }>`SELECT id FROM ai_agent_tasks WHERE status <> 'completed'`
)

/** Waits until these orders are completed. */
export const end = ({ people }: Load) =>
  awaits(
    "the orders are completed",
    Effect.map(openOrders, (open) => !open.some(({ id }) => people.some((one) => one.id === id)))
  )

/** Compares the table with the logs of the chain: each batch is one mint, paid once and minted once. */
export const auditAll = (world: BaseSepolia, loads: ReadonlyArray<Load>) =>
  Effect.forEach(
    loads.flatMap(({ people, mints }) => people.map((one) => ({ ...one, mints }))),
    Effect.fnUntraced(function* ({ who, id, name, mints }) {
      const { payments, mints: minted } = yield* audit(world.chain, { id, who, token: TOKEN, name })
      assert.deepStrictEqual([payments, minted], [mints, mints], name)
    }),
    { concurrency: 4 }
  )
