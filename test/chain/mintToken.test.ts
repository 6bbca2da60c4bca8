import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { concat, encodeAbiParameters, type Hex, toEventSelector, toFunctionSelector } from "viem"
import type { Mint } from "../../src/chain/ChainClient.ts"
import { topicOf, TRANSFER } from "../../src/chain/usdc.ts"
import { type Address, address, ZERO } from "../../src/domain/Address.ts"
import { account, bytes32, fakeChain, type FakeLog, Refusal } from "./fakeChain.ts"
import { type Behaviour, healthy, on } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const [token, recipient, other] = [account(1), account(2), account(3)]

const WHOLE = 10n ** 18n

const data = (...words: ReadonlyArray<bigint>): Hex => concat(words.map((word) => bytes32(word)))

const place = (block: bigint, index: number) => ({ address: token, block, tx: bytes32(Number(block)), index })

const minted = (to: Address, block: bigint, index: number, amount = WHOLE): FakeLog => ({
  ...place(block, index),
  topics: [toEventSelector("TokensMinted(address,uint256,bytes32)"), topicOf(to)],
  data: data(amount, 1n)
})

const erc20 = (from: Address, to: Address, block: bigint, index: number, value = WHOLE): FakeLog => ({
  ...place(block, index),
  topics: [TRANSFER, topicOf(from), topicOf(to)],
  data: data(value)
})

const erc721 = (from: Address, to: Address, block: bigint, index: number, piece = index): FakeLog => ({
  ...place(block, index),
  topics: [TRANSFER, topicOf(from), topicOf(to), bytes32(piece)]
})

const consecutive = (from: Address, to: Address, block: bigint, first: bigint, last: bigint): FakeLog => ({
  ...place(block, 0),
  topics: [
    toEventSelector("ConsecutiveTransfer(uint256,uint256,address,address)"),
    bytes32(first),
    topicOf(from),
    topicOf(to)
  ],
  data: data(last)
})

const single = (from: Address, to: Address, block: bigint, index: number, value: bigint): FakeLog => ({
  ...place(block, index),
  topics: [
    toEventSelector("TransferSingle(address,address,address,uint256,uint256)"),
    topicOf(other),
    topicOf(from),
    topicOf(to)
  ],
  data: data(7n, value)
})

const batch = (from: Address, to: Address, block: bigint, values: ReadonlyArray<bigint>): FakeLog => ({
  ...single(from, to, block, 0, 0n),
  topics: [
    toEventSelector("TransferBatch(address,address,address,uint256[],uint256[])"),
    topicOf(other),
    topicOf(from),
    topicOf(to)
  ],
  data: encodeAbiParameters(
    [{ type: "uint256[]" }, { type: "uint256[]" }],
    [values.map((_, index) => BigInt(index)), values]
  )
})

/** What names a mint and its place, without the kind of event that told of it. */
const places = (mints: ReadonlyArray<Mint>) =>
  mints.map(({ tx, part, logIndex, block }) => ({ tx, part, logIndex, block }))

/** `count` mints of one event, the first of them numbered `part` in its transaction. */
const found = (block: bigint, logIndex: number, part = 0, count = 1) =>
  Array.from({ length: count }, (_, index) => ({ tx: bytes32(Number(block)), part: part + index, logIndex, block }))

interface Find {
  readonly fromBlock?: bigint
  readonly portion?: bigint
  readonly stock?: Array<Address>
  readonly head?: bigint
}

describe("findMints", () => {
  const find = (logs: ReadonlyArray<FakeLog>, { fromBlock = 0n, portion, stock = [], head = 1_000n }: Find = {}) => {
    const chain = { ...fakeChain(), head }
    chain.logs.push(...logs)
    const settings = { mintStock: new Map([[token, stock]]) }
    return on(chain, (client) => client.findMints({ token, recipient, fromBlock, portion }), settings).pipe(
      Effect.map(({ answer }) => places(answer))
    )
  }

  test("counts a mint once that is told by TokensMinted and by the Transfer beside it", function* () {
    const logs = [
      erc20(ZERO, recipient, 5n, 1),
      minted(recipient, 5n, 2),
      erc20(ZERO, recipient, 5n, 3),
      minted(recipient, 5n, 4),
      minted(recipient, 6n, 0)
    ]
    const mints = [...found(5n, 2), ...found(5n, 4, 1), ...found(6n, 0)]
    assert.deepStrictEqual(yield* find(logs), mints)
    assert.deepStrictEqual(yield* find(logs, { portion: WHOLE }), mints)
  })

  test("counts the transfers of a transaction though another transaction has TokensMinted", function* () {
    const logs = [minted(recipient, 5n, 0), erc20(ZERO, recipient, 6n, 0), erc20(ZERO, recipient, 7n, 0)]
    assert.deepStrictEqual(yield* find(logs), [...found(5n, 0), ...found(6n, 0), ...found(7n, 0)])
  })

  test("gives a mint the same name whichever of its events a node leaves out, and at whatever index it has them", function* () {
    const whole = [erc20(ZERO, recipient, 5n, 1), minted(recipient, 5n, 2)]
    const names = (mints: ReadonlyArray<Mint>) => mints.map(({ tx, part }) => ({ tx, part }))
    const answers = [whole, whole.slice(0, 1), whole.slice(1), whole.map((log) => ({ ...log, index: log.index! + 40 }))]
    for (const logs of answers) {
      assert.deepStrictEqual(names(yield* find(logs)), [{ tx: bytes32(5), part: 0 }])
    }
  })

  test("counts events where nothing says how much a mint is, but none that moved nothing", function* () {
    const logs = [erc20(ZERO, recipient, 5n, 0, 10n * WHOLE), erc20(ZERO, recipient, 5n, 1, 0n)]
    assert.deepStrictEqual(yield* find([...logs, erc721(ZERO, recipient, 6n, 1)]), [...found(5n, 0), ...found(6n, 1)])
  })

  test("counts as many mints as an event has portions, and dust as none", function* () {
    const dust = Array.from({ length: 12 }, (_, index) => erc20(ZERO, recipient, 4n, index, 10n ** 15n))
    const bought = [
      erc20(ZERO, recipient, 5n, 0, 10n * WHOLE),
      erc20(ZERO, recipient, 6n, 0, 2n * WHOLE - 1n),
      minted(recipient, 7n, 1, 3n * WHOLE),
      erc20(ZERO, recipient, 7n, 0, 3n * WHOLE)
    ]
    const mints = [...found(5n, 0, 0, 10), ...found(6n, 0), ...found(7n, 1, 0, 3)]
    assert.deepStrictEqual(yield* find([...dust, ...bought], { portion: WHOLE }), mints)
  })

  test("counts each numbered piece once, whatever a portion is, by itself or in a range", function* () {
    const pieces = [1, 2, 3].map((piece) => erc721(ZERO, recipient, 5n, piece))
    const range = [consecutive(ZERO, recipient, 6n, 10n, 14n), erc721(ZERO, recipient, 6n, 1, 14)]
    const logs = [...pieces, ...range, erc721(ZERO, recipient, 6n, 2, 15)]
    const mints = [
      ...[1, 2, 3].flatMap((index) => found(5n, index, index - 1)),
      ...found(6n, 0, 0, 5),
      ...found(6n, 2, 5)
    ]
    assert.deepStrictEqual(yield* find(logs, { portion: WHOLE }), mints)
  })

  test("counts the values of ERC-1155 transfers, alone and in a batch", function* () {
    const logs = [single(ZERO, recipient, 5n, 0, 4n), batch(ZERO, recipient, 6n, [1n, 0n, 2n])]
    assert.deepStrictEqual(yield* find(logs), [...found(5n, 0, 0, 4), ...found(6n, 0, 0, 3)])
    assert.deepStrictEqual(yield* find([{ ...logs[1]!, data: data(64n) }]), [])
  })

  test("counts what an address of MINT_STOCK sells, and what others send not", function* () {
    const seller = account(4)
    const from = (sender: Address) => [
      erc20(sender, recipient, 5n, 0),
      erc721(sender, recipient, 6n, 0),
      single(sender, recipient, 7n, 0, 1n),
      consecutive(sender, recipient, 8n, 1n, 1n)
    ]
    const mints = [5n, 6n, 7n, 8n].flatMap((block) => found(block, 0))
    assert.deepStrictEqual(yield* find(from(seller), { stock: [seller] }), mints)
    assert.deepStrictEqual(yield* find(from(seller)), [])
    assert.deepStrictEqual(yield* find(from(other), { stock: [seller] }), [])
    assert.deepStrictEqual(yield* find([erc20(ZERO, recipient, 5n, 0)], { stock: [seller] }), found(5n, 0))
  })

  test("never makes more mints of an event than an order can have, whatever it says", function* () {
    const absurd = [
      single(ZERO, recipient, 5n, 0, 2n ** 256n - 1n),
      batch(ZERO, recipient, 6n, [2n ** 256n - 1n, 2n ** 256n - 1n]),
      consecutive(ZERO, recipient, 7n, 0n, 2n ** 256n - 1n),
      erc20(ZERO, recipient, 8n, 0, 2n ** 256n - 1n)
    ]
    assert.deepStrictEqual(
      yield* find(absurd, { portion: 1n }),
      [5n, 6n, 7n, 8n].flatMap((block) => found(block, 0, 0, 1_000))
    )
    const many = Array.from({ length: 300 }, (_, index) => single(ZERO, recipient, BigInt(index), 0, 10n ** 30n))
    assert.strictEqual((yield* find(many)).length, 100_200)
  })

  test("counts nothing that was bought, that another got, or that another contract logged", function* () {
    const logs = [
      erc20(other, recipient, 5n, 0),
      erc20(ZERO, other, 5n, 1),
      minted(other, 5n, 2),
      single(other, recipient, 5n, 3, 1n),
      single(ZERO, other, 5n, 4, 1n),
      { ...minted(recipient, 5n, 5), address: other }
    ]
    assert.deepStrictEqual(yield* find(logs), [])
  })

  test("counts the same in many blocks, of which only mints are asked for, as in few", function* () {
    const seller = account(4)
    const logs = [
      erc20(seller, recipient, 5n, 0),
      erc20(recipient, other, 5n, 1),
      erc20(recipient, ZERO, 5n, 2),
      erc721(ZERO, recipient, 6n, 0),
      erc721(recipient, seller, 6n, 1),
      single(ZERO, recipient, 7n, 0, 1n),
      single(recipient, other, 7n, 1, 1n),
      consecutive(ZERO, recipient, 8n, 1n, 1n),
      minted(recipient, 9n, 0)
    ]
    const mints = [5n, 6n, 7n, 8n, 9n].flatMap((block) => found(block, 0))
    for (const head of [1_000n, 5_000n]) assert.deepStrictEqual(yield* find(logs, { stock: [seller], head }), mints)
  })

  test("counts no transfer between two people whose mints are searched at once", function* () {
    const chain = fakeChain()
    chain.logs.push(erc20(ZERO, recipient, 5n, 0), erc20(recipient, other, 6n, 0), single(recipient, other, 7n, 0, 1n))
    const { answer } = yield* on(chain, ({ findMints }) =>
      Effect.forEach([recipient, other], (to) => findMints({ token, recipient: to, fromBlock: 0n }), {
        concurrency: "unbounded"
      })
    )
    assert.deepStrictEqual(answer.map(places), [found(5n, 0), []])
    assert.strictEqual(answer[0]?.[0]?.event, "Transfer")
  })

  test("asks for no logs where the first block is beyond the last that counts", function* () {
    const { answer, sent } = yield* on(fakeChain(), ({ findMints }) =>
      findMints({ token, recipient, fromBlock: 1_000n })
    )
    assert.deepStrictEqual(answer, [])
    assert.deepStrictEqual(sent, ["eth_blockNumber"])
  })

  test("begins with the block that is asked for and ends with the confirmed one", function* () {
    const logs = [99n, 100n, 999n, 1_000n].map((block) => minted(recipient, block, 0))
    assert.deepStrictEqual(yield* find(logs, { fromBlock: 100n }), [...found(100n, 0), ...found(999n, 0)])
  })
})

describe("readPortion", () => {
  test("is what the token says, else what is set for it", function* () {
    const portion = (said: Record<string, bigint>, set: bigint | undefined) => {
      const chain = fakeChain()
      for (const [name, value] of Object.entries(said)) chain.supply.set(name, value)
      const mintPortions = new Map(set === undefined ? [] : [[token, set] as const])
      return on(chain, (client) => client.readPortion(token), { mintPortions }).pipe(Effect.map(({ answer }) => answer))
    }
    assert.strictEqual(yield* portion({ MINT_AMOUNT: 3n, mintAmount: 4n }, 5n), 3n)
    assert.strictEqual(yield* portion({ MINT_AMOUNT: 0n, mintAmount: 4n }, 5n), 4n)
    assert.strictEqual(yield* portion({}, 5n), 5n)
    assert.isUndefined(yield* portion({ mintAmount: 0n }, undefined))
  })
})

describe("readRemainingSupply", () => {
  const remaining = (supply: Record<string, bigint>, mintPortions: ReadonlyMap<Address, bigint> = new Map()) => {
    const chain = fakeChain()
    for (const [name, value] of Object.entries(supply)) chain.supply.set(name, value)
    return on(chain, (client) => client.readRemainingSupply(token), { mintPortions }).pipe(
      Effect.map(({ answer }) => answer)
    )
  }

  test("is the limit of mints less those that were made, whatever else the token says, and never less than 0", function* () {
    const inBaseUnits = { remainingSupply: 3n * WHOLE, MINT_AMOUNT: WHOLE }
    assert.strictEqual(yield* remaining({ ...inBaseUnits, maxMintCount: 100n, mintCount: 99n }), 1n)
    assert.strictEqual(yield* remaining({ maxMintCount: 100n, mintCount: 1n }), 99n)
    assert.strictEqual(yield* remaining({ maxMintCount: 100n, mintCount: 101n }), 0n)
  })

  test("is else what remains in base units, divided by the portion of one mint", function* () {
    for (const portion of ["MINT_AMOUNT", "mintAmount"]) {
      assert.strictEqual(yield* remaining({ remainingSupply: 3n * WHOLE, [portion]: WHOLE }), 3n)
      assert.strictEqual(yield* remaining({ remainingSupply: 2n * WHOLE - 1n, [portion]: WHOLE }), 1n)
      assert.strictEqual(yield* remaining({ remainingSupply: 0n, [portion]: WHOLE }), 0n)
    }
    const set = new Map([[token, WHOLE]])
    assert.strictEqual(yield* remaining({ remainingSupply: 3n * WHOLE, mintCount: 7n }, set), 3n)
    assert.strictEqual(yield* remaining({ remainingSupply: 6n * WHOLE, mintAmount: 2n * WHOLE }, set), 3n)
  })

  test("is in pieces where the token tells no portion, and where its pieces have numbers", function* () {
    assert.strictEqual(yield* remaining({ remainingSupply: 3n }), 3n)
    assert.strictEqual(yield* remaining({ remainingSupply: 3n, mintAmount: 0n }), 3n)
    assert.strictEqual(yield* remaining({ remainingSupply: 3n, mintAmount: 2n, supportsInterface: 1n }), 3n)
  })

  test("is unknown where the token does not tell its limit, or says that it has none", function* () {
    assert.isUndefined(yield* remaining({}))
    assert.isUndefined(yield* remaining({ mintCount: 5n }))
    assert.isUndefined(yield* remaining({ maxMintCount: 5n }))
    assert.isUndefined(yield* remaining({ maxMintCount: 0n, mintCount: 5n }))
    assert.isUndefined(yield* remaining({ maxMintCount: 0n, mintCount: 5n, remainingSupply: 0n }))
    assert.strictEqual(yield* remaining({ maxMintCount: 0n, mintCount: 5n, remainingSupply: 2n }), 2n)
  })

  test("is one call, and one for each answer that is missing, whatever another token does", function* () {
    const chain = fakeChain()
    chain.supply.set("remainingSupply", 7n)
    const views = ["maxMintCount", "mintCount", "remainingSupply"].map((view) =>
      toFunctionSelector(`${view}()`).slice(2)
    )
    const second = address(`0x${"ab".repeat(20)}`)
    // It takes all the gas of a call that asks it more than one thing.
    const greedy: Behaviour = (request, signal) => {
      const data = JSON.stringify(request)
      const isAsked = data.includes(second.slice(2)) && views.filter((view) => data.includes(view)).length > 1
      return isAsked ? new Refusal(-32000, "out of gas") : healthy(chain)(request, signal)
    }
    const { answer, sent } = yield* on(greedy, ({ readRemainingSupply }) =>
      Effect.forEach([token, second], readRemainingSupply, { concurrency: "unbounded" })
    )
    assert.deepStrictEqual(answer, [7n, 7n])
    const calls = (count: number) => Array.from({ length: count }, () => "eth_call").join()
    assert.deepStrictEqual(sent.slice(0, 4), ["eth_blockNumber", calls(2), calls(3), calls(3)])
  })
})
