import { assert, describe, it } from "@effect/vitest"
import { Effect, Struct } from "effect"
import { TestClock } from "effect/testing"
import type { Hex } from "viem"
import { isAskedFor, type Log, logsFor, receiptFor, type SentLog } from "../../src/chain/answers.ts"
import { AUTHORIZATION_USED, topicOf, TRANSFER } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { account, bytes32, fakeChain, timeMs, transfer } from "./fakeChain.ts"
import { BACKUP, type Behaviour, fakeNodes, healthy, URL, warnings } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const [wallet, payer, other] = [account(1), account(2), account(3)]

const log = (change: Partial<SentLog> = {}): SentLog => ({
  address: base.usdc.address,
  topics: [TRANSFER, topicOf(payer), topicOf(wallet)],
  data: bytes32(5),
  tx: bytes32(0xaa),
  logIndex: 3,
  block: 500n,
  blockHash: bytes32(500),
  timeMs: undefined,
  removed: false,
  ...change
})

const filter = {
  address: base.usdc.address,
  topics: [[TRANSFER, AUTHORIZATION_USED], null, [topicOf(other), topicOf(wallet)]],
  fromBlock: 400n,
  toBlock: 500n
}

const sent = (log: SentLog): Log => Struct.omit(log, ["removed"])

describe("the logs of an answer", () => {
  const strays: ReadonlyArray<readonly [string, Partial<SentLog>]> = [
    ["another contract", { address: other }],
    ["another event", { topics: [bytes32(9), topicOf(payer), topicOf(wallet)] }],
    ["another recipient", { topics: [TRANSFER, topicOf(payer), topicOf(payer)] }],
    ["too few topics", { topics: [TRANSFER, topicOf(payer)] }],
    ["a block before the range", { block: 399n, blockHash: bytes32(399) }],
    ["a block behind the range", { block: 501n, blockHash: bytes32(501) }]
  ]

  it.each(strays)("are doubtful where one is of %s than was asked for", (_, change) => {
    assert.isFalse(isAskedFor(filter, sent(log(change))))
    assert.throws(() => logsFor(filter, [log({ logIndex: 4 }), log(change)]), "a log that was not asked for")
  })

  it("are those that were asked for: any topic of a list, and anything where nothing is named", () => {
    const asked = [log(), log({ logIndex: 4, topics: [AUTHORIZATION_USED, bytes32(7), topicOf(other), bytes32(8)] })]
    assert.deepStrictEqual(logsFor(filter, asked), asked.map(sent))
  })

  it("are in the case that the node chose", () => {
    const shouted = TRANSFER.toUpperCase().replace("0X", "0x") as Hex
    assert.isTrue(isAskedFor({ ...filter, topics: [shouted] }, sent(log())))
  })

  it("count once each, and not at all where they were removed", () => {
    const twice = [log(), log({ logIndex: 4 }), log(), log({ logIndex: 4 })]
    assert.deepStrictEqual(logsFor(filter, twice), [sent(log()), sent(log({ logIndex: 4 }))])
    assert.deepStrictEqual(logsFor(filter, [log({ removed: true }), log({ logIndex: 4 })]), [
      sent(log({ logIndex: 4 }))
    ])
  })

  it("are doubtful where two of them cannot both be true", () => {
    assert.throws(() => logsFor(filter, [log(), log({ data: bytes32(6) })]), "two logs at block 500")
    assert.throws(() => logsFor(filter, [log(), log({ logIndex: 4, blockHash: bytes32(7) })]), "two blocks number 500")
  })
})

describe("a receipt", () => {
  const receipt = { tx: bytes32(0xaa), succeeded: true, block: 500n }

  it("counts its logs once each, without removed ones", () => {
    const logs = [log(), log(), log({ logIndex: 4, removed: true })]
    assert.deepStrictEqual(receiptFor(bytes32(0xaa), { ...receipt, logs }).logs, [sent(log())])
  })

  it("is doubtful where it is another transaction's, or holds logs of another", () => {
    assert.throws(() => receiptFor(bytes32(0xbb), { ...receipt, logs: [] }), "given that of")
    assert.throws(() => receiptFor(bytes32(0xaa), { ...receipt, logs: [log({ tx: bytes32(1) })] }), "holds a log of")
    assert.throws(() => receiptFor(bytes32(0xaa), { ...receipt, logs: [log({ block: 501n })] }), "holds a log of")
  })
})

describe("a node that answers more than it was asked", () => {
  const deposit = transfer({ from: payer, to: wallet, value: 5n, block: 500n })
  const chain = () => ({ ...fakeChain(), logs: [deposit] })
  const query = { wallets: [wallet], fromBlock: 400n, toBlock: 600n }

  /** Does something to each answer to `method`. */
  const changing =
    (method: string, change: (answer: never) => unknown): Behaviour =>
    (request, signal) => {
      const answer = healthy(chain())(request, signal)
      return request.method === method ? change(answer as never) : answer
    }

  const rpcLog = healthy({
    ...fakeChain(),
    logs: [transfer({ from: payer, to: other, value: 9n, block: 450n })]
  })({ id: 1, method: "eth_getLogs", params: [{ ...filter, fromBlock: "0x0", toBlock: "0xfff" }] }, null as never)

  const foreign = changing("eth_getLogs", (logs: ReadonlyArray<unknown>) => [...logs, ...(rpcLog as Array<unknown>)])

  test("is passed over for the next, with one warning", function* () {
    const nodes = fakeNodes({ [URL]: foreign, [BACKUP]: healthy(chain()) })
    const lines = yield* warnings(
      nodes.run((client) =>
        Effect.gen(function* () {
          for (let look = 0; look < 3; look++) {
            const found = yield* client.findDeposits(query)
            assert.deepStrictEqual(
              found.map(({ amount }) => BigInt(amount)),
              [5n]
            )
          }
        })
      )
    )
    assert.strictEqual(lines.length, 1)
    assert.include(lines[0], "A node is not believed")
    assert.include(lines[0], "a log that was not asked for: block 450")
  })

  effects(it, Incidents.layer)(
    "decides nothing where it is the only one, and is on the attention list after two minutes",
    function* () {
      const nodes = fakeNodes({ [URL]: foreign })
      yield* nodes.run((client) =>
        Effect.gen(function* () {
          const look = Effect.flip(client.findDeposits(query))
          assert.strictEqual((yield* look).reason, "Doubtful")
          assert.deepStrictEqual(yield* Incidents.open, [])
          yield* TestClock.adjust("2 minutes")
          yield* look
          const [incident] = yield* Incidents.open
          assert.include(incident?.words, 'No RPC URL answers "find deposits" in a way that can be believed')
        })
      )
    }
  )

  test("is believed about what it gives twice: each log counts once", function* () {
    const doubling = changing("eth_getLogs", (logs: ReadonlyArray<unknown>) => [...logs, ...logs])
    const found = yield* fakeNodes({ [URL]: doubling }).run((client) => client.findDeposits(query))
    assert.strictEqual(found.length, 1)
  })

  /** Well at the start, and then as `later` has it. */
  const turning = (later: Behaviour) => {
    const state = { isStarted: false }
    const behaviour: Behaviour = (request, signal) => (state.isStarted ? later : healthy(chain()))(request, signal)
    return { state, nodes: fakeNodes({ [URL]: behaviour, [BACKUP]: healthy(chain()) }) }
  }

  const stale: Behaviour = (request, signal) =>
    healthy(chain())(
      request.method === "eth_call" ? { ...request, params: [request.params[0], "0x1"] } : request,
      signal
    )

  const wrong: ReadonlyArray<readonly [string, Behaviour]> = [
    ["another block", changing("eth_getBlockByNumber", (block: object) => ({ ...block, number: "0x1f5" }))],
    ["the balances of another block", stale],
    ["nothing for one of the reads", healthy({ ...chain(), mute: "balanceOf" })]
  ]

  test.each(wrong)("is passed over where it gives %s", function* ([, later]) {
    const { state, nodes } = turning(later)
    const [deposits, balances] = yield* nodes.run((client) => {
      state.isStarted = true
      return Effect.all([client.findDeposits(query), client.readBalances([wallet])])
    })
    assert.strictEqual(deposits[0]?.block.timeMs, timeMs(chain(), 500n))
    assert.strictEqual(balances.block.number, 999n)
    assert.isTrue(nodes.sent.some(({ host }) => host === "backup.example"))
  })
})
