import { Clock, Duration, Effect, Schema } from "effect"
import type { NodeHealth } from "./ChainClient.ts"
import type { Endpoint, RpcCall } from "./endpoint.ts"
import { withTimeout } from "./rpc.ts"

/** Whoever asks how the nodes are wants to know it now: one that takes longer is no help to a sweep either. */
const PATIENCE = Duration.seconds(3)

const Quantity = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{1,64}$/))
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
  const patience = Duration.min(rpcTimeout, PATIENCE)
  return Effect.forEach(endpoints, (endpoint) => look(endpoint, patience), { concurrency: "unbounded" }).pipe(
    Effect.withSpan("ChainClient.nodes")
  )
}

const look = Effect.fnUntraced(function* (
  { host, ask }: Endpoint,
  patience: Duration.Duration
): Effect.fn.Return<NodeHealth> {
  const startNanos = yield* Clock.monotonicTimeNanos
  const found = yield* ask(newest).pipe(
    withTimeout(patience),
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
