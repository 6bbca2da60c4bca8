import { Effect, Redacted, Ref } from "effect"
import { type Client, createClient, http } from "viem"
import { NO_REDIRECT } from "../ops/fetch.ts"
import { classify, type Fault, hostOf } from "./classify.ts"
import { largest, type PageSize } from "./pageSize.ts"

/** What is asked of one node. It may throw; whatever is thrown is classified. */
export type RpcCall<A> = (node: Client) => Promise<A>

/** One RPC URL. */
export interface Endpoint {
  /** Host and port: paths, queries and credentials carry API keys and are never shown. */
  readonly host: string
  /** Asks this node and no other, without time limit or retry. Interruption aborts the HTTP request. */
  readonly ask: <A>(question: RpcCall<A>) => Effect.Effect<A, Fault>
  /** What it was found to take of `eth_getLogs`. */
  readonly pageSize: Ref.Ref<PageSize>
}

/**
 * Requests of one question that travel in one HTTP request (a JSON-RPC batch); a question must not have more. dRPC's
 * free plan takes three and refuses four.
 */
export const REQUESTS_PER_BATCH = 3

/**
 * Retries, time limits and failover are `Rpc`'s, by the Clock: viem's own are off.
 */
export const makeEndpoint = (url: Redacted.Redacted, fetch: typeof globalThis.fetch): Endpoint => {
  const secret = Redacted.value(url)
  const client = createClient({
    transport: http(secret, {
      fetchFn: fetch,
      fetchOptions: NO_REDIRECT,
      batch: { batchSize: REQUESTS_PER_BATCH },
      retryCount: 0,
      timeout: 0
    }),
    cacheTime: 0,
    // Else a contract could have us fetch any URL it likes (EIP-3668).
    ccipRead: false
  })
  return {
    host: hostOf(secret),
    pageSize: Ref.makeUnsafe(largest),
    ask: (question) =>
      Effect.tryPromise({
        try: (signal) => question(client.scope({ signal })),
        catch: (error) => classify(error, secret)
      })
  }
}
