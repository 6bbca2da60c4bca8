import { Effect } from "effect"
import { statementsOf } from "./database.ts"
import type { Bench } from "./options.ts"
import type { RpcCounts } from "./rpcProxy.ts"
import { type Load, type Run, runBare, runExecutor } from "./throughput.ts"

/** Enough wallets to have 50 payments in flight, and enough batches of each to keep them there. */
const LOAD = { wallets: 50, mintsPerBatch: 5, nodeMs: 0 }

const NO_CALLS: RpcCounts = { requests: 0, calls: 0, byKind: {} }

const snapshot = Effect.fnUntraced(function* ({ database, cpuMs, proxy, delivered }: Run) {
  return {
    ...(yield* statementsOf(database)),
    rpc: proxy?.counts() ?? NO_CALLS,
    cpuMs: cpuMs(),
    batches: yield* delivered
  }
})
type Snapshot = Effect.Success<ReturnType<typeof snapshot>>

/** Two moments: when a tenth of the batches is delivered, and when nine tenths are. */
export const observe = Effect.fnUntraced(function* (run: Run) {
  yield* run.untilDelivered(run.batches / 10)
  const before = yield* snapshot(run)
  yield* run.untilDelivered((run.batches * 9) / 10)
  return [before, yield* snapshot(run)] as const
})

export const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** What lies between the two moments, for one batch. */
export const perBatchOf = ([before, after]: readonly [Snapshot, Snapshot]) => {
  const batches = after.batches - before.batches
  const earlier = new Map(before.statements.map((statement) => [statement.text, statement]))
  const statements = after.statements.map((statement) => {
    const { calls = 0, ms = 0, walBytes = 0 } = earlier.get(statement.text) ?? {}
    return {
      kind: statement.text,
      perBatch: (statement.calls - calls) / batches,
      ms: (statement.ms - ms) / batches,
      walBytes: (statement.walBytes - walBytes) / batches
    }
  })
  const calls = Object.entries(after.rpc.byKind).map(([kind, count]) => {
    return { kind, perBatch: (count - (before.rpc.byKind[kind] ?? 0)) / batches }
  })
  return {
    statements,
    calls,
    transactions: (after.transactions - before.transactions) / batches,
    requests: (after.rpc.requests - before.rpc.requests) / batches,
    cpuMs: (after.cpuMs - before.cpuMs) / batches
  }
}

/** What the executor asks and computes for a batch, the sweeps that run meanwhile included. One run has 400 batches. */
export const perBatch = Effect.fnUntraced(function* ({ server, results, rounds, isLight }: Bench) {
  const load: Load = { ...LOAD, mintServer: isLight ? "light" : "sandbox" }
  const roundOf = Effect.gen(function* () {
    const { seen } = yield* runExecutor(server, load, { isCounting: true }, observe)
    const { statements, calls, transactions, requests, cpuMs } = perBatchOf(seen)
    const of = (part: "perBatch" | "ms" | "walBytes") => sum(statements.map((one) => one[part]))
    const add = (what: string, unit: string, ours: number) =>
      results.add(`${what}, ${LOAD.wallets} in flight`, unit, { ours })
    yield* add("SQL statements", "a batch", of("perBatch"))
    yield* add("transactions", "a batch", transactions)
    yield* add("write-ahead log", "bytes a batch", of("walBytes"))
    yield* add("time in the database", "ms a batch", of("ms"))
    yield* add("JSON-RPC requests", "a batch", requests)
    yield* add("JSON-RPC calls", "a batch", sum(calls.map((one) => one.perBatch)))
    yield* results.profile("calls to the node", calls)
    yield* results.profile("statements", statements)
    const bare = yield* runBare(load)
    const cpu = { ours: cpuMs, bare: bare.cpuMsPerBatch }
    yield* results.add(`processor, ${LOAD.wallets} in flight`, "ms a batch", cpu)
  })
  for (let round = 1; round <= rounds; round++) yield* results.round(`batch, round ${round}`, roundOf)
})
