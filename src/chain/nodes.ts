import { Clock, Duration, Effect, Schema } from "effect"
import type { NodeHealth } from "./ChainClient.ts"
import type { Endpoint, RpcCall } from "./endpoint.ts"
import { withTimeout } from "./rpc.ts"

/** A caller waits for the answer; a node that takes longer is no help to a sweep either. */
const TIME_LIMIT = Duration.seconds(3)

export const Quantity = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{1,64}$/))
const decodeHeader = Schema.decodeUnknownSync(Schema.Struct({ number: Quantity, timestamp: Quantity }))

/** The newest block of a node. Source: github.com/ethereum/execution-apis, `eth_getBlockByNumber`. */
export const newest: RpcCall<Pick<NodeHealth, "head" | "headTimeMs">> = async (node) => {
  const header = decodeHeader(await node.request({ method: "eth_getBlockByNumber", params: ["latest", false] }))
  return { head: BigInt(header.number), headTimeMs: Number(BigInt(header.timestamp)) * 1000 }
}

/** Asks every endpoint at once for its newest block: one request each, no failover and no second try. */
export const makeNodes = (
  endpoints: ReadonlyArray<Endpoint>,
  rpcTimeout: Duration.Duration
): Effect.Effect<ReadonlyArray<NodeHealth>> => {
  const limit = Duration.min(rpcTimeout, TIME_LIMIT)
  return Effect.forEach(endpoints, (endpoint) => askNewest(endpoint, limit), { concurrency: "unbounded" }).pipe(
    Effect.withSpan("ChainClient.nodes")
  )
}

const askNewest = Effect.fnUntraced(function* (
  { host, ask }: Endpoint,
  limit: Duration.Duration
): Effect.fn.Return<NodeHealth> {
  const startNanos = yield* Clock.monotonicTimeNanos
  const found = yield* ask(newest).pipe(
    withTimeout(limit),
    Effect.match({
      onSuccess: (block) => ({ ...block, problem: undefined }),
      onFailure: ({ reason, detail }) => ({
        head: undefined,
        headTimeMs: undefined,
        problem: `${reason} (${detail})`
      })
    })
  )
  return { host, ...found, tookMs: Number((yield* Clock.monotonicTimeNanos) - startNanos) / 1e6 }
})
