import { Effect } from "effect"
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import { kindOf, type RpcCall } from "./rpcKinds.ts"

/** What was asked of a node. */
export interface RpcCounts {
  /** HTTP requests; one of them may hold several calls. */
  readonly requests: number
  readonly calls: number
  /** Calls by kind, see `rpcKinds.ts`. */
  readonly byKind: Readonly<Record<string, number>>
}

export interface RpcProxy {
  readonly url: string
  readonly counts: () => RpcCounts
}

export interface RpcProxyOptions {
  /** Each request is held up for so long, as a node that is far away does. */
  readonly delayMs: number
  /** Whether requests are read and counted. */
  readonly isCounting: boolean
}

/** The way to the node at `target`. */
export const openRpcProxy = Effect.fnUntraced(function* (target: string, { delayMs, isCounting }: RpcProxyOptions) {
  const counted = { requests: 0, calls: 0, byKind: {} as Record<string, number> }
  const agent = new Agent({ keepAlive: true })
  const count = (body: Buffer): void => {
    const calls = [JSON.parse(body.toString()) as RpcCall | ReadonlyArray<RpcCall>].flat()
    counted.requests++
    counted.calls += calls.length
    for (const kind of calls.map(kindOf)) counted.byKind[kind] = (counted.byKind[kind] ?? 0) + 1
  }
  const pass = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(asked)
    if (isCounting) count(body)
    if (delayMs > 0) await setTimeout(delayMs)
    const headers = { "content-type": "application/json", "content-length": body.length }
    request(target, { agent, method: "POST", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
      .on("error", () => response.destroy())
      .end(body)
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const listening = createServer((asked, response) => void pass(asked, response).catch(() => response.destroy()))
      listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
    }),
    (listening) => Effect.sync(() => (listening.close(), listening.closeAllConnections(), agent.destroy()))
  )
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts: () => structuredClone(counted)
  } satisfies RpcProxy as RpcProxy
})
