import { Cause, type Clock, Effect, type Exit, Metric } from "effect"
import { ChainErrorReason, AfterRpcCall } from "./ChainClient.ts"
import type { NodeFault } from "./classify.ts"

/** Seconds. A request in time answers within one; `RPC_TIMEOUT` is ten, shared by the URLs. */
const BOUNDARIES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const requests = Metric.counter("ai_mint_rpc_requests_total", {
  description: "Questions to an RPC endpoint by how they ended: ok, or the reason of the fault",
  incremental: true
})

const durations = Metric.histogram("ai_mint_rpc_duration_seconds", {
  description: "How long an RPC endpoint took for a question, answered or not",
  boundaries: BOUNDARIES
})

const retries = Metric.counter("ai_mint_rpc_retries_total", {
  description: "Rounds over the list of RPC URLs that were tried again after a passing fault",
  incremental: true
})

const announcements = Metric.counter("ai_mint_chain_announcements_total", {
  description: "New blocks that a WebSocket endpoint announced",
  incremental: true
})

const announcing = Metric.gauge("ai_mint_chain_announcing", {
  description: "1 while a WebSocket endpoint announces new blocks, else 0, also while none are needed"
})

export const subscriptionBegan = (host: string): Effect.Effect<void> =>
  Effect.andThen(Metric.update(Metric.withAttributes(announcements, { host }), 0), subscriptionIs(host, false))

export const subscriptionIs = (host: string, isLive: boolean): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(announcing, { host }), isLive ? 1 : 0)

export const announced = (host: string): Effect.Effect<void> =>
  Effect.andThen(Metric.update(Metric.withAttributes(announcements, { host }), 1), subscriptionIs(host, true))

/** Every outcome of these hosts is zero from the start: else a scrape would not see its first time as an increase. */
export const rpcBegan = (hosts: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Metric.update(retries, 0)
    for (const host of new Set(hosts)) {
      for (const outcome of ["ok", ...ChainErrorReason.literals])
        yield* Metric.update(Metric.withAttributes(requests, { host, outcome }), 0)
    }
  })

/** `Interrupted`: the caller had no time left, or the process stops. */
const outcomeOf = (exit: Exit.Exit<unknown, NodeFault>): string => {
  if (exit._tag === "Success") return "ok"
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  if (failed !== undefined) return failed.error.reason
  return Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Defect"
}

/** Counts and times one call to the endpoint of this host, and runs `AfterRpcCall` behind it. */
export const measureCall =
  (host: string) =>
  <A, R>(asking: Effect.Effect<A, NodeFault, R>): Effect.Effect<A, NodeFault, R> =>
    Effect.clockWith((clock: Clock.Clock) => {
      const startNanos = clock.monotonicTimeNanosUnsafe()
      return Effect.onExit(asking, (exit) => {
        const seconds = Number(clock.monotonicTimeNanosUnsafe() - startNanos) / 1e9
        return Effect.gen(function* () {
          yield* Metric.update(Metric.withAttributes(requests, { host, outcome: outcomeOf(exit) }), 1)
          yield* Metric.update(Metric.withAttributes(durations, { host }), seconds)
          yield* yield* AfterRpcCall
        })
      })
    })

export const countRetry = Metric.update(retries, 1)
