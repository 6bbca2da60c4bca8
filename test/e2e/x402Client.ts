import { assert } from "@effect/vitest"
import { x402Client } from "@x402/core/client"
import { x402HTTPClient } from "@x402/core/http"
import type { PaymentPayload, SettleResponse } from "@x402/core/types"
import { ExactEvmScheme } from "@x402/evm/exact/client"
import { Effect } from "effect"
import type { PrivateKeyAccount } from "viem/accounts"
import type { Address } from "../../src/domain/Address.ts"
import { eventually, until } from "./support.ts"

/** What an agent orders, where, and the account that it pays from. */
export interface Buyer {
  readonly url: string
  readonly token: Address
  /** The person, who gets the tokens. */
  readonly user: Address
  readonly agent: PrivateKeyAccount
  readonly key?: string
}

/** The official client, as an agent's developer has it. Its own cap of a dollar is off. */
const clientOf = ({ agent }: Buyer) =>
  new x402HTTPClient(new x402Client().register("eip155:*", new ExactEvmScheme(agent)).setSpendControls(false))

const headersOf = ({ key }: Buyer) => ({
  "content-type": "application/json",
  ...(key !== undefined && { authorization: `Bearer ${key}` })
})

export const request = (on: Buyer, quantity: number, headers: Record<string, string> = {}) =>
  Effect.promise((signal) =>
    fetch(`${on.url}/api/orders`, {
      method: "POST",
      headers: { ...headersOf(on), ...headers },
      body: JSON.stringify({ user: on.user, token: on.token, quantity }),
      signal
    })
  )

export interface Signed {
  readonly payload: PaymentPayload
  readonly headers: Record<string, string>
}

/** What the client signs for the 402 that the request is answered with. */
export const signed = Effect.fnUntraced(function* (on: Buyer, quantity: number) {
  const client = clientOf(on)
  const challenge = yield* request(on, quantity)
  assert.strictEqual(challenge.status, 402)
  const required = client.getPaymentRequiredResponse((name) => challenge.headers.get(name))
  const payload = yield* Effect.promise(() => client.createPaymentPayload(required))
  return { payload, headers: client.encodePaymentSignatureHeader(payload) } satisfies Signed as Signed
})

export interface Receipt {
  readonly status: number
  readonly id: string
  readonly detail: string | undefined
  readonly settled: SettleResponse | undefined
}

/** The answer to a request with a payment, as the client reads it. */
export const pay = Effect.fnUntraced(function* (on: Buyer, quantity: number, { payload, headers }: Signed) {
  const answer = yield* request(on, quantity, headers)
  const body = (yield* Effect.promise(() => answer.json())) as Record<"id" | "orderId" | "detail", string | undefined>
  const { settleResponse } = yield* Effect.promise(() =>
    clientOf(on).processPaymentResult(payload, (name) => answer.headers.get(name), answer.status)
  )
  return {
    status: answer.status,
    id: body.id ?? body.orderId ?? "",
    detail: body.detail,
    settled: settleResponse
  } satisfies Receipt as Receipt
})

export const untilCompleted = (on: Buyer, id: string, tell: () => string) =>
  eventually(
    `order ${id} is completed`,
    Effect.promise(async () => {
      const answer = await fetch(`${on.url}/api/tasks/${id}`, { headers: headersOf(on) })
      const order = (await answer.json()) as { readonly status: string }
      return order.status === "completed" ? order : undefined
    }),
    tell
  )

/** The API opens a moment after the executor says that it works. */
export const untilServed = (url: string) =>
  until(
    "the API answers",
    Effect.promise(async () => {
      const answer = await fetch(`${url}/version`).catch(() => undefined)
      return answer?.ok === true
    })
  )
