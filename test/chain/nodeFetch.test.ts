import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { makeEndpoint } from "../../src/chain/endpoint.ts"
import { nodeFetch } from "../../src/chain/nodeFetch.ts"
import { headNumber } from "../../src/chain/rpcCalls.ts"

const RESULT = JSON.stringify([{ jsonrpc: "2.0", id: 0, result: "0x5" }])
const JSON_TYPE = { "content-type": "application/json" }

/** A node, how many connections were made to it, and an endpoint that asks it. */
const nodeThat = Effect.fnUntraced(function* (handle: RequestListener, fetcher = nodeFetch) {
  const server = createServer(handle)
  const counted = { connections: 0 }
  server.on("connection", () => counted.connections++)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => (server.close(), server.closeAllConnections()))
  )
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/key`
  return { counted, ...makeEndpoint(Redacted.make(url), fetcher) }
})

describe("a request to a node", () => {
  it.live("keeps its connection for the next one", () =>
    Effect.gen(function* () {
      const bodies: Array<string> = []
      const { ask, counted } = yield* nodeThat((asked, answer) => {
        const parts: Array<Buffer> = []
        asked.on("data", (part: Buffer) => parts.push(part))
        asked.on("end", () => {
          bodies.push(Buffer.concat(parts).toString())
          answer.writeHead(200, JSON_TYPE).end(RESULT)
        })
      })
      assert.deepStrictEqual([yield* ask(headNumber), yield* ask(headNumber)], [5n, 5n])
      assert.strictEqual(counted.connections, 1)
      for (const body of bodies) assert.include(body, `"method":"eth_blockNumber"`)
    })
  )

  it.live("takes an answer that is compressed", () =>
    Effect.gen(function* () {
      const { ask } = yield* nodeThat((asked, answer) => {
        assert.strictEqual(asked.headers["accept-encoding"], "gzip")
        answer.writeHead(200, { ...JSON_TYPE, "content-encoding": "gzip" }).end(gzipSync(RESULT))
      })
      assert.strictEqual(yield* ask(headNumber), 5n)
    })
  )

  it.live("takes no answer without end, whether it is compressed or not", () =>
    Effect.gen(function* () {
      const large = Buffer.alloc(11 * 1024 * 1024, " ")
      for (const [body, headers] of [
        [large, {}],
        [gzipSync(large), { "content-encoding": "gzip" }]
      ] as const) {
        const { ask } = yield* nodeThat((_, answer) => answer.writeHead(200, { ...JSON_TYPE, ...headers }).end(body))
        assert.strictEqual((yield* Effect.flip(ask(headNumber))).reason, "TooLarge")
      }
    })
  )

  it.live("fails as one by Node's own fetch does", () =>
    Effect.gen(function* () {
      const reasonBy = (fetcher: typeof fetch, handle: RequestListener) =>
        Effect.scoped(
          Effect.flatMap(nodeThat(handle, fetcher), ({ ask }) =>
            Effect.map(Effect.flip(ask(headNumber)), ({ reason }) => reason)
          )
        )
      const broken = gzipSync(RESULT).subarray(0, 12)
      const handles: ReadonlyArray<RequestListener> = [
        (_, answer) => answer.destroy(),
        (_, answer) => answer.writeHead(429).end("slow down"),
        (_, answer) => answer.writeHead(400, JSON_TYPE).end("{}"),
        (_, answer) => answer.writeHead(503).end(),
        (_, answer) => answer.writeHead(204).end(),
        (_, answer) => answer.writeHead(200, JSON_TYPE).end("<html>"),
        (_, answer) => answer.writeHead(200, { ...JSON_TYPE, "content-encoding": "gzip" }).end(broken)
      ]
      for (const handle of handles)
        assert.strictEqual(yield* reasonBy(nodeFetch, handle), yield* reasonBy(fetch, handle), String(handle))
      const gone = yield* Effect.scoped(nodeThat(() => undefined))
      assert.include((yield* Effect.flip(gone.ask(headNumber))).detail, "ECONNREFUSED")
    })
  )

  it.live("is aborted when it is interrupted", () =>
    Effect.gen(function* () {
      const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const { ask } = yield* nodeThat((request) => {
        request.socket.on("close", closed.resolve)
        asked.resolve()
      })
      const fiber = yield* Effect.forkChild(ask(headNumber))
      yield* Effect.promise(() => asked.promise)
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => closed.promise)
    })
  )
})
