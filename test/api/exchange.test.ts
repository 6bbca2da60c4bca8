import { assert, layer } from "@effect/vitest"
import { decodePaymentResponseHeader } from "@x402/core/http"
import { Duration, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { type Address, address } from "../../src/domain/Address.ts"
import { decisions, units } from "../operator/given.ts"
import { anyId } from "../support/anyId.ts"
import { pass, start } from "../support/executor.ts"
import { person, readTask } from "../support/orders.ts"
import { silence } from "../support/outside.ts"
import * as Postgres from "../support/Postgres.ts"
import {
  assertNothingWritten,
  assertProblem,
  base64,
  challengeOf,
  changed,
  opened,
  PAYER,
  type Payload,
  payloadFor,
  wishOf
} from "./paying.ts"
import { serving, stories, withToken } from "./served.ts"

layer(Postgres.session())("an order that is paid by x402", (it) => {
  const { served } = stories(it)

  served("is priced by a 402, which writes nothing", function* () {
    const { order, ann } = yield* opened()
    const answer = yield* order(wishOf(ann))
    assertProblem(answer, 402, "Pay for the order by x402")
    assert.deepInclude(answer.json, {
      code: "payment_required",
      nextAction: "pay",
      amountDue: "5000000",
      payTo: ann.agentAddress
    })
    const challenge = challengeOf(answer)
    assert.deepStrictEqual(challenge.accepts, [
      {
        scheme: "exact",
        network: "eip155:31337",
        asset: "0xfe61d4f698f24537e88919787ff53081d6bc60c2",
        amount: "5000000",
        payTo: ann.agentAddress,
        maxTimeoutSeconds: 300,
        extra: { name: "USDC", version: "2", paymentFlow: "upfront" }
      }
    ])
    assert.match(challenge.resource.url, /^http:\/\/[^/]+\/api\/orders$/)
    yield* assertNothingWritten
  })

  served("is refused where it cannot be carried out", function* () {
    const { order, ann, world } = yield* opened()
    const stranger = address(`0x${"77".repeat(20)}`)
    assertProblem(yield* order({ ...wishOf(ann), user: stranger }), 409, "POST /api/wallets")
    assertProblem(yield* order({ ...wishOf(ann), user: ann.agentAddress }), 409, "the person's own address")
    assertProblem(yield* order({ ...wishOf(ann), token: `0x${"0".repeat(40)}` }), 409, "no token contract")
    world.supply = 4n
    assertProblem(yield* order(wishOf(ann)), 409, "4 mints left")
    world.supply = undefined
    world.gasAccount = undefined
    assertProblem(yield* order(wishOf(ann)), 409, "set AI_AGENT_PRIVATE_KEY")
    for (const quantity of [0, 1001, 1.5, "5", null]) {
      assert.strictEqual((yield* order({ ...wishOf(ann), quantity })).status, 400)
    }
    yield* assertNothingWritten
  })

  served("is placed and paid in one exchange, and its tokens go to the person", function* () {
    const { order, ann, world } = yield* opened()
    yield* start
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const answer = yield* order(wishOf(ann), payment)
    assert.strictEqual(answer.status, 200, answer.text)
    const response = decodePaymentResponseHeader(answer.headers.get("payment-response") ?? "")
    assert.deepInclude(response, { success: true, network: "eip155:31337", payer: PAYER })
    assert.strictEqual(response.transaction, world.paidBy(PAYER)[0]?.tx)
    assert.deepInclude(answer.json, { userAddress: ann.userAddress, quantity: 5, totalCost: "5000000" })
    assert.deepInclude(answer.json, { nextAction: "wait", amountDue: null }, "it is not to be paid a second time")
    yield* pass(60)
    assert.strictEqual((yield* readTask(anyId(answer.json.id))).status, "completed")
    assert.strictEqual(world.mintsTo(ann.userAddress), 5)

    const again = yield* order(wishOf(ann), payment)
    assert.deepStrictEqual([again.status, again.json.id], [200, answer.json.id])
    assert.strictEqual(again.headers.get("payment-response"), answer.headers.get("payment-response"))
    assert.lengthOf(world.paidBy(PAYER), 1)
  })

  served("is one order for two requests at once, which get the same answer", function* () {
    const { order, ann, world } = yield* opened()
    const other = yield* serving(withToken)
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const asking = yield* Effect.forkChild(
      Effect.all(
        [
          order(wishOf(ann), payment),
          other.ask("/api/orders", { body: wishOf(ann), headers: { "payment-signature": base64(payment) } })
        ],
        { concurrency: "unbounded" }
      )
    )
    yield* pass(10)
    const [first, second] = yield* Fiber.join(asking)
    assert.deepStrictEqual([first.status, second.status], [200, 200], first.text + second.text)
    assert.strictEqual(first.json.id, second.json.id)
    assert.strictEqual(first.headers.get("payment-response"), second.headers.get("payment-response"))
    assert.lengthOf(world.paidBy(PAYER), 1)
    assert.lengthOf(yield* decisions, 1)
  })

  served("takes no payment that is not what was asked for, and writes nothing", function* () {
    const { order, ann, world } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const { accepted } = payment
    const refused: ReadonlyArray<readonly [words: string, payload: unknown]> = [
      ["its scheme", { ...payment, accepted: { ...accepted, scheme: "upto" } }],
      ["another network", { ...payment, accepted: { ...accepted, network: "eip155:1" } }],
      ["another asset", { ...payment, accepted: { ...accepted, asset: PAYER } }],
      ["agent wallet", { ...payment, accepted: { ...accepted, payTo: PAYER } }],
      ["agent wallet", changed(payment, { to: PAYER })],
      ["is not the one that is accepted", changed(payment, { value: "5000005" })],
      ["whole base units", { ...changed(payment, { value: "5000001" }), accepted: { ...accepted, amount: "5000001" } }],
      ["valid for more than 300 s", changed(payment, { validBefore: "99999999999" })]
    ]
    for (const [words, payload] of refused) {
      const answer = yield* order(wishOf(ann), payload)
      assertProblem(answer, 402, words)
      assert.strictEqual(answer.json.code, "payment_refused")
      assert.include(challengeOf(answer).error, words)
    }
    world.verdict = () => ({ _tag: "Unsound", reason: "invalid_exact_evm_insufficient_balance" })
    assertProblem(yield* order(wishOf(ann), payment), 402, "insufficient_balance")
    world.verdict = () => ({ _tag: "Sound" })
    world.pricePerMint = units(2)
    const dearer = yield* order(wishOf(ann), payment)
    assertProblem(dearer, 402, "asks 10.00 USDC by now, and 5.00 are signed for")
    assert.deepInclude(dearer.json, { code: "price_changed", amountDue: "10000000" })
    yield* assertNothingWritten
    assert.lengthOf(world.paidBy(PAYER), 0)
  })

  served("takes a payment at a higher price than is asked by now, and keeps the rest as credit", function* () {
    const { order, ann, world } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    world.pricePerMint = units(0.5)
    const answer = yield* order(wishOf(ann), payment)
    assert.strictEqual(answer.status, 200, answer.text)
    assert.deepInclude(answer.json, { pricePerMint: "1000000", totalCost: "5000000" })
  })

  served("says of a header that cannot be read why", function* () {
    const { order, ann } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const unreadable: ReadonlyArray<unknown> = [
      "",
      "%%%",
      "e30",
      "not base64!",
      base64("text"),
      base64(null),
      base64([payment]),
      Buffer.from("{").toString("base64"),
      Buffer.from([0xff, 0xfe, 0]).toString("base64"),
      Buffer.from("[".repeat(5_000)).toString("base64"),
      { ...payment, x402Version: 1 },
      { ...payment, accepted: undefined },
      { ...payment, payload: { permit2Authorization: {} } },
      { ...payment, payload: { ...payment.payload, signature: "0x123" } },
      { ...payment, payload: { ...payment.payload, signature: `0x${"11".repeat(4_097)}` } },
      changed(payment, { from: "0x12" }),
      changed(payment, { nonce: "0x12" }),
      changed(payment, { value: "-1" }),
      changed(payment, { value: "1e6" }),
      changed(payment, { value: "9".repeat(79) }),
      changed(payment, { validBefore: "9".repeat(16) }),
      changed(payment, { validBefore: "1.5" })
    ]
    for (const payload of unreadable) {
      const answer = yield* order(wishOf(ann), payload)
      assertProblem(answer, 400, "PAYMENT-SIGNATURE")
      assert.strictEqual(answer.json.code, "payment_unreadable")
      assert.isNull(answer.headers.get("payment-required"))
    }
    assert.strictEqual((yield* order(wishOf(ann), "A".repeat(20_000))).status, 431, "Node's own limit")
    yield* assertNothingWritten
  })

  served("is not another order with the same payment", function* () {
    const { order, ann, world } = yield* opened()
    const bob = yield* person("bob")
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    assert.strictEqual((yield* order(wishOf(ann), payment)).status, 200)
    const others: ReadonlyArray<readonly [wish: unknown, payload: Payload]> = [
      [wishOf(bob), payment],
      [wishOf(ann, 1), payment],
      [{ ...wishOf(ann), token: `0x${"71".repeat(20)}` }, payment],
      [wishOf(ann), changed(payment, { value: "10000000" })],
      [wishOf(ann), changed(payment, { to: bob.agentAddress })],
      [wishOf(ann), changed(payment, { validBefore: "9" })]
    ]
    for (const [wish, payload] of others) {
      const answer = yield* order(wish, payload)
      assertProblem(answer, 409, "another order")
      assert.isNull(answer.headers.get("payment-required"))
    }
    assert.lengthOf(world.paidBy(PAYER), 1)
  })

  served("has one payment of each identifier that its client gives", function* () {
    const { order, ann, world } = yield* opened()
    const challenge = challengeOf(yield* order(wishOf(ann)))
    const declared = challenge.extensions?.["payment-identifier"] as { readonly info: object }
    assert.deepInclude(declared, { info: { required: false } })
    const called = (payload: Payload, id: string) => ({
      ...payload,
      extensions: { ...challenge.extensions, "payment-identifier": { ...declared, info: { required: false, id } } }
    })
    const payment = yield* payloadFor(challenge)
    const id = "pay_0123456789abcdef"
    for (const bad of ["short", "x".repeat(129), "pay 0123456789abcdef"]) {
      assertProblem(yield* order(wishOf(ann), called(payment, bad)), 400, "16 to 128 letters")
    }
    const first = yield* order(wishOf(ann), called(payment, id))
    assert.strictEqual(first.status, 200, first.text)
    yield* pass(10)
    const again = yield* order(wishOf(ann), called(payment, id))
    assert.deepStrictEqual([again.status, again.json.id], [200, first.json.id])
    const other = yield* payloadFor(challenge, 2)
    assertProblem(yield* order(wishOf(ann), called(other, id)), 409, "that of another payment")
    assert.strictEqual((yield* order(wishOf(ann), { ...other, extensions: challenge.extensions })).status, 200)
    assertProblem(yield* order(wishOf(ann), called(other, id)), 409, "that of another payment")
    assert.lengthOf(world.paidBy(PAYER), 2)
  })

  served("is for its own person where the key is bound to one", function* () {
    const { ask, ann, order } = yield* opened()
    const bob = yield* person("bob")
    const made = yield* ask("/api/keys", {
      body: { name: "bob", scopes: ["orders:create", "orders:read"], user: bob.userAddress }
    })
    assert.strictEqual(made.status, 201, made.text)
    const withKey = (body: unknown, headers: Record<string, string> = {}) =>
      ask("/api/orders", { body, headers, token: made.json.secret })
    const own = yield* withKey(wishOf(bob))
    assert.strictEqual(own.status, 402, own.text)
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const refused = yield* withKey(wishOf(ann), { "payment-signature": base64(payment) })
    assertProblem(refused, 409, "has no agent wallet")
    const orders = (yield* decisions).filter(({ command }) => command === "create")
    assert.deepStrictEqual(orders, [])
  })

  served("is not shown by its payment to who is bound to another person", function* () {
    const { ask, ann, order } = yield* opened()
    yield* start
    const bob = yield* person("bob")
    const key = { name: "bob", scopes: ["orders:create", "orders:read"], user: bob.userAddress }
    const { secret: token } = (yield* ask("/api/keys", { body: key })).json
    const hers = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    assert.strictEqual((yield* order(wishOf(ann), hers)).status, 200)
    const never = changed(hers, { nonce: `0x${"9".repeat(64)}` })
    const answers = yield* Effect.forEach([hers, never], (payment) =>
      ask("/api/orders", { body: wishOf(bob), headers: { "payment-signature": base64(payment) }, token })
    )
    assert.deepStrictEqual(
      answers.map(({ status, text }) => [status, text]),
      [...Array(2)].map(() => [402, answers[1]?.text])
    )
  })

  served("is no second 402 while it is not known whether it is paid", function* () {
    const { order, ann, world } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const settle = world.settlement
    world.settlement = () => Effect.succeed({ _tag: "Unknown", reason: "settlement_pending" })
    const asking = yield* Effect.forkChild(order(wishOf(ann), payment))
    yield* pass(25)
    const open = yield* Fiber.join(asking)
    assertProblem(open, 503, "not known yet")
    assert.deepInclude(open.json, { code: "settlement_pending", nextAction: "retry_same_request" })
    assert.strictEqual(open.headers.get("retry-after"), "5")
    assert.isNull(open.headers.get("payment-required"))

    world.verdict = () => ({ _tag: "Unsound", reason: "invalid_exact_evm_insufficient_balance" })
    assertProblem(yield* order(wishOf(ann), payment), 503, "insufficient_balance")
    world.verdict = () => ({ _tag: "Unsound", reason: "invalid_exact_evm_signature" })
    assertProblem(yield* order(wishOf(ann), payment), 400, "not its payer's")
    world.verdict = () => ({ _tag: "Sound" })
    world.settlement = settle
    const answer = yield* order(wishOf(ann), payment)
    assert.deepStrictEqual([answer.status, answer.json.id], [200, open.json.orderId])
    assert.lengthOf(world.paidBy(PAYER), 1)
  })

  served("is paid anew once its payment has lapsed in a confirmed block", function* () {
    const { order, ann, world } = yield* opened({ paymentTimeout: Duration.minutes(1) })
    const challenge = challengeOf(yield* order(wishOf(ann)))
    const payment = yield* payloadFor(challenge)
    assert.strictEqual(challenge.accepts[0]?.maxTimeoutSeconds, 30)
    world.settlement = () => Effect.succeed({ _tag: "Unknown", reason: "settlement_pending" })
    const asking = yield* Effect.forkChild(order(wishOf(ann), payment))
    yield* pass(25)
    assertProblem(yield* Fiber.join(asking), 503, "not known yet")
    yield* pass(15)
    const lapsed = yield* order(wishOf(ann), payment)
    assertProblem(lapsed, 402, "has lapsed and moved nothing")
    assert.strictEqual(lapsed.json.code, "payment_lapsed")
    assert.strictEqual(challengeOf(lapsed).accepts[0]?.amount, "5000000")
    // Another transfer has paid for the order meanwhile: a client that follows a 402 would pay a second time.
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE ai_agent_tasks SET status = 'completed'`
    const paid = yield* order(wishOf(ann), payment)
    assertProblem(paid, 409, "was paid by another transfer")
    assert.deepStrictEqual([paid.json.code, paid.headers.get("payment-required")], ["already_paid", null])
  })

  served("is no longer live where its payer cancels the payment", function* () {
    const { order, ann, world } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    const { nonce } = payment.payload.authorization
    world.settlement = ({ from }) =>
      Effect.sync(() => {
        world.cancelAuthorization(from, nonce as Address)
        return { _tag: "Unknown", reason: "transaction_failed" }
      })
    const asking = yield* Effect.forkChild(order(wishOf(ann), payment))
    yield* pass(10)
    assertProblem(yield* Fiber.join(asking), 402, "cancelled")
  })

  served("is pending while no node answers", function* () {
    const { order, ann, world } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    assert.strictEqual((yield* order(wishOf(ann), payment)).status, 200)
    world.chainFault = silence("read authorizations")
    const answer = yield* order(wishOf(ann), payment)
    assertProblem(answer, 503, "not known yet")
    assert.strictEqual(answer.json.code, "settlement_pending")
  })
})
