import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { AUTHORIZATION_USED, topicOf } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { account, bytes32, fakeChain, type FakeLog, timeMs, transfer } from "./fakeChain.ts"
import { BACKUP, type Behaviour, fakeNodes, healthy, on, URL, warnings } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const [wallet, other, payer, payTo] = [account(1), account(2), account(3), account(4)]

describe("findDeposits", () => {
  const between = { wallets: [wallet, other], fromBlock: 100n, toBlock: 200n }

  test("finds what came into the wallets between two blocks, both included, oldest first", function* () {
    const chain = fakeChain()
    chain.logs.push(
      transfer({ from: payer, to: wallet, value: 1n, block: 99n }),
      transfer({ from: payer, to: wallet, value: 2n, block: 200n, index: 3 }),
      transfer({ from: payer, to: other, value: 3n, block: 200n, index: 2 }),
      transfer({ from: payer, to: wallet, value: 4n, block: 100n }),
      transfer({ from: wallet, to: payer, value: 5n, block: 150n }),
      transfer({ from: payer, to: wallet, value: 6n, block: 201n })
    )
    const { answer } = yield* on(chain, (client) => client.findDeposits(between))
    assert.deepStrictEqual(answer, [
      {
        wallet,
        from: payer,
        amount: usdc(4n),
        tx: bytes32(100),
        logIndex: 0,
        block: { number: 100n, timeMs: timeMs(chain, 100n) }
      },
      {
        wallet: other,
        from: payer,
        amount: usdc(3n),
        tx: bytes32(200),
        logIndex: 2,
        block: { number: 200n, timeMs: timeMs(chain, 200n) }
      },
      {
        wallet,
        from: payer,
        amount: usdc(2n),
        tx: bytes32(200),
        logIndex: 3,
        block: { number: 200n, timeMs: timeMs(chain, 200n) }
      }
    ])
  })

  test("leaves out transfers of nothing, and of a wallet to itself", function* () {
    const chain = fakeChain()
    chain.logs.push(
      transfer({ from: payer, to: wallet, value: 0n, block: 150n }),
      transfer({ from: wallet, to: wallet, value: 7n, block: 151n })
    )
    const { answer } = yield* on(chain, (client) => client.findDeposits(between))
    assert.deepStrictEqual(answer, [])
  })

  test("asks for each block's time once, three blocks in one HTTP request", function* () {
    const chain = fakeChain()
    for (let block = 100n; block < 150n; block++) {
      for (const index of [0, 1]) chain.logs.push(transfer({ from: payer, to: wallet, value: 1n, block, index }))
    }
    const { answer, sent } = yield* on(chain, (client) => client.findDeposits(between))
    assert.strictEqual(answer.length, 100)
    const blocks = sent.flatMap((methods) => methods.split(",")).filter((method) => method === "eth_getBlockByNumber")
    assert.strictEqual(blocks.length, 50)
    assert.strictEqual(sent.length, 1 + Math.ceil(50 / 3))
  })

  test("takes the time from the log where the node tells it there, and a time of zero for none", function* () {
    const chain = fakeChain()
    chain.logs.push(transfer({ from: payer, to: wallet, value: 1n, block: 100n }))
    const telling =
      (blockTimestamp: string): Behaviour =>
      (request, signal) => {
        const answer = healthy(chain)(request, signal)
        return request.method === "eth_getLogs"
          ? (answer as ReadonlyArray<object>).map((log) => ({ ...log, blockTimestamp }))
          : answer
      }
    const told = yield* on(telling("0x10"), (client) => client.findDeposits(between))
    assert.strictEqual(told.answer[0]?.block.timeMs, 16_000)
    assert.deepStrictEqual(told.sent, ["eth_getLogs,eth_blockNumber"])
    const untold = yield* on(telling("0x0"), (client) => client.findDeposits(between))
    assert.strictEqual(untold.answer[0]?.block.timeMs, timeMs(chain, 100n))
  })

  test("asks for 1,000 wallets at a time, and puts what it found in one order", function* () {
    const chain = fakeChain()
    const wallets = Array.from({ length: 2_500 }, (_, index) => account(index + 10))
    chain.logs.push(
      transfer({ from: payer, to: wallets[0]!, value: 1n, block: 160n }),
      transfer({ from: payer, to: wallets[2_499]!, value: 2n, block: 140n })
    )
    const { answer, sent } = yield* on(chain, (client) => client.findDeposits({ ...between, wallets }))
    assert.deepStrictEqual(
      answer.map(({ amount }) => amount),
      [usdc(2n), usdc(1n)]
    )
    assert.strictEqual(sent.filter((methods) => methods.includes("eth_getLogs")).length, 3)
  })

  test("asks nothing where there is no wallet", function* () {
    const { answer, sent } = yield* on(fakeChain(), (client) => client.findDeposits({ ...between, wallets: [] }))
    assert.deepStrictEqual([answer, sent], [[], []])
  })
})

describe("a search for transfers that balances tell of", () => {
  const range = { wallets: [wallet, other], fromBlock: 100n, toBlock: 200n }
  const [first, second, third] = [
    transfer({ from: payer, to: wallet, value: 2n, block: 150n }),
    transfer({ from: payer, to: wallet, value: 3n, block: 160n }),
    transfer({ from: payer, to: other, value: 4n, block: 155n })
  ]
  const holding = (...logs: ReadonlyArray<FakeLog>) => healthy({ ...fakeChain(), logs: [...logs] })
  const expecting = (value: bigint) => ({ ...range, atLeast: new Map([[wallet, usdc(value)]]) })
  const amounts = Effect.map((found: ReadonlyArray<{ readonly amount: bigint }>) =>
    found.map(({ amount }) => BigInt(amount))
  )

  test("asks the next node of the wallets whose logs fall short, and of no other", function* () {
    const nodes = fakeNodes({ [URL]: holding(first, third), [BACKUP]: holding(first, second) })
    const lines = yield* warnings(
      nodes.run((client) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* amounts(client.findDeposits(expecting(5n))), [2n, 4n, 3n])
        })
      )
    )
    assert.strictEqual(lines.filter((line) => line.includes("node.example lacks logs of transfers")).length, 1)
  })

  test("asks nothing more where the logs come to what is expected", function* () {
    const { sent } = yield* on(holding(first, second), (client) => client.findDeposits(expecting(5n)))
    assert.strictEqual(sent.filter((methods) => methods.includes("eth_getLogs")).length, 1)
  })

  effects(it, Incidents.layer)(
    "gives the fullest answer where none is full, and tells an operator after two minutes",
    function* () {
      const behaviours = { [URL]: holding(), [BACKUP]: holding(first) }
      yield* fakeNodes(behaviours).run((client) =>
        Effect.gen(function* () {
          const look = amounts(client.findDeposits(expecting(5n)))
          assert.deepStrictEqual(yield* look, [2n])
          yield* TestClock.adjust("2 minutes")
          yield* look
          assert.include((yield* Incidents.open)[0]?.words, `the balance of wallet ${wallet}`)
          behaviours[BACKUP] = holding(first, second)
          assert.deepStrictEqual(yield* look, [2n, 3n])
          assert.deepStrictEqual(yield* Incidents.open, [])
        })
      )
    }
  )

  test("does the same for what left a wallet", function* () {
    const spent = transfer({ from: wallet, to: payTo, value: 5n, block: 150n })
    const nodes = fakeNodes({ [URL]: holding(), [BACKUP]: holding(spent) })
    const found = yield* nodes.run((client) => amounts(client.findSpending(expecting(5n))))
    assert.deepStrictEqual(found, [5n])
  })
})

describe("findSpending", () => {
  test("tells each transfer's nonce in whatever order a transaction logs the two", function* () {
    const at = { block: 150n, tx: 0xaa }
    const use = (nonce: number, index: number): FakeLog => ({
      address: base.usdc.address,
      topics: [AUTHORIZATION_USED, topicOf(wallet), bytes32(nonce)],
      block: at.block,
      tx: bytes32(at.tx),
      index
    })
    const chain = fakeChain()
    chain.logs.push(
      transfer({ from: wallet, to: payTo, value: 1n, ...at, index: 0 }),
      use(1, 1),
      transfer({ from: wallet, to: payTo, value: 2n, ...at, index: 2 }),
      use(2, 3),
      transfer({ from: wallet, to: payTo, value: 3n, block: 151n })
    )
    const { answer } = yield* on(chain, (client) =>
      client.findSpending({ wallets: [wallet], fromBlock: 100n, toBlock: 200n })
    )
    assert.deepStrictEqual(
      answer.map(({ amount, nonce }) => [BigInt(amount), nonce]),
      [
        [1n, bytes32(1)],
        [2n, bytes32(2)],
        [3n, undefined]
      ]
    )
  })
})

describe("paidSince", () => {
  const paid = (value: bigint, block: bigint) => transfer({ from: payer, to: payTo, value, block })

  test("sums what went from payer to payee since a time, in confirmed blocks", function* () {
    const chain = fakeChain()
    chain.logs.push(
      paid(1n, 499n),
      paid(2n, 500n),
      paid(4n, 999n),
      paid(8n, 1_000n),
      transfer({ from: payer, to: other, value: 16n, block: 600n }),
      transfer({ from: other, to: payTo, value: 32n, block: 600n })
    )
    const { answer } = yield* on(chain, (client) => client.paidSince({ payer, payTo, sinceMs: timeMs(chain, 500n) }))
    assert.strictEqual(answer, usdc(6n))
  })

  test("finds where to start in two blocks where the chain keeps its pace", function* () {
    const chain = { ...fakeChain(), head: 1_000_000n }
    const { sent } = yield* on(chain, (client) => client.paidSince({ payer, payTo, sinceMs: timeMs(chain, 995_000n) }))
    assert.strictEqual(sent.filter((methods) => methods === "eth_getBlockByNumber").length, 2)
    assert.strictEqual(sent.filter((methods) => methods.includes("eth_getLogs")).length, 3)
  })

  test("finds where to start on a chain that is much faster than its network is said to be", function* () {
    const chain = { ...fakeChain(), head: 100_000n }
    chain.logs.push(paid(3n, 10n))
    // Ten blocks a second: blocks of the fake are 2 s apart, and the client is told that time runs 20 times slower.
    const fast: Behaviour = (request, signal) => {
      const answer = healthy(chain)(request, signal)
      return request.method === "eth_getBlockByNumber"
        ? { ...(answer as object), timestamp: `0x${((1_000_000 + Number(request.params[0]) / 10) | 0).toString(16)}` }
        : answer
    }
    const { answer } = yield* on(fast, (client) => client.paidSince({ payer, payTo, sinceMs: 1_000_001_000 }))
    assert.strictEqual(answer, usdc(3n))
  })

  test("starts from the first block where the time is before it, and finds nothing where it is to come", function* () {
    const chain = fakeChain()
    chain.logs.push(paid(1n, 0n), paid(2n, 999n))
    const sinceEver = yield* on(chain, (client) => client.paidSince({ payer, payTo, sinceMs: 0 }))
    assert.strictEqual(sinceEver.answer, usdc(3n))
    const sinceTomorrow = yield* on(chain, (client) =>
      client.paidSince({ payer, payTo, sinceMs: timeMs(chain, 50_000n) })
    )
    assert.strictEqual(sinceTomorrow.answer, usdc(0n))
  })
})
