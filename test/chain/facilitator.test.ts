import { assert, describe, layer } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { concat, encodeAbiParameters, erc20Abi, type Hex } from "viem"
import type { PrivateKeyAccount } from "viem/accounts"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import { Facilitator, type PresentedPayment } from "../../src/chain/Facilitator.ts"
import { authorizationTypes, signingDomain } from "../../src/chain/usdc.ts"
import { local } from "../../src/config/Network.ts"
import type { Address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { addressOf as contractOf, creationOf, roleKeys, roles } from "../../src/sandbox/DevChain.ts"
import { effects } from "../support/stories.ts"
import { act, addressOf, Chain, clientOf, pay, person } from "./anvilChain.ts"
import { bytes32 } from "./fakeChain.ts"
import { compiled } from "./solidity.ts"

const PAYEE = addressOf(person(900))

const withGas = Layer.unwrap(Effect.map(Chain, ({ rpcUrl }) => clientOf(local, [rpcUrl], roleKeys.mintServer))).pipe(
  Layer.provideMerge(Chain.layer)
)

/** A payment of 3 USDC by an account, which another one may sign for. */
const payment = Effect.fnUntraced(function* (from: Address, signer: PrivateKeyAccount, nonce: number, to = PAYEE) {
  const now = yield* (yield* Chain).ask("read the time", (client) => client.getBlock())
  const validBefore = Math.max(Number(now.timestamp), Math.floor(Date.now() / 1000)) + 300
  const authorization = { from, to, value: usdc(3_000_000n), validAfter: 0, validBefore, nonce: bytes32(nonce) }
  const message = { ...authorization, validAfter: 0n, validBefore: BigInt(validBefore) }
  const signature = yield* Effect.promise(() =>
    signer.signTypedData({
      domain: signingDomain(local),
      types: authorizationTypes,
      primaryType: "TransferWithAuthorization",
      message
    })
  )
  return { ...authorization, signature } satisfies PresentedPayment
})

const outcomeOf = Effect.fnUntraced(function* ({ from, nonce }: PresentedPayment) {
  yield* (yield* Chain).mine(2)
  const { outcomes } = yield* (yield* ChainClient).readAuthorizations([{ payer: from, nonce, fromBlock: 0n }])
  return outcomes[0]
})

const verdictOn = (one: PresentedPayment) => Effect.flatMap(Facilitator, ({ verify }) => verify(one))
const settle = (one: PresentedPayment) => Effect.flatMap(Facilitator, ({ settle }) => settle(one))

const funded = Effect.fnUntraced(function* (number: number) {
  yield* pay(addressOf(person(number)), 9_000_000n)
  return { from: addressOf(person(number)), signer: person(number) }
})

const PAYERS = compiled("Payers.sol")

const deployed = Effect.fnUntraced(function* (name: string, owner?: Address) {
  const code = PAYERS.get(name) ?? "0x"
  const creation = creationOf(
    owner === undefined ? code : concat([code, encodeAbiParameters([{ type: "address" }], [owner])])
  )
  yield* act(roles.mintServer, creation.to, creation.data)
  return contractOf(creation)
})

/** No ordinary account's signature is so long. */
const longer = (signature: Hex): Hex => concat([signature, "0xc0ffee"])

layer(withGas, { timeout: "60 seconds", excludeTestServices: true })("the facilitator, with Circle's USDC", (it) => {
  const test = effects(it)

  describe("of an ordinary account", () => {
    test("settles a payment once, and says so only of the first", function* () {
      const { from, signer } = yield* funded(901)
      const one = yield* payment(from, signer, 1)
      assert.deepStrictEqual(yield* verdictOn(one), { _tag: "Sound" })
      const settled = yield* settle(one)
      assert.strictEqual(settled._tag, "Settled")
      assert.deepInclude(yield* outcomeOf(one), { _tag: "Used", to: PAYEE, value: usdc(3_000_000n) })
      assert.deepStrictEqual(yield* verdictOn(one), { _tag: "Unsound", reason: "invalid_exact_evm_nonce_already_used" })
      assert.strictEqual((yield* settle(one))._tag, "Unknown")
    })

    test("finds what USDC would not take", function* () {
      const { from, signer } = yield* funded(902)
      const one = yield* payment(from, signer, 2)
      const reasonOf = (changes: Partial<PresentedPayment>) => verdictOn({ ...one, ...changes })
      const badSignature = { _tag: "Unsound", reason: "invalid_exact_evm_signature" } as const
      assert.deepStrictEqual(yield* reasonOf({ value: usdc(3_000_001n) }), badSignature)
      assert.deepStrictEqual(yield* reasonOf({ to: from }), badSignature)
      assert.deepStrictEqual(yield* reasonOf({ signature: "0x" }), badSignature)
      assert.deepStrictEqual(yield* reasonOf({ signature: `0x${"ff".repeat(65)}` }), badSignature)
      assert.deepStrictEqual(yield* reasonOf({ signature: `0x${"ff".repeat(3000)}` }), badSignature)
      const poor = yield* payment(addressOf(person(903)), person(903), 3)
      assert.deepStrictEqual(yield* verdictOn(poor), {
        _tag: "Unsound",
        reason: "invalid_exact_evm_insufficient_balance"
      })
      assert.strictEqual((yield* settle(poor))._tag, "Unknown")
      assert.strictEqual((yield* settle({ ...one, signature: "0x" }))._tag, "Unknown")
    })

    test("settles several at once beside a refund, each in a transaction of its own", function* () {
      const many = yield* Effect.forEach([904, 905, 906, 907], (number) =>
        Effect.flatMap(funded(number), ({ from, signer }) => payment(from, signer, number))
      )
      const refund = yield* Effect.flatMap(funded(908), ({ from, signer }) => payment(from, signer, 908))
      const client = yield* ChainClient
      const [settled] = yield* Effect.all(
        [Effect.forEach(many, settle, { concurrency: "unbounded" }), client.sendTransfer(refund)],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        settled.map(({ _tag }) => _tag),
        many.map(() => "Settled")
      )
      for (const one of [...many, refund]) assert.deepInclude(yield* outcomeOf(one), { _tag: "Used" })
    })

    test("settles though the payee spends its last USDC meanwhile, which makes the transfer dearer", function* () {
      const { from, signer } = yield* funded(920)
      const payee = person(921)
      yield* pay(addressOf(payee), 1_000_000n)
      const chain = yield* Chain
      const pendingOf = (account: Address) =>
        chain.ask("count", (client) => client.getTransactionCount({ address: account, blockTag: "pending" }))
      yield* chain.ask("hold back blocks", (client) => client.setAutomine(false))
      yield* chain.ask("give gas", (client) => client.setBalance({ address: payee.address, value: 10n ** 18n }))
      const before = yield* pendingOf(addressOf(roles.mintServer))
      const one = yield* payment(from, signer, 20, addressOf(payee))
      const settling = yield* Effect.forkChild(settle(one))
      yield* Effect.repeat(pendingOf(addressOf(roles.mintServer)), { until: (count) => count > before })
      yield* chain.ask("spend", (client) =>
        client.writeContract({
          account: payee,
          address: local.usdc.address,
          abi: erc20Abi,
          functionName: "transfer",
          args: [from, 1_000_000n],
          gas: 200_000n,
          maxPriorityFeePerGas: 10n ** 11n,
          maxFeePerGas: 10n ** 12n
        })
      )
      yield* chain.mine(1)
      yield* chain.ask("make blocks at once", (client) => client.setAutomine(true))
      assert.strictEqual((yield* Fiber.join(settling))._tag, "Settled")
    })

    test("submits a payment that comes twice at once once", function* () {
      const { from, signer } = yield* funded(909)
      const one = yield* payment(from, signer, 9)
      const both = yield* Effect.all([settle(one), settle(one)], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        both.map(({ _tag }) => _tag),
        ["Settled", "Unknown"]
      )
    })
  })

  describe("of an account with code", () => {
    test("asks a contract whether the signature is its own, as USDC does", function* () {
      const owner = person(910)
      const wallet = yield* deployed("OwnedWallet", addressOf(owner))
      yield* pay(wallet, 9_000_000n)
      const short = yield* payment(wallet, owner, 10)
      const long = yield* payment(wallet, owner, 11)
      const signed = { ...long, signature: longer(long.signature) }
      for (const one of [short, signed]) {
        assert.deepStrictEqual(yield* verdictOn(one), { _tag: "Sound" })
        assert.strictEqual((yield* settle(one))._tag, "Settled")
        assert.deepInclude(yield* outcomeOf(one), { _tag: "Used" })
      }
      const foreign = yield* payment(wallet, person(911), 12)
      assert.deepStrictEqual(yield* verdictOn(foreign), { _tag: "Unsound", reason: "invalid_exact_evm_signature" })
    })

    test("asks the code that an ordinary account has taken on (EIP-7702)", function* () {
      const code = yield* deployed("OwnedWallet", addressOf(roles.customer))
      const { from, signer } = yield* funded(912)
      // The development chain is of a time before EIP-7702: the code itself stands where a delegation to it would.
      yield* (yield* Chain).ask("take on the code", async (client) => {
        const bytecode = (await client.getCode({ address: code })) ?? "0x"
        await client.setCode({ address: from, bytecode })
      })
      assert.isDefined(yield* (yield* ChainClient).codeOf(from))
      const one = yield* payment(from, signer, 13)
      const signed = { ...one, signature: longer(one.signature) }
      assert.deepStrictEqual(yield* verdictOn(signed), { _tag: "Sound" })
      assert.strictEqual((yield* settle(signed))._tag, "Settled")
    })

    test("pays for no more gas than a signature may need", function* () {
      const wallet = yield* deployed("BurningWallet")
      yield* pay(wallet, 9_000_000n)
      const one = yield* payment(wallet, person(913), 14)
      const settled = yield* settle(one)
      assert.strictEqual(settled._tag, "Unknown")
      assert.deepStrictEqual(yield* outcomeOf(one), { _tag: "Unused" })
    })
  })

  test("takes no node that is away for a bad signature", function* () {
    const { from, signer } = yield* funded(914)
    const one = yield* payment(from, signer, 15)
    const { rpcUrl } = yield* Chain
    let isAway = false
    const leaving: typeof fetch = (input, init) =>
      isAway ? Promise.reject(new TypeError("fetch failed")) : fetch(input, init)
    const fault = yield* Effect.gen(function* () {
      const { verify } = yield* Facilitator
      assert.deepStrictEqual(yield* verify(one), { _tag: "Sound" })
      isAway = true
      return yield* Effect.flip(verify(one))
    }).pipe(Effect.provide(clientOf(local, [rpcUrl], undefined, leaving)))
    assert.strictEqual(fault.reason, "Unavailable")
  })
})
