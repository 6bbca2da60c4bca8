import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { base } from "../../src/config/Network.ts"
import { fakeChain, timeMs } from "./fakeChain.ts"
import { type Behaviour, BACKUP, fakeNodes, healthy, on, URL } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

describe("confirmedBlock", () => {
  test("has CONFIRMATIONS blocks, its own included", function* () {
    const chain = fakeChain()
    for (const [confirmations, number] of [
      [1, 1_000n],
      [2, 999n],
      [12, 989n]
    ] as const) {
      const nodes = fakeNodes({ [URL]: healthy(chain) }, base, confirmations)
      assert.deepStrictEqual(yield* nodes.run((client) => client.confirmedBlock), {
        number,
        timeMs: timeMs(chain, number)
      })
    }
  })

  test("is the first one of a chain that is younger than that", function* () {
    const { answer } = yield* on({ ...fakeChain(), head: 0n }, (client) => client.confirmedBlock)
    assert.strictEqual(answer.number, 0n)
  })

  test("does not go back where a node's head is one older than the last", function* () {
    const chain = fakeChain()
    const { answer } = yield* on(chain, (client) =>
      Effect.gen(function* () {
        yield* client.confirmedBlock
        chain.head -= 1n
        return yield* client.confirmedBlock
      })
    )
    assert.strictEqual(answer.number, 999n)
  })

  test("is refused by a node that has not even the block that was served before", function* () {
    const chain = fakeChain()
    const error = yield* Effect.flip(
      on(chain, (client) =>
        Effect.gen(function* () {
          yield* client.confirmedBlock
          chain.head -= 2n
          return yield* client.confirmedBlock
        })
      )
    )
    assert.include(error.message, "Lagging (node.example: the node is at block 998, and block 999 was seen before")
  })

  test("comes from the other node where the first is stuck", function* () {
    const chain = fakeChain()
    const stuck = { ...chain, head: 900n }
    const nodes = fakeNodes({ [URL]: healthy(chain), [BACKUP]: healthy(chain) })
    const block = yield* nodes.run((client) =>
      Effect.gen(function* () {
        yield* client.confirmedBlock
        nodes.behaviours[URL] = healthy(stuck)
        return yield* client.confirmedBlock
      })
    )
    assert.strictEqual(block.number, 999n)
  })

  test("is not raised for ever by one node's absurd head", function* () {
    const chain = fakeChain()
    const absurd: Behaviour = (request, signal) =>
      request.method === "eth_blockNumber" ? "0xffffffff" : healthy(chain)(request, signal)
    const nodes = fakeNodes({ [URL]: healthy(chain) })
    const { refused, block } = yield* nodes.run((client) =>
      Effect.gen(function* () {
        nodes.behaviours[URL] = absurd
        const refused = yield* Effect.flip(client.confirmedBlock)
        nodes.behaviours[URL] = healthy(chain)
        return { refused, block: yield* client.confirmedBlock }
      })
    )
    assert.strictEqual(refused.reason, "Lagging")
    assert.strictEqual(block.number, 999n)
  })
})
