import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { AUTHORIZATION_CANCELED, AUTHORIZATION_USED, topicOf } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import type { Bytes32 } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { account, bytes32, type FakeChain, fakeChain, type FakeLog, transfer } from "./fakeChain.ts"
import { BACKUP, type Behaviour, fakeNodes, healthy, on, URL, warnings } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** A node that knows of no answer to this method. */
const without =
  (method: string, node: Behaviour): Behaviour =>
  (request, signal) =>
    request.method === method ? null : node(request, signal)

/** A node whose logs are all of blocks that are no more. */
const removing =
  (node: Behaviour): Behaviour =>
  (request, signal) => {
    const answer = node(request, signal)
    return request.method === "eth_getLogs"
      ? (answer as Array<object>).map((log) => ({ ...log, removed: true }))
      : answer
  }

/** A node that gives a log besides. */
const adding =
  (log: FakeLog, node: Behaviour): Behaviour =>
  (request, signal) => {
    const own = healthy({ ...fakeChain(), logs: [log] })
    const topics = { ...(request.params?.[0] as object), topics: [] }
    const more = request.method === "eth_getLogs" ? own({ ...request, params: [topics] }, signal) : []
    const answer = node(request, signal)
    return request.method === "eth_getLogs" ? [...(answer as Array<unknown>), ...(more as Array<unknown>)] : answer
  }

const reverting = (chain: FakeChain): FakeChain => {
  chain.reverted.add(bytes32(0xaa))
  return chain
}

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

  test("tells unused, used and cancelled nonces apart, in the order asked and in one block", function* () {
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

  test("asks for no log where every nonce is unused", function* () {
    const { answer, sent } = yield* on(fakeChain(), (client) => client.readAuthorizations([query(1), query(2)]))
    assert.deepStrictEqual(answer.outcomes, [{ _tag: "Unused" }, { _tag: "Unused" }])
    assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_call"])
  })

  test("takes the transfer that follows the nonce, of several payments in one transaction", function* () {
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

  test("explains nothing without the log, without the transfer, or by a transaction that reverted", function* () {
    const used = spending(AUTHORIZATION_USED, 1, { block: 500n, tx: 0xaa, index: 1 })
    const payment = { from: payer, to: payee, value: 1n, block: 500n, tx: 0xaa }
    const reverted = chainWith([1], used, transfer({ ...payment, index: 2 }))
    reverted.reverted.add(bytes32(0xaa))
    const chains = {
      "no log": chainWith([1]),
      "no transfer": chainWith([1], used),
      "another payer's": chainWith([1], used, transfer({ ...payment, from: other, index: 2 })),
      "another token's": chainWith([1], used, { ...transfer({ ...payment, index: 2 }), address: account(9) }),
      reverted
    }
    for (const [name, chain] of Object.entries(chains)) {
      const { answer } = yield* on(chain, (client) => client.readAuthorizations([query(1)]))
      assert.deepStrictEqual(answer.outcomes, [{ _tag: "Unexplained" }], name)
    }
  })

  const used = (index: number) => spending(AUTHORIZATION_USED, 1, { block: 500n, tx: 0xaa, index })
  const payment = { from: payer, to: payee, value: 5n, block: 500n, tx: 0xaa }

  test("needs no index that two answers agree on, and no order of the events", function* () {
    const elsewhere: Behaviour = (request, signal) => {
      const index = request.method === "eth_getLogs" ? 7 : 1
      return healthy(chainWith([1], used(index), transfer({ ...payment, index: index + 1 })))(request, signal)
    }
    const behind = chainWith([1], used(1), transfer({ ...payment, index: 0 }))
    for (const node of [elsewhere, healthy(behind)]) {
      const { answer } = yield* on(node, (client) => client.readAuthorizations([query(1)]))
      assert.deepInclude(answer.outcomes[0] as object, { _tag: "Used", to: payee, value: 5n })
    }
  })

  test("takes the transfer that was signed, of several that the payer made in one transaction", function* () {
    const chain = chainWith(
      [1],
      used(1),
      transfer({ ...payment, to: other, value: 9n, index: 2 }),
      transfer({ ...payment, index: 3 })
    )
    const signed = { ...query(1), expected: { to: payee, value: usdc(5n) } }
    const { answer } = yield* on(chain, (client) => client.readAuthorizations([signed]))
    assert.deepInclude(answer.outcomes[0] as object, { _tag: "Used", to: payee, value: 5n })
  })

  describe("where a node lacks what its own state tells", () => {
    const whole = chainWith([1], used(1), transfer({ ...payment, index: 2 }))
    const short: ReadonlyArray<readonly [string, Behaviour]> = [
      ["has no log of it", healthy(chainWith([1]))],
      ["gives every log as removed", removing(healthy(whole))],
      ["gives a log that was not asked for", adding(transfer({ ...payment, index: 9 }), healthy(whole))],
      ["has no receipt", without("eth_getTransactionReceipt", healthy(whole))],
      ["has a receipt without the transfer", healthy(chainWith([1], used(1)))],
      [
        "says that the transaction reverted",
        healthy(reverting(chainWith([1], used(1), transfer({ ...payment, index: 2 }))))
      ],
      ["tells it in two ways", healthy(chainWith([1], used(1), { ...used(1), tx: bytes32(0xcc), index: 4 }))]
    ]

    test.each(short)("asks the next one: it %s", function* ([, behaviour]) {
      const nodes = fakeNodes({ [URL]: behaviour, [BACKUP]: healthy(whole) })
      const lines = yield* warnings(
        nodes.run((client) =>
          Effect.gen(function* () {
            const { outcomes } = yield* client.readAuthorizations([query(1), query(2)])
            assert.deepInclude(outcomes[0] as object, { _tag: "Used", value: 5n })
            assert.deepStrictEqual(outcomes[1], { _tag: "Unused" })
          })
        )
      )
      assert.isAtMost(lines.length, 2)
    })

    it.effect.each(short)("leaves that nonce open and no other where no node explains it: it %s", ([, behaviour]) =>
      Effect.gen(function* () {
        yield* fakeNodes({ [URL]: behaviour, [BACKUP]: behaviour }).run((client) =>
          Effect.gen(function* () {
            const look = client.readAuthorizations([query(1), query(2)])
            const tags = Effect.map(look, ({ outcomes }) => outcomes.map(({ _tag }) => _tag))
            assert.deepStrictEqual(yield* tags, ["Unexplained", "Unused"])
            assert.deepStrictEqual(yield* Incidents.open, [])
            yield* TestClock.adjust("2 minutes")
            yield* tags
            const words = (yield* Incidents.open).map((incident) => incident.words).join()
            assert.include(words, `No RPC URL explains how nonce ${nonce(1)} of wallet ${payer} was spent`)
          })
        )
      }).pipe(Effect.provide(Incidents.layer))
    )

    effects(it, Incidents.layer)("takes it off the list when a node explains it", function* () {
      const behaviours = { [URL]: healthy(chainWith([1])) }
      yield* fakeNodes(behaviours).run((client) =>
        Effect.gen(function* () {
          yield* client.readAuthorizations([query(1)])
          yield* TestClock.adjust("3 minutes")
          yield* client.readAuthorizations([query(1)])
          assert.strictEqual((yield* Incidents.open).length, 1)
          behaviours[URL] = healthy(whole)
          yield* client.readAuthorizations([query(1)])
          assert.deepStrictEqual(yield* Incidents.open, [])
        })
      )
    })
  })

  test("looks up 100 payments in one call for the states, one for the logs and a third of them for the receipts", function* () {
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

  test("finds the others where one nonce is too old to search for", function* () {
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
})
