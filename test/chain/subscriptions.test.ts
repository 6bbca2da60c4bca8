import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Queue, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import type { SubscriptionHealth } from "../../src/chain/ChainClient.ts"
import type { Subscriptions } from "../../src/chain/heads.ts"
import { makeSubscriptions } from "../../src/chain/subscriptions.ts"
import { base } from "../../src/config/Network.ts"
import { CurrentRepeats, makeRepeats } from "../../src/ops/Log.ts"
import { effects } from "../support/stories.ts"
import { bytes32, fakeChain } from "./fakeChain.ts"
import { announce, healthy, type Manners, say, wsNode } from "./wsNode.ts"

const test = effects(it)

const chain = fakeChain()

/** What is listened to, and the lines that were logged about it. */
const listening = Effect.fnUntraced(function* <A, E, R>(
  urls: ReadonlyArray<string>,
  use: (subscriptions: Subscriptions, lines: Queue.Queue<string>) => Effect.Effect<A, E, R>
) {
  const lines = yield* Queue.unbounded<string>()
  const logger = Logger.make(({ message }) => void Queue.offerUnsafe(lines, String(message)))
  return yield* Effect.gen(function* () {
    const first = { host: "first.example", chainId: base.chainId, genesis: chain.genesis }
    const options = { urls: urls.map((url) => Redacted.make(url)), network: base, first }
    return yield* use(yield* makeSubscriptions(options), lines)
  }).pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Debug"),
    Effect.provideServiceEffect(CurrentRepeats, makeRepeats)
  )
})

const until = (events: Queue.Queue<string>, words: string) =>
  Effect.repeat(Queue.take(events), { until: (event) => event.includes(words) })

const only = (all: ReadonlyArray<SubscriptionHealth>) => {
  assert.lengthOf(all, 1)
  return all[0]!
}

describe("nodes that announce new blocks", () => {
  test("are heard from the newest block on, and not connected to before one is waited for", function* () {
    const node = yield* wsNode(healthy(chain))
    yield* listening([node.url], ({ above, areLive, health }) =>
      Effect.gen(function* () {
        assert.strictEqual(only(yield* health).stage, "unused")
        assert.strictEqual(node.server.clients.size, 0)
        yield* above(999n)
        assert.isTrue(yield* areLive)
        announce(node, 1_001n)
        announce(node, 1_000n)
        announce(node, 1_002n)
        yield* above(1_001n)
        assert.deepInclude(only(yield* health), { stage: "live", problem: undefined })
        assert.strictEqual(node.server.clients.size, 1)
      })
    )
    yield* until(node.events, "closed")
  })

  test("are given up after three blocks' time of silence, and asked for the newest block by each new connection", function* () {
    const node = yield* wsNode(healthy(chain))
    yield* listening([node.url], ({ above, areLive, health }, lines) =>
      Effect.gen(function* () {
        yield* above(0n)
        yield* TestClock.adjust("5 seconds")
        announce(node, 1_001n)
        yield* above(1_000n)
        yield* TestClock.adjust("5999 millis")
        assert.isTrue(yield* areLive)
        yield* TestClock.adjust("1 millis")
        const host = new URL(node.url).host
        const words = `⚠️ ${host} announces no new blocks, and they are asked for instead: Timeout (no new block within 6s)`
        assert.strictEqual(yield* Queue.take(lines), words)
        yield* until(node.events, "closed")
        assert.isFalse(yield* areLive)
        assert.deepInclude(only(yield* health), { stage: "down", problem: "Timeout (no new block within 6s)" })
        yield* TestClock.adjust("2 seconds")
        yield* above(0n)
        assert.strictEqual(yield* Queue.take(lines), `📡 ${host} announces new blocks again`)
        assert.isTrue(yield* areLive)
      })
    )
  })

  test("are left when nothing waited for a block for a minute, and joined again", function* () {
    const node = yield* wsNode(healthy(chain))
    yield* listening([node.url], ({ above, health }, lines) =>
      Effect.gen(function* () {
        yield* above(0n)
        for (let second = 0; second < 60; second += 5) {
          announce(node, 1_001n + BigInt(second))
          yield* above(1_000n + BigInt(second))
          yield* TestClock.adjust("5 seconds")
        }
        for (let second = 0; second < 55; second += 5) {
          announce(node, 2_000n)
          yield* TestClock.adjust("5 seconds")
        }
        assert.strictEqual(node.server.clients.size, 1)
        yield* TestClock.adjust("5 seconds")
        yield* until(node.events, "closed")
        assert.strictEqual(only(yield* health).stage, "unused")
        node.manners = healthy({ ...chain, head: 5_000n })
        yield* above(4_999n)
        assert.strictEqual(only(yield* health).stage, "live")
        assert.deepStrictEqual(yield* Queue.clear(lines), [])
      })
    )
  })

  const otherChain = (request: { readonly method: string }) =>
    request.method === "eth_chainId" ? { result: "0x1" } : undefined
  const refusal = (request: { readonly method: string }) =>
    request.method === "eth_subscribe"
      ? { error: { code: -32601, message: "not at /v2/path-key-123 for your plan" } }
      : undefined

  const flood: Manners = (socket) => {
    healthy(chain)(socket)
    for (let number = 0; number < 1_000; number++)
      say(socket, { method: "eth_subscription", params: { result: { number: "0x1" } } })
  }

  const broken: ReadonlyArray<readonly [string, Manners, string]> = [
    ["closes at once", (socket) => socket.close(1013), "Unavailable (the connection was closed (1013))"],
    ["drops the connection", (socket) => socket.terminate(), "Unavailable (the connection was closed (1006))"],
    ["speaks nonsense", (socket) => socket.send("<html>"), "Unreadable (a message that is no answer and no new block)"],
    ["speaks in bytes", (socket) => socket.send(Buffer.alloc(9)), "Unreadable (a message that is no answer"],
    [
      "sends far too large a message",
      (socket) => socket.send("x".repeat(10_000_000)),
      "Unavailable (Max payload size exceeded)"
    ],
    ["sends a flood", flood, "Unreadable (more than 100 messages in the time of a block)"],
    ["leads to another chain", healthy(chain, otherChain), "leads to chain 1, but NETWORK=base is chain 8453"],
    [
      "has another first block",
      healthy({ ...chain, genesis: bytes32(1) }),
      "lead to two different chains with the id 8453"
    ],
    ["does not announce", healthy(chain, refusal), "Rejected (eth_subscribe: not at /v2/… for your plan)"]
  ]

  test.each(broken)("say once, and without a secret, that one of them %s", function* ([, manners, words]) {
    const node = yield* wsNode(manners)
    yield* listening([node.url], ({ above, areLive, health }, lines) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(above(0n))
        const line = yield* Queue.take(lines)
        assert.include(line, "announces no new blocks, and they are asked for instead")
        assert.include(line, words)
        for (const pauseMs of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
          assert.isFalse(yield* areLive)
          yield* until(node.events, "closed")
          yield* TestClock.adjust(pauseMs - 1)
          assert.strictEqual(node.server.clients.size, 0)
          yield* TestClock.adjust(1)
          yield* until(node.events, "open")
          const again = yield* Queue.take(lines)
          assert.include(again, "announces no new blocks yet")
          assert.include(again, words)
        }
        const { stage, problem, host } = only(yield* health)
        assert.strictEqual(stage, "down")
        assert.include(problem, words)
        assert.strictEqual(host, new URL(node.url).host)
        for (const secret of ["path-key", "query-key"]) assert.notInclude(line + problem, secret)
      })
    )
    yield* until(node.events, "closed")
    assert.strictEqual(node.server.clients.size, 0)
  })

  test("say so where nothing listens, and where what listens never answers", function* () {
    const [silent, plain] = [yield* wsNode(() => {}), yield* wsNode(() => {})]
    const urls = [silent.url, "ws://127.0.0.1:9/secret-key-1", plain.url.replace("ws:", "wss:")]
    yield* listening(urls, ({ above, health }, lines) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(above(0n))
        yield* Queue.takeN(lines, 2)
        yield* until(silent.events, "eth_chainId")
        yield* TestClock.adjust("6 seconds")
        yield* until(lines, "no answer to eth_chainId within 6s")
        const problems = (yield* health).map(({ problem }) => problem)
        assert.strictEqual(problems[0], "Timeout (no answer to eth_chainId within 6s)")
        assert.match(problems[1]!, /^Unavailable \(connect ECONNREFUSED 127\.0\.0\.1:9\)$/)
        assert.match(problems[2]!, /^Unavailable \(/)
      })
    )
  })

  test("are heard where one of several does", function* () {
    const [sound, ill] = [yield* wsNode(healthy(chain)), yield* wsNode((socket) => socket.terminate())]
    yield* listening([ill.url, sound.url], ({ above, areLive, health }, lines) =>
      Effect.gen(function* () {
        yield* above(0n)
        yield* Queue.take(lines)
        announce(sound, 1_001n)
        yield* above(1_000n)
        assert.isTrue(yield* areLive)
        assert.deepStrictEqual(
          (yield* health).map(({ stage }) => stage),
          ["down", "live"]
        )
      })
    )
  })
})
