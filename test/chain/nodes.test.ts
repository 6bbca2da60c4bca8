import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted, Ref } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { makeEndpoint } from "../../src/chain/endpoint.ts"
import { makeNodes } from "../../src/chain/nodes.ts"
import { largest } from "../../src/chain/pageSize.ts"
import { answer, fakeChain, type FakeChain, timeMs } from "./fakeChain.ts"
import { BACKUP, type Behaviour, dead, fakeNodes, http, URL } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** A healthy node that knows what its newest block is. */
const upToDate =
  (chain: FakeChain): Behaviour =>
  (request) =>
    answer(chain, request.params?.[0] === "latest" ? { ...request, params: [chain.head, false] } : request)

describe("how the nodes are", () => {
  test("is asked of each of them once, and told by host", function* () {
    const [first, second] = [fakeChain(), fakeChain()]
    second.head = 990n
    const nodes = fakeNodes({ [URL]: upToDate(first), [BACKUP]: upToDate(second) })
    const found = yield* nodes.run((client) => {
      nodes.sent.length = 0
      return client.nodes
    })
    assert.deepStrictEqual(
      found.map(({ host, head, headTimeMs, problem }) => [host, head, headTimeMs, problem]),
      [
        ["node.example", 1_000n, timeMs(first, 1_000n), undefined],
        ["backup.example", 990n, timeMs(second, 990n), undefined]
      ]
    )
    assert.deepStrictEqual(
      nodes.sent.map(({ host, methods }) => [host, methods.join()]),
      [
        ["node.example", "eth_getBlockByNumber"],
        ["backup.example", "eth_getBlockByNumber"]
      ]
    )
  })

  test("never fails: a node in trouble says what its trouble is, beside one that is well", function* () {
    const chain = fakeChain()
    for (const [behaviour, problem] of [
      [dead, /^Unavailable \(ECONNREFUSED\)$/],
      [http(429), /^RateLimited \(HTTP 429/],
      [() => null, /^Unreadable /],
      [() => ({ number: "latest", timestamp: 7 }), /^Unreadable /]
    ] as const) {
      const nodes = fakeNodes({ [URL]: upToDate(chain), [BACKUP]: upToDate(chain) })
      const [well, ill] = yield* nodes.run((client) => {
        nodes.behaviours[BACKUP] = behaviour
        return client.nodes
      })
      assert.strictEqual(well?.head, 1_000n)
      assert.isUndefined(ill?.head)
      assert.isUndefined(ill?.headTimeMs)
      assert.match(ill?.problem ?? "", problem)
    }
  })

  for (const [rpcTimeout, limit] of [
    ["10 seconds", "3 seconds"],
    ["1 second", "1 second"]
  ] as const)
    test(`is told after ${limit} at the latest with RPC_TIMEOUT ${rpcTimeout}`, function* () {
      const silent = { host: "silent", ask: () => Effect.never, pageSize: Ref.makeUnsafe(largest) }
      const asking = yield* Effect.forkChild(makeNodes([silent, silent], Duration.fromInputUnsafe(rpcTimeout)), {
        startImmediately: true
      })
      yield* TestClock.adjust(limit)
      for (const { problem, tookMs } of yield* Fiber.join(asking)) {
        assert.include(problem, "Timeout (no answer within")
        assert.strictEqual(tookMs, Duration.toMillis(limit))
      }
    })

  it.live("shows nothing of a URL but its host, over a real connection", () =>
    Effect.gen(function* () {
      const server = createServer((_, response) => response.writeHead(401).end("no such key: s3cret-api-key"))
      const port = yield* Effect.acquireRelease(
        Effect.callback<number>((resume) => {
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
        }),
        () => Effect.sync(() => (server.closeAllConnections(), server.close()))
      )
      const url = Redacted.make(`http://127.0.0.1:${port}/v2/s3cret-api-key`)
      const endpoint = makeEndpoint(url, yield* FetchHttpClient.Fetch)
      const [health] = yield* makeNodes([endpoint], Duration.seconds(10))
      assert.strictEqual(health?.host, `127.0.0.1:${port}`)
      assert.match(health?.problem ?? "", /^Rejected \(HTTP 401/)
      assert.notInclude(JSON.stringify([health?.problem, health?.host]), "s3cret")
      assert.isAbove(health?.tookMs ?? 0, 0)
    })
  )
})
