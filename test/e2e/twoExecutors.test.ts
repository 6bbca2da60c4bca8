import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { vi } from "vitest"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import {
  balanceOf,
  type BaseSepolia,
  deployment,
  openBaseSepolia,
  pay,
  placeOrder,
  PRICE,
  TOKEN,
  USDC
} from "./baseSepolia.ts"
import { mintsTo, paymentsFrom, type Running, startExecutor, temporaryDirectory, TIMEOUT_MS, until } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

const ORDERS = 12
const MINTS = 6
const MINTS_A_BATCH = 2
const BATCHES_EACH = MINTS / MINTS_A_BATCH

/** The claims of an executor: each is a batch that it pays for. */
const claims = ({ said }: Running): ReadonlyArray<string> =>
  said.stdout.split("\n").flatMap((line) => /🪙 Paying .*(task .*)$/.exec(line)?.[1] ?? [])

/** Half of the orders, from people who were never here before, all of them paid. */
const placeHalf = Effect.fnUntraced(function* (world: BaseSepolia, name: string) {
  const customers = yield* Effect.forEach(Array.from({ length: ORDERS / 2 }), (_, number) =>
    person(`${name} ${number}`)
  )
  yield* Effect.forEach(customers, (who) => placeOrder(who, MINTS))
  yield* Effect.forEach(customers, (who) => pay(world, who, MINTS))
  return customers
})

/** First one of them is frozen, then the other, so that both have payments under way; then they meet. */
const competeFor = Effect.fnUntraced(function* (world: BaseSepolia, [one, other]: readonly [Running, Running]) {
  yield* other.kill("SIGSTOP")
  const first = yield* placeHalf(world, "first")
  yield* one.line("🪙 Paying")
  yield* one.kill("SIGSTOP")
  yield* other.kill("SIGCONT")
  const second = yield* placeHalf(world, "second")
  yield* other.line("🪙 Paying")
  yield* one.kill("SIGCONT")
  return [...first, ...second]
})

interface Ended {
  readonly status: string
  readonly mints_completed: number
  readonly retry_count: number
  readonly error_message: string | null
  readonly records: number
}

const orders = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql<Ended>`
    SELECT t.status, t.mints_completed, t.retry_count, t.error_message,
      (SELECT count(DISTINCT r.mint_number)::int FROM ai_agent_mint_records r WHERE r.task_id = t.id) AS records
    FROM ai_agent_tasks t`
})

describe("two executors on one database", () => {
  it.live(
    "share the work, and pay for every batch once, though one and the other freeze meanwhile",
    () =>
      Effect.gen(function* () {
        const world = yield* openBaseSepolia
        const url = yield* Postgres.freshDatabase()
        const env = { ...deployment(world, url), MAX_BATCH_SIZE: String(MINTS_A_BATCH) }
        const startOne = Effect.flatMap(temporaryDirectory, (directory) => startExecutor(directory, env))
        // At once, so that they meet already where the tables are made.
        const both = [yield* startOne, yield* startOne] as const
        for (const executor of both) yield* executor.line("Monitoring for funded tasks...")
        yield* Effect.gen(function* () {
          const customers = yield* competeFor(world, both)
          yield* until(
            "all orders are completed",
            Effect.map(orders, (all) => all.every(({ status }) => status === "completed"))
          )
          const fine = {
            status: "completed",
            mints_completed: MINTS,
            retry_count: 0,
            error_message: null,
            records: MINTS
          }
          assert.deepStrictEqual(
            yield* orders,
            Array.from({ length: ORDERS }, () => fine)
          )
          const payments = Array.from({ length: BATCHES_EACH }, () => PRICE * BigInt(MINTS_A_BATCH))
          for (const who of customers) {
            assert.deepStrictEqual(yield* paymentsFrom(world.chain, USDC, who.agentAddress), payments)
            assert.strictEqual(yield* mintsTo(world.chain, TOKEN, who.userAddress), MINTS)
            assert.strictEqual(yield* balanceOf(world, who), 0n)
          }
        }).pipe(Effect.provide(clientAt(url)))
        for (const executor of both) {
          yield* executor.kill("SIGTERM")
          assert.deepStrictEqual(yield* executor.ended, { code: 0, signal: null })
        }
        const made = both.map(claims)
        for (const own of made) assert.isNotEmpty(own)
        assert.strictEqual(made.flat().length, ORDERS * BATCHES_EACH, "each batch is claimed by one of them, once")
        assert.strictEqual(new Set(made.flat()).size, ORDERS * BATCHES_EACH)
      }),
    TIMEOUT_MS
  )
})
