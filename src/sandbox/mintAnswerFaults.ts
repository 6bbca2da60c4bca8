import type { HttpBindings } from "@hono/node-server"
import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from "@x402/core/http"
import type { Network } from "@x402/core/types"
import { Effect, Result } from "effect"
import type { Hono } from "hono"
import { basename } from "node:path/posix"
import { type Address, address, type Bytes32, parse } from "../domain/Address.ts"
import { defaults, type Faults, type Kind, ofMintServer } from "./faults.ts"
import { challenged, cut, json, pending, silence, truncate, untrue } from "./mintAnswers.ts"
import type { Run } from "./mintFacilitator.ts"
import { mintIds, type Payment, readOrder, readPaymentHeader } from "./mintOrder.ts"

export interface FaultyAnswersOptions {
  /** The server without faults. */
  readonly app: Pick<Hono, "fetch">
  readonly faults: Faults
  /** Mints that were said to be made and were not: the answer is to say it too. */
  readonly withheld: Set<Bytes32>
  readonly network: Network
  readonly run: Run
}

/** One request for mints, read once: it may be served later, or twice. */
interface Asked {
  readonly token: Address
  readonly payment: Payment | undefined
  readonly body: string
  readonly env: HttpBindings
  /** What the server without faults says to it; `unpaid` leaves the payment out. */
  readonly serve: (unpaid?: "unpaid") => Promise<Response>
}

/**
 * What goes wrong between the mint server and its customers, around the whole of the server: before it hears of a
 * request, or after it has answered.
 */
export const faultyAnswers = (options: FaultyAnswersOptions) => {
  const { app, faults } = options
  return async (request: Request, env: HttpBindings): Promise<Response> => {
    const token = parse(basename(new URL(request.url).pathname))
    const isQuiet = faults.find(ofMintServer) === undefined && options.withheld.size === 0
    if (isQuiet || request.method !== "POST" || token === undefined) return app.fetch(request, env)
    const asked = await read(options, request, { token, env })
    const early = await beforehand(options, asked)
    if (early !== undefined) return early
    const answer = await asked.serve()
    return asked.payment === undefined ? bend(options, asked, answer) : afterwards(options, asked, answer)
  }
}

const read = async (
  { app }: FaultyAnswersOptions,
  request: Request,
  { token, env }: Pick<Asked, "token" | "env">
): Promise<Asked> => {
  const body = await request.text()
  const header = request.headers.get("payment-signature")
  const payment = header === null ? undefined : Result.getOrUndefined(readPaymentHeader(header))
  const serve: Asked["serve"] = async (unpaid) => {
    const headers = new Headers(request.headers)
    if (unpaid !== undefined) headers.delete("payment-signature")
    return app.fetch(new Request(request.url, { method: "POST", headers, body }), env)
  }
  return { token, payment, body, env, serve }
}

/** For every request, and for those that bring a payment. */
const ARRIVALS: ReadonlyArray<Kind> = ["outage", "refuse"]
const PAYMENTS: ReadonlyArray<Kind> = [
  ...ARRIVALS,
  "refuse-payment",
  "lost-before-settlement",
  "hang-before-settlement",
  "settle-late",
  "settle-nothing"
]

/** The answer to a request that the server does not hear of, or not yet. */
const beforehand = async (
  { faults, network, run }: FaultyAnswersOptions,
  { token, payment, env, serve }: Asked
): Promise<Response | undefined> => {
  const fault = faults.take(payment === undefined ? ARRIVALS : PAYMENTS, token)
  switch (fault?.kind) {
    case "outage":
      return json(503, { error: "out of order" })
    case "refuse":
    case "refuse-payment":
      return json(400, { error: "this server does not like the order" })
    case "lost-before-settlement":
      return cut(env)
    case "hang-before-settlement":
      return silence()
    case "settle-late":
      // A server that ends meanwhile never settles it.
      run(
        Effect.delay(
          Effect.promise(() => serve()),
          fault.ms ?? defaults.ms
        )
      ).catch(() => undefined)
      return json(408, { error: "this takes too long" })
    case "settle-nothing":
      return untrue(network, payment)
    default:
      return undefined
  }
}

const OFFERS: ReadonlyArray<Kind> = ["price-higher", "other-payee", "other-asset", "other-chain"]

/** An address with no meaning: neither a token nor USDC. */
const STRANGER = address(`0x${"ba".repeat(20)}`)

/** An offer that asks for something else than it should. */
const bend = ({ faults }: FaultyAnswersOptions, { token }: Asked, answer: Response): Response => {
  const header = answer.headers.get("payment-required")
  const kind = header === null ? undefined : faults.take(OFFERS, token)?.kind
  if (header === null || kind === undefined) return answer
  const challenge = decodePaymentRequiredHeader(header)
  const accepts = challenge.accepts.map((entry) => {
    switch (kind) {
      case "price-higher":
        return { ...entry, amount: String(BigInt(entry.amount) + 1n) }
      case "other-payee":
        return { ...entry, payTo: STRANGER }
      case "other-asset":
        return { ...entry, asset: STRANGER }
      default:
        return { ...entry, network: "eip155:1" as const }
    }
  })
  return challenged({ ...challenge, accepts })
}

const SETTLED: ReadonlyArray<Kind> = [
  "lost-after-settlement",
  "hang-after-settlement",
  "answer-402",
  "answer-408",
  "answer-500",
  "answer-502",
  "settlement-pending",
  "truncated",
  "malformed"
]

/** The answer to a payment that is settled, as the customer gets it. */
const afterwards = async (options: FaultyAnswersOptions, asked: Asked, answer: Response): Promise<Response> => {
  const header = answer.headers.get("payment-response")
  const receipt = header === null ? undefined : decodePaymentResponseHeader(header)
  if (receipt?.success !== true) return answer
  const claimed = claim(options, asked, answer)
  switch (options.faults.take(SETTLED, asked.token)?.kind) {
    case "lost-after-settlement":
      return cut(asked.env)
    case "hang-after-settlement":
      return silence()
    case "answer-402":
      return asked.serve("unpaid")
    case "answer-408":
      return json(408, { error: "this takes too long" })
    case "answer-500":
      return json(500, { error: "internal error" })
    case "answer-502":
      return new Response("<html><h1>502 Bad Gateway</h1></html>", { status: 502 })
    case "settlement-pending":
      return pending(receipt)
    case "truncated":
      return truncate(asked.env, claimed)
    case "malformed":
      return new Response('{"success": tr', { headers: { "content-type": "application/json" } })
    default:
      return claimed
  }
}

/** Says that the mints are made where they were kept back. */
const claim = ({ withheld }: FaultyAnswersOptions, { token, payment, body }: Asked, answer: Response): Response => {
  const order = Result.getOrUndefined(
    readOrder(token, Result.getOrUndefined(Result.try((): unknown => JSON.parse(body))))
  )
  if (payment === undefined || order === undefined) return answer
  const kept = mintIds(payment, order.quantity).filter((id) => withheld.delete(id))
  if (kept.length === 0) return answer
  const headers = { "payment-response": answer.headers.get("payment-response") ?? "" }
  return json(200, { success: true, quantity: order.quantity }, headers)
}
