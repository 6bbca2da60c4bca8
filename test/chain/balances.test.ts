import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AUTHORIZATION_USED, topicOf } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import { account, bytes32, fakeChain, Refusal, timeMs, transfer } from "./fakeChain.ts"
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

  test("asks in the same call what became of payments, and for the logs of those that are used", function* () {
    const chain = fakeChain()
    const [payer, wallet] = [account(1), account(2)]
    const query = (number: number) => ({ payer, nonce: bytes32(number), fromBlock: 100n })
    chain.balances.set(wallet, 7n)
    chain.spent.add(`${payer}${bytes32(2)}`)
    chain.logs.push(
      {
        address: base.usdc.address,
        topics: [AUTHORIZATION_USED, topicOf(payer), bytes32(2)],
        block: 500n,
        tx: bytes32(0xaa),
        index: 7
      },
      transfer({ from: payer, to: wallet, value: 7n, block: 500n, tx: 0xaa, index: 8 })
    )
    const { answer, sent } = yield* on(chain, (client) => client.readBalances([wallet], [query(1), query(2)]))
    assert.strictEqual(sent.filter((methods) => methods.includes("eth_call")).length, 1)
    assert.strictEqual(sent.filter((methods) => methods.includes("eth_getLogs")).length, 1)
    assert.deepStrictEqual(answer.usdc, new Map([[wallet, 7n]]) as never)
    assert.deepStrictEqual(answer.outcomes, [
      { _tag: "Unused" },
      { _tag: "Used", tx: bytes32(0xaa), block: 500n, to: wallet, value: 7n } as never
    ])
  })

  test("knows balances where the logs of a payment cannot be read: how that was used is open", function* () {
    const chain = fakeChain()
    const [payer, wallet] = [account(1), account(2)]
    chain.balances.set(wallet, 7n)
    chain.spent.add(`${payer}${bytes32(2)}`)
    const withoutLogs: Behaviour = (request, signal) =>
      request.method === "eth_getLogs" ? new Refusal(-32000, "no logs here") : healthy(chain)(request, signal)
    const nodes = fakeNodes({ [URL]: withoutLogs })
    const answer = yield* nodes.run((client) =>
      client.readBalances([wallet], [{ payer, nonce: bytes32(2), fromBlock: 100n }])
    )
    assert.deepStrictEqual([answer.usdc.get(wallet), answer.outcomes], [7n, [{ _tag: "Unexplained" }]] as never)
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
