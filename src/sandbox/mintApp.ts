import { encodePaymentResponseHeader } from "@x402/core/http"
import type { HTTPRequestContext } from "@x402/core/server"
import type { Network } from "@x402/core/types"
import { ExactEvmScheme } from "@x402/evm/exact/server"
import { paymentMiddleware, x402ResourceServer } from "@x402/hono"
import { Effect, Result } from "effect"
import { type Context, Hono, type MiddlewareHandler } from "hono"
import { bodyLimit } from "hono/body-limit"
import { basename } from "node:path/posix"
import type { UsdcContract } from "../config/Network.ts"
import { address, parse } from "../domain/Address.ts"
import type { MintOrder } from "../mint/Minter.ts"
import type { Delivery, MintDesk, NotServed } from "./mintDesk.ts"
import type { Run } from "./mintFacilitator.ts"
import { type ReceivedPayment, readOrder, readPaymentHeader } from "./mintOrder.ts"

/** A request is two short fields. */
const BODY_BYTES_MAX = 16 * 1024

/** How long the server may take to settle, as the offer says it: the executor's `AUTHORIZATION_WINDOW`. */
const SETTLE_TIMEOUT_SECONDS = 300

export interface MintAppOptions {
  readonly desk: MintDesk
  readonly network: Network
  readonly usdc: UsdcContract
  readonly run: Run
}

/** What the steps of one request hand on. */
interface Env {
  Variables: { readonly order: MintOrder; readonly payment: ReceivedPayment | undefined }
}

/**
 * The way of a request: read it, see whether its payment is settled already, else let official x402 challenge it or
 * settle its payment, and mint. Nothing is challenged that could not be served.
 */
export const make = (options: MintAppOptions): Hono<Env> => {
  const { desk, run } = options
  const limit = bodyLimit({
    maxSize: BODY_BYTES_MAX,
    onError: (c) => c.json({ error: `the body is larger than ${BODY_BYTES_MAX} bytes` }, 400)
  })
  return (
    new Hono<Env>()
      .post("/api/mint/:token", limit, reads(desk), attends(options), takesPayment(options), (c) =>
        // Official x402 lets no request through without a payment.
        run(answer(c, desk.deliver(c.var.order, c.var.payment as ReceivedPayment)))
      )
      .notFound((c) => c.json({ error: "not found" }, 404))
      // Hono's own handler writes to the console. A request that is cut off by the end of the server comes here too.
      .onError((_, c) => c.json({ error: "internal error" }, 500))
  )
}

const reads =
  ({ priceOf }: MintDesk): MiddlewareHandler<Env> =>
  async (c, next) => {
    const token = parse(c.req.param("token") ?? "")
    if (token === undefined || priceOf(token, 1) === undefined)
      return c.json({ error: "no such token is sold here" }, 404)
    const order = readOrder(token, await c.req.json().catch(() => undefined))
    if (Result.isFailure(order)) return c.json({ error: order.failure }, 400)
    const header = c.req.header("payment-signature")
    const payment = header === undefined ? Result.succeed(undefined) : readPaymentHeader(header)
    // Official x402 would take it for a request without payment, and say so on the console.
    if (Result.isFailure(payment)) return c.json({ error: payment.failure }, 400)
    c.set("order", order.success)
    c.set("payment", payment.success)
    return next()
  }

const attends =
  ({ desk, network, run }: MintAppOptions): MiddlewareHandler<Env> =>
  (c, next) => {
    const { order, payment } = c.var
    const respond = Effect.fnUntraced(function* () {
      const recalled = yield* desk.attend(order, payment, Effect.promise(next))
      if (recalled === undefined) return undefined
      const { settled, outcome } = recalled
      const receipt = { success: true, transaction: settled.tx, network, ...(payment && { payer: payment.payer }) }
      c.header("PAYMENT-RESPONSE", encodePaymentResponseHeader(receipt))
      c.header("Cache-Control", "private")
      return yield* answer(c, Effect.fromResult(outcome))
    })
    return run(Effect.catch(respond(), (refused) => answer(c, Effect.fail(refused))))
  }

/** In the upfront flow a payment is settled before the handler runs; the other one would mint before it is paid. */
const takesPayment = ({ desk, network, usdc }: MintAppOptions): MiddlewareHandler => {
  // What was read at the door already, from the only things that x402 hands on.
  const orderOf = async ({ path, adapter }: HTTPRequestContext): Promise<MintOrder> =>
    Result.getOrThrow(readOrder(address(basename(path)), await adapter.getBody?.()))
  const offer = {
    accepts: {
      scheme: "exact",
      network,
      maxTimeoutSeconds: SETTLE_TIMEOUT_SECONDS,
      payTo: async (request: HTTPRequestContext) => (await orderOf(request)).token,
      price: async (request: HTTPRequestContext) => {
        const { token, quantity } = await orderOf(request)
        const { name, version } = usdc
        return { amount: String(desk.priceOf(token, quantity)), asset: usdc.address, extra: { name, version } }
      },
      extra: { paymentFlow: "upfront" }
    },
    description: "Mints of the sandbox's token, to the recipient",
    mimeType: "application/json"
  }
  const resources = new x402ResourceServer(desk.facilitator).register(network, new ExactEvmScheme())
  return paymentMiddleware({ "POST /api/mint/[token]": offer }, resources)
}

const answer = (c: Context, outcome: Effect.Effect<Delivery, NotServed>): Effect.Effect<Response> =>
  Effect.match(outcome, {
    onSuccess: ({ quantity, paymentTx, mintTxs }) =>
      c.json({
        success: true,
        quantity,
        mintTxHash: mintTxs[0],
        mintTxHashes: mintTxs,
        paymentTxHash: paymentTx
      }),
    onFailure: ({ status, message }) => c.json({ error: message }, status)
  })
