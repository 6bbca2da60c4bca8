import { Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { payAll, type BaseSepolia, TOKEN } from "../e2e/baseSepolia.ts"
import { askProgram } from "./children.ts"
import { type Database, newDatabase, newWallets, type Payer, seedOrders } from "./database.ts"
import { startExecutor } from "./executorProcess.ts"
import { openNetwork } from "./network.ts"
import type { Bench } from "./options.ts"
import type { BareMinted, BareMints } from "./programs/bareMints.ts"
import type { Figure, Measured } from "./report.ts"
import { openRpcProxy } from "./rpcProxy.ts"

/** Mints of each order. */
export const MINTS = 40

/** A load: wallets with an order each, all of them paid before the executor starts. */
export interface Load {
  readonly wallets: number
  readonly mintsPerBatch: number
  /** To the node and back. */
  readonly nodeMs: number
}

/**
 * Batches a second, of the middle 80 % of them: neither the start, in which all orders are funded and planned at once,
 * nor the end, in which wallets have run out of batches.
 */
export const rateOf = (deliveredMs: ReadonlyArray<number>): number => {
  const inOrder = deliveredMs.toSorted((a, b) => a - b)
  const cut = Math.floor(inOrder.length / 10)
  const middle = inOrder.slice(cut, inOrder.length - cut)
  const [first = 0, last = 0] = [middle[0], middle.at(-1)]
  return middle.length < 2 ? 0 : (middle.length - 1) / ((last - first) / 1000)
}

const POLL = Schedule.spaced("1 second")

/** How many batches of the database are delivered. */
const delivered = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`
    SELECT count(*)::int AS count FROM ai_agent_batches WHERE status = 'delivered'`
  return row?.count ?? 0
})

const untilDelivered = (count: number) =>
  Effect.repeat(delivered, { schedule: POLL, until: (reached) => reached >= count })

const deliveries = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly ms: number }>`
    SELECT (extract(epoch FROM status_since) * 1000)::float8 AS ms FROM ai_agent_batches WHERE status = 'delivered'`
  return rows.map(({ ms }) => ms)
})

const fund = (network: BaseSepolia, wallets: ReadonlyArray<Payer>) =>
  payAll(
    network,
    wallets.map((who) => ({ who, mints: MINTS }))
  )

/** What a run of the executor gives to those who measure more than its rate. */
export interface Run {
  readonly database: Database
  readonly executor: Effect.Success<ReturnType<typeof startExecutor>>
  readonly proxy: Effect.Success<ReturnType<typeof openRpcProxy>>
  readonly batches: number
  readonly delivered: typeof delivered
  readonly untilDelivered: typeof untilDelivered
}

/** The executor under a load, from its start until all is delivered. `beside` runs meanwhile. */
export const runExecutor = Effect.fnUntraced(function* <A, E>(
  server: { readonly url: string },
  { wallets, mintsPerBatch, nodeMs }: Load,
  beside: (run: Run) => Effect.Effect<A, E, SqlClient.SqlClient>
) {
  const network = yield* openNetwork
  const database = yield* newDatabase(server)
  const proxy = yield* openRpcProxy(network.chain.rpcUrl, nodeMs)
  return yield* Effect.gen(function* () {
    yield* fund(network, yield* seedOrders(wallets, MINTS))
    const executor = yield* startExecutor({
      network,
      databaseUrl: database.executorUrl,
      rpcUrl: proxy.url,
      settings: { MAX_BATCH_SIZE: String(mintsPerBatch) }
    })
    const batches = wallets * Math.ceil(MINTS / mintsPerBatch)
    const seen = yield* beside({ database, executor, proxy, batches, delivered, untilDelivered })
    yield* untilDelivered(batches)
    return { seen, rate: rateOf(yield* deliveries) }
  }).pipe(Effect.provide(database.layer))
}, Effect.scoped)

/** The bare loop under the same load, with all wallets at once. It does not ask the node. */
export const runBare = Effect.fnUntraced(function* ({ wallets, mintsPerBatch }: Load) {
  const network = yield* openNetwork
  const people = newWallets(wallets)
  yield* fund(network, people)
  const batches = Math.ceil(MINTS / mintsPerBatch)
  const { serverUrl } = network
  const job: BareMints = { serverUrl, token: TOKEN, wallets: people, batches, mintsPerBatch }
  const { deliveredMs, cpuMs } = yield* askProgram<BareMinted>("bareMints", job)
  return { rate: rateOf(deliveredMs), cpuMsPerBatch: cpuMs / deliveredMs.length }
}, Effect.scoped)

interface Size extends Omit<Load, "nodeMs"> {
  /** Rounds at the most: the largest takes minutes. */
  readonly roundsMax?: number
}

const SIZES: ReadonlyArray<Size> = [
  { wallets: 1, mintsPerBatch: 5 },
  { wallets: 8, mintsPerBatch: 10 },
  { wallets: 64, mintsPerBatch: 10 },
  { wallets: 300, mintsPerBatch: 10, roundsMax: 1 }
]

/** One round: the bare loop, and the executor near to the node and far from it. */
const roundOf = Effect.fnUntraced(function* (bench: Bench, size: Size) {
  const load = { ...size, nodeMs: NEAR_MS }
  const bare = yield* runBare(load)
  const near = yield* runExecutor(bench.server, load, () => Effect.void)
  const far = yield* runExecutor(bench.server, { ...load, nodeMs: FAR_MS }, () => Effect.void)
  return { bare: bare.rate, near: near.rate, far: far.rate }
})

/** To the node and back: on the same machine, and across a continent. */
const NEAR_MS = 0
const FAR_MS = 80

/** Batches a second in the long run. */
export const throughput = Effect.fnUntraced(function* (bench: Bench) {
  const figures: Array<Figure> = []
  for (const size of SIZES) {
    const { wallets, roundsMax = bench.rounds } = size
    const rounds = yield* Effect.replicateEffect(roundOf(bench, size), Math.min(bench.rounds, roundsMax))
    const what = `throughput, ${wallets} ${wallets === 1 ? "wallet" : "wallets"}`
    const bare = rounds.map((one) => one.bare)
    // The bare loop with one wallet pays one batch after another, as v1.1 did however many wallets there were.
    const beside = { unit: "batches/s", bare, oneByOne: figures[0]?.bare ?? bare }
    figures.push({ what: `${what}, ${NEAR_MS} ms to the node`, ours: rounds.map(({ near }) => near), ...beside })
    figures.push({ what: `${what}, ${FAR_MS} ms to the node`, ours: rounds.map(({ far }) => far), ...beside })
  }
  return { figures } satisfies Measured as Measured
})
