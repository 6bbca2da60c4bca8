import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChainError, WrongChain } from "../../src/chain/ChainClient.ts"
import { separatorOf } from "../../src/chain/usdc.ts"
import { base, baseSepolia } from "../../src/config/Network.ts"
import { bytes32, fakeChain } from "./fakeChain.ts"
import { dead, fakeNodes, hanging, healthy, http, warnings } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const FIRST = "https://first.example/v2/path-key-123"
const SECOND = "https://user-name:pass-word@second.example/?apikey=query-key-456"

const start = (nodes: ReturnType<typeof fakeNodes>) => nodes.run(({ genesis }) => Effect.succeed(genesis))

const refused = Effect.fnUntraced(function* (nodes: ReturnType<typeof fakeNodes>) {
  const error = yield* Effect.flip(start(nodes))
  assert.instanceOf(error, WrongChain)
  for (const secret of ["path-key-123", "query-key-456", "user-name", "pass-word"]) {
    assert.notInclude(error.message, secret)
  }
  return error.message
})

describe("a signature", () => {
  it("is for the domain that USDC has on each network", () => {
    // As DOMAIN_SEPARATOR() answers on chain.
    assert.strictEqual(separatorOf(base), "0x02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f")
    assert.strictEqual(separatorOf(baseSepolia), "0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818")
  })
})

describe("the start", () => {
  test("goes ahead on the chain of NETWORK, and knows its first block", function* () {
    const chain = fakeChain()
    const nodes = fakeNodes({ [FIRST]: healthy(chain), [SECOND]: healthy(chain) })
    assert.strictEqual(yield* start(nodes), chain.genesis)
    // One HTTP request to each for chain id and genesis, and one for all that USDC says of itself.
    assert.strictEqual(nodes.sent.length, 3)
  })

  test("is refused where a URL leads to another chain, with the key to set", function* () {
    const other = { ...fakeChain(), chainId: 1 }
    const message = yield* refused(fakeNodes({ [FIRST]: healthy(fakeChain()), [SECOND]: healthy(other) }))
    assert.strictEqual(
      message,
      "BASE_RPC_URL: second.example leads to chain 1, but NETWORK=base is chain 8453. " +
        "Set BASE_RPC_URL to a node of chain 8453, or NETWORK to the network you mean."
    )
  })

  test("is refused where two URLs lead to two chains of the same id", function* () {
    const other = { ...fakeChain(), genesis: bytes32(2) }
    const message = yield* refused(fakeNodes({ [FIRST]: healthy(fakeChain()), [SECOND]: healthy(other) }))
    assert.include(message, "first.example and second.example lead to two different chains")
    assert.include(message, "BASE_RPC_URL")
  })

  test("is refused where USDC bears another name than will be signed for", function* () {
    const chain = { ...fakeChain(baseSepolia), name: "USD Coin" }
    const message = yield* refused(fakeNodes({ [FIRST]: healthy(chain) }, baseSepolia))
    assert.include(message, `says that its name is "USD Coin"`)
    assert.include(message, `signed for name "USDC"`)
    assert.include(message, "BASE_SEPOLIA_RPC_URL")
  })

  test("is refused where USDC bears another version, or another domain separator", function* () {
    const version = { ...fakeChain(), version: "1" }
    assert.include(yield* refused(fakeNodes({ [FIRST]: healthy(version) })), `version is "1"`)
    const separator = { ...fakeChain(), separator: bytes32(7) }
    assert.include(yield* refused(fakeNodes({ [FIRST]: healthy(separator) })), "domain separator")
  })

  test("is refused where there is no Multicall3", function* () {
    const message = yield* refused(fakeNodes({ [FIRST]: healthy({ ...fakeChain(), multicall: false }) }))
    assert.include(message, "There is no Multicall3 at 0xca11bde05977b3631167028862be2a173976ca11")
  })

  test("goes ahead with a warning where one URL is dead, and shows no more of it than the host", function* () {
    const nodes = fakeNodes({ [FIRST]: dead, [SECOND]: healthy(fakeChain()) })
    assert.deepStrictEqual(yield* warnings(start(nodes)), [
      "No answer from a node of BASE_RPC_URL: first.example: Unavailable (ECONNREFUSED)"
    ])
  })

  test("goes ahead where one URL hangs", function* () {
    const nodes = fakeNodes({ [FIRST]: hanging, [SECOND]: healthy(fakeChain()) })
    assert.include((yield* warnings(start(nodes)))[0], "first.example: Timeout")
  })

  test("fails, and says so of each URL, where none answers", function* () {
    const error = yield* Effect.flip(start(fakeNodes({ [FIRST]: dead, [SECOND]: http(502) })))
    assert.instanceOf(error, ChainError)
    assert.strictEqual(error.reason, "Unavailable")
    assert.include(error.message, "first.example: Unavailable (ECONNREFUSED)")
    assert.include(error.message, "second.example: Unavailable (HTTP 502")
  })

  test("fails where no URL is set", function* () {
    const error = yield* Effect.flip(start(fakeNodes({})))
    assert.include(error.message, "BASE_RPC_URL names no URL")
  })
})

describe("a URL that was silent at the start", () => {
  test("is asked once it has shown to lead to the same chain", function* () {
    const chain = fakeChain()
    const nodes = fakeNodes({ [FIRST]: healthy(chain), [SECOND]: dead })
    const block = yield* nodes.run((client) => {
      nodes.behaviours[FIRST] = dead
      nodes.behaviours[SECOND] = healthy(chain)
      return client.confirmedBlock
    })
    assert.strictEqual(block.number, 999n)
  })

  test("is never believed where it leads to another chain", function* () {
    const chain = fakeChain()
    const nodes = fakeNodes({ [FIRST]: healthy(chain), [SECOND]: dead })
    const error = yield* Effect.flip(
      nodes.run((client) => {
        nodes.behaviours[FIRST] = dead
        nodes.behaviours[SECOND] = healthy({ ...chain, genesis: bytes32(2) })
        return client.confirmedBlock
      })
    )
    assert.include(error.message, "second.example: it leads to another chain: take it out of BASE_RPC_URL")
  })
})
