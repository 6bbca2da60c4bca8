import { Effect, Redacted, Ref } from "effect"
import { type Client, createClient, http } from "viem"
import { NO_REDIRECT } from "../ops/fetch.ts"
import { hostOf } from "../ops/redact.ts"
import type { ChainError } from "./ChainClient.ts"
import { classify, type NodeFault } from "./classify.ts"
import { largest, type PageSize } from "./pageSize.ts"

/** One call to one node. It may throw; every error is classified. */
export type RpcCall<A> = (node: Client) => Promise<A>

/** Gives the fault of an answer that proves nothing, and `undefined` for a sound one. */
export type Validate<A> = (answer: A) => NodeFault | undefined

/**
 * Asks until an endpoint gives a sound answer, within `RPC_TIMEOUT`, failover and retries included. `operation` is what
 * an error says was attempted.
 */
export type Ask = <A>(operation: string, call: RpcCall<A>, validate?: Validate<A>) => Effect.Effect<A, ChainError>

/** One RPC URL. */
export interface Endpoint {
  /** Host and port: paths, queries and credentials carry API keys and are never shown. */
  readonly host: string
  /** Asks this node and no other, without time limit or retry. Interruption aborts the HTTP request. */
  readonly ask: <A>(call: RpcCall<A>) => Effect.Effect<A, NodeFault>
  /** How many blocks of `eth_getLogs` it gives at once, as found so far. */
  readonly pageSize: Ref.Ref<PageSize>
}

/**
 * Requests of one call that travel in one HTTP request (a JSON-RPC batch); a call must not have more. dRPC's
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
    // Else a contract could have us fetch any URL (EIP-3668).
    ccipRead: false
  })
  return {
    host: hostOf(secret),
    pageSize: Ref.makeUnsafe(largest),
    ask: (call) =>
      Effect.tryPromise({
        try: (signal) => call(client.scope({ signal })),
        catch: (error) => classify(error, secret)
      })
  }
}
