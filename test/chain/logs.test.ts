import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { account, fakeChain, Refusal, transfer } from "./fakeChain.ts"
import { BACKUP, type Behaviour, fakeNodes, healthy, on, URL } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

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
  (
    chain: ReturnType<typeof fakeChain>,
    most: bigint,
    refusal = new Refusal(-32602, `block range is too large: max ${most}`)
  ): Behaviour =>
  (request, signal) => {
    const filter = request.params?.[0] as { readonly fromBlock: string; readonly toBlock: string }
    return request.method === "eth_getLogs" && BigInt(filter.toBlock) - BigInt(filter.fromBlock) >= most
      ? refusal
      : healthy(chain)(request, signal)
  }

/** A chain of so many blocks with a deposit in each. */
const everyBlock = (blocks: number) => {
  const chain = { ...fakeChain(), head: BigInt(blocks - 1) }
  for (let block = 0n; block <= chain.head; block++)
    chain.logs.push(transfer({ from: payer, to: wallet, value: 1n, block }))
  return chain
}

/** Notes how many blocks each question for logs is about. */
const noting =
  (asked: Array<number>, node: Behaviour): Behaviour =>
  (request, signal) => {
    const filter = request.params?.[0] as { readonly fromBlock: string; readonly toBlock: string }
    if (request.method === "eth_getLogs") asked.push(Number(filter.toBlock) - Number(filter.fromBlock) + 1)
    return node(request, signal)
  }

const blocksOf = (deposits: ReadonlyArray<{ readonly block: { readonly number: bigint } }>) =>
  deposits.map(({ block }) => block.number)

describe("a search of the logs", () => {
  test("goes page by page of 2,000 blocks, and misses nothing at the edges", function* () {
    const { answer, sent } = yield* on(longChain(), (client) => client.findDeposits(everything(4_800n)))
    assert.deepStrictEqual(blocksOf(answer), [0n, 1_999n, 2_000n, 4_800n])
    assert.strictEqual(sent.filter((methods) => methods.includes("eth_getLogs")).length, 3)
  })

  test("cuts a page as often as the provider finds it too large, and loses no block on the way", function* () {
    const chain = everyBlock(1_001)
    const { answer } = yield* on(capped(chain, 70n), (client) => client.findDeposits(everything(1_000n)))
    assert.deepStrictEqual(blocksOf(answer), [...Array(1_001).keys()].map(BigInt))
  })

  test("reads 400 blocks from a provider that gives ten at a time, and remembers what it takes", function* () {
    const asked: Array<number> = []
    const nodes = fakeNodes({ [URL]: noting(asked, capped(everyBlock(401), 10n)) })
    yield* nodes.run((client) =>
      Effect.gen(function* () {
        const search = client.findDeposits(everything(400n))
        assert.strictEqual((yield* search).length, 401)
        assert.isAtMost(asked.length, 75)
        asked.length = 0
        assert.strictEqual((yield* search).length, 401)
        assert.isAtMost(Math.max(...asked), 15, "no page is asked for that was found to be far too large")
      })
    )
  })

  test.each([1n, 2n, 3n])("gets on with a provider that gives %d block(s) at a time", function* (most) {
    const { answer } = yield* on(capped(everyBlock(31), most), (client) => client.findDeposits(everything(30n)))
    assert.strictEqual(answer.length, 31)
  })

  test("gets on whatever words a provider has for a range that is too large", function* () {
    const node = capped(everyBlock(31), 4n, new Refusal(-32602, "computer says no"))
    const { answer } = yield* on(node, (client) => client.findDeposits(everything(30n)))
    assert.strictEqual(answer.length, 31)
  })

  const noRange = [
    ["bad parameters", new Refusal(-32602, "invalid argument 0: hex string without 0x prefix"), "Rejected", 2],
    ["a block range that makes no sense", new Refusal(-32000, "invalid block range params"), "Rejected", 2],
    ["a block that it has not", new Refusal(-32000, "block not found"), "Lagging", 3],
    ["its being busy", new Refusal(-32005, "too many requests"), "RateLimited", 3]
  ] as const

  test.each(noRange)("takes %s for nothing else", function* ([, refusal, reason, requests]) {
    const asked: Array<number> = []
    const refusing: Behaviour = (request, signal) =>
      request.method === "eth_getLogs" ? refusal : healthy(longChain())(request, signal)
    const { answer } = yield* on(noting(asked, refusing), (client) =>
      Effect.flip(client.findDeposits(everything(999n)))
    )
    assert.strictEqual(answer.reason, reason)
    assert.strictEqual(asked.length, requests)
  })

  test("asks each URL for what that one takes", function* () {
    const [small, large]: [Array<number>, Array<number>] = [[], []]
    const nodes = fakeNodes({
      [URL]: noting(small, capped(everyBlock(401), 10n)),
      [BACKUP]: noting(large, healthy(everyBlock(401)))
    })
    const answer = yield* nodes.run((client) => client.findDeposits(everything(400n)))
    assert.strictEqual(answer.length, 401)
    assert.deepStrictEqual([small, large], [[401], [401]])
  })

  test("gives up where not even one block is given", function* () {
    const nodes = fakeNodes({ [URL]: capped(longChain(), 0n) })
    const error = yield* Effect.flip(nodes.run((client) => client.findDeposits(everything(4_800n))))
    assert.include(error.message, "TooLarge (node.example: block range is too large: max 0)")
  })

  test("does not go back for years", function* () {
    const { answer, sent } = yield* on({ ...fakeChain(), head: 50_000_000n }, (client) =>
      Effect.flip(client.findDeposits(everything(50_000_000n)))
    )
    assert.strictEqual(answer.reason, "Rejected")
    assert.strictEqual(sent.length, 0)
  })

  test("believes no node that lacks the last of the blocks: it would leave out what it has not", function* () {
    const { answer } = yield* on({ ...longChain(), head: 4_799n }, (client) =>
      Effect.flip(client.findDeposits(everything(4_800n)))
    )
    assert.strictEqual(answer.reason, "Lagging")
  })
})
