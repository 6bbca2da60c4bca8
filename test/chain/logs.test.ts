import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { account, fakeChain, Refusal, transfer } from "./fakeChain.ts"
import { type Behaviour, fakeNodes, healthy, on, URL } from "./fakeNodes.ts"

const [wallet, payer] = [account(1), account(2)]

const everything = (head: bigint) => ({ wallets: [wallet], fromBlock: 0n, toBlock: head })

/** A chain of 4,801 blocks with a deposit in the first, in the last and on both sides of a page's edge. */
const longChain = () => {
  const chain = { ...fakeChain(), head: 4_800n }
  for (const block of [0n, 1_999n, 2_000n, 4_800n])
    chain.logs.push(transfer({ from: payer, to: wallet, value: 1n, block }))
  return chain
}

/** A node that gives logs of no more than `most` blocks at once. */
const capped =
  (chain: ReturnType<typeof fakeChain>, most: bigint): Behaviour =>
  (request, signal) => {
    const filter = request.params?.[0] as { readonly fromBlock: string; readonly toBlock: string }
    return request.method === "eth_getLogs" && BigInt(filter.toBlock) - BigInt(filter.fromBlock) >= most
      ? new Refusal(-32602, `block range is too large: max ${most}`)
      : healthy(chain)(request, signal)
  }

const blocksOf = (deposits: ReadonlyArray<{ readonly block: { readonly number: bigint } }>) =>
  deposits.map(({ block }) => block.number)

describe("a search of the logs", () => {
  it.effect("goes page by page of 2,000 blocks, and misses nothing at the edges", () =>
    Effect.gen(function* () {
      const { answer, sent } = yield* on(longChain(), (client) => client.findDeposits(everything(4_800n)))
      assert.deepStrictEqual(blocksOf(answer), [0n, 1_999n, 2_000n, 4_800n])
      assert.strictEqual(sent.filter((methods) => methods.includes("eth_getLogs")).length, 3)
    })
  )

  it.effect("cuts a page in two as often as the provider finds it too large, and loses no block on the way", () =>
    Effect.gen(function* () {
      const chain = fakeChain()
      const blocks = Array.from({ length: 1_001 }, (_, block) => BigInt(block))
      for (const block of blocks) chain.logs.push(transfer({ from: payer, to: wallet, value: 1n, block }))
      const { answer } = yield* on(capped(chain, 70n), (client) => client.findDeposits(everything(1_000n)))
      assert.deepStrictEqual(blocksOf(answer), blocks)
    })
  )

  it.effect("gives up where not even a small page is granted", () =>
    Effect.gen(function* () {
      const nodes = fakeNodes({ [URL]: capped(longChain(), 10n) })
      const error = yield* Effect.flip(nodes.run((client) => client.findDeposits(everything(4_800n))))
      assert.include(error.message, "TooLarge (node.example: block range is too large: max 10)")
    })
  )

  it.effect("does not go back for years", () =>
    Effect.gen(function* () {
      const { answer, sent } = yield* on({ ...fakeChain(), head: 50_000_000n }, (client) =>
        Effect.flip(client.findDeposits(everything(50_000_000n)))
      )
      assert.strictEqual(answer.reason, "Rejected")
      assert.strictEqual(sent.length, 0)
    })
  )

  it.effect("believes no node that lacks the last of the blocks: it would leave out what it has not", () =>
    Effect.gen(function* () {
      const { answer } = yield* on({ ...longChain(), head: 4_799n }, (client) =>
        Effect.flip(client.findDeposits(everything(4_800n)))
      )
      assert.strictEqual(answer.reason, "Lagging")
    })
  )
})
