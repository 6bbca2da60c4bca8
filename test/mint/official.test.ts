import { type ServerType, serve } from "@hono/node-server"
import { FacilitatorResponseError } from "@x402/core/http"
import type { FacilitatorClient, HTTPRequestContext } from "@x402/core/server"
import type { PaymentPayload, SettleResponse, VerifyResponse } from "@x402/core/types"
import { ExactEvmScheme } from "@x402/evm/exact/server"
import { paymentMiddleware, x402ResourceServer } from "@x402/hono"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Context, Hono } from "hono"
import type { AddressInfo } from "node:net"
import type { MintOrder, PaymentAnswer } from "../../src/mint/Minter.ts"
import { asset, hash, minterAt, order, payer, payment, token } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const network = "eip155:31337"
const paid: SettleResponse = { success: true, transaction: hash("fe"), network, payer }

/** The facilitator and the handler behind the official middleware: what a test may script, and what came in. */
interface Shop {
  readonly paymentFlow?: "upfront"
  readonly verify?: () => Promise<VerifyResponse>
  readonly settle?: () => Promise<SettleResponse>
  /** Base units for one mint, asked anew for every request. */
  readonly price?: () => bigint
  readonly mint?: (c: Context) => Response | Promise<Response>
}

const facilitator = (shop: Shop, settled: Array<PaymentPayload>): FacilitatorClient => ({
  getSupported: async () => ({
    kinds: [{ x402Version: 2, scheme: "exact", network }],
    extensions: [],
    signers: {}
  }),
  // The upfront flow settles without having verified.
  verify: async () => shop.verify?.() ?? { isValid: true, payer },
  settle: async (payload) => {
    settled.push(payload)
    return shop.settle?.() ?? paid
  }
})

const application = (shop: Shop, settled: Array<PaymentPayload>): Hono => {
  const resources = new x402ResourceServer(facilitator(shop, settled)).register(network, new ExactEvmScheme())
  const mintRoute = {
    accepts: {
      scheme: "exact",
      network,
      payTo: token,
      price: async ({ adapter }: HTTPRequestContext) => {
        const asked = (await adapter.getBody?.()) as Partial<MintOrder> | undefined
        const amount = (shop.price?.() ?? 1_000_000n) * BigInt(asked?.quantity ?? 1)
        return { amount: String(amount), asset, extra: { name: "USDC", version: "2" } }
      },
      ...(shop.paymentFlow && { extra: { paymentFlow: shop.paymentFlow } })
    },
    description: "mints",
    mimeType: "application/json",
    extensions: { loyalty: { info: { card: 7 }, schema: {} } }
  } as const
  return new Hono()
    .use(paymentMiddleware({ "POST /api/mint/[token]": mintRoute }, resources))
    .post("/api/mint/:token", (c) => shop.mint?.(c) ?? c.json({ success: true, mintTxHash: hash("ab") }))
}

/** The official server, in this process, over a real connection. */
const open = Effect.fnUntraced(function* (shop: Shop) {
  const settled: Array<PaymentPayload> = []
  const { fetch } = application(shop, settled)
  const server = yield* Effect.acquireRelease(
    Effect.callback<ServerType>((resume) => {
      const listening = serve({ fetch, port: 0, hostname: "127.0.0.1" }, () => resume(Effect.succeed(listening)))
    }),
    (listening) => Effect.sync(() => listening.close())
  )
  const minter = yield* minterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const quote = yield* minter.quote(order)
  const offer = quote.offers[0]
  assert.isDefined(offer)
  return { settled, minter, quote, offer, pay: minter.pay(order, quote, offer, payment) }
})

describe("the official x402 server", () => {
  test("has its offer read, priced for the quantity", function* () {
    const { quote } = yield* open({})
    assert.deepInclude(quote.challenge, { x402Version: 2 })
    assert.deepStrictEqual(quote.offers, [
      {
        ...{ scheme: "exact", network, asset, payTo: token, amount: 10_000_000n, maxTimeoutSeconds: 300 },
        domain: { name: "USDC", version: "2" }
      }
    ])
  })

  for (const shop of [{}, { paymentFlow: "upfront" }] as const)
    test(`takes the payment and mints, in its ${shop.paymentFlow ?? "default"} flow`, function* () {
      const { settled, quote, pay } = yield* open(shop)
      assert.deepStrictEqual(yield* pay, { _tag: "Accepted", mintTxs: [hash("ab")], paymentTx: hash("fe") })
      assert.deepStrictEqual(settled[0]?.accepted, (quote.challenge as { accepts: Array<unknown> }).accepts[0])
      assert.deepInclude(settled[0]?.payload, { signature: payment.signature })
      assert.deepStrictEqual(settled[0]?.extensions, { loyalty: { info: { card: 7 }, schema: {} } })
    })

  test("takes the same payment wrapped in a later challenge", function* () {
    const { settled, minter, pay } = yield* open({})
    yield* pay
    const again = yield* minter.quote(order)
    const offer = again.offers[0]
    assert.isDefined(offer)
    yield* minter.pay(order, again, offer, payment)
    assert.deepStrictEqual(settled[1], settled[0])
  })

  const settlement = (errorReason: string, transaction = "") => ({
    settle: async (): Promise<SettleResponse> => ({ success: false, errorReason, transaction, network })
  })
  const verdict = (invalidReason: string) => ({
    verify: async (): Promise<VerifyResponse> => ({ isValid: false, invalidReason })
  })
  const throws = (error: Error) => async () => Promise.reject(error)

  const cases: ReadonlyArray<
    readonly [what: string, shop: Shop, tag: PaymentAnswer["_tag"] | "wallet", reason: string]
  > = [
    ["a bad signature", verdict("invalid_exact_evm_signature"), "wallet", "402: invalid_exact_evm_signature"],
    ["too little USDC, found in settling", settlement("insufficient_funds"), "wallet", "402: insufficient_funds"],
    [
      "a spent nonce",
      verdict("invalid_exact_evm_nonce_already_used"),
      "Unclear",
      "402: invalid_exact_evm_nonce_already_used"
    ],
    [
      "a settlement that is under way",
      settlement("settlement_pending", hash("fe")),
      "Unclear",
      `402 with payment ${hash("fe")}: settlement_pending`
    ],
    ["a facilitator that is down", { verify: throws(new TypeError("fetch failed")) }, "Unclear", "402: fetch failed"],
    [
      "a facilitator that talks nonsense",
      { verify: throws(new FacilitatorResponseError("Facilitator verify returned invalid JSON")) },
      "Unclear",
      "502: Facilitator verify returned invalid JSON"
    ],
    [
      "a facilitator that is lost while settling",
      { settle: throws(new Error("socket hang up")) },
      "Unclear",
      "402: socket hang up"
    ],
    ["a sold out token, not paid", { mint: (c) => c.json({ error: "sold out" }, 409) }, "Refused", "409: sold out"],
    [
      "a sold out token, paid before",
      { paymentFlow: "upfront", mint: (c) => c.json({ error: "sold out" }, 409) },
      "Unclear",
      `409 with payment ${hash("fe")}: sold out`
    ],
    [
      "a mint that fails after the payment",
      { paymentFlow: "upfront", mint: (c) => c.json({ error: "out of gas" }, 500) },
      "Unclear",
      `500 with payment ${hash("fe")}: out of gas`
    ]
  ]
  for (const [what, shop, tag, reason] of cases)
    test(`that answers to ${what} is read as ${tag}`, function* () {
      const answer = yield* (yield* open(shop)).pay
      const expected = tag === "wallet" ? { _tag: "Unclear", whose: tag } : { _tag: tag }
      const strain = reason.startsWith("502") ? { trouble: "Overloaded" } : {}
      assert.deepStrictEqual<unknown>(answer, { ...expected, ...strain, reason: `mint server answered ${reason}` })
    })

  test("that has a new price refuses a payment for the old one", function* () {
    let price = 1_000_000n
    const { pay, settled } = yield* open({ price: () => price })
    price = 2_000_000n
    const reason = "mint server answered 402: No matching payment requirements"
    assert.deepStrictEqual(yield* pay, { _tag: "Unclear", reason, whose: "ours" })
    assert.lengthOf(settled, 0)
  })
})
