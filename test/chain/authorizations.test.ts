import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AUTHORIZATION_CANCELED, AUTHORIZATION_USED, topicOf } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import type { Bytes32 } from "../../src/domain/Address.ts"
import { account, bytes32, fakeChain, type FakeLog, transfer } from "./fakeChain.ts"
import { on } from "./fakeNodes.ts"

describe("readAuthorizations", () => {
  const [payer, other, payee] = [account(1), account(2), account(3)]
  const nonce = (number: number) => bytes32(0x1000 + number)

  const spending = (event: Bytes32, number: number, place: { block: bigint; tx: number; index: number }): FakeLog => ({
    address: base.usdc.address,
    topics: [event, topicOf(payer), nonce(number)],
    block: place.block,
    tx: bytes32(place.tx),
    index: place.index
  })

  const query = (number: number) => ({ payer, nonce: nonce(number), fromBlock: 100n })

  const chainWith = (spent: ReadonlyArray<number>, ...logs: ReadonlyArray<FakeLog>) => {
    const chain = fakeChain()
    for (const number of spent) chain.spent.add(`${payer}${nonce(number)}`)
    chain.logs.push(...logs)
    return chain
  }

  it.effect("tells unused, used and cancelled nonces apart, in the order asked and in one block", () =>
    Effect.gen(function* () {
      const chain = chainWith(
        [2, 3],
        spending(AUTHORIZATION_USED, 2, { block: 500n, tx: 0xaa, index: 7 }),
        transfer({ from: payer, to: payee, value: 5_000_000n, block: 500n, tx: 0xaa, index: 8 }),
        spending(AUTHORIZATION_CANCELED, 3, { block: 501n, tx: 0xbb, index: 0 })
      )
      const { answer, sent } = yield* on(chain, (client) => client.readAuthorizations([query(3), query(1), query(2)]))
      assert.strictEqual(answer.block.number, 999n)
      assert.deepStrictEqual(answer.outcomes, [
        { _tag: "Canceled", tx: bytes32(0xbb), block: 501n },
        { _tag: "Unused" },
        { _tag: "Used", tx: bytes32(0xaa), block: 500n, to: payee, value: 5_000_000n } as never
      ])
      assert.deepStrictEqual(sent, [
        "eth_blockNumber",
        "eth_call",
        "eth_getLogs,eth_blockNumber",
        "eth_getTransactionReceipt"
      ])
    })
  )

  it.effect("asks for no log where every nonce is unused", () =>
    Effect.gen(function* () {
      const { answer, sent } = yield* on(fakeChain(), (client) => client.readAuthorizations([query(1), query(2)]))
      assert.deepStrictEqual(answer.outcomes, [{ _tag: "Unused" }, { _tag: "Unused" }])
      assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_call"])
    })
  )

  it.effect("takes the transfer that follows the nonce, of several payments in one transaction", () =>
    Effect.gen(function* () {
      const at = { block: 500n, tx: 0xaa }
      const chain = chainWith(
        [1, 2],
        spending(AUTHORIZATION_USED, 1, { ...at, index: 0 }),
        transfer({ from: payer, to: payee, value: 1n, ...at, index: 1 }),
        transfer({ from: other, to: payee, value: 9n, ...at, index: 2 }),
        spending(AUTHORIZATION_USED, 2, { ...at, index: 3 }),
        transfer({ from: other, to: payee, value: 9n, ...at, index: 4 }),
        transfer({ from: payer, to: other, value: 2n, ...at, index: 5 })
      )
      const { answer, sent } = yield* on(chain, (client) => client.readAuthorizations([query(1), query(2)]))
      assert.deepInclude(answer.outcomes[0] as object, { _tag: "Used", to: payee, value: 1n })
      assert.deepInclude(answer.outcomes[1] as object, { _tag: "Used", to: other, value: 2n })
      assert.strictEqual(sent.filter((methods) => methods.includes("eth_getTransactionReceipt")).length, 1)
    })
  )

  it.effect("explains nothing without the log, without the transfer, or by a transaction that reverted", () =>
    Effect.gen(function* () {
      const used = spending(AUTHORIZATION_USED, 1, { block: 500n, tx: 0xaa, index: 1 })
      const payment = { from: payer, to: payee, value: 1n, block: 500n, tx: 0xaa }
      const reverted = chainWith([1], used, transfer({ ...payment, index: 2 }))
      reverted.reverted.add(bytes32(0xaa))
      const chains = {
        "no log": chainWith([1]),
        "no transfer": chainWith([1], used),
        "a transfer before it": chainWith([1], transfer({ ...payment, index: 0 }), used),
        "another token's": chainWith([1], used, { ...transfer({ ...payment, index: 2 }), address: account(9) }),
        reverted
      }
      for (const [name, chain] of Object.entries(chains)) {
        const { answer } = yield* on(chain, (client) => client.readAuthorizations([query(1)]))
        assert.deepStrictEqual(answer.outcomes, [{ _tag: "Unexplained" }], name)
      }
    })
  )

  it.effect(
    "looks up 100 payments in one call for the states, one for the logs and a third of them for the receipts",
    () =>
      Effect.gen(function* () {
        const numbers = Array.from({ length: 100 }, (_, index) => index)
        const logs = numbers.flatMap((number) => {
          const at = { block: 500n + BigInt(number), tx: 0x500 + number }
          return [
            spending(AUTHORIZATION_USED, number, { ...at, index: 0 }),
            transfer({ from: payer, to: payee, value: BigInt(number), ...at, index: 1 })
          ]
        })
        const { answer, sent } = yield* on(chainWith(numbers, ...logs), (client) =>
          client.readAuthorizations(numbers.map(query))
        )
        answer.outcomes.forEach((outcome, index) =>
          assert.deepInclude(outcome as object, { _tag: "Used", value: BigInt(index) })
        )
        assert.strictEqual(sent.length, 3 + Math.ceil(100 / 3))
      })
  )

  it.effect("finds the others where one nonce is too old to search for", () =>
    Effect.gen(function* () {
      const head = 5_000_000n
      const chain = chainWith(
        [1, 2],
        spending(AUTHORIZATION_CANCELED, 1, { block: 10n, tx: 0xaa, index: 0 }),
        spending(AUTHORIZATION_CANCELED, 2, { block: head - 100n, tx: 0xbb, index: 0 })
      )
      chain.head = head
      const { answer } = yield* on(chain, (client) =>
        client.readAuthorizations([
          { payer, nonce: nonce(1), fromBlock: 0n },
          { payer, nonce: nonce(2), fromBlock: head - 200n }
        ])
      )
      assert.deepStrictEqual(
        answer.outcomes.map(({ _tag }) => _tag),
        ["Unexplained", "Canceled"]
      )
    })
  )
})
