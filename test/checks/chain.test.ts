import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { encodeAbiParameters, numberToHex } from "viem"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { examineChain } from "../../src/checks/chain.ts"
import { bytes32, fakeChain, type FakeChain, Refusal, timeMs } from "../chain/fakeChain.ts"
import { type Behaviour, dead, fetchOf, hanging, healthy, http, settle } from "../chain/fakeNodes.ts"
import { announceOn, healthy as wsHealthy, wsNode } from "../chain/wsNode.ts"
import { about, sound, troubles } from "./given.ts"

/** `paused()`, the one call that the doctor makes without Multicall3. */
const PAUSED_SELECTOR = "0x5c975abb"

interface Extra {
  readonly paused?: boolean
  readonly wei?: bigint
}

/** A node of `chain` that also knows what only the doctor asks for. */
const node =
  (chain: FakeChain, { paused = false, wei = 10n ** 16n }: Extra = {}): Behaviour =>
  (request, signal) => {
    if (request.method === "eth_getBalance") return numberToHex(wei)
    const call = request.method === "eth_call" ? (request.params[0] as { readonly data: string }) : undefined
    if (call?.data === PAUSED_SELECTOR) return encodeAbiParameters([{ type: "bool" }], [paused])
    return healthy(chain)(request, signal)
  }

const FIRST = "https://one.example/v2/first-api-key-1"
const SECOND = "https://two.example/v2/second-api-key-2"

/** Looks at nodes when the head of `fakeChain()` is four seconds old, unless told otherwise. */
const look = Effect.fnUntraced(function* (
  behaviours: Record<string, Behaviour>,
  options: { readonly nowMs?: number; readonly changes?: Partial<SettingsShape> } = {}
) {
  const chain = fakeChain()
  yield* TestClock.setTime(options.nowMs ?? timeMs(chain, chain.head) + 4_000)
  const rpcUrls = Object.keys(behaviours).map((url) => Redacted.make(url))
  const fetch = Layer.succeed(FetchHttpClient.Fetch, fetchOf({ behaviours, sent: [] }))
  return yield* examineChain({ ...sound, rpcUrls, ...options.changes }).pipe(Effect.provide(fetch))
})

describe("what the doctor says about the chain", () => {
  it.effect("is a line for each node, and that USDC is USDC, where all is well", () =>
    Effect.gen(function* () {
      const { findings, genesis } = yield* look({ [FIRST]: node(fakeChain()), [SECOND]: node(fakeChain()) })
      assert.deepStrictEqual(troubles(findings), [])
      assert.strictEqual(about(findings, "RPC 1"), "ok one.example: block 1000, 4s old (0 ms)")
      assert.strictEqual(about(findings, "RPC 2"), "ok two.example: block 1000, 4s old (0 ms)")
      assert.include(about(findings, "USDC"), "is what payments are signed for")
      assert.include(about(findings, "gas account"), "has 0.01 ETH")
      assert.strictEqual(genesis, fakeChain().genesis)
    })
  )

  it.effect("warns of a node that is dead beside one that lives", () =>
    Effect.gen(function* () {
      const { findings, genesis } = yield* look({ [FIRST]: dead, [SECOND]: node(fakeChain()) })
      assert.deepStrictEqual(troubles(findings), [["RPC 1", "warn"]])
      assert.include(about(findings, "RPC 1"), "one.example does not answer: Unavailable, ECONNREFUSED")
      assert.strictEqual(genesis, fakeChain().genesis)
    })
  )

  it.effect("fails where no node answers, and then knows nothing more", () =>
    Effect.gen(function* () {
      const { findings, genesis } = yield* look({ [FIRST]: dead, [SECOND]: http(503) })
      assert.deepStrictEqual(troubles(findings), [
        ["RPC 1", "fail"],
        ["RPC 2", "fail"]
      ])
      assert.isUndefined(genesis)
    })
  )

  it.effect("does not wait for a node that never answers", () =>
    Effect.gen(function* () {
      const { findings } = yield* settle(look({ [FIRST]: hanging }))
      assert.include(about(findings, "RPC 1"), "fail one.example does not answer: Timeout, no answer within 10s")
    })
  )

  it.effect("fails for a node of another chain, by its id or by its first block", () =>
    Effect.gen(function* () {
      const { findings } = yield* look({
        [FIRST]: node(fakeChain()),
        [SECOND]: node({ ...fakeChain(), chainId: 84532 }),
        "https://three.example/": node({ ...fakeChain(), genesis: bytes32(7) })
      })
      assert.deepStrictEqual(troubles(findings), [
        ["RPC 2", "fail"],
        ["RPC 3", "fail"]
      ])
      assert.include(about(findings, "RPC 2"), "leads to chain 84532, but NETWORK=base is chain 8453")
      assert.include(about(findings, "RPC 3"), "one.example and three.example lead to two different chains")
    })
  )

  it.effect("does not take the USDC of another chain for ours", () =>
    Effect.gen(function* () {
      const { findings, genesis } = yield* look({ [FIRST]: node({ ...fakeChain(), chainId: 84532 }) })
      assert.deepStrictEqual(troubles(findings), [["RPC 1", "fail"]])
      assert.strictEqual(about(findings, "USDC"), "")
      assert.isUndefined(genesis)
    })
  )

  it.effect("warns of an old head and fails for a very old one; a clock that is behind is told as that", () =>
    Effect.gen(function* () {
      const chain = fakeChain()
      const headMs = timeMs(chain, chain.head)
      const at = (offMs: number) => look({ [FIRST]: node(chain) }, { nowMs: headMs + offMs })
      assert.deepStrictEqual(troubles((yield* at(30_000)).findings), [])
      assert.deepStrictEqual(troubles((yield* at(31_000)).findings), [["RPC 1", "warn"]])
      assert.deepStrictEqual(troubles((yield* at(121_000)).findings), [["RPC 1", "fail"]])
      const early = (yield* at(-31_000)).findings
      assert.deepStrictEqual(troubles(early), [["RPC 1", "warn"]])
      assert.include(about(early, "RPC 1"), "31s in the future of this machine's clock")
    })
  )

  it.effect("warns of a node that lags behind the others", () =>
    Effect.gen(function* () {
      const lags = (blocks: bigint) => node({ ...fakeChain(), head: 1_000n - blocks })
      const near = yield* look({ [FIRST]: node(fakeChain()), [SECOND]: lags(5n) })
      assert.deepStrictEqual(troubles(near.findings), [])
      const far = yield* look({ [FIRST]: node(fakeChain()), [SECOND]: lags(6n) })
      assert.deepStrictEqual(troubles(far.findings), [["RPC 2", "warn"]])
      assert.include(about(far.findings, "RPC 2"), "6 blocks behind")
    })
  )

  it.effect("fails without Multicall3, and warns of a node that gives no logs", () =>
    Effect.gen(function* () {
      const without = yield* look({ [FIRST]: node({ ...fakeChain(), multicall: false }) })
      assert.include(about(without.findings, "RPC 1"), "fail one.example: Multicall3 does not answer there")
      const narrow: Behaviour = (request, signal) =>
        request.method === "eth_getLogs"
          ? new Refusal(-32000, "block range is limited to 100")
          : node(fakeChain())(request, signal)
      const { findings } = yield* look({ [FIRST]: narrow })
      assert.deepStrictEqual(troubles(findings), [["RPC 1", "warn"]])
      assert.include(about(findings, "RPC 1"), "limited to 100")
    })
  )

  it.effect("fails where USDC is another contract, or stands still", () =>
    Effect.gen(function* () {
      const other = yield* look({ [FIRST]: node({ ...fakeChain(), name: "Bridged USDC", version: "1" }) })
      assert.deepStrictEqual(troubles(other.findings), [["USDC", "fail"]])
      const text = about(other.findings, "USDC")
      assert.include(text, `says that its name is "Bridged USDC" and its version is "1" →`)
      assert.include(text, `signed for name "USD Coin" and version "2", and be invalid`)
      const paused = yield* look({ [FIRST]: node(fakeChain(), { paused: true }) })
      assert.deepStrictEqual(troubles(paused.findings), [["USDC paused", "fail"]])
      assert.include(about(paused.findings, "USDC paused"), "USDC is paused: nothing can be paid")
    })
  )

  it.effect("warns of a gas account without gas", () =>
    Effect.gen(function* () {
      const { findings } = yield* look({ [FIRST]: node(fakeChain(), { wei: 0n }) })
      assert.deepStrictEqual(troubles(findings), [["gas account", "warn"]])
    })
  )

  it.effect("says which node announces new blocks, and warns of one that does not", () =>
    Effect.gen(function* () {
      const sound = yield* wsNode(
        wsHealthy(fakeChain(), ({ method }, socket) => {
          if (method === "eth_blockNumber") setImmediate(() => announceOn(socket, 1_001n))
          return undefined
        })
      )
      const ill = yield* wsNode((socket) => socket.close(1013))
      const wsUrls = [sound, ill].map(({ url }) => Redacted.make(url))
      const { findings } = yield* look({ [FIRST]: node(fakeChain()) }, { changes: { wsUrls } })
      const [one, two] = [sound, ill].map(({ url }) => new URL(url).host)
      assert.deepStrictEqual(troubles(findings), [["WebSocket 2", "warn"]])
      assert.strictEqual(about(findings, "WebSocket 1"), `ok ${one} announced block 1001`)
      const words = `warn ${two} announces no new blocks: Unavailable, the connection was closed (1013)`
      assert.include(about(findings, "WebSocket 2"), words)
      yield* Effect.repeat(Queue.take(sound.events), { until: (event) => event === "closed" })
    })
  )

  it.effect("shows nodes by host, whatever they say", () =>
    Effect.gen(function* () {
      const echo = (key: string) => http(403, `no access for ${key}`)
      const { findings } = yield* look({ [FIRST]: echo("first-api-key-1"), [SECOND]: node(fakeChain()) })
      assert.include(about(findings, "RPC 1"), "one.example does not answer")
      assert.notMatch(JSON.stringify(findings), /api-key/)
    })
  )
})
