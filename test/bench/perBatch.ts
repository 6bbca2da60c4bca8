import { Effect } from "effect"
import { statementsOf } from "./database.ts"
import type { Bench } from "./options.ts"
import type { Figure, Measured } from "./report.ts"
import { type Run, runBare, runExecutor } from "./throughput.ts"

/** Enough wallets to have 50 payments in flight, and enough batches of each to keep them there. */
const LOAD = { wallets: 50, mintsPerBatch: 5, nodeMs: 0 }

const snapshot = Effect.fnUntraced(function* ({ database, executor, proxy, delivered }: Run) {
  return { ...(yield* statementsOf(database)), rpc: proxy.counts(), cpuMs: executor.cpuMs(), batches: yield* delivered }
})
type Snapshot = Effect.Success<ReturnType<typeof snapshot>>

/** Two moments: when a tenth of the batches is delivered, and when nine tenths are. */
const observe = Effect.fnUntraced(function* (run: Run) {
  yield* run.untilDelivered(run.batches / 10)
  const before = yield* snapshot(run)
  yield* run.untilDelivered((run.batches * 9) / 10)
  return [before, yield* snapshot(run)] as const
})

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** What lies between the two moments, for one batch. */
const perBatchOf = ([before, after]: readonly [Snapshot, Snapshot]) => {
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
export const perBatch = Effect.fnUntraced(function* ({ server }: Bench) {
  const { seen } = yield* runExecutor(server, LOAD, observe)
  const bare = yield* runBare(LOAD)
  const { statements, calls, transactions, requests, cpuMs } = perBatchOf(seen)
  const of = (part: "perBatch" | "ms" | "walBytes") => [sum(statements.map((one) => one[part]))]
  const figures: ReadonlyArray<Figure> = [
    { what: "SQL statements", unit: "a batch", ours: of("perBatch") },
    { what: "transactions", unit: "a batch", ours: [transactions] },
    { what: "write-ahead log", unit: "bytes a batch", ours: of("walBytes") },
    { what: "time in the database", unit: "ms a batch", ours: of("ms") },
    { what: "JSON-RPC requests", unit: "a batch", ours: [requests] },
    { what: "JSON-RPC calls", unit: "a batch", ours: [sum(calls.map((one) => one.perBatch))] },
    { what: "processor", unit: "ms a batch", ours: [cpuMs], bare: [bare.cpuMsPerBatch] }
  ]
  return {
    figures: figures.map((figure) => ({ ...figure, what: `${figure.what}, ${LOAD.wallets} in flight` })),
    profiles: { "calls to the node": calls, statements }
  } satisfies Measured as Measured
})
