import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isReference, readFollowed, readPaymentAnswerV1 } from "../../src/mint/answerV1.ts"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import { REASON_LENGTH_MAX, type Reply } from "../../src/mint/reply.ts"
import { base64, hash, payment, reply, says } from "./fixtures.ts"

const accepted = (paymentTx?: `0x${string}`): PaymentAnswer => ({ _tag: "Accepted", mintTxs: [], paymentTx })
const refused = (reason: string): PaymentAnswer => ({ _tag: "Refused", reason: `mint server answered ${reason}` })
const unclear = (reason: string, reference?: string): PaymentAnswer => ({
  _tag: "Unclear",
  reason: `mint server answered ${reason}`,
  ...(reference !== undefined && { reference })
})

type Case = readonly [what: string, reply: Reply, answer: PaymentAnswer]

describe("a v1.1 server accepts a payment by", () => {
  const queued = { success: true, queueIds: ["q1", "q2"], quantity: 2, paymentTxHash: hash("FE") }
  const cases: ReadonlyArray<Case> = [
    ["a success with the payment's transaction", reply(200, {}, queued), accepted(hash("fe"))],
    ["a success with fewer mints than were ordered", reply(200, {}, { ...queued, quantity: 1 }), accepted(hash("fe"))],
    ["a success that names no transaction", reply(200, {}, { success: true }), accepted()],
    ["a success whose transaction is none", reply(200, {}, { ...queued, paymentTxHash: "0x12" }), accepted()],
    [
      "a success whose queue ids look like transactions, and are none",
      reply(200, {}, { ...queued, queueIds: [hash("ab")] }),
      accepted(hash("fe"))
    ]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswerV1(answer), expected))
})

describe("a v1.1 server refuses a payment by", () => {
  const cases: ReadonlyArray<Case> = [
    [
      "400 for the amount, and says what it should have been",
      says(400, "Invalid payment amount", "Payment must be exactly 8.199999 USDC"),
      refused("400: Invalid payment amount: Payment must be exactly 8.199999 USDC")
    ],
    [
      "400 for the recipient of the payment",
      says(400, "Invalid payment recipient"),
      refused("400: Invalid payment recipient")
    ],
    [
      "400 for the quantity",
      says(400, "Invalid quantity", "Quantity must be between 1 and 10"),
      refused("400: Invalid quantity: Quantity must be between 1 and 10")
    ],
    ["404 for the token", says(404, "Token not found", "Token not found"), refused("404: Token not found")]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswerV1(answer), expected))
})

describe("what became of a payment to a v1.1 server is unclear after", () => {
  const late = { error: "Payment processing timeout", message: "check status later" }
  const cases: ReadonlyArray<Case> = [
    [
      "408, which names the payment",
      reply(408, {}, { ...late, paymentQueueId: "3f1c-9a" }),
      unclear("408 with payment 3f1c-9a: Payment processing timeout: check status later", "3f1c-9a")
    ],
    ["408 with a number for it", reply(408, {}, { paymentQueueId: 17 }), unclear("408 with payment 17", "17")],
    ["408 without a name", reply(408, {}, late), unclear("408: Payment processing timeout: check status later")],
    ...[
      "",
      "..",
      "a/b",
      "a b",
      "1\n2",
      `id${"0".repeat(62)}`,
      payment.signature,
      1.5,
      -1,
      2 ** 60,
      null,
      ["1"],
      {}
    ].map((paymentQueueId): Case => [
      `408 with a name that is none: ${JSON.stringify(paymentQueueId)}`,
      reply(408, {}, { paymentQueueId }),
      unclear("408")
    ]),
    [
      "202, where the payment itself is queued",
      reply(202, {}, { success: true, paymentQueueId: "17", message: "Payment queued" }),
      unclear("202 with payment 17: Payment queued", "17")
    ],
    [
      "400 for a payment that failed on chain",
      says(400, "Payment processing failed", "execution reverted"),
      unclear("400: Payment processing failed: execution reverted")
    ],
    [
      "400 with that in its message, in other case",
      says(400, "Bad request", "PAYMENT PROCESSING FAILED"),
      unclear("400: Bad request: PAYMENT PROCESSING FAILED")
    ],
    [
      "400 with that deeper inside",
      reply(400, {}, { error: { message: "payment processing_failed" } }),
      unclear("400: payment processing_failed")
    ],
    [
      "400 for a fault at any time since the payment was queued",
      says(400, "Failed to queue payment", "Connection terminated"),
      unclear("400: Failed to queue payment: Connection terminated")
    ],
    ["409 for a spent nonce", says(409, "authorization already used"), unclear("409: authorization already used")],
    ["402, an answer of x402", reply(402, {}, { accepts: [] }), unclear("402: it speaks x402, check MINT_PROTOCOL")],
    [
      "500 after the payment",
      says(500, "Mints not found", "no callback"),
      unclear("500: Mints not found: no callback")
    ],
    ["503", says(503, "Database not configured"), unclear("503: Database not configured")],
    ["502 with a page", reply(502, {}, "<html>Bad Gateway</html>"), unclear("502")],
    ["429", reply(429), unclear("429")],
    ["307", reply(307, { location: "http://elsewhere" }), unclear("307: redirects are not followed, check SERVER_URL")],
    ["a 200 that denies it", reply(200, {}, { success: false, error: "sold out" }), unclear("200: sold out")],
    ["a 200 whose success is no truth", reply(200, {}, { success: "true" }), unclear("200")],
    ["a 200 that says nothing", reply(200, {}, ""), unclear("200")],
    ["a 200 that is no JSON", reply(200, {}, "queued!"), unclear("200: queued!")],
    [
      "a 200 that broke off",
      { ...reply(200, {}, { success: true }), body: undefined },
      unclear("200: the answer broke off or is too large")
    ],
    ["a 400 that broke off", { ...reply(400), body: undefined }, unclear("400: the answer broke off or is too large")]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswerV1(answer), expected))

  const status = Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 599 }))
  it.prop(
    "or refused or accepted, and never a throw or a long reason, whatever came",
    [status, Schema.Json],
    ([code, json]) => {
      const answer = readPaymentAnswerV1(reply(code, {}, json))
      assert.isTrue(answer._tag === "Accepted" || answer.reason.length <= REASON_LENGTH_MAX)
      if (code >= 500 || code < 200) assert.strictEqual(answer._tag, "Unclear")
    }
  )

  it("tells no byte of a payment that the server echoes, in whichever place", () => {
    const { signature } = payment
    const [r, s] = [signature.slice(0, 66), signature.slice(66)]
    const echo = `reverted with args (${r}, 0x${s}) ${base64(payment.signature)}`
    const places = [
      reply(400, {}, { error: echo }),
      reply(400, {}, { error: "Payment processing failed", message: echo }),
      reply(500, {}, echo),
      reply(408, {}, { paymentQueueId: signature, message: echo })
    ]
    for (const place of places) {
      const answer = JSON.stringify(readPaymentAnswerV1(place))
      assert.notInclude(answer, signature.slice(2, 40))
      assert.notInclude(answer, s.slice(0, 40))
      assert.include(answer, "reverted with args")
    }
  })
})

describe("what a v1.1 server says of a payment", () => {
  const ofPayment = (words: string) => `mint server says of payment 17: ${words}`
  const cases: ReadonlyArray<readonly [what: string, reply: Reply, words: string | undefined]> = [
    [
      "that is through",
      reply(200, {}, { paymentId: "17", status: "completed", txHash: hash("FE"), error: null }),
      ofPayment(`completed, transaction ${hash("fe")}`)
    ],
    [
      "that is on its way, under another name",
      reply(200, {}, { state: "sent", tx_hash: hash("fe") }),
      ofPayment(`sent, transaction ${hash("fe")}`)
    ],
    ["that waits", reply(200, {}, { status: "pending", txHash: null }), ofPayment("pending")],
    [
      "that failed",
      reply(200, {}, { status: "failed", error: "execution reverted" }),
      ofPayment("failed, execution reverted")
    ],
    ["that it does not know", says(404, "Payment not found"), ofPayment("Payment not found")],
    [
      "is one harmless line",
      reply(200, {}, { status: `done\u001b[31m\n${payment.signature}`, txHash: "0x12" }),
      ofPayment("done [31m …")
    ],
    ["is nothing where it has no words", reply(200, {}, { status: 7 }), undefined],
    ["is nothing where it answers a page", reply(200, {}, "<html></html>"), undefined],
    ["is nothing where it is in trouble", says(500, "no database"), undefined],
    ["is nothing where its answer broke off", { ...reply(200), body: undefined }, undefined]
  ]
  it.each(cases)("%s", (_, answer, words) => assert.strictEqual(readFollowed(answer, "17"), words))

  it("is never long", () => {
    const words = readFollowed(reply(200, {}, { status: "so ".repeat(200) }), "17")
    assert.isAtMost(words?.length ?? 0, REASON_LENGTH_MAX)
  })

  it("is asked for by a name that is safe in a URL", () => {
    assert.isTrue(isReference("3f1c9a5e-0000-4000-8000-00805f9b34fb"))
    for (const other of ["", ".", "..", "../health", "a?b", "a#b", "%2e%2e"]) assert.isFalse(isReference(other))
  })
})
