import type { HttpBindings } from "@hono/node-server"
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { encodePaymentRequiredHeader, encodePaymentResponseHeader } from "@x402/core/http"
import type { Network, PaymentRequired, SettleResponse } from "@x402/core/types"
import type { Payment } from "./mintOrder.ts"

// Answers that a mint server should not give.

export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(body, { status, headers })

export const challenged = (challenge: PaymentRequired): Response =>
  json(402, {}, { "payment-required": encodePaymentRequiredHeader(challenge) })

export const pending = (receipt: SettleResponse): Response =>
  json(
    402,
    {},
    {
      "payment-response": encodePaymentResponseHeader({ ...receipt, success: false, errorReason: "settlement_pending" })
    }
  )

/** Says that the payment is settled, with a receipt for a transaction that there is not. */
export const untrue = (network: Network, payment: Payment | undefined): Response => {
  const receipt = {
    success: true,
    transaction: `0x${"0".repeat(64)}`,
    network,
    ...(payment && { payer: payment.payer })
  }
  return json(200, { success: true }, { "payment-response": encodePaymentResponseHeader(receipt) })
}

/** Ends with the connection, which is cut when the server ends. */
export const silence = (): Promise<never> => new Promise(() => undefined)

export const cut = ({ outgoing }: HttpBindings): Response => {
  outgoing.destroy()
  return RESPONSE_ALREADY_SENT
}

/** Half of the body, where all of it was announced. */
export const truncate = async ({ outgoing }: HttpBindings, answer: Response): Promise<Response> => {
  const body = Buffer.from(await answer.arrayBuffer())
  const headers = { ...Object.fromEntries(answer.headers), "content-length": body.length }
  await new Promise<void>((resolve) => {
    outgoing.writeHead(answer.status, headers)
    outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => resolve())
  })
  return cut({ outgoing } as HttpBindings)
}
