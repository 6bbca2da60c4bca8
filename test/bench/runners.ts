import { Effect } from "effect"
import type { Bench } from "./options.ts"
import { observe, perBatchOf, sum } from "./perBatch.ts"
import { type Load, runBare, runExecutor } from "./throughput.ts"

/** A mint server that is not the limit, and enough wallets for each of four executors. */
const FULL: Load = { wallets: 256, mintsPerBatch: 10, nodeMs: 0, mintServer: "light" }

/** Few enough to leave processors idle: a batch takes two blocks, and so this many wallets a third of it each second. */
const easy = (wallets: number): Load => ({ wallets, mintsPerBatch: 4, nodeMs: 0, mintServer: "light" })

/** How many wallets each number of executors gets: as many for each of them, and as many for all together. */
const EASY: ReadonlyArray<readonly [executors: number, wallets: number]> = [
  [1, 16],
  [2, 32],
  [4, 64],
  [2, 64],
  [1, 64]
]

const settingsOf = (executors: number) => ({ RUNNERS: executors === 1 ? "single" : "cluster" })

const nameOf = (executors: number, wallets: number) =>
  `${executors} ${executors === 1 ? "executor" : "executors"}, ${wallets} wallets`

/**
 * Executors that divide the wallets of one database: how many batches a second they deliver together. One of them is
 * `RUNNERS=single`, with which the others are compared.
 */
export const runners = Effect.fnUntraced(function* ({ server, results, rounds, executors: counts }: Bench) {
  const roundOf = Effect.fnUntraced(function* (executors: number) {
    const bare = yield* runBare(FULL)
    const settings = settingsOf(executors)
    const { seen, rate } = yield* runExecutor(server, FULL, { executors, isCounting: true, settings }, observe)
    const { statements, cpuMs } = perBatchOf(seen)
    const of = nameOf(executors, FULL.wallets)
    yield* results.add(`throughput, ${of}`, "batches/s", { ours: rate, bare: bare.rate })
    yield* results.add(`SQL statements, ${of}`, "a batch", { ours: sum(statements.map((one) => one.perBatch)) })
    yield* results.add(`processor, ${of}`, "ms a batch", { ours: cpuMs, bare: bare.cpuMsPerBatch })
  })
  for (let round = 1; round <= rounds; round++)
    for (const executors of counts) yield* results.round(`runners, ${executors}, round ${round}`, roundOf(executors))
})

/** What executors that divide the wallets ask for each batch, at loads that leave processors idle. */
export const division = Effect.fnUntraced(function* ({ server, results, rounds, executors: counts }: Bench) {
  const roundOf = Effect.fnUntraced(function* (executors: number, wallets: number) {
    // The intervals of an operator who sets none: sweeps and looks at what is due are the same for each executor.
    const settings = { ...settingsOf(executors), CHECK_INTERVAL: "10s", MINT_INTERVAL: "5s" }
    const { seen, rate } = yield* runExecutor(server, easy(wallets), { executors, isCounting: true, settings }, observe)
    const { statements, calls, transactions, cpuMs } = perBatchOf(seen)
    const of = nameOf(executors, wallets)
    yield* results.add(`rate, ${of}`, "batches/s", { ours: rate })
    yield* results.add(`SQL statements, ${of}`, "a batch", { ours: sum(statements.map((one) => one.perBatch)) })
    yield* results.add(`transactions, ${of}`, "a batch", { ours: transactions })
    yield* results.add(`JSON-RPC calls, ${of}`, "a batch", { ours: sum(calls.map((one) => one.perBatch)) })
    yield* results.add(`processor, ${of}`, "ms a batch", { ours: cpuMs })
    yield* results.profile(`statements, ${of}`, statements)
  })
  for (let round = 1; round <= rounds; round++)
    for (const [executors, wallets] of EASY.filter(([executors]) => counts.includes(executors)))
      yield* results.round(`division, ${nameOf(executors, wallets)}, round ${round}`, roundOf(executors, wallets))
})
