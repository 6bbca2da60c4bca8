import { Effect } from "effect"
import { seedFinished } from "./apiSeed.ts"
import { askProgram } from "./children.ts"
import { type Database, newDatabase, seedOrders } from "./database.ts"
import { startExecutor } from "./executorProcess.ts"
import { timeSweeps } from "./metrics.ts"
import { openNetwork } from "./network.ts"
import type { Bench } from "./options.ts"
import { openRpcProxy } from "./rpcProxy.ts"
import type { BareSwept } from "./programs/bareSweep.ts"
import { median } from "./report.ts"
import type { BaseSepolia } from "../e2e/baseSepolia.ts"

const counted = (orders: number): string => `${orders.toLocaleString("en")} orders`

/** Sweeps of each run, whose median counts. */
const SWEEPS = 5

/** What a sweep over these orders takes, in milliseconds. */
const timeOn = Effect.fnUntraced(function* (
  network: BaseSepolia,
  database: Database,
  orders: number,
  rpcUrl: string = network.chain.rpcUrl
) {
  // Sweeps of the clock look at all orders; those that a block wakes, at what has changed.
  const settings = { CHECK_TRIGGER: "interval" }
  const executor = yield* startExecutor({ network, databaseUrl: database.executorUrl, rpcUrl, settings })
  return median(yield* Effect.raceFirst(timeSweeps(executor, orders, SWEEPS), executor.died))
}, Effect.scoped)

/** Milliseconds to the node: one beside the executor, and one that is far away. */
const NODE_MS = [0, 80]

/** A sweep over orders that wait for their payment, each in a wallet of its own; ours and the bare one in turn. */
export const sweeps = Effect.fnUntraced(function* ({ server, isLarge, rounds, results }: Bench) {
  const network = yield* openNetwork
  const sizeOf = Effect.fnUntraced(function* (orders: number) {
    const database = yield* newDatabase(server)
    yield* Effect.provide(seedOrders(orders, 1), database.layer)
    const roundOf = Effect.fnUntraced(function* (delayMs: number) {
      const { rpcUrl } = network.chain
      const { url } = delayMs === 0 ? { url: rpcUrl } : yield* openRpcProxy(rpcUrl, { delayMs, isCounting: false })
      const ours = yield* timeOn(network, database, orders, url)
      const job = { databaseUrl: database.url, rpcUrl: url, rounds: SWEEPS }
      const { bareMs, oneByOneMs } = yield* askProgram<BareSwept>("bareSweep", job)
      const values = { ours, bare: median(bareMs), oneByOne: oneByOneMs }
      const far = delayMs === 0 ? "" : `, ${delayMs} ms to the node`
      yield* results.add(`sweep, ${counted(orders)} pending${far}`, "ms", values)
    })
    for (const delayMs of NODE_MS)
      for (let round = 1; round <= rounds; round++)
        yield* results.round(`sweep over ${orders}, ${delayMs} ms, round ${round}`, roundOf(delayMs))
  })
  for (const orders of [1_000, 10_000, ...(isLarge ? [100_000] : [])])
    yield* results.round(`sweep over ${orders}, all rounds`, sizeOf(orders))
})

/** Orders that wait beside those that are over. */
const PENDING = 1_000

/** Orders that are over have a wallet for five of them. */
const ORDERS_PER_WALLET = 5

/** Whether what is over makes a sweep slower: the same sweep with and without it, in turn. */
export const finished = Effect.fnUntraced(function* ({ server, isLarge, rounds, results }: Bench) {
  const network = yield* openNetwork
  const past = isLarge ? 1_000_000 : 100_000
  const [without, beside] = [yield* newDatabase(server), yield* newDatabase(server)]
  const pending = seedOrders(PENDING, 1)
  yield* Effect.provide(pending, without.layer)
  const over = seedFinished({ orders: past, wallets: past / ORDERS_PER_WALLET })
  yield* Effect.provide(Effect.andThen(pending, over), beside.layer)
  const what = `sweep, ${counted(PENDING)} pending, ${past.toLocaleString("en")} finished; bare: none finished`
  const roundOf = Effect.gen(function* () {
    const bare = yield* timeOn(network, without, PENDING)
    yield* results.add(what, "ms", { bare, ours: yield* timeOn(network, beside, PENDING) })
  })
  for (let round = 1; round <= rounds; round++) yield* results.round(`sweep beside ${past}, round ${round}`, roundOf)
})
