import { Data, Duration, Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { payAll, type BaseSepolia, TOKEN } from "../e2e/baseSepolia.ts"
import { askProgram } from "./children.ts"
import { type Database, newDatabase, newWallets, type Payer, seedOrders } from "./database.ts"
import { type Executor, startExecutor } from "./executorProcess.ts"
import { type MintServerKind, openNetworkWith } from "./network.ts"
import type { Bench } from "./options.ts"
import { processorShares, processorTimes } from "./processorTime.ts"
import type { BareMinted, BareMints } from "./programs/bareMints.ts"
import { openRpcProxy, type RpcProxy } from "./rpcProxy.ts"

/** Mints of each order. */
export const MINTS = 40

/** A load: wallets with an order each, all of them paid before the executor starts. */
export interface Load {
  readonly wallets: number
  readonly mintsPerBatch: number
  /** To the node and back. */
  readonly nodeMs: number
  /** Default: the sandbox's. */
  readonly mintServer?: MintServerKind
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

/** No load of this benchmark has a batch that takes so long, so that what delivers none for this long has stopped. */
const STALL_LIMIT = Duration.minutes(2)

/** An executor that delivers nothing any more. */
class Stalled extends Data.TaggedError("Stalled")<{ readonly message: string }> {}

/** What holds the orders up, as far as tables and log tell it. */
const stalled = Effect.fnUntraced(function* (executors: ReadonlyArray<Executor>, reached: number, count: number) {
  const sql = yield* SqlClient.SqlClient
  const batches = yield* sql`SELECT status, count(*)::int FROM ai_agent_batches GROUP BY 1`
  const orders = yield* sql`SELECT status, error_message, count(*)::int FROM ai_agent_tasks GROUP BY 1, 2`
  const after = Duration.format(STALL_LIMIT)
  const tables = `batches: ${JSON.stringify(batches)}\norders: ${JSON.stringify(orders)}`
  const lines = executors.map((one) => one.lastLines()).join("\n\n")
  const message = `${reached} of ${count} batches delivered, and none for ${after}\n${tables}\n${lines}`
  return yield* new Stalled({ message })
})

/** Waits until so many batches are delivered; fails where an executor ends, and where they deliver none for long. */
const untilDelivered = Effect.fnUntraced(function* (executors: ReadonlyArray<Executor>, count: number) {
  let [best, sinceMs] = [-1, performance.now()]
  const wait = Effect.gen(function* () {
    const reached = yield* delivered
    if (reached > best) [best, sinceMs] = [reached, performance.now()]
    else if (performance.now() - sinceMs > Duration.toMillis(STALL_LIMIT)) yield* stalled(executors, reached, count)
    return reached
  }).pipe(Effect.repeat({ schedule: POLL, until: (reached) => reached >= count }))
  yield* Effect.raceAllFirst([wait, ...executors.map(({ died }) => died)])
})

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
  /** Processor time of all executors so far. */
  readonly cpuMs: () => number
  /** Where the calls to the node are counted; `undefined` where the executor asks the chain itself. */
  readonly proxy: RpcProxy | undefined
  readonly batches: number
  readonly delivered: typeof delivered
  readonly untilDelivered: (count: number) => ReturnType<typeof untilDelivered>
}

export interface RunOptions {
  /** Whether the calls to the node are counted. */
  readonly isCounting?: boolean
  /** Executors on one database. Default: one. */
  readonly executors?: number
  readonly settings?: Readonly<Record<string, string>>
}

/** As many payments in the air as the bare loop has, and not fewer than by default. */
const concurrencyOf = (wallets: number): string => String(Math.max(64, wallets))

/** Executors under a load, from their start until all is delivered. `beside` runs meanwhile. */
export const runExecutor = Effect.fnUntraced(function* <A, E>(
  server: { readonly url: string },
  { wallets, mintsPerBatch, nodeMs, mintServer = "sandbox" }: Load,
  { isCounting = false, executors: count = 1, settings }: RunOptions,
  beside: (run: Run) => Effect.Effect<A, E, SqlClient.SqlClient>
) {
  const network = yield* openNetworkWith(mintServer)
  const database = yield* newDatabase(server)
  const { rpcUrl } = network.chain
  // What counts and delays is in the way, and on the same processors: only where it is needed.
  const proxy = nodeMs > 0 || isCounting ? yield* openRpcProxy(rpcUrl, { delayMs: nodeMs, isCounting }) : undefined
  return yield* Effect.gen(function* () {
    yield* fund(network, yield* seedOrders(wallets, MINTS))
    const start = startExecutor({
      network,
      databaseUrl: database.executorUrl,
      rpcUrl: proxy?.url ?? rpcUrl,
      settings: { MAX_BATCH_SIZE: String(mintsPerBatch), MINT_CONCURRENCY: concurrencyOf(wallets), ...settings }
    })
    const executors = yield* Effect.replicateEffect(start, count)
    const cpuMs = () => executors.reduce((sum, one) => sum + one.cpuMs(), 0)
    const batches = wallets * Math.ceil(MINTS / mintsPerBatch)
    const until = (many: number) => untilDelivered(executors, many)
    const seen = yield* beside({ database, cpuMs, proxy, batches, delivered, untilDelivered: until })
    yield* until(batches)
    return { seen, rate: rateOf(yield* deliveries) }
  }).pipe(Effect.provide(database.layer))
}, Effect.scoped)

/** What the processors do from the tenth to the ninetieth percent of the batches, for each of them. */
const observeProcessors = Effect.fnUntraced(function* ({ untilDelivered, batches, delivered, cpuMs }: Run) {
  yield* untilDelivered(batches / 10)
  const before = { batches: yield* delivered, times: processorTimes(), cpuMs: cpuMs() }
  yield* untilDelivered((batches * 9) / 10)
  const many = (yield* delivered) - before.batches
  const shares = processorShares(before.times, processorTimes(), many)
  return { shares, cpuMsPerBatch: (cpuMs() - before.cpuMs) / many }
})

/** The bare loop under the same load, with all wallets at once. It does not ask the node. */
export const runBare = Effect.fnUntraced(function* ({ wallets, mintsPerBatch, mintServer = "sandbox" }: Load) {
  const network = yield* openNetworkWith(mintServer)
  const people = newWallets(wallets)
  yield* fund(network, people)
  const batches = Math.ceil(MINTS / mintsPerBatch)
  const { serverUrl } = network
  const job: BareMints = { serverUrl, token: TOKEN, wallets: people, batches, mintsPerBatch }
  const before = processorTimes()
  const { deliveredMs, cpuMs } = yield* askProgram<BareMinted>("bareMints", job)
  const shares = processorShares(before, processorTimes(), deliveredMs.length)
  return { rate: rateOf(deliveredMs), cpuMsPerBatch: cpuMs / deliveredMs.length, shares }
}, Effect.scoped)

/** Mints of a batch. A single wallet has more and smaller batches, so that there are some to measure. */
const mintsPerBatchOf = (wallets: number): number => (wallets === 1 ? 5 : 10)

/** The load of one wallet is the order of v1.1: one batch after another, however many wallets there were. */
const ONE_AT_A_TIME: Load = { wallets: 1, mintsPerBatch: mintsPerBatchOf(1), nodeMs: 0 }

/** To the node and back: on the same machine, and across a continent. */
const NODE_MS = [0, 80]

/** Fewer wallets say little about what limits the rate, and vary little: they are measured once. */
const WALLETS_OF_A_LOAD = 64

/** Batches a second in the long run: the executor near to the node and far from it, each beside the bare loop. */
export const throughput = Effect.fnUntraced(function* ({ server, results, rounds, isLight, wallets: sizes }: Bench) {
  const mintServer = isLight ? "light" : "sandbox"
  let oneByOne: number | undefined
  yield* results.round(
    "one at a time",
    Effect.map(runBare({ ...ONE_AT_A_TIME, mintServer }), ({ rate }) => void (oneByOne = rate))
  )
  const roundOf = Effect.fnUntraced(function* (wallets: number, nodeMs: number) {
    const load: Load = { wallets, mintsPerBatch: mintsPerBatchOf(wallets), nodeMs, mintServer }
    const where = `${isLight ? "light server, " : ""}${wallets} ${wallets === 1 ? "wallet" : "wallets"}, ${nodeMs} ms to the node`
    const bare = yield* runBare(load)
    yield* results.profile(`ms of processor time, bare loop, ${wallets} wallets`, bare.shares)
    const { rate, seen } = yield* runExecutor(server, load, {}, observeProcessors)
    yield* results.add(`throughput, ${where}`, "batches/s", { ours: rate, bare: bare.rate, oneByOne })
    const cpu = { ours: seen.cpuMsPerBatch, bare: bare.cpuMsPerBatch }
    yield* results.add(`processor, ${where}`, "ms a batch", cpu)
    yield* results.profile(`ms of processor time, executor, ${where}`, seen.shares)
  })
  for (const wallets of sizes)
    for (let round = 1; round <= (wallets < WALLETS_OF_A_LOAD ? 1 : rounds); round++)
      for (const nodeMs of NODE_MS)
        yield* results.round(`throughput, ${wallets} wallets, ${nodeMs} ms, round ${round}`, roundOf(wallets, nodeMs))
})
