import { Array as Arr, Effect } from "effect"
import { seedPast } from "./apiSeed.ts"
import { askProgram } from "./children.ts"
import { type Database, newDatabase, seedOrders } from "./database.ts"
import { startExecutor } from "./executorProcess.ts"
import { timeSweeps } from "./metrics.ts"
import { openNetwork } from "./network.ts"
import type { Bench } from "./options.ts"
import type { BareSwept } from "./programs/bareSweep.ts"
import { type Figure, type Measured, median } from "./report.ts"
import type { BaseSepolia } from "../e2e/baseSepolia.ts"

const counted = (orders: number): string => `${orders.toLocaleString("en")} orders`

/** What sweeps over these orders take, in milliseconds. */
const timesOn = Effect.fnUntraced(function* (
  network: BaseSepolia,
  database: Database,
  { orders, rounds }: { readonly orders: number; readonly rounds: number }
) {
  const executor = yield* startExecutor({ network, databaseUrl: database.executorUrl })
  return yield* timeSweeps(executor, orders, rounds)
}, Effect.scoped)

/** A sweep over orders that wait for their payment, each in a wallet of its own. */
export const sweeps = Effect.fnUntraced(function* ({ server, isLarge, rounds }: Bench) {
  const network = yield* openNetwork
  const figures: Array<Figure> = []
  for (const orders of [1_000, 10_000, ...(isLarge ? [100_000] : [])]) {
    const database = yield* newDatabase(server)
    yield* Effect.provide(seedOrders(orders, 1), database.layer)
    const ours = yield* timesOn(network, database, { orders, rounds })
    const job = { databaseUrl: database.url, rpcUrl: network.chain.rpcUrl, rounds }
    const { bareMs, oneByOneMs } = yield* askProgram<BareSwept>("bareSweep", job)
    figures.push({ what: `sweep, ${counted(orders)} pending`, unit: "ms", ours, bare: bareMs, oneByOne: oneByOneMs })
  }
  return { figures } satisfies Measured as Measured
}, Effect.scoped)

/** Orders that wait beside those that are over. */
const PENDING = 1_000

/** Orders that are over have a wallet for five of them. */
const ORDERS_PER_WALLET = 5

/** Whether what is over makes a sweep slower: the same sweep with and without it, in turn. */
export const finished = Effect.fnUntraced(function* ({ server, isLarge, rounds }: Bench) {
  const network = yield* openNetwork
  const past = isLarge ? 1_000_000 : 100_000
  const [without, beside] = [yield* newDatabase(server), yield* newDatabase(server)]
  const pending = seedOrders(PENDING, 1)
  yield* Effect.provide(pending, without.layer)
  const over = seedPast({ orders: past, wallets: past / ORDERS_PER_WALLET, underWay: 0 })
  yield* Effect.provide(Effect.andThen(pending, over), beside.layer)
  const measure = (database: Database) =>
    Effect.map(timesOn(network, database, { orders: PENDING, rounds: SWEEPS }), median)
  const pairs = yield* Effect.forEach(Arr.range(1, rounds), () => Effect.all([measure(without), measure(beside)]))
  const figure = {
    what: `sweep, ${counted(PENDING)} pending, ${past.toLocaleString("en")} finished; bare: none finished`,
    unit: "ms",
    ours: pairs.map(([, one]) => one),
    bare: pairs.map(([one]) => one)
  }
  return { figures: [figure] } satisfies Measured as Measured
}, Effect.scoped)

/** Sweeps of each run, whose median counts. */
const SWEEPS = 5
