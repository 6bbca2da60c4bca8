import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { local } from "../../src/config/Network.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { minterAt } from "../mint/fixtures.ts"
import {
  keepsQuiet,
  minter,
  mintsOf,
  newPayer,
  newToken,
  onChain,
  openShop,
  order,
  post,
  PRICE,
  recipient,
  sentBy,
  serve,
  sign,
  stranger,
  usdcOf
} from "./mintFixtures.ts"
import { emptyDirectory } from "./commandFixtures.ts"

onChain("MintServer", (it) => {
  keepsQuiet()

  it.effect("asks for the price of the mints, in USDC, to be paid to the token", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const { status, challenge } = yield* post(at, order)
      assert.strictEqual(status, 402)
      assert.isDefined(challenge)
      assert.strictEqual(challenge.x402Version, 2)
      assert.deepStrictEqual(challenge.accepts, [
        {
          scheme: "exact",
          network: "eip155:31337",
          asset: local.usdc.address,
          amount: String(3n * PRICE),
          payTo: token,
          maxTimeoutSeconds: 300,
          extra: { name: "USDC", version: "2", paymentFlow: "upfront" }
        }
      ])
    })
  )

  it.effect("takes the payment, mints to the recipient and says by which transactions", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const payer = yield* newPayer()
      const { header } = yield* sign(payer, (yield* post(at, order)).challenge)
      const { status, body, receipt } = yield* post(at, order, header)
      assert.strictEqual(status, 200)
      const minted = yield* mintsOf(token)
      assert.deepStrictEqual(
        minted.map(({ to }) => to),
        [recipient, recipient, recipient]
      )
      const tx = minted[0]?.tx
      assert.deepStrictEqual(body, {
        success: true,
        quantity: 3,
        mintTxHash: tx,
        mintTxHashes: [tx],
        paymentTxHash: receipt?.transaction
      })
      assert.deepInclude(receipt, { success: true, network: "eip155:31337", payer: payer.address.toLowerCase() })
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )

  it.effect("answers a payment that is sent again as it did the first time, and neither takes nor mints again", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const { header } = yield* sign(yield* newPayer(), (yield* post(at, order)).challenge)
      const first = yield* post(at, order, header)
      const sent = yield* sentBy(minter)
      const again = yield* post(at, { ...order, recipient: recipient.toUpperCase().replace("X", "x") }, header)
      assert.strictEqual(again.status, 200)
      assert.deepStrictEqual(again, first)
      assert.strictEqual(yield* sentBy(minter), sent)
      assert.lengthOf(yield* mintsOf(token), 3)
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )

  it.effect("takes and mints once for duplicates that come at once, and delivers to all of them", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const { header } = yield* sign(yield* newPayer(), (yield* post(at, order)).challenge)
      const sent = yield* sentBy(minter)
      const replies = yield* Effect.all(
        Array.from({ length: 6 }, () => post(at, order, header)),
        { concurrency: "unbounded" }
      )
      // One transaction for the payment and one for the mints.
      assert.strictEqual(yield* sentBy(minter), sent + 2)
      assert.strictEqual(replies[0]?.status, 200)
      for (const reply of replies) assert.deepStrictEqual(reply, replies[0])
      assert.lengthOf(yield* mintsOf(token), 3)
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )

  it.effect("takes a payment for one of two orders that come with it at once", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const { header } = yield* sign(yield* newPayer(), (yield* post(at, order)).challenge)
      const orders = [order, { ...order, recipient: stranger }]
      const replies = yield* Effect.forEach(orders, (one) => post(at, one, header), { concurrency: "unbounded" })
      assert.sameMembers(
        replies.map(({ status }) => status),
        [200, 409]
      )
      const served = orders.find((_, index) => replies[index]?.status === 200)
      assert.deepStrictEqual(new Set((yield* mintsOf(token)).map(({ to }) => to)), new Set([served?.recipient]))
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )

  for (const [what, other] of [
    ["another recipient", { recipient: stranger, quantity: 3 }],
    ["another quantity", { recipient, quantity: 2 }]
  ] as const)
    it.effect(`refuses a payment that comes again for ${what}`, () =>
      Effect.gen(function* () {
        const { at, token } = yield* openShop()
        const { header } = yield* sign(yield* newPayer(), (yield* post(at, order)).challenge)
        const { receipt } = yield* post(at, order, header)
        const { status, body, receipt: again } = yield* post(at, other, header)
        assert.strictEqual(status, 409)
        assert.deepStrictEqual(body, { error: "this payment was made for another order" })
        assert.deepStrictEqual(again, receipt)
        assert.lengthOf(yield* mintsOf(token), 3)
      })
    )

  it.effect("sells the last mints once, and takes no payment for what is not there", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop(4n)
      const payers = yield* Effect.all([newPayer(), newPayer()])
      const { challenge } = yield* post(at, order)
      const headers = yield* Effect.forEach(payers, (payer) => sign(payer, challenge))
      const replies = yield* Effect.forEach(headers, ({ header }) => post(at, order, header), {
        concurrency: "unbounded"
      })
      assert.sameMembers(
        replies.map(({ status }) => status),
        [200, 409]
      )
      assert.lengthOf(yield* mintsOf(token), 3)
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
      const unpaid = yield* post(at, order)
      assert.strictEqual(unpaid.status, 409)
      assert.deepStrictEqual(unpaid.body, { error: "only 1 mints are left" })
      // What is delivered stays delivered.
      const first = headers.find((_, index) => replies[index]?.status === 200)
      assert.strictEqual((yield* post(at, order, first?.header)).status, 200)
    })
  )

  it.effect("is paid by the executor's own minter, which reads its refusals as what they are", () =>
    Effect.gen(function* () {
      const { url, token } = yield* openShop()
      const executors = yield* minterAt(url)
      const wanted = { token, ...order }
      const quote = yield* executors.quote({ ...wanted, amount: usdc(3n * PRICE) })
      const [offer] = quote.offers
      assert.isDefined(offer)
      assert.strictEqual(offer.amount, 3n * PRICE)
      const { authorization, signature } = yield* sign(
        yield* newPayer(),
        (yield* post(`${url}/api/mint/${token}`, order)).challenge
      )
      const payment = {
        ...authorization,
        signature,
        value: usdc(authorization.value),
        validAfter: Number(authorization.validAfter),
        validBefore: Number(authorization.validBefore)
      }
      const first = yield* executors.pay(wanted, quote, offer, payment)
      assert.strictEqual(first._tag, "Accepted")
      assert.deepStrictEqual(yield* executors.pay(wanted, quote, offer, payment), first)
      const other = yield* executors.pay({ ...wanted, recipient: stranger }, quote, offer, payment)
      assert.strictEqual(other._tag, "Unclear")
    })
  )

  it.effect("tells what it sells", () =>
    Effect.gen(function* () {
      const { url, token } = yield* openShop()
      const health = yield* Effect.promise(async () => (await fetch(`${url}/health`)).json())
      assert.deepStrictEqual(health, {
        ok: true,
        chainId: 31337,
        tokens: [{ address: token, pricePerMint: String(PRICE) }]
      })
    })
  )

  it.effect("hands what is below /sandbox to the sandbox's routes, unless it is too long", () =>
    Effect.gen(function* () {
      const sandbox = async (request: Request) => new Response(new URL(request.url).pathname)
      const { url } = yield* serve({ token: yield* newToken(), dataDir: yield* emptyDirectory, sandbox })
      const ask = (init: RequestInit) => Effect.promise(() => fetch(`${url}/sandbox/orders`, init))
      const answer = yield* ask({})
      assert.strictEqual(yield* Effect.promise(() => answer.text()), "/sandbox/orders")
      assert.strictEqual((yield* ask({ method: "PUT", body: "0".repeat(20_001) })).status, 413)
    })
  )
})
