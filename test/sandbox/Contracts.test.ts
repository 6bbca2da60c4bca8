import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { domainSeparator, encodeFunctionData, keccak256, parseAbi, toHex } from "viem"
import { local } from "../../src/config/Network.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { roles } from "../../src/sandbox/DevChain.ts"
import { mintTokenAbi } from "../../src/sandbox/mintToken.ts"
import { USDC } from "../../src/sandbox/usdcDeployment.ts"
import { Chain, onChain } from "./mintFixtures.ts"

const SOMEBODY = address("0x00000000000000000000000000000000000000aa")

const [A, B, C] = ["a", "b", "c"].map((name) => keccak256(toHex(name))) as [`0x${string}`, `0x${string}`, `0x${string}`]

onChain("the contracts of the sandbox", (it) => {
  describe("USDC", () => {
    it.effect("is where the local network says it is, and signs as it says", () =>
      Effect.gen(function* () {
        const chain = yield* Chain
        assert.strictEqual(local.usdc.address, USDC)
        const abi = parseAbi([
          "function name() view returns (string)",
          "function symbol() view returns (string)",
          "function version() view returns (string)",
          "function decimals() view returns (uint8)",
          "function DOMAIN_SEPARATOR() view returns (bytes32)"
        ])
        const contract = { address: USDC, abi } as const
        const [name, symbol, version, decimals, separator] = yield* chain.ask("read USDC", (client) =>
          Promise.all([
            client.readContract({ ...contract, functionName: "name" }),
            client.readContract({ ...contract, functionName: "symbol" }),
            client.readContract({ ...contract, functionName: "version" }),
            client.readContract({ ...contract, functionName: "decimals" }),
            client.readContract({ ...contract, functionName: "DOMAIN_SEPARATOR" })
          ])
        )
        assert.deepStrictEqual([name, symbol, version, decimals], [local.usdc.name, "USDC", local.usdc.version, 6])
        const domain = { name, version, chainId: local.chainId, verifyingContract: USDC }
        assert.strictEqual(separator, domainSeparator({ domain }))
      })
    )
  })

  it.effect("stay as they are when they are deployed again", () =>
    Effect.gen(function* () {
      const chain = yield* Chain
      const height = chain.ask("read the height", (client) =>
        client.getTransactionCount({ address: roles.treasury.address })
      )
      const before = yield* height
      yield* Contracts.deploy(chain)
      assert.strictEqual(yield* height, before)
    })
  )

  describe("a mint token", () => {
    const mint = (token: Address, ids: ReadonlyArray<`0x${string}`>, to: Address = SOMEBODY) =>
      Effect.gen(function* () {
        const chain = yield* Chain
        const data = encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [to, ids] })
        const hash = yield* chain.send("mint", roles.mintServer, { to: token, data })
        return yield* chain.receipt("mint", hash)
      })

    const counts = (token: Address) =>
      Effect.flatMap(Chain, (chain) =>
        chain.ask("read the counts", (client) => {
          const contract = { address: token, abi: mintTokenAbi } as const
          return Promise.all([
            client.readContract({ ...contract, functionName: "mintCount" }),
            client.readContract({ ...contract, functionName: "remainingSupply" }),
            client.readContract({ ...contract, functionName: "balanceOf", args: [SOMEBODY] })
          ])
        })
      )

    const newToken = (symbol: string, maxMintCount: bigint) =>
      Effect.flatMap(Chain, (chain) => Contracts.deployToken(chain, { name: "Test", symbol, maxMintCount }))

    it.effect("mints an id once, however often it is asked", () =>
      Effect.gen(function* () {
        const token = yield* newToken("ONCE", 10n)
        assert.strictEqual((yield* mint(token, [A, B])).logs.length, 4, "a Transfer and a TokensMinted for each")
        assert.strictEqual((yield* mint(token, [A, B, C])).logs.length, 2)
        assert.strictEqual((yield* mint(token, [C])).logs.length, 0)
        assert.deepStrictEqual(yield* counts(token), [3n, 7n, 3_000n * 10n ** 18n])
      })
    )

    it.effect("mints all that it is asked for or nothing, where the supply ends", () =>
      Effect.gen(function* () {
        const token = yield* newToken("FEW", 2n)
        const { message } = yield* Effect.flip(mint(token, [A, B, C]))
        assert.include(message, "revert")
        assert.deepStrictEqual(yield* counts(token), [0n, 2n, 0n])
      })
    )

    it.effect("is minted by the mint server only", () =>
      Effect.gen(function* () {
        const chain = yield* Chain
        const data = encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [SOMEBODY, [A]] })
        const { message } = yield* Effect.flip(chain.send("mint", roles.customer, { to: Contracts.TOKEN, data }))
        assert.include(message, "revert")
      })
    )
  })
})
