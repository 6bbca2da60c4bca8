import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { keccak256, toHex } from "viem"
import { generatePrivateKey } from "viem/accounts"
import { authorizationTypes, signingDomain } from "../../src/chain/usdc.ts"
import { local } from "../../src/config/Network.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import type { SignedAuthorization } from "../../src/domain/Authorization.ts"
import { times, usdc } from "../../src/domain/Usdc.ts"
import { layer } from "../../src/mint/MinterV1.ts"
import { Chain, mintsOf, newPayer, newToken, onChain, type Payer, recipient, usdcOf } from "../sandbox/mintFixtures.ts"
import { minterAt } from "./fixtures.ts"
import { serve } from "./v1Server.ts"
import { effects } from "../support/stories.ts"

/** What a person pays for one mint, and what the server's float makes of it. */
const PRICE = usdc(8_200_000n)
const DEMANDED = 8_199_999n

const signed = Effect.fnUntraced(function* (payer: Payer, to: Address, value: bigint) {
  const chain = yield* Chain
  const { timestamp } = yield* chain.ask("read the time", (client) => client.getBlock())
  const nonce = keccak256(toHex(generatePrivateKey()))
  const message = { from: payer.address, to, value, validAfter: 0n, validBefore: timestamp + 300n, nonce }
  const signature = yield* Effect.promise(() =>
    payer.signTypedData({
      domain: signingDomain(local),
      types: authorizationTypes,
      primaryType: "TransferWithAuthorization",
      message
    })
  )
  const window = { validAfter: 0, validBefore: Number(message.validBefore) }
  return { from: address(payer.address), to, value: usdc(value), ...window, nonce, signature }
})

/** A v1.1 server that sells a token for 8.20, and the executor's minter in front of it. */
const openShop = Effect.gen(function* () {
  const token = yield* newToken()
  const server = yield* serve(yield* Chain, new Map([[token, "8.20 USDC"]]))
  const minter = yield* minterAt(server.url, layer)
  const payer = yield* newPayer()
  const order = { token, recipient, quantity: 3, amount: times(PRICE, 3) }
  const quote = yield* minter.quote(order)
  const offer = quote.offers[0]
  assert.isDefined(offer)
  const pay = (payment: SignedAuthorization, of = order) => minter.pay(of, quote, offer, payment)
  return { token, server, minter, payer, order, offer, pay, payment: yield* signed(payer, token, offer.amount) }
})

onChain("the executor's minter and a v1.1 server", (it) => {
  const test = effects(it)

  test("agree on the float's price, and the mints come", function* () {
    const { token, server, pay, payment } = yield* openShop
    const answer = yield* pay(payment)
    const paymentTx = server.payments[0]?.txHash ?? undefined
    assert.deepStrictEqual(answer, { _tag: "Accepted", mintTxs: [], paymentTx })
    assert.isDefined(paymentTx)
    yield* server.mintQueued
    assert.strictEqual(yield* usdcOf(token), 3n * DEMANDED)
    const minted = yield* mintsOf(token)
    assert.deepStrictEqual(
      minted.map(({ to }) => to),
      [recipient, recipient, recipient]
    )
  })

  test("would not agree on the decimal price: the server refuses that", function* () {
    const { token, payer, pay, order } = yield* openShop
    assert.deepStrictEqual(yield* pay(yield* signed(payer, token, order.amount)), {
      _tag: "Refused",
      reason: "mint server answered 400: Invalid payment amount: Payment must be exactly 24.599997 USDC"
    })
    assert.strictEqual(yield* usdcOf(token), 0n)
  })

  test("do not know each other's tokens", function* () {
    const { payer, order, offer, pay } = yield* openShop
    const token = yield* newToken()
    const answer = yield* pay(yield* signed(payer, token, offer.amount), { ...order, token })
    assert.strictEqual(answer._tag, "Refused")
    assert.strictEqual(yield* usdcOf(token), 0n)
  })

  test("part on a payment that takes long, and the minter can follow it", function* () {
    const { token, server, minter, pay, payment } = yield* openShop
    server.manners.answersLate = true
    const answer = yield* pay(payment)
    assert.deepInclude(answer, { _tag: "Unclear", reference: "1" })
    assert.strictEqual(yield* minter.follow("1"), "mint server says of payment 1: pending")
    assert.strictEqual(yield* usdcOf(token), 0n)
    yield* server.settleLate
    const tx = server.payments[0]?.txHash
    assert.strictEqual(yield* minter.follow("1"), `mint server says of payment 1: completed, transaction ${tx}`)
    assert.strictEqual(yield* usdcOf(token), 3n * DEMANDED)
    assert.lengthOf(yield* mintsOf(token), 3)
    assert.strictEqual(yield* minter.follow("2"), "mint server says of payment 2: Payment not found")
  })

  test("take fewer mints than were paid for a success: the chain shows how many there are", function* () {
    const { token, server, pay, payment } = yield* openShop
    server.manners.queues = () => 2
    assert.strictEqual((yield* pay(payment))._tag, "Accepted")
    yield* server.mintQueued
    assert.strictEqual(yield* usdcOf(token), 3n * DEMANDED)
    assert.lengthOf(yield* mintsOf(token), 2)
  })

  test("take no mints at all for a fault that leaves the payment open", function* () {
    const { token, server, pay, payment } = yield* openShop
    server.manners.queues = () => 0
    assert.deepStrictEqual(yield* pay(payment), {
      _tag: "Unclear",
      reason: "mint server answered 500: Mints not found: Payment completed but mints were not created"
    })
    assert.strictEqual(yield* usdcOf(token), 3n * DEMANDED)
    assert.lengthOf(yield* mintsOf(token), 0)
  })

  test("must not meet over the same payment twice: it breaks the mints that wait", function* () {
    const { token, server, minter, pay, payment } = yield* openShop
    server.manners.holdsMints = true
    assert.strictEqual((yield* pay(payment))._tag, "Accepted")
    const again = yield* pay(payment)
    assert.strictEqual(again._tag, "Unclear")
    assert.match(again._tag === "Unclear" ? again.reason : "", /^mint server answered 400: Payment processing failed/)
    yield* server.mintQueued
    assert.strictEqual(yield* usdcOf(token), 3n * DEMANDED)
    assert.lengthOf(yield* mintsOf(token), 0)
    assert.isFalse(minter.takesAgain)
  })
})
