import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { AUTHORIZATION_USED, topicOf, TRANSFER } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import { ZERO } from "../../src/domain/Address.ts"
import { account, bytes32, fakeChain, type FakeLog, transfer } from "./fakeChain.ts"
import { on } from "./fakeNodes.ts"

const numbers = Array.from({ length: 50 }, (_, index) => index + 1)

const atOnce = <A, E>(ask: (number: number) => Effect.Effect<A, E>) =>
  Effect.forEach(numbers, ask, { concurrency: "unbounded" })

describe("what fifty fibers ask in the same moment", () => {
  it.effect("is one question for the head and one for all balances", () =>
    Effect.gen(function* () {
      const chain = fakeChain()
      for (const number of numbers) chain.balances.set(account(number), BigInt(number))
      const { answer, sent } = yield* on(chain, (client) => atOnce((number) => client.readBalances([account(number)])))
      assert.deepStrictEqual(
        answer.map(({ usdc }, index) => Number(usdc.get(account(index + 1)))),
        numbers
      )
      assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_call"])
    })
  )

  it.effect("is one search for all nonces that are spent, and a receipt for each transaction", () =>
    Effect.gen(function* () {
      const chain = fakeChain()
      const spend = (number: number): ReadonlyArray<FakeLog> => {
        const [payer, nonce, at] = [
          account(number),
          bytes32(number),
          { block: 900n, tx: bytes32(7), index: 2 * number }
        ]
        chain.spent.add(`${payer}${nonce}`)
        const used = { address: base.usdc.address, topics: [AUTHORIZATION_USED, topicOf(payer), nonce], ...at }
        const paid = { from: payer, to: account(99), value: BigInt(number), block: 900n, tx: 7, index: at.index + 1 }
        return [used, transfer(paid)]
      }
      chain.logs.push(...numbers.flatMap(spend))
      const { answer, sent } = yield* on(chain, (client) =>
        atOnce((number) =>
          client.readAuthorizations([{ payer: account(number), nonce: bytes32(number), fromBlock: 500n }])
        )
      )
      assert.deepStrictEqual(
        answer.map(({ outcomes: [outcome] }) => outcome?._tag === "Used" && Number(outcome.value)),
        numbers
      )
      const requests = ["eth_blockNumber", "eth_call", "eth_getLogs,eth_blockNumber", "eth_getTransactionReceipt"]
      assert.deepStrictEqual(sent, requests)
    })
  )

  it.effect("is one search for the mints of a token, of which each gets its own, from its own block on", () =>
    Effect.gen(function* () {
      const [chain, token] = [fakeChain(), account(500)]
      const mint = (number: number, block: bigint) => ({
        address: token,
        topics: [TRANSFER, topicOf(ZERO), topicOf(account(number))],
        data: bytes32(1),
        block,
        tx: bytes32(Number(block) * 1_000 + number)
      })
      chain.logs.push(...numbers.flatMap((number) => [mint(number, 100n), mint(number, 800n)]))
      const { answer, sent } = yield* on(chain, (client) =>
        atOnce((number) =>
          client.findMints({ token, recipient: account(number), fromBlock: number === 1 ? 50n : 500n })
        )
      )
      const blocks = answer.map((mints) => mints.map(({ block }) => block))
      assert.deepStrictEqual(blocks, [[100n, 800n], ...numbers.slice(1).map(() => [800n])])
      assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_getLogs,eth_getLogs,eth_blockNumber"])
    })
  )

  it.effect("costs none of them anything where one has no answer", () =>
    Effect.gen(function* () {
      const chain = fakeChain()
      chain.head = 5_000_000n
      const [payer, nonce] = [account(1), bytes32(1)]
      chain.spent.add(`${payer}${nonce}`)
      const { answer } = yield* on(chain, (client) =>
        Effect.all(
          [
            // The logs of so many blocks are not searched.
            Effect.exit(client.findMints({ token: account(500), recipient: payer, fromBlock: 0n })),
            Effect.exit(client.findMints({ token: account(500), recipient: payer, fromBlock: 4_999_900n }))
          ],
          { concurrency: "unbounded" }
        )
      )
      assert.isTrue(Exit.isFailure(answer[0]))
      assert.isTrue(Exit.isSuccess(answer[1]))
    })
  )
})
