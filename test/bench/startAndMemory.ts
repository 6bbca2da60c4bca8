import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { newDatabase, seedOrders } from "./database.ts"
import { startExecutor } from "./executorProcess.ts"
import { openNetwork } from "./network.ts"
import type { Bench } from "./options.ts"
import { median } from "./report.ts"
import type { BaseSepolia } from "../e2e/baseSepolia.ts"

/** Orders on the database that a start finds. */
const PENDING = 1_000

/** The first line of a sweep. */
const SWEEP = "🔍 Found"

/** The last line of a start. Without an order, sweeps are silent. */
const MONITORING = "Monitoring for funded tasks..."

const bareNode = Effect.promise(async () => {
  const startMs = performance.now()
  await once(spawn(process.execPath, ["-e", ""]), "exit")
  return performance.now() - startMs
})

/** From the start of the process to its first sweep, on a database and a chain that are there. */
export const start = Effect.fnUntraced(function* ({ server, results, rounds }: Bench) {
  const network = yield* openNetwork
  const database = yield* newDatabase(server)
  yield* Effect.provide(seedOrders(PENDING, 1), database.layer)
  const once = Effect.scoped(
    Effect.flatMap(startExecutor({ network, databaseUrl: database.executorUrl }), ({ line }) => line(SWEEP))
  )
  // The first start notes the chain, and the wallets.
  yield* once
  const roundOf = Effect.gen(function* () {
    const values = { bare: yield* bareNode, ours: yield* once }
    yield* results.add("start to the first sweep; bare: node alone", "ms", values)
  })
  for (let round = 1; round <= rounds * STARTS; round++) yield* results.round(`start, round ${round}`, roundOf)
})

/** Starts of each round: one takes a second. */
const STARTS = 3

/** The memory of an executor that has swept over the orders for a while: the median of the second half of that time. */
const memoryWith = Effect.fnUntraced(function* (bench: Bench, network: BaseSepolia, orders: number) {
  const database = yield* newDatabase(bench.server)
  if (orders > 0) yield* Effect.provide(seedOrders(orders, 1), database.layer)
  const executor = yield* startExecutor({ network, databaseUrl: database.executorUrl })
  yield* executor.line(MONITORING)
  const seconds = Math.ceil(bench.minutes * 60)
  const seen: Array<number> = []
  yield* Effect.sync(() => seen.push(executor.rssMb())).pipe(
    Effect.repeat({ schedule: Schedule.spaced("1 second"), times: seconds }),
    Effect.raceFirst(executor.died)
  )
  return { settled: median(seen.slice(seen.length >> 1)), most: Math.max(...seen) }
}, Effect.scoped)

/** Main memory with open orders, beside the same without any. Measured once: it takes minutes, and varies little. */
export const memory = Effect.fnUntraced(function* (bench: Bench) {
  const network = yield* openNetwork
  const none = yield* memoryWith(bench, network, 0)
  const roundOf = Effect.fnUntraced(function* (orders: number) {
    const { settled, most } = yield* memoryWith(bench, network, orders)
    const what = `memory, ${orders.toLocaleString("en")} open orders`
    yield* bench.results.add(`${what}; bare: no order`, "MB", { ours: settled, bare: none.settled })
    yield* bench.results.add(`${what}, at the most`, "MB", { ours: most, bare: none.most })
  })
  for (const orders of [10_000, ...(bench.isLarge ? [100_000] : [])])
    yield* bench.results.round(`memory, ${orders} orders`, roundOf(orders))
})
