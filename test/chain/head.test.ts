import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { ChainClient } from "../../src/chain/ChainClient.ts"
import { base } from "../../src/config/Network.ts"
import { account, fakeChain } from "./fakeChain.ts"
import { BACKUP, type Behaviour, dead, fakeNodes, healthy, URL } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** Longer than any of these requests takes by the test's clock, which runs ahead. */
const KEPT = Duration.hours(1)

const keeping = (behaviours: Record<string, Behaviour>) => fakeNodes(behaviours, base, 2, {}, KEPT)

/** What is asked once the client has started: host and methods of each HTTP request. */
const sentBy = Effect.fnUntraced(function* <A, E>(
  nodes: ReturnType<typeof keeping>,
  use: (client: ChainClient["Service"]) => Effect.Effect<A, E>
) {
  const answer = yield* nodes.run((client) => {
    nodes.sent.length = 0
    return use(client)
  })
  return { answer, sent: nodes.sent.map(({ methods }) => methods.join()) }
})

const token = account(500)

describe("the newest block", () => {
  test("is asked once for all that is read for a while, and again after that", function* () {
    const chain = fakeChain()
    const { answer, sent } = yield* sentBy(keeping({ [URL]: healthy(chain) }), (client) =>
      Effect.gen(function* () {
        yield* client.readBalances([account(1)])
        chain.head += 5n
        const kept = yield* client.readBalances([account(2)])
        yield* TestClock.adjust(KEPT)
        const now = yield* client.readBalances([account(3)])
        return [kept.block.number, now.block.number]
      })
    )
    assert.deepStrictEqual(answer, [999n, 1_004n])
    assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_call", "eth_call", "eth_blockNumber", "eth_call"])
  })

  test("is kept no longer where the clock of the machine is set back, and a failure is not kept at all", function* () {
    const chain = fakeChain()
    const nodes = keeping({ [URL]: healthy(chain) })
    const setBack = Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      TestClock.setTime(nowMs - 24 * Duration.toMillis(KEPT))
    )
    const { answer } = yield* sentBy(nodes, (client) =>
      Effect.gen(function* () {
        const first = yield* client.confirmedBlock
        yield* setBack
        chain.head += 5n
        yield* TestClock.adjust(KEPT)
        const second = yield* client.confirmedBlock
        nodes.behaviours[URL] = dead
        yield* TestClock.adjust(KEPT)
        const failed = yield* Effect.flip(client.confirmedBlock)
        nodes.behaviours[URL] = healthy(chain)
        yield* setBack
        chain.head += 5n
        return [first.number, second.number, failed.reason, (yield* client.confirmedBlock).number]
      })
    )
    assert.deepStrictEqual(answer, [999n, 1_004n, "Unavailable", 1_009n])
  })

  test("is asked anew by who needs the newest of this moment", function* () {
    const chain = fakeChain()
    const { answer } = yield* sentBy(keeping({ [URL]: healthy(chain) }), (client) =>
      Effect.gen(function* () {
        yield* client.confirmedBlock
        chain.head += 5n
        return [(yield* client.confirmedBlock).number, (yield* client.confirmedBlockNow).number]
      })
    )
    assert.deepStrictEqual(answer, [999n, 1_004n])
  })

  test("is forgotten where it cannot be read at: a node's absurd head fails one read", function* () {
    const chain = fakeChain()
    const absurd: Behaviour = (request, signal) =>
      request.method === "eth_blockNumber" ? "0xffffffff" : healthy(chain)(request, signal)
    const nodes = keeping({ [URL]: absurd })
    const { answer } = yield* sentBy(nodes, (client) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(client.readBalances([account(1)]))
        nodes.behaviours[URL] = healthy(chain)
        return [error.reason, (yield* client.readBalances([account(1)])).block.number]
      })
    )
    assert.deepStrictEqual(answer, ["Lagging", 999n])
  })

  test("never leads back: neither a head that falls by a block, nor a second node that lags", function* () {
    const chain = fakeChain()
    const nodes = keeping({ [URL]: healthy(chain), [BACKUP]: healthy({ ...chain, head: 900n }) })
    const { answer } = yield* sentBy(nodes, (client) =>
      Effect.gen(function* () {
        const first = yield* client.confirmedBlock
        chain.head -= 1n
        yield* TestClock.adjust(KEPT)
        const second = yield* client.confirmedBlock
        nodes.behaviours[URL] = dead
        const kept = yield* Effect.flip(client.readBalances([account(1)]))
        yield* TestClock.adjust(KEPT)
        const lagging = yield* Effect.flip(client.readBalances([account(1)]))
        return [first.number, second.number, kept.reason, lagging.reason]
      })
    )
    assert.deepStrictEqual(answer, [999n, 999n, "Lagging", "Lagging"])
  })
})

describe("what one block shows", () => {
  test("is read once of a token and of the block itself, and anew in the next block", function* () {
    const chain = fakeChain()
    chain.supply.set("maxMintCount", 100n).set("mintCount", 40n).set("remainingSupply", 0n)
    const { answer, sent } = yield* sentBy(keeping({ [URL]: healthy(chain) }), (client) =>
      Effect.gen(function* () {
        const read = Effect.andThen(client.confirmedBlock, client.readRemainingSupply(token))
        const first = [yield* read, yield* read]
        chain.supply.set("mintCount", 41n)
        chain.head += 1n
        yield* TestClock.adjust(KEPT)
        return [...first, yield* read]
      })
    )
    assert.deepStrictEqual(answer, [60n, 60n, 59n])
    const block = ["eth_blockNumber", "eth_call", "eth_call"]
    assert.deepStrictEqual(sent, [...block, ...block])
  })

  test("is read again where it could not be read", function* () {
    const chain = fakeChain()
    chain.supply.set("remainingSupply", 7n)
    const nodes = keeping({ [URL]: healthy(chain) })
    const { answer } = yield* sentBy(nodes, (client) =>
      Effect.gen(function* () {
        yield* client.confirmedBlock
        nodes.behaviours[URL] = dead
        const error = yield* Effect.flip(client.readRemainingSupply(token))
        nodes.behaviours[URL] = healthy(chain)
        return [error.reason, yield* client.readRemainingSupply(token)]
      })
    )
    assert.deepStrictEqual(answer, ["Unavailable", 7n])
  })
})
