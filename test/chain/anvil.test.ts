import { assert, describe, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { encodeFunctionData, type Hex, parseAbi } from "viem"
import { ChainClient, WrongChain } from "../../src/chain/ChainClient.ts"
import { local } from "../../src/config/Network.ts"
import type { Address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Clocks from "../../src/ops/Clocks.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { roles } from "../../src/sandbox/DevChain.ts"
import { freePort } from "../../src/sandbox/Anvil.ts"
import { mintTokenAbi } from "../../src/sandbox/mintToken.ts"
import {
  act,
  addressOf,
  authorizationOf,
  cancel,
  Chain,
  clientOf,
  pay,
  person,
  sent,
  services,
  signedData,
  submit,
  transferData,
  USDC,
  walletOf
} from "./anvilChain.ts"
import { account, bytes32 } from "./fakeChain.ts"
import { warnings } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

/** Source: Circle's `Pausable.sol` and `Blacklistable.sol`. */
const usdcOffices = parseAbi([
  "function pause()",
  "function unpause()",
  "function blacklist(address account)",
  "function unBlacklist(address account)"
])

layer(services, { timeout: "30 seconds", excludeTestServices: true })("on a real chain with Circle's USDC", (it) => {
  const test = effects(it)

  describe("the start", () => {
    test("accepts USDC that is what payments are signed for, and knows the first block", function* () {
      const { client } = yield* Chain
      const { genesis } = yield* ChainClient
      const first = yield* Effect.promise(() => client.getBlock({ blockNumber: 0n }))
      assert.strictEqual(genesis, first.hash)
    })

    test("is refused for another name, another chain, and a contract that is not USDC", function* () {
      const { rpcUrl } = yield* Chain
      const wrong = [
        [{ ...local, usdc: { ...local.usdc, name: "USD Coin" } }, `signed for name "USD Coin"`],
        [{ ...local, chainId: 8453 }, "leads to chain 31337"],
        [{ ...local, usdc: { ...local.usdc, address: Contracts.TOKEN } }, `says that its name is "Sandbox Mint"`],
        [
          { ...local, usdc: { ...local.usdc, address: addressOf(roles.customer) } },
          "tells no name and no version and no domain separator: it is not USDC"
        ]
      ] as const
      for (const [network, words] of wrong) {
        const error = yield* Effect.flip(
          ChainClient.use(({ genesis }) => Effect.succeed(genesis)).pipe(Effect.provide(clientOf(network, [rpcUrl])))
        )
        assert.instanceOf(error, WrongChain)
        assert.include(error.message, words)
      }
    })

    test("goes ahead on the second URL where nobody listens at the first", function* () {
      const { rpcUrl } = yield* Chain
      const nobody = `127.0.0.1:${yield* freePort(0)}`
      const start = ChainClient.use(({ confirmedBlock }) => confirmedBlock).pipe(
        Effect.provide(clientOf(local, [`http://${nobody}/`, rpcUrl]))
      )
      const [warning] = yield* warnings(start)
      assert.include(warning, `No answer from a node of LOCAL_RPC_URL: ${nobody}: Unavailable (connect ECONNREFUSED`)
    })
  })

  describe("balances", () => {
    test("are those of one block that has another on it", function* () {
      const chain = yield* Chain
      const { readBalances } = yield* ChainClient
      const [first, second] = [addressOf(person(1)), addressOf(person(2))]
      yield* pay(first, 5_000_000n)
      const payment = { to: USDC, data: transferData(second, 7n) }
      const { blockNumber } = yield* chain.receipt("pay", yield* chain.send("pay", roles.customer, payment))

      const before = yield* readBalances([first, second])
      assert.strictEqual(before.block.number, blockNumber - 1n)
      assert.deepStrictEqual(
        [...before.usdc],
        [
          [first, usdc(5_000_000n)],
          [second, usdc(0n)]
        ]
      )

      yield* chain.mine(1)
      const after = yield* readBalances([first, second])
      const block = yield* Effect.promise(() => chain.client.getBlock({ blockNumber }))
      assert.deepStrictEqual(after.block, { number: blockNumber, timeMs: Number(block.timestamp) * 1000 })
      assert.strictEqual(after.usdc.get(second), usdc(7n))
    })

    test("of 1,000 wallets take four HTTP requests", function* () {
      const { readBalances } = yield* ChainClient
      const wallets = Array.from({ length: 1_000 }, (_, index) => account(index + 1))
      sent.length = 0
      const { usdc: balances } = yield* readBalances(wallets)
      assert.strictEqual(balances.size, 1_000)
      assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_call", "eth_call", "eth_call"])
    })
  })

  describe("authorizations", () => {
    test("are used, cancelled or unused, and a payment is known by its transaction, payee and amount", function* () {
      const { readAuthorizations, readHashes, confirmedBlock } = yield* ChainClient
      const wallet = walletOf(3)
      const payer = wallet.agentAddress
      yield* pay(payer, 10_000_000n)
      const { number: fromBlock } = yield* confirmedBlock
      const paid = yield* submit(wallet, authorizationOf(wallet, Contracts.TOKEN, 4_000_000n, 31))
      const canceled = yield* cancel(person(3), bytes32(32))
      const { outcomes } = yield* readAuthorizations(
        [33, 32, 31].map((nonce) => ({ payer, nonce: bytes32(nonce), fromBlock }))
      )
      const [blockHash] = yield* readHashes([paid.block])
      assert.deepStrictEqual(outcomes, [
        { _tag: "Unused" },
        { _tag: "Canceled", ...canceled },
        { _tag: "Used", ...paid, blockHash, to: Contracts.TOKEN, value: usdc(4_000_000n) }
      ])
    })

    test("are told apart by payer, though two use one nonce", function* () {
      const { readAuthorizations } = yield* ChainClient
      const wallets = [walletOf(4), walletOf(5)] as const
      const queries = wallets.map(({ agentAddress: payer }) => ({ payer, nonce: bytes32(41), fromBlock: 0n }))
      yield* pay(wallets[0].agentAddress, 1n)
      yield* submit(wallets[0], authorizationOf(wallets[0], Contracts.TOKEN, 1n, 41))
      const { outcomes } = yield* readAuthorizations(queries)
      assert.deepStrictEqual(
        outcomes.map(({ _tag }) => _tag),
        ["Used", "Unused"]
      )
    })

    test("count only once they are confirmed", function* () {
      const chain = yield* Chain
      const { readAuthorizations } = yield* ChainClient
      const wallet = walletOf(6)
      yield* pay(wallet.agentAddress, 1n)
      const query = { payer: wallet.agentAddress, nonce: bytes32(61), fromBlock: 0n }
      const data = yield* signedData(wallet, authorizationOf(wallet, Contracts.TOKEN, 1n, 61))
      yield* chain.receipt("pay", yield* chain.send("pay", roles.mintServer, { to: USDC, data }))
      assert.deepStrictEqual((yield* readAuthorizations([query])).outcomes, [{ _tag: "Unused" }])
      yield* chain.mine(1)
      assert.strictEqual((yield* readAuthorizations([query])).outcomes[0]?._tag, "Used")
    })
  })

  describe("USDC", () => {
    const circle = (data: Hex) => act(roles.treasury, USDC, data)

    test("tells, in Circle's own code, who is blacklisted and whether it is paused: then nothing moves", function* () {
      const { readAuthorizations, readBalances, usdcState } = yield* ChainClient
      const wallet = walletOf(9)
      const [payer, payee] = [wallet.agentAddress, addressOf(person(10))]
      const parties = [payer, payee]
      const query = { payer, nonce: bytes32(95), fromBlock: 0n }
      const still = { isPaused: false, blacklisted: new Set<Address>() }
      yield* pay(payer, 5n)
      assert.deepStrictEqual((yield* readAuthorizations([query], parties)).usdc, still)
      const submitted = () => Effect.exit(submit(wallet, authorizationOf(wallet, payee, 5n, 95)))

      yield* circle(encodeFunctionData({ abi: usdcOffices, functionName: "blacklist", args: [payee] }))
      assert.deepStrictEqual((yield* readAuthorizations([query], parties)).usdc.blacklisted, new Set([payee]))
      assert.isTrue(Exit.isFailure(yield* submitted()))
      yield* circle(encodeFunctionData({ abi: usdcOffices, functionName: "unBlacklist", args: [payee] }))

      yield* circle(encodeFunctionData({ abi: usdcOffices, functionName: "pause" }))
      assert.isTrue((yield* readAuthorizations([query], parties)).usdc.isPaused)
      assert.isTrue((yield* readBalances(parties)).isPaused)
      assert.isTrue((yield* usdcState([])).isPaused)
      assert.isTrue(Exit.isFailure(yield* submitted()))
      yield* circle(encodeFunctionData({ abi: usdcOffices, functionName: "unpause" }))

      assert.deepStrictEqual(yield* usdcState(parties), still)
      assert.isTrue(Exit.isSuccess(yield* submitted()))
    })
  })

  describe("mints", () => {
    test("are the token's own events where it has them", function* () {
      const { findMints, readHashes } = yield* ChainClient
      const recipient = addressOf(person(7))
      const ids = [71, 72, 73].map(bytes32)
      const data = encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [recipient, ids] })
      const { tx, block } = yield* act(roles.mintServer, Contracts.TOKEN, data)
      const mints = yield* findMints({ token: Contracts.TOKEN, recipient, fromBlock: block })
      const [blockHash] = yield* readHashes([block])
      // Each mint logs a Transfer first and then TokensMinted.
      assert.deepStrictEqual(
        mints,
        [1, 3, 5].map((logIndex, part) => ({ tx, part, logIndex, block, blockHash, event: "TokensMinted" as const }))
      )
      assert.deepStrictEqual(yield* findMints({ token: Contracts.TOKEN, recipient, fromBlock: block + 1n }), [])
    })

    test("are transfers from nobody where it has none, as with USDC itself", function* () {
      const chain = yield* Chain
      const { findMints } = yield* ChainClient
      const recipient = addressOf(person(8))
      yield* pay(recipient, 1n)
      const tx = yield* Contracts.mintUsdc(chain, recipient, usdc(5n))
      yield* chain.mine(1)
      const mints = yield* findMints({ token: USDC, recipient, fromBlock: 0n })
      assert.deepStrictEqual(
        mints.map((mint) => mint.tx),
        [tx]
      )
    })

    test("have a limit where the token tells it", function* () {
      const chain = yield* Chain
      const { readRemainingSupply } = yield* ChainClient
      const token = yield* Contracts.deployToken(chain, { name: "Rare", symbol: "RARE", maxMintCount: 5n })
      const args = [addressOf(person(9)), [91, 92].map(bytes32)] as const
      yield* act(roles.mintServer, token, encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args }))
      assert.strictEqual(yield* readRemainingSupply(token), 3n)
      assert.isUndefined(yield* readRemainingSupply(USDC))
      // The precompile at 5 burns all the gas of a call that it does not understand.
      assert.isUndefined(yield* readRemainingSupply(account(5)))
      assert.isUndefined(yield* readRemainingSupply(addressOf(person(9))))
    })
  })

  describe("transfers", () => {
    test("into wallets are found with their amount, sender and block", function* () {
      const chain = yield* Chain
      const { findDeposits } = yield* ChainClient
      const [first, second] = [addressOf(person(10)), addressOf(person(11))]
      const one = yield* pay(first, 3n)
      const two = yield* pay(second, 4n)
      yield* pay(addressOf(roles.customer), 1n, roles.customer)
      const deposits = yield* findDeposits({ wallets: [second, first], fromBlock: one.block, toBlock: two.block })
      const blocks = yield* Effect.promise(() =>
        Promise.all([one, two].map(({ block }) => chain.client.getBlock({ blockNumber: block })))
      )
      const from = addressOf(roles.customer)
      assert.deepStrictEqual(
        deposits,
        [
          { wallet: first, from, amount: usdc(3n), tx: one.tx },
          { wallet: second, from, amount: usdc(4n), tx: two.tx }
        ].map((deposit, index) => ({
          ...deposit,
          logIndex: 0,
          block: { number: blocks[index]!.number, timeMs: Number(blocks[index]!.timestamp) * 1000 }
        }))
      )
      assert.deepStrictEqual(yield* findDeposits({ wallets: [first], fromBlock: two.block, toBlock: two.block }), [])
    })

    test("from a payer to a payee are summed since a time", function* () {
      const chain = yield* Chain
      const { paidSince, confirmedBlock } = yield* ChainClient
      const [payer, payTo] = [person(12), addressOf(person(13))]
      yield* Contracts.giveEth(chain, addressOf(payer), 10n ** 18n)
      yield* pay(addressOf(payer), 100n)
      yield* pay(payTo, 1n, payer)
      yield* chain.ask("let a day pass", (client) => client.increaseTime({ seconds: 86_400 }))
      // Else no clock would be so far, and the chain would not be believed.
      yield* Clocks.note("another clock", Date.now() + 86_400_000)
      yield* chain.mine(2)
      const { timeMs: sinceMs } = yield* confirmedBlock
      yield* pay(payTo, 2n, payer)
      yield* pay(payTo, 4n, payer)
      yield* pay(addressOf(person(14)), 8n, payer)
      const query = { payer: addressOf(payer), payTo }
      assert.strictEqual(yield* paidSince({ ...query, sinceMs }), usdc(6n))
      assert.strictEqual(yield* paidSince({ ...query, sinceMs: 0 }), usdc(7n))
    })
  })

  describe("a reorganisation", () => {
    test("shows in the hashes of its blocks, and each node by itself says what is not on the chain any more", function* () {
      const { client } = yield* Chain
      const { readAuthorizations, readHashes, witnesses, confirmedBlock } = yield* ChainClient
      const wallet = walletOf(41)
      yield* pay(wallet.agentAddress, 5_000_000n)
      const { number: before } = yield* confirmedBlock
      const paid = yield* submit(wallet, authorizationOf(wallet, Contracts.TOKEN, 4_000_000n, 41))
      const query = { payer: wallet.agentAddress, nonce: bytes32(41), fromBlock: before }
      const [used] = (yield* readAuthorizations([query])).outcomes
      const hashes = yield* readHashes([before, paid.block])
      assert.deepInclude(used, { _tag: "Used", tx: paid.tx, blockHash: hashes[1] })
      const head = yield* Effect.promise(() => client.getBlockNumber())
      const params = [Number(head - paid.block) + 1, []]
      yield* Effect.promise(() => client.request({ method: "anvil_reorg", params } as never))
      const [kept, other] = yield* readHashes([before, paid.block])
      assert.strictEqual(kept, hashes[0])
      assert.notStrictEqual(other, hashes[1])
      for (const witness of yield* witnesses(paid.block)) {
        const { block, outcomes } = yield* witness.readAuthorizations([query])
        assert.deepStrictEqual([block.number, outcomes], [paid.block, [{ _tag: "Unused" }]])
        assert.strictEqual((yield* witness.readHashes([before]))[0], kept)
      }
    })
  })
})
