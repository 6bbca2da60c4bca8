import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { readPaymentAnswer, readQuoteAnswer } from "../../src/mint/answer.ts"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import { REASON_LENGTH_MAX, type Reply } from "../../src/mint/reply.ts"
import { base64, challengeV1, challengeV2, entryV2, hash, payment, reply, says } from "./fixtures.ts"

const network = "eip155:31337"
const settled = { success: true, transaction: hash("fe"), network }
const v2 = (settlement: unknown) => ({ "payment-response": base64(settlement) })
const v1 = (settlement: unknown) => ({ "x-payment-response": base64(settlement) })
const failed = (errorReason: string, transaction = "") => v2({ success: false, errorReason, transaction, network })
const challenged = (error: string) => ({ "payment-required": base64({ ...challengeV2, error }) })

const accepted = (mintTxs: ReadonlyArray<`0x${string}`>, paymentTx?: `0x${string}`): PaymentAnswer => ({
  _tag: "Accepted",
  mintTxs,
  paymentTx
})
const refused = (reason: string): PaymentAnswer => ({ _tag: "Refused", reason: `mint server answered ${reason}` })
const unclear = (reason: string): PaymentAnswer => ({ _tag: "Unclear", reason: `mint server answered ${reason}` })
const notTheOrders = (whose: "wallet" | "ours" | "unknown", reason: string): PaymentAnswer => ({
  _tag: "Unclear",
  reason: `mint server answered ${reason}`,
  whose
})
const problem = { "content-type": "application/problem+json" }
const html = { "content-type": "text/html" }

type Case = readonly [what: string, reply: Reply, answer: PaymentAnswer]

describe("a payment is accepted by", () => {
  const many = Array.from({ length: 1200 }, (_, n) => `0x${n.toString(16).padStart(64, "0")}` as const)
  const cases: ReadonlyArray<Case> = [
    ["a 200 with a receipt", reply(200, v2(settled)), accepted([], hash("fe"))],
    ["a 200 with a receipt of version 1", reply(200, v1(settled)), accepted([], hash("fe"))],
    ["a 201 with a receipt", reply(201, v2(settled)), accepted([], hash("fe"))],
    ["a receipt over a body that is no JSON", reply(200, v2(settled), "minted!"), accepted([], hash("fe"))],
    ["a receipt without a transaction", reply(200, v2({ ...settled, transaction: "" })), accepted([])],
    ["a 200 that names its mint", reply(200, {}, { mintTxHash: hash("ab") }), accepted([hash("ab")])],
    [
      "a 200 that names its mints and its payment",
      reply(200, {}, { mintTxHashes: [hash("ab"), hash("cd")], paymentTxHash: hash("ef") }),
      accepted([hash("ab"), hash("cd")], hash("ef"))
    ],
    [
      "mints named twice and in other case, each once",
      reply(200, v2(settled), { mintTxHash: hash("AB"), mintTxHashes: [hash("ab"), hash("cd")] }),
      accepted([hash("ab"), hash("cd")], hash("fe"))
    ],
    [
      "mints of which some are no hashes, without those",
      reply(200, v2(settled), { mintTxHash: "0x12", mintTxHashes: [null, 7, hash("ab"), "pending", [hash("cd")]] }),
      accepted([hash("ab")], hash("fe"))
    ],
    [
      "more mints than a task can have, up to that number",
      reply(200, {}, { mintTxHashes: many }),
      accepted(many.slice(0, 1000))
    ],
    [
      "the payment in the receipt rather than the one in the body",
      reply(200, v2(settled), { paymentTxHash: hash("01") }),
      accepted([], hash("fe"))
    ],
    [
      "a mint although the receipt cannot be read",
      reply(200, { "payment-response": "%" }, { mintTxHash: hash("ab") }),
      accepted([hash("ab")])
    ]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswer(answer), expected))
})

describe("a payment is refused, which counts against the order, by", () => {
  const cases: ReadonlyArray<Case> = [
    ["400 for the order", says(400, "quantity must be 1 to 10"), refused("400: quantity must be 1 to 10")],
    ["404 for the token", reply(404, {}, { message: "no such token" }), refused("404: no such token")],
    ["409 for its supply", says(409, "sold out"), refused("409: sold out")],
    [
      "410 in an error of its own",
      reply(410, {}, { error: { code: "CLOSED" }, message: "closed" }),
      refused("410: closed")
    ],
    ["403 for its recipient", says(403, "recipient is not on the list"), refused("403: recipient is not on the list")],
    [
      "422 with a list of faults",
      reply(422, {}, { detail: [{ msg: "quantity too large" }] }),
      refused("422: quantity too large")
    ],
    [
      "problem details",
      reply(409, problem, { type: "about:blank", title: "Conflict", status: 409, detail: "the drop has ended" }),
      refused("409: the drop has ended")
    ],
    ["a 402 of the server's own", reply(402, challenged("token sold out")), refused("402: token sold out")]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswer(answer), expected))
})

describe("a payment is not taken, which is", () => {
  const cases: ReadonlyArray<Case> = [
    [
      "the wallet's where its signature is refused",
      reply(402, challenged("invalid_exact_evm_signature")),
      notTheOrders("wallet", "402: invalid_exact_evm_signature")
    ],
    [
      "the wallet's where its money is short, in a receipt",
      reply(402, failed("insufficient_funds")),
      notTheOrders("wallet", "402: insufficient_funds")
    ],
    [
      "the wallet's in words that are said twice, once each",
      reply(402, v2({ success: false, errorReason: "insufficient_funds", errorMessage: "needs 10 USDC", network })),
      notTheOrders("wallet", "402: insufficient_funds: needs 10 USDC")
    ],
    [
      "ours where the server has another offer now",
      reply(402, challenged("No matching payment requirements")),
      notTheOrders("ours", "402: No matching payment requirements")
    ],
    [
      "ours where the server did not see the payment",
      reply(402, {}, challengeV1),
      notTheOrders("ours", "402: X-PAYMENT header is required")
    ],
    [
      "ours where the window is refused",
      reply(402, challenged("invalid_exact_evm_payload_authorization_valid_before")),
      notTheOrders("ours", "402: invalid_exact_evm_payload_authorization_valid_before")
    ],
    [
      "unknown where the facilitator's words are",
      reply(402, challenged("kyt_provider_score")),
      notTheOrders("unknown", "402: kyt_provider_score")
    ],
    [
      "unknown where a challenge has none",
      reply(402, {}, { ...challengeV1, error: undefined }),
      notTheOrders("unknown", "402")
    ]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswer(answer), expected))
})

/** Not the mint server's: whatever its status, it counts against no order. */
const foreign: ReadonlyArray<readonly [what: string, reply: Reply]> = [
  ["a proxy's page", reply(403, html, "<html>Forbidden</html>")],
  ["a page that calls itself JSON", reply(403, {}, "<html>Forbidden</html>")],
  ["nothing", reply(403, {}, "")],
  ["an empty object", reply(404)],
  ["plain text", reply(409, {}, "sold out")],
  ["JSON that calls itself text", reply(400, { "content-type": "text/plain" }, { error: "bad quantity" })],
  ["the status and no more", says(404, "Not Found")],
  ["401 of AWS", reply(401, {}, { message: "Unauthorized" })],
  ["403 of AWS", reply(403, {}, { message: "Forbidden" })],
  ["403 of AWS for an unknown path", reply(403, {}, { message: "Missing Authentication Token" })],
  ["403 of an AWS authorizer", reply(403, {}, { Message: "User is not authorized to access this resource" })],
  ["an error that AWS marks", reply(400, { "x-amzn-errortype": "BadRequestException" }, { error: "no good" })],
  ["404 of Kong", reply(404, {}, { message: "no Route matched with those values" })],
  ["401 of Kong", reply(401, {}, { message: "No API key found in request" })],
  ["403 of Kong", reply(403, {}, { message: "You cannot consume this service" })],
  ["403 of Cloudflare", reply(403, { "cf-mitigated": "challenge" }, { error: "blocked" })],
  [
    "an error of Cloudflare",
    reply(403, {}, { title: "Error 1020: Access denied", detail: "x", cloudflare_error: true })
  ],
  [
    "404 of Vercel",
    reply(404, {}, { error: { code: "404", message: "The deployment could not be found: DEPLOYMENT_NOT_FOUND" } })
  ],
  ["402 of Vercel", reply(402, { "x-vercel-error": "DEPLOYMENT_DISABLED" }, { error: { code: "402", message: "x" } })],
  [
    "403 of Google Cloud",
    reply(
      403,
      {},
      { error: { code: 403, message: "The caller does not have permission", status: "PERMISSION_DENIED" } }
    )
  ],
  ["401 of Azure", reply(401, {}, { statusCode: 401, message: "Access denied due to missing subscription key." })],
  [
    "404 of Fastify",
    reply(404, {}, { message: "Route POST:/api/mint/0x not found", error: "Not Found", statusCode: 404 })
  ],
  ["404 of NestJS", reply(404, {}, { message: "Cannot POST /api/mint/0x", error: "Not Found", statusCode: 404 })],
  ["402 with a page", reply(402, html, "<html>Payment Required</html>")]
]

describe("no answer of the server's own is", () => {
  it.each(foreign)("%s", (_, answer) => {
    const paying = readPaymentAnswer(answer)
    assert.isTrue(paying._tag === "Unclear" && paying.whose === undefined)
    assert.include(JSON.stringify(paying), "not the server's own words")
    assert.strictEqual(Result.getOrThrow(Result.flip(readQuoteAnswer(answer))).reason, "Unavailable")
  })
})

describe("what became of a payment is unclear after", () => {
  const open = (error: string): Case => [`402 ${error}`, reply(402, challenged(error)), unclear(`402: ${error}`)]
  const cases: ReadonlyArray<Case> = [
    [
      "402 settlement_pending, whose transaction is kept",
      reply(402, failed("settlement_pending", hash("fe"))),
      unclear(`402 with payment ${hash("fe")}: settlement_pending`)
    ],
    [
      "402 settlement_pending without one",
      reply(402, failed("settlement_pending")),
      unclear("402: settlement_pending")
    ],
    [
      "402 with a transaction, whatever the reason",
      reply(402, failed("insufficient_funds", hash("fe"))),
      unclear(`402 with payment ${hash("fe")}: insufficient_funds`)
    ],
    open("invalid_exact_evm_nonce_already_used"),
    open("invalid_exact_evm_transaction_failed"),
    open("invalid_transaction_state"),
    open("unexpected_verify_error"),
    open("unexpected_settle_error"),
    open("Payment verification failed"),
    open("Settlement failed"),
    open("fetch failed"),
    [
      "402 with an error of which JSON left nothing",
      reply(402, {}, { ...challengeV1, error: {} }),
      unclear("402: an error without words")
    ],
    open("Facilitator settle request timed out after 90000ms"),
    open("connect ECONNREFUSED 10.0.0.1:443"),
    [
      "402 of version 1 with a spent nonce",
      reply(402, {}, { ...challengeV1, error: "authorization nonce used" }),
      unclear("402: authorization nonce used")
    ],
    ["400 with a spent nonce", says(400, "nonce_already_used"), unclear("400: nonce_already_used")],
    ["409 for a payment that is in work", says(409, "already processed"), unclear("409: already processed")],
    [
      "409 with a receipt: paid, and nothing sold",
      reply(409, v2(settled), { error: "sold out" }),
      unclear(`409 with payment ${hash("fe")}: sold out`)
    ],
    [
      "409 with a receipt that names no transaction",
      reply(409, v2({ success: true, network }), { error: "sold out" }),
      unclear("409: sold out")
    ],
    [
      "400 with a receipt that cannot be read",
      reply(400, { "payment-response": `${base64(settled)}, ${base64(settled)}` }, { error: "bad order" }),
      unclear("400: bad order")
    ],
    [
      "500 with a receipt",
      reply(500, v2(settled), { error: "out of gas" }),
      unclear(`500 with payment ${hash("fe")}: out of gas`)
    ],
    ["408", reply(408, {}, { paymentQueueId: "7" }), unclear("408")],
    ["425", reply(425), unclear("425")],
    ["429", says(429, "slow down"), unclear("429: slow down")],
    ["502 with a page", reply(502, {}, "<html>Bad Gateway</html>"), unclear("502")],
    ["307", reply(307, { location: "http://elsewhere" }), unclear("307: redirects are not followed, check SERVER_URL")],
    ["a 200 that says nothing", reply(200), unclear("200: no settlement and no mint transaction")],
    ["a 200 with an empty body", reply(200, {}, ""), unclear("200: no settlement and no mint transaction")],
    ["a 200 that queues", reply(200, {}, { queueIds: [1, 2] }), unclear("200: no settlement and no mint transaction")],
    [
      "a 200 that names no hash",
      reply(200, {}, { mintTxHash: "0x" }),
      unclear("200: no settlement and no mint transaction")
    ],
    [
      "a 200 whose receipt says no, though it names a mint",
      reply(200, failed("insufficient_funds"), { mintTxHash: hash("ab") }),
      unclear("200: insufficient_funds")
    ],
    [
      "a 200 whose receipt is pending, whose transaction is kept",
      reply(200, failed("settlement_pending", hash("fe"))),
      unclear(`200 with payment ${hash("fe")}: settlement_pending`)
    ],
    [
      "a 200 whose body says no",
      reply(200, {}, { success: false, error: "mint reverted", mintTxHash: hash("ab") }),
      unclear("200: mint reverted")
    ],
    [
      "a 200 whose receipt is of no known form",
      reply(200, v2({ success: "true", transaction: hash("fe") })),
      unclear("200: no settlement and no mint transaction")
    ],
    [
      "a 200 that broke off, even with a receipt",
      { ...reply(200, v2(settled)), body: undefined },
      unclear("200: the answer broke off or is too large")
    ],
    ["a 400 that broke off", { ...reply(400), body: undefined }, unclear("400: the answer broke off or is too large")]
  ]
  it.each(cases)("%s", (_, answer, expected) => assert.deepStrictEqual(readPaymentAnswer(answer), expected))

  const byte = Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 599 }))
  it.prop(
    "or refused or accepted, and never a throw or a long reason, whatever came",
    [byte, Schema.Json],
    ([status, json]) => {
      const answer = readPaymentAnswer(reply(status, v2(json), json))
      assert.isTrue(answer._tag === "Accepted" || answer.reason.length <= REASON_LENGTH_MAX)
      if (status >= 500 || status < 200) assert.strictEqual(answer._tag, "Unclear")
    }
  )

  it("tells no byte of a payment that the server echoes, in whichever place", () => {
    const echo = `bad payment ${payment.signature} in ${base64(payment.signature)}`
    const places = [
      reply(402, challenged(echo)),
      reply(402, failed(echo)),
      reply(400, {}, { error: echo }),
      reply(500, {}, echo)
    ]
    for (const place of places) {
      const answer = readPaymentAnswer(place)
      assert.notInclude(JSON.stringify(answer), payment.signature.slice(2, 40))
      assert.include(JSON.stringify(answer), "bad payment … in …")
    }
  })
})

describe("a request without payment is answered", () => {
  const noOffer = (answer: Reply) => {
    const { reason, message } = Result.getOrThrow(Result.flip(readQuoteAnswer(answer)))
    return [reason, message]
  }

  it("with a quote by a 402", () => {
    const answer = reply(402, challenged("Payment required"))
    assert.strictEqual(Result.getOrThrow(readQuoteAnswer(answer)).offers.length, 1)
  })

  const cases: ReadonlyArray<readonly [reason: string, message: string, reply: Reply]> = [
    ["Unreadable", "402: it has no PAYMENT-REQUIRED header, and no accepts in its body", reply(402)],
    ["Unreadable", "402: its PAYMENT-REQUIRED header cannot be read", reply(402, { "payment-required": "%" }, "")],
    [
      "Unreadable",
      "402: no offer in it can be read: accepts[0].payTo is missing",
      reply(402, { "payment-required": base64({ ...challengeV2, accepts: [{ ...entryV2, payTo: undefined }] }) })
    ],
    ["Unreadable", "200: it asks for no payment", reply(200, {}, { mintTxHash: hash("ab") })],
    ["Refused", "400: quantity must be 1 to 10", says(400, "quantity must be 1 to 10")],
    ["Unavailable", "403: not the server's own words (a gateway's JSON, or an empty one)", reply(403)],
    ["Unavailable", "401: not the server's own words (text/html)", reply(401, html, "<html>log in</html>")],
    ["Unavailable", "400: Failed to settle payment: 503", says(400, "Failed to settle payment: 503")],
    ["Unreadable", "400: insufficient_funds", says(400, "insufficient_funds")],
    ["Refused", "404: no such token", says(404, "no such token")],
    ["Refused", "409: sold out", says(409, "sold out")],
    ["Refused", "410: over", says(410, "over")],
    [
      "Unavailable",
      "422: not the server's own words (a gateway's JSON, or an empty one)",
      { ...reply(422), body: undefined }
    ],
    ["Unavailable", "408", reply(408)],
    ["Unavailable", "425", reply(425)],
    ["Unavailable", "429: slow down", says(429, "slow down")],
    ["Unavailable", "503: deploying", reply(503, {}, "deploying")],
    ["Unavailable", "301: redirects are not followed, check SERVER_URL", reply(301)]
  ]
  it.each(cases)("as %s: %s", (reason, message, answer) => {
    assert.deepStrictEqual(noOffer(answer), [reason, `mint server answered ${message}`])
  })
})
