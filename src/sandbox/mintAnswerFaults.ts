import type { HttpBindings } from "@hono/node-server"
import {
  decodePaymentRequiredHeader,
  decodePaymentResponseHeader,
  encodePaymentRequiredHeader,
  encodePaymentResponseHeader
} from "@x402/core/http"
import type { Network, PaymentRequired, SettleResponse } from "@x402/core/types"
import { Effect, Result } from "effect"
import type { Hono } from "hono"
import { basename } from "node:path/posix"
import { type Address, address, type Bytes32, parse } from "../domain/Address.ts"
import { defaults, type Fault, type Faults, type FaultKind, ofMintServer } from "./faults.ts"
import { type Answering, cut, silence } from "./listen.ts"
import type { Run } from "./mintFacilitator.ts"
import { mintIds, type ReceivedPayment, readOrder, readPaymentHeader } from "./mintOrder.ts"

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
  readonly payment: ReceivedPayment | undefined
  readonly body: string
  readonly env: HttpBindings
  /** What the server without faults says to it; `unpaid` leaves the payment out. */
  readonly serve: (unpaid?: "unpaid") => Promise<Response>
}

/**
 * What goes wrong between the mint server and its customers, around the whole of the server: before it hears of a
 * request, or after it has answered.
 */
export const faultyAnswers = (options: FaultyAnswersOptions): Answering => {
  const { app, faults } = options
  return async (request, env) => {
    const token = parse(basename(new URL(request.url).pathname))
    const isQuiet = faults.find(ofMintServer) === undefined && options.withheld.size === 0
    if (isQuiet || request.method !== "POST" || token === undefined) return app.fetch(request, env)
    const asked = await read(options, request, { token, env })
    const early = take(asked.payment === undefined ? ARRIVALS : PAYMENTS, faults, token)
    if (early !== undefined) return early.does(asked, options, early.fault)
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

/** What faults of one moment do, in the order in which they are looked for. */
type Doing<Does> = Readonly<Partial<Record<FaultKind, Does>>>

const take = <Does>(doing: Doing<Does>, faults: Faults, token: Address) => {
  const fault = faults.take(Object.keys(doing) as ReadonlyArray<FaultKind>, token)
  const does = fault && doing[fault.kind]
  return fault && does && { fault, does }
}

const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(body, { status, headers })

const refuse = () => json(400, { error: "this server does not like the order" })

const tooLong = () => json(408, { error: "this takes too long" })

type Early = (asked: Asked, options: FaultyAnswersOptions, fault: Fault) => Response | Promise<Response>

/** Before the server hears of a request. */
const ARRIVALS: Doing<Early> = { outage: () => json(503, { error: "out of order" }), refuse }

/** Before it hears of one that brings a payment. */
const PAYMENTS: Doing<Early> = {
  ...ARRIVALS,
  "refuse-payment": refuse,
  "lost-before-settlement": ({ env }) => cut(env),
  "hang-before-settlement": silence,
  "settle-late": ({ serve }, { run }, { ms = defaults.ms }) => {
    // A server that ends meanwhile never settles it.
    const settle = Effect.promise(() => serve())
    run(Effect.delay(settle, ms)).catch(() => undefined)
    return tooLong()
  },
  // A receipt for a transaction that there is not.
  "settle-nothing": ({ payment }, { network }) => {
    const transaction = `0x${"0".repeat(64)}`
    return settled({ success: true }, { success: true, transaction, network, ...(payment && { payer: payment.payer }) })
  }
}

const settled = (body: unknown, receipt: SettleResponse, status = 200): Response =>
  json(status, body, { "payment-response": encodePaymentResponseHeader(receipt) })

/** An address with no meaning: neither a token nor USDC. */
const STRANGER = address(`0x${"ba".repeat(20)}`)

type Offer = PaymentRequired["accepts"][number]

/** What an offer asks for instead of what it should. */
const OFFERS: Doing<(offer: Offer) => Partial<Offer>> = {
  "price-higher": ({ amount }) => ({ amount: String(BigInt(amount) + 1n) }),
  "other-payee": () => ({ payTo: STRANGER }),
  "other-asset": () => ({ asset: STRANGER }),
  "other-chain": () => ({ network: "eip155:1" })
}

const bend = ({ faults }: FaultyAnswersOptions, { token }: Asked, answer: Response): Response => {
  const header = answer.headers.get("payment-required")
  const other = header === null ? undefined : take(OFFERS, faults, token)?.does
  if (header === null || other === undefined) return answer
  const challenge = decodePaymentRequiredHeader(header)
  const accepts = challenge.accepts.map((offer) => ({ ...offer, ...other(offer) }))
  return json(402, {}, { "payment-required": encodePaymentRequiredHeader({ ...challenge, accepts }) })
}

type Late = (asked: Asked, answer: Response, receipt: SettleResponse) => Response | Promise<Response>

/** What the customer gets whose payment is settled. */
const SETTLED: Doing<Late> = {
  "lost-after-settlement": ({ env }) => cut(env),
  "hang-after-settlement": silence,
  "answer-402": ({ serve }) => serve("unpaid"),
  "answer-408": tooLong,
  "answer-500": () => json(500, { error: "internal error" }),
  "answer-502": () => new Response("<html><h1>502 Bad Gateway</h1></html>", { status: 502 }),
  "settlement-pending": (_, _answer, receipt) =>
    settled({}, { ...receipt, success: false, errorReason: "settlement_pending" }, 402),
  truncated: ({ env }, answer) => truncate(env, answer),
  malformed: () => new Response('{"success": tr', { headers: { "content-type": "application/json" } })
}

const afterwards = async (options: FaultyAnswersOptions, asked: Asked, answer: Response): Promise<Response> => {
  const header = answer.headers.get("payment-response")
  const receipt = header === null ? undefined : decodePaymentResponseHeader(header)
  if (receipt?.success !== true) return answer
  const claimed = claim(options, asked, answer, receipt)
  return take(SETTLED, options.faults, asked.token)?.does(asked, claimed, receipt) ?? claimed
}

/** Half of the body, where all of it was announced. */
const truncate = async (env: HttpBindings, answer: Response): Promise<Response> => {
  const body = Buffer.from(await answer.arrayBuffer())
  const headers = { ...Object.fromEntries(answer.headers), "content-length": body.length }
  await new Promise<void>((resolve) => {
    env.outgoing.writeHead(answer.status, headers)
    env.outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => resolve())
  })
  return cut(env)
}

/** Says that the mints are made where they were kept back. */
const claim = (
  { withheld }: FaultyAnswersOptions,
  { token, payment, body }: Asked,
  answer: Response,
  receipt: SettleResponse
): Response => {
  const content = Result.getOrUndefined(Result.try((): unknown => JSON.parse(body)))
  const order = Result.getOrUndefined(readOrder(token, content))
  if (payment === undefined || order === undefined) return answer
  const kept = mintIds(payment, order.quantity).filter((id) => withheld.delete(id))
  return kept.length === 0 ? answer : settled({ success: true, quantity: order.quantity }, receipt)
}
