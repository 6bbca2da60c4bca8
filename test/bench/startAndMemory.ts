import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { newDatabase, seedOrders } from "./database.ts"
import { startExecutor } from "./executorProcess.ts"
import { openNetwork } from "./network.ts"
import type { Bench } from "./options.ts"
import { type Figure, type Measured, median } from "./report.ts"
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
export const start = Effect.fnUntraced(function* ({ server, rounds }: Bench) {
  const network = yield* openNetwork
  const database = yield* newDatabase(server)
  yield* Effect.provide(seedOrders(PENDING, 1), database.layer)
  const once = Effect.scoped(
    Effect.flatMap(startExecutor({ network, databaseUrl: database.executorUrl }), ({ line }) => line(SWEEP))
  )
  // The first start notes the chain, and the wallets.
  yield* once
  const ours = yield* Effect.replicateEffect(once, rounds)
  const bare = yield* Effect.replicateEffect(bareNode, rounds)
  const what = "start to the first sweep; bare: node alone"
  return { figures: [{ what, unit: "ms", ours, bare }] } satisfies Measured as Measured
}, Effect.scoped)

/** The memory of an executor that has swept over the orders for a while: the median of the second half of that time. */
const memoryWith = Effect.fnUntraced(function* (bench: Bench, network: BaseSepolia, orders: number) {
  const database = yield* newDatabase(bench.server)
  if (orders > 0) yield* Effect.provide(seedOrders(orders, 1), database.layer)
  const executor = yield* startExecutor({ network, databaseUrl: database.executorUrl })
  yield* executor.line(MONITORING)
  const seconds = Math.ceil(bench.minutes * 60)
  const seen: Array<number> = []
  yield* Effect.sync(() => seen.push(executor.rssMb())).pipe(
    Effect.repeat({ schedule: Schedule.spaced("1 second"), times: seconds })
  )
  return { settled: median(seen.slice(seen.length >> 1)), most: Math.max(...seen) }
}, Effect.scoped)

/** Main memory with open orders, beside the same without any. Measured once: it takes minutes, and varies little. */
export const memory = Effect.fnUntraced(function* (bench: Bench) {
  const network = yield* openNetwork
  const none = yield* memoryWith(bench, network, 0)
  const figures: Array<Figure> = []
  for (const orders of [10_000, ...(bench.isLarge ? [100_000] : [])]) {
    const { settled, most } = yield* memoryWith(bench, network, orders)
    const what = `memory, ${orders.toLocaleString("en")} open orders`
    figures.push({ what: `${what}; bare: no order`, unit: "MB", ours: [settled], bare: [none.settled] })
    figures.push({ what: `${what}, at the most`, unit: "MB", ours: [most], bare: [none.most] })
  }
  return { figures } satisfies Measured as Measured
}, Effect.scoped)
