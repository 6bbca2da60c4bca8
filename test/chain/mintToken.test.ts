import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { toEventSelector } from "viem"
import { topicOf, TRANSFER } from "../../src/chain/usdc.ts"
import { type Address, ZERO } from "../../src/domain/Address.ts"
import { account, bytes32, fakeChain, type FakeLog } from "./fakeChain.ts"
import { on } from "./fakeNodes.ts"

const [token, recipient, other] = [account(1), account(2), account(3)]

const place = (block: bigint, index: number) => ({ address: token, block, tx: bytes32(Number(block)), index })

const minted = (to: Address, block: bigint, index: number): FakeLog => ({
  ...place(block, index),
  topics: [toEventSelector("TokensMinted(address,uint256,bytes32)"), topicOf(to)]
})

const erc20 = (from: Address, to: Address, block: bigint, index: number): FakeLog => ({
  ...place(block, index),
  topics: [TRANSFER, topicOf(from), topicOf(to)],
  data: bytes32(1_000)
})

const erc721 = (from: Address, to: Address, block: bigint, index: number): FakeLog => ({
  ...place(block, index),
  topics: [TRANSFER, topicOf(from), topicOf(to), bytes32(7)]
})

const found = (block: bigint, logIndex: number) => ({ tx: bytes32(Number(block)), logIndex, block })

describe("findMints", () => {
  const find = (logs: ReadonlyArray<FakeLog>, fromBlock = 0n) => {
    const chain = fakeChain()
    chain.logs.push(...logs)
    return on(chain, (client) => client.findMints({ token, recipient, fromBlock })).pipe(
      Effect.map(({ answer }) => answer)
    )
  }

  it.effect("counts TokensMinted where the token has it, and the Transfer beside it not again", () =>
    Effect.gen(function* () {
      const logs = [minted(recipient, 5n, 0), erc20(ZERO, recipient, 5n, 1), minted(recipient, 6n, 0)]
      assert.deepStrictEqual(yield* find(logs), [found(5n, 0), found(6n, 0)])
    })
  )

  it.effect("counts transfers from nobody where the token has no such event, ERC-20 and ERC-721 alike", () =>
    Effect.gen(function* () {
      const logs = [erc20(ZERO, recipient, 5n, 0), erc721(ZERO, recipient, 5n, 1)]
      assert.deepStrictEqual(yield* find(logs), [found(5n, 0), found(5n, 1)])
    })
  )

  it.effect("counts nothing that was bought, that another got, or that another contract logged", () =>
    Effect.gen(function* () {
      const logs = [
        erc20(other, recipient, 5n, 0),
        erc20(ZERO, other, 5n, 1),
        minted(other, 5n, 2),
        { ...minted(recipient, 5n, 3), address: other }
      ]
      assert.deepStrictEqual(yield* find(logs), [])
    })
  )

  it.effect("begins with the block that is asked for and ends with the confirmed one", () =>
    Effect.gen(function* () {
      const logs = [99n, 100n, 999n, 1_000n].map((block) => minted(recipient, block, 0))
      assert.deepStrictEqual(yield* find(logs, 100n), [found(100n, 0), found(999n, 0)])
    })
  )
})

describe("readRemainingSupply", () => {
  const remaining = (supply: Record<string, bigint>) => {
    const chain = fakeChain()
    for (const [name, value] of Object.entries(supply)) chain.supply.set(name, value)
    return on(chain, (client) => client.readRemainingSupply(token)).pipe(Effect.map(({ answer }) => answer))
  }

  it.effect("is what the token says remains", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* remaining({ remainingSupply: 3n, maxMintCount: 100n, mintCount: 1n }), 3n)
      assert.strictEqual(yield* remaining({ remainingSupply: 0n }), 0n)
    })
  )

  it.effect("is else the limit less what has been minted, and never less than nothing", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* remaining({ maxMintCount: 100n, mintCount: 1n }), 99n)
      assert.strictEqual(yield* remaining({ maxMintCount: 100n, mintCount: 101n }), 0n)
    })
  )

  it.effect("is unknown where the token does not tell its limit", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* remaining({}))
      assert.isUndefined(yield* remaining({ mintCount: 5n }))
      assert.isUndefined(yield* remaining({ maxMintCount: 5n }))
    })
  )
})
