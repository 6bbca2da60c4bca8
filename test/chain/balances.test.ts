import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { account, fakeChain, Refusal, timeMs } from "./fakeChain.ts"
import { type Behaviour, fakeNodes, healthy, on, URL } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const wallets = (count: number) => Array.from({ length: count }, (_, index) => account(index + 1))

describe("readBalances", () => {
  test("reads 1,000 wallets in four calls, all of one block", function* () {
    const chain = fakeChain()
    const all = wallets(1_000)
    all.forEach((wallet, index) => chain.balances.set(wallet, BigInt(index)))
    const { answer, sent } = yield* on(chain, (client) => client.readBalances(all))
    assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_call", "eth_call", "eth_call"])
    assert.deepStrictEqual(answer.block, { number: 999n, timeMs: timeMs(chain, 999n) })
    assert.strictEqual(answer.usdc.size, 1_000)
    all.forEach((wallet, index) => assert.strictEqual(answer.usdc.get(wallet), BigInt(index)))
  })

  test("asks for the block alone where there is no wallet, and once for a wallet that is named twice", function* () {
    const chain = fakeChain()
    const none = yield* on(chain, (client) => client.readBalances([]))
    assert.strictEqual(none.answer.block.number, 999n)
    assert.strictEqual(none.answer.usdc.size, 0)
    const twice = yield* on(chain, (client) => client.readBalances([account(1), account(1)]))
    assert.strictEqual(twice.answer.usdc.size, 1)
  })

  test("stays in the block whatever is mined meanwhile", function* () {
    const chain = fakeChain()
    const mining: Behaviour = (request) => {
      if (request.method === "eth_call") chain.head += 1n
      return healthy(chain)(request, new AbortController().signal)
    }
    const nodes = fakeNodes({ [URL]: mining })
    const { block } = yield* nodes.run((client) => client.readBalances(wallets(1_000)))
    // One call of the start came before the head was read.
    assert.strictEqual(block.number, 1_000n)
  })

  test("tries again where the node that is asked lacks the block", function* () {
    const chain = fakeChain()
    let calls = 0
    const balanced: Behaviour = (request, signal) =>
      request.method === "eth_call" && ++calls === 2
        ? new Refusal(-32000, "header not found")
        : healthy(chain)(request, signal)
    const nodes = fakeNodes({ [URL]: balanced })
    const { block } = yield* nodes.run((client) => client.readBalances(wallets(1)))
    assert.strictEqual(block.number, 999n)
  })

  test("believes no answer from another block, nor two blocks of one number", function* () {
    const chain = fakeChain()
    const fork = { ...chain, genesisTime: chain.genesisTime + 1 }
    const stale: Behaviour = (request, signal) => {
      const params = request.method === "eth_call" ? [request.params[0], "0x10"] : request.params
      return healthy(chain)({ ...request, params }, signal)
    }
    let calls = 0
    const forked: Behaviour = (request, signal) =>
      healthy(request.method === "eth_call" && ++calls % 2 === 0 ? fork : chain)(request, signal)
    for (const [behaviour, words] of [
      [stale, "asked for block 999 and answered from block 16"],
      [forked, "different forks"]
    ] as const) {
      const nodes = fakeNodes({ [URL]: behaviour })
      const error = yield* Effect.flip(nodes.run((client) => client.readBalances(wallets(1_000))))
      assert.include(error.message, words)
    }
  })
})
