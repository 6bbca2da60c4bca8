import { Array as Arr, Clock, Duration, Effect, Ref, Result, Schedule } from "effect"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { ChainError, type ChainErrorReason } from "./ChainClient.ts"
import { NodeFault } from "./classify.ts"
import type { Ask, Endpoint, Validate } from "./endpoint.ts"
import { countRetry, measureCall } from "./metrics.ts"
import { type BlockReader, makeBlockReader } from "./multicall.ts"
import { type Head, makeHead } from "./head.ts"

/** The list of RPC URLs as one node that fails over. */
export interface Rpc extends BlockReader, Head {
  readonly ask: Ask
  /** The same where the call depends on the endpoint. `attempt` is given the endpoint's share of the time. */
  readonly askBy: <A>(
    operation: string,
    attempt: (endpoint: Endpoint) => Effect.Effect<A, NodeFault>
  ) => Effect.Effect<A, ChainError>
  /**
   * Each endpoint as a list of its own, the preferred one first: for answers of one endpoint that are compared with those
   * of others.
   */
  readonly apart: Effect.Effect<ReadonlyArray<Single>>
}

/** One endpoint, without failover. */
export interface Single {
  readonly host: string
  readonly rpc: Rpc
}

/**
 * How long the endpoint that answered instead of the first goes on being asked first. A first URL that hangs so costs
 * its share of `RPC_TIMEOUT` once in that time and not at every call; one that is back is in use again after it.
 */
const FALLBACK_KEPT = Duration.minutes(1)

/** Two more rounds over the list, for a fault that is over a moment later. The loops wait for longer ones. */
export const RETRY = {
  times: 2,
  schedule: Schedule.exponential("250 millis").pipe(Schedule.jittered),
  while: ({ reason }: Pick<NodeFault, "reason">) => PASSING.includes(reason)
}

/** Behind one URL there may be many nodes: the next answer may come from another one. */
const PASSING: ReadonlyArray<ChainErrorReason> = ["RateLimited", "Unavailable", "Lagging", "Doubtful"]

/** Doubtful answers that last longer than this are an incident. */
export const DOUBT_LASTS_MS = 2 * 60_000

/** Where several endpoints fail, the most specific reason counts: a node's own "no" before silence. */
const REASONS: ReadonlyArray<ChainErrorReason> = [
  "Reverted",
  "TooLarge",
  "Rejected",
  "Doubtful",
  "Lagging",
  "RateLimited",
  "Unreadable",
  "Unavailable",
  "Timeout"
]

interface Options {
  /** In the order in which they are to be tried. */
  readonly endpoints: Arr.NonEmptyReadonlyArray<Endpoint>
  /** Fails where an endpoint must not be believed. Runs before each call, so it must be cheap once it has passed. */
  readonly verifyEndpoint: (endpoint: Endpoint) => Effect.Effect<void, NodeFault>
  readonly rpcTimeout: Duration.Duration
}

export const makeRpc = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Rpc> {
  const { endpoints, verifyEndpoint, rpcTimeout } = options
  const { inOrder, keep } = yield* makeOrder(endpoints)
  const share = Duration.divideUnsafe(rpcTimeout, endpoints.length)

  const askOne = <A>(endpoint: Endpoint, attempt: Attempt<A>): Effect.Effect<A, NodeFault> =>
    verifyEndpoint(endpoint).pipe(
      Effect.andThen(attempt(endpoint)),
      withTimeout(share),
      measureCall(endpoint.host),
      Effect.mapError(({ reason, detail }) => new NodeFault({ reason, detail: `${endpoint.host}: ${detail}` }))
    )

  /** Once over the list. */
  const round = Effect.fnUntraced(function* <A>(
    operation: string,
    attempt: Attempt<A>
  ): Effect.fn.Return<A, ChainError> {
    const order = yield* inOrder
    const faults: Array<NodeFault> = []
    for (const endpoint of order) {
      const answer = yield* Effect.result(askOne(endpoint, attempt))
      if (Result.isSuccess(answer)) {
        if (endpoint !== order[0]) yield* keep(endpoint)
        return answer.success
      }
      faults.push(answer.failure)
      if (answer.failure.reason === "Doubtful") yield* warnOfDoubtful(endpoint, operation, answer.failure)
      // A contract's no is the same everywhere.
      if (answer.failure.reason === "Reverted") break
    }
    const reason = REASONS.find((reason) => faults.some((fault) => fault.reason === reason)) ?? "Unavailable"
    return yield* new ChainError({ reason, operation, detail: faults.map(({ detail }) => detail).join("; ") })
  })

  const askBy: Rpc["askBy"] = Effect.fn("Rpc.ask")(
    function* <A>(operation: string, attempt: Attempt<A>) {
      yield* Effect.annotateCurrentSpan({ operation })
      return yield* round(operation, attempt)
    },
    retried,
    (effect, operation) =>
      Effect.timeoutOrElse(effect, {
        duration: rpcTimeout,
        orElse: () => errorOf(operation, timeoutFault(rpcTimeout))
      }),
    Effect.tapError((error) => (error.reason === "Doubtful" ? raiseDoubtful(error) : Effect.void))
  )

  const ask: Rpc["ask"] = (operation, call, validate = acceptAll) =>
    askBy(operation, (endpoint) => Effect.tap(endpoint.ask(call), failIf(validate)))

  const alone = Effect.fnUntraced(function* (endpoint: Endpoint): Effect.fn.Return<Single> {
    return { host: endpoint.host, rpc: yield* makeRpc({ endpoints: [endpoint], verifyEndpoint, rpcTimeout }) }
  })

  const apart = Effect.flatMap(inOrder, (order) => Effect.forEach(order, alone))

  return { ask, askBy, apart, ...(yield* makeHead(ask)), ...makeBlockReader(ask) }
})

/** Which endpoint is asked first. */
const makeOrder = Effect.fnUntraced(function* (endpoints: Arr.NonEmptyReadonlyArray<Endpoint>) {
  const kept = yield* Ref.make({ endpoint: Arr.headNonEmpty(endpoints), untilMs: 0 })

  const inOrder = Effect.gen(function* () {
    const { endpoint, untilMs } = yield* Ref.get(kept)
    const now = yield* Clock.currentTimeMillis
    return now < untilMs ? [endpoint, ...endpoints.filter((other) => other !== endpoint)] : endpoints
  })

  const keep = Effect.fnUntraced(function* (endpoint: Endpoint) {
    const now = yield* Clock.currentTimeMillis
    yield* Ref.set(kept, { endpoint, untilMs: now + Duration.toMillis(FALLBACK_KEPT) })
  })

  return { inOrder, keep }
})

type Attempt<A> = (endpoint: Endpoint) => Effect.Effect<A, NodeFault>

const warnOfDoubtful = ({ host }: Endpoint, operation: string, { detail }: NodeFault): Effect.Effect<void> =>
  Log.warnOnce(`doubtful ${host} ${operation}`, `⚠️ A node is not believed, "${operation}": ${detail}`, { host })

/** No endpoint gave a sound answer: nothing is decided, and the work waits. */
const raiseDoubtful = ({ operation, detail }: ChainError): Effect.Effect<void> =>
  Incidents.raise(
    `chain-doubtful ${operation}`,
    `No RPC URL answers "${operation}" in a way that can be believed (${detail}), and what depends on it waits. ` +
      "Put a sound node first in the list of RPC URLs.",
    DOUBT_LASTS_MS
  )

/** Tries again after a passing fault, and counts how often. */
const retried = <A, R>(round: Effect.Effect<A, ChainError, R>): Effect.Effect<A, ChainError, R> =>
  Effect.suspend(() => {
    let rounds = 0
    return Effect.retry(
      Effect.suspend(() => (rounds++ === 0 ? round : Effect.andThen(countRetry, round))),
      RETRY
    )
  })

const errorOf = (operation: string, { reason, detail }: NodeFault): ChainError =>
  new ChainError({ reason, operation, detail })

const acceptAll = () => undefined

export const failIf =
  <A>(validate: Validate<A>) =>
  (answer: A): Effect.Effect<void, NodeFault> => {
    const fault = validate(answer)
    return fault === undefined ? Effect.void : Effect.fail(fault)
  }

/** Interrupts, and so aborts, what takes longer than `duration` by the Clock. */
export const withTimeout =
  (duration: Duration.Duration, missing?: string) =>
  <A, R>(effect: Effect.Effect<A, NodeFault, R>): Effect.Effect<A, NodeFault, R> =>
    Effect.timeoutOrElse(effect, { duration, orElse: () => Effect.fail(timeoutFault(duration, missing)) })

const timeoutFault = (duration: Duration.Duration, missing = "no answer"): NodeFault =>
  new NodeFault({ reason: "Timeout", detail: `${missing} within ${Duration.format(duration)}` })
