import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import { aggregate, read } from "../../src/chain/multicall.ts"
import { makeEndpoint } from "../../src/chain/endpoint.ts"
import { blockAt, chainId, headNumber } from "../../src/chain/rpcCalls.ts"
import { usdcAbi } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import { account, fakeChain, Refusal } from "./fakeChain.ts"
import { type Behaviour, dead, fetchOf, healthy, http, type Sent } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const URL_WITH_KEYS = "https://user-name:pass-word@rpc.example/v2/path-key-123?apikey=query-key-456"

const endpointOf = (behaviour: Behaviour, sent: Array<Sent> = []) =>
  makeEndpoint(Redacted.make(URL_WITH_KEYS), fetchOf({ behaviours: { [URL_WITH_KEYS]: behaviour }, sent }))

const balance = aggregate([read(base.usdc.address, usdcAbi, "balanceOf", [account(1)])], 900n)

describe("an endpoint", () => {
  test("sends the requests of one question in one HTTP request", function* () {
    const sent: Array<Sent> = []
    const answers = yield* endpointOf(healthy(fakeChain()), sent).ask((node) =>
      Promise.all([chainId(node), headNumber(node), blockAt(0n)(node)])
    )
    assert.deepStrictEqual([answers[0], answers[1]], [8453, 1_000n])
    assert.deepStrictEqual(sent, [
      { host: "rpc.example", methods: ["eth_chainId", "eth_blockNumber", "eth_getBlockByNumber"] }
    ])
  })

  const faults = [
    ["nobody listens", dead, "Unavailable"],
    ["it is rate limited", http(429, "slow down"), "RateLimited"],
    ["it is ill", http(500, "oops"), "Unavailable"],
    ["it answers HTML", http(200, "<html>welcome</html>"), "Unreadable"],
    ["it answers nonsense", () => ({ nonsense: true }), "Unreadable"],
    ["the call reverts", () => new Refusal(3, "execution reverted"), "Reverted"],
    ["it lacks the block", () => new Refusal(-32000, "header not found"), "Lagging"],
    ["it is out of order", () => new Refusal(-32603, "internal error"), "Unavailable"],
    ["there is no contract", () => "0x", "Unreadable"]
  ] as const

  test.each(faults)("tells through all of viem's wrapping that %s", function* ([, behaviour, reason]) {
    const fault = yield* Effect.flip(endpointOf(behaviour).ask(balance))
    assert.strictEqual(fault.reason, reason, fault.detail)
  })

  const echo: Behaviour = () => new Response(`no such key: ${URL_WITH_KEYS}`, { status: 403 })
  const quote: Behaviour = () => new Refusal(-32000, `${URL_WITH_KEYS} may not call path-key-123`)

  it.effect.each([dead, echo, quote, http(500), () => "0x"])(
    "never shows more of its URL than the host (%#)",
    (behaviour) =>
      Effect.gen(function* () {
        const { host, ask } = endpointOf(behaviour)
        const fault = yield* Effect.flip(ask(balance))
        for (const secret of ["path-key-123", "query-key-456", "user-name", "pass-word"]) {
          assert.notInclude(host + JSON.stringify(fault), secret)
        }
      })
  )

  test("aborts its HTTP request when it is interrupted", function* () {
    const arrived = yield* Deferred.make<AbortSignal>()
    const asking = yield* Effect.forkChild(
      endpointOf((_, signal) => {
        Deferred.doneUnsafe(arrived, Effect.succeed(signal))
        return new Promise(() => {})
      }).ask(headNumber)
    )
    const signal = yield* Deferred.await(arrived)
    assert.isFalse(signal.aborted)
    yield* Fiber.interrupt(asking)
    assert.isTrue(signal.aborted)
  })
})
