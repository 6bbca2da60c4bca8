import { Effect } from "effect"
import type { Bench } from "./options.ts"
import { observe, perBatchOf, sum } from "./perBatch.ts"
import { type Load, runBare, runExecutor } from "./throughput.ts"

/** A mint server that is not the limit, and enough wallets for each of four executors. */
const LOAD: Load = { wallets: 128, mintsPerBatch: 10, nodeMs: 0, mintServer: "light" }

/**
 * Executors that divide the wallets of one database: how many batches a second they deliver together, and what they ask
 * for each. One of them is `RUNNERS=single`, with which the others are compared.
 */
export const runners = Effect.fnUntraced(function* ({ server, results, rounds }: Bench) {
  const roundOf = Effect.fnUntraced(function* (executors: number) {
    const bare = yield* runBare(LOAD)
    const settings = { RUNNERS: executors === 1 ? "single" : "cluster" }
    const { seen, rate } = yield* runExecutor(server, LOAD, { executors, isCounting: true, settings }, observe)
    const { statements, calls, writes, cpuMs } = perBatchOf(seen)
    const of = `${executors} ${executors === 1 ? "executor" : "executors"}`
    yield* results.add(`throughput, ${LOAD.wallets} wallets, ${of}`, "batches/s", { ours: rate, bare: bare.rate })
    yield* results.add(`SQL statements, ${of}`, "a batch", { ours: sum(statements.map((one) => one.perBatch)) })
    yield* results.add(`commits that write, ${of}`, "a batch", { ours: writes })
    yield* results.add(`JSON-RPC calls, ${of}`, "a batch", { ours: sum(calls.map((one) => one.perBatch)) })
    yield* results.add(`processor, ${of}`, "ms a batch", { ours: cpuMs, bare: bare.cpuMsPerBatch })
    yield* results.profile(`statements of ${of}`, statements)
  })
  for (let round = 1; round <= rounds; round++)
    for (const executors of [1, 2, 4]) yield* results.round(`runners, ${executors}, round ${round}`, roundOf(executors))
})
