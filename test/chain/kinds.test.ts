import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { encodeFunctionData, parseAbi } from "viem"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import * as ChainClientViem from "../../src/chain/ChainClientViem.ts"
import { local } from "../../src/config/Network.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import { addressOf as contractOf, creationOf, roles } from "../../src/sandbox/DevChain.ts"
import { settings } from "../support/settings.ts"
import { act, addressOf, askingAnew, Chain, person } from "./anvilChain.ts"
import { effects } from "../support/stories.ts"
import { compiled } from "./solidity.ts"

const abi = parseAbi([
  "function mint(address to, uint256 count)",
  "function mintBatch(address to, uint256[] values)",
  "function accrue(address to)",
  "function airdrop(address to)"
])

const KINDS = compiled("Kinds.sol")

const creation = (name: string) => creationOf(KINDS.get(name) ?? "0x")
const token = (name: string): Address => contractOf(creation(name))

/** The client of an operator whose stock seller is the mint server's account. */
const onChain = Layer.unwrap(
  Effect.gen(function* () {
    const { rpcUrl } = yield* Chain
    for (const name of KINDS.keys()) {
      const { to, data } = creation(name)
      yield* act(roles.mintServer, to, data)
    }
    const mintStock = new Map([[token("Stock"), [address(roles.mintServer.address)]]])
    const mintPortions = new Map([[token("Stock"), 10n ** 18n]])
    const changes = { network: local, rpcUrls: [Redacted.make(rpcUrl)], mintStock, mintPortions }
    return ChainClientViem.layer.pipe(
      Layer.provide(askingAnew),
      Layer.provide(settings(changes)),
      Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch))
    )
  })
)

const mint = (name: string, to: Address, count: number, from = roles.mintServer) =>
  act(from, token(name), encodeFunctionData({ abi, functionName: "mint", args: [to, BigInt(count)] }))

/** How many mints the person has by now, counted as an order that is planned now would count them. */
const mintsOf = Effect.fnUntraced(function* (name: string, recipient: Address) {
  const { findMints, readPortion } = yield* ChainClient
  const portion = yield* readPortion(token(name))
  return yield* findMints({ token: token(name), recipient, fromBlock: 0n, portion })
})

const numberOf = (name: string, recipient: Address) => Effect.map(mintsOf(name, recipient), (mints) => mints.length)

layer(onChain.pipe(Layer.provideMerge(Chain.layer)), { timeout: "60 seconds", excludeTestServices: true })(
  "mints of tokens as they are in use, on a real chain",
  (it) => {
    const test = effects(it)

    test("are as many as were bought, whether one event tells of each or one of all", function* () {
      const recipient = addressOf(person(31))
      for (const name of KINDS.keys()) {
        yield* mint(name, recipient, 1)
        yield* mint(name, recipient, 3)
        const names = (yield* mintsOf(name, recipient)).map(({ tx, part }) => `${tx}:${part}`)
        assert.strictEqual(names.length, 4, name)
        assert.strictEqual(new Set(names).size, 4, name)
        assert.strictEqual(yield* numberOf(name, addressOf(person(32))), 0, name)
      }
    })

    test("are the values of a batch of ERC-1155", function* () {
      const recipient = addressOf(person(33))
      const args = [recipient, [2n, 0n, 3n]] as const
      yield* act(roles.mintServer, token("Multi"), encodeFunctionData({ abi, functionName: "mintBatch", args }))
      assert.strictEqual(yield* numberOf("Multi", recipient), 5)
    })

    test("are not the dust that a token pays as interest", function* () {
      const recipient = addressOf(person(34))
      const accrue = encodeFunctionData({ abi, functionName: "accrue", args: [recipient] })
      for (let time = 0; time < 3; time++) yield* act(roles.mintServer, token("Drop"), accrue)
      assert.strictEqual(yield* numberOf("Drop", recipient), 0)
      yield* mint("Drop", recipient, 2)
      assert.strictEqual(yield* numberOf("Drop", recipient), 2)
    })

    test("are those of transactions without the token's own event too", function* () {
      const recipient = addressOf(person(35))
      const airdrop = encodeFunctionData({ abi, functionName: "airdrop", args: [recipient] })
      yield* mint("Family", recipient, 1)
      yield* act(roles.mintServer, token("Family"), airdrop)
      assert.strictEqual(yield* numberOf("Family", recipient), 2)
    })

    test("are not what someone else than the stock's seller sends", function* () {
      const recipient = addressOf(person(36))
      yield* mint("Stock", recipient, 2, roles.customer)
      assert.strictEqual(yield* numberOf("Stock", recipient), 0)
    })

    test("are limited by counts, by base units or by pieces, as the token tells it", function* () {
      const { readRemainingSupply } = yield* ChainClient
      const recipient = addressOf(person(37))
      const left = (name: string) => readRemainingSupply(token(name))
      for (const name of ["Family", "Drop", "Numbered"]) {
        const before = yield* left(name)
        assert.isTrue(before !== undefined && before > 0n && before <= 100n, name)
        yield* mint(name, recipient, 1)
        assert.strictEqual(yield* left(name), (before ?? 0n) - 1n, name)
      }
      assert.isUndefined(yield* left("Multi"))
    })
  }
)
