import { assert } from "@effect/vitest"
import { decodePaymentRequiredHeader } from "@x402/core/http"
import type { PaymentPayload, PaymentRequired } from "@x402/core/types"
import { Clock, Effect } from "effect"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { address } from "../../src/domain/Address.ts"
import { decisions, units } from "../operator/given.ts"
import { type Person, person, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { type Answer, serving, withToken } from "./served.ts"

export const PAYER = address(`0x${"ba".repeat(20)}`)

export const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64")

/** The API, a person with a wallet, and a client with money. */
export const opened = Effect.fnUntraced(function* (changes: Partial<SettingsShape> = {}) {
  const { ask } = yield* serving({ ...withToken, ...changes })
  const ann = yield* person("ann")
  const world = yield* World
  world.deposit(PAYER, units(100))
  const order = (body: unknown, payment?: unknown) =>
    ask("/api/orders", {
      body,
      ...(payment === undefined
        ? {}
        : { headers: { "payment-signature": typeof payment === "string" ? payment : base64(payment) } })
    })
  return { ask, ann, world, order }
})

export const wishOf = (who: Person, quantity = 5) => ({ user: who.userAddress, token: TOKEN, quantity })

export const challengeOf = ({ headers }: Answer): PaymentRequired =>
  decodePaymentRequiredHeader(headers.get("payment-required") ?? assert.fail("no PAYMENT-REQUIRED"))

export type Payload = PaymentPayload & {
  readonly payload: { readonly authorization: Record<string, string>; readonly signature: string }
}

/** What a client signs for a challenge. The world's USDC takes any signature. */
export const payloadFor = Effect.fnUntraced(function* ({ accepts, resource }: PaymentRequired, nonce = 1) {
  const accepted = accepts[0] ?? assert.fail("no offer")
  const nowSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const authorization = {
    from: PAYER as string,
    to: accepted.payTo,
    value: accepted.amount,
    validAfter: "0",
    validBefore: String(nowSeconds + accepted.maxTimeoutSeconds),
    nonce: `0x${nonce.toString(16).padStart(64, "0")}`
  }
  const payload = { signature: `0x${"11".repeat(65)}`, authorization }
  return { x402Version: 2, resource, accepted, payload } satisfies Payload
})

export const changed = (payload: Payload, authorization: Record<string, string>): Payload => ({
  ...payload,
  payload: { ...payload.payload, authorization: { ...payload.payload.authorization, ...authorization } }
})

export const assertProblem = ({ status, json, headers }: Answer, code: number, words: string) => {
  assert.deepStrictEqual([status, json.status], [code, code], json.detail)
  assert.include(json.detail, words)
  assert.isNull(headers.get("payment-response"))
}

export const assertNothingWritten = Effect.map(decisions, (made) => assert.deepStrictEqual(made, []))
