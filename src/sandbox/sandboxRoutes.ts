import { Clock, Duration, Effect, Layer, Schema, SchemaIssue, type Scope } from "effect"
import { HttpEffect, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiError } from "effect/http-api"
import { type Address, address, parse } from "../domain/Address.ts"
import { shortId, type TaskId } from "../domain/Task.ts"
import { format, type Usdc, usdc, zero } from "../domain/Usdc.ts"
import * as Background from "../ops/background.ts"
import * as Log from "../ops/Log.ts"
import { describe, faultOf, type Faults } from "./faults.ts"
import { OrderDesk, type PlacedOrder } from "./OrderDesk.ts"
import {
  AMOUNT,
  BadRequest,
  type FaultsState,
  Forbidden,
  NotFound,
  type Order,
  type OrderPlaced,
  type PersonPayment,
  type PayMode,
  ProgramsOnly,
  SandboxApi
} from "./SandboxApi.ts"

/** What is the same for all orders of a sandbox. */
export interface SandboxRoutesOptions {
  /** The sandbox's mint token. */
  readonly token: Address
  readonly pricePerMint: Usdc
  /** `PAYMENT_TIMEOUT` and `CHECK_INTERVAL` of the executor: they decide what is late. */
  readonly paymentTimeout: Duration.Duration
  readonly checkInterval: Duration.Duration
  /** What the mint server and the node do wrong on request. */
  readonly faults: Faults
}

/** Answers what `SandboxApi` defines. Late payments are made until the scope closes. */
export const sandboxRoutes = Effect.fnUntraced(function* (
  options: SandboxRoutesOptions
): Effect.fn.Return<(request: Request) => Promise<Response>, never, OrderDesk | Scope.Scope> {
  const desk = yield* OrderDesk
  const payments = yield* makePayments(options)
  const routes = HttpApiBuilder.layer(SandboxApi).pipe(
    Layer.provide([orderRoutes(options, desk, payments), faultRoutes(options.faults)]),
    Layer.provide([programsOnly, HttpServer.layerServices])
  )
  const answer = HttpEffect.toWebHandler(yield* HttpRouter.toHttpEffect(routes))
  const context = yield* Effect.context()
  return async (request) => {
    const response = await answer(asJson(request), context)
    const isUnknown = response.status === 404 && !response.headers.has("content-type")
    return isUnknown ? Response.json({ error: "not found" }, { status: 404 }) : response
  }
})

/** A body is JSON, also where its header says something else: `curl -d` calls it a form. */
const asJson = (request: Request): Request => {
  if (request.body === null) return request
  const headers = new Headers(request.headers)
  headers.set("content-type", "application/json")
  return new Request(request, { headers })
}

const orderRoutes = (
  { token, pricePerMint, paymentTimeout }: SandboxRoutesOptions,
  desk: OrderDesk["Service"],
  payments: Payments
) =>
  HttpApiBuilder.group(SandboxApi, "orders", (handlers) =>
    handlers.handleAll({
      list: () => Effect.map(desk.latestOrders, (orders) => ({ orders })),
      show: Effect.fnUntraced(function* ({ params }) {
        const order = yield* desk.readOrder(params.order)
        const mints = yield* desk.readMints(order.id)
        return { order, mints, payment: payments.find(order.id) ?? null }
      }),
      place: Effect.fnUntraced(function* ({ payload: { quantity, pay, user } }) {
        const who = user === undefined ? {} : { user: address(user) }
        const order = yield* desk.placeOrder({ token, quantity, pricePerMint, ...who })
        const payment = yield* payments.arrange(order, pay)
        const money = { pricePerMint: amountOf(pricePerMint), cost: amountOf(order.totalCost), payment }
        const { totalCost: _, ...placed } = order
        const deadline = after(order.createdAt, paymentTimeout)
        return { ...placed, token, quantity, ...money, deadline } satisfies OrderPlaced
      }),
      pay: Effect.fnUntraced(function* ({ params, payload }) {
        const order = yield* findOrder(desk, params.order)
        const agentAddress = yield* walletOf(order)
        const amount = payload.amount === undefined ? usdc(order.total_cost) : baseUnits(payload.amount)
        yield* desk.pay(agentAddress, amount)
        return { taskId: order.id, agentAddress, amount: amountOf(amount) }
      })
    })
  )

const faultRoutes = (faults: Faults) => {
  const kinds = Object.fromEntries(faults.kinds.map((kind) => [kind, describe(kind)]))
  const state = (): FaultsState => ({ faults: faults.on(), injected: faults.injected(), kinds })
  const NewFaults = Schema.Struct({ faults: Schema.Array(faultOf(faults.kinds)) })
  const read = Schema.decodeUnknownEffect(NewFaults, { errors: "all", onExcessProperty: "error" })
  return HttpApiBuilder.group(SandboxApi, "faults", (handlers) =>
    handlers.handleAll({
      show: () => Effect.sync(state),
      set: ({ payload }) =>
        read(payload).pipe(
          Effect.map((asked) => (faults.set(asked.faults), state())),
          Effect.mapError((error) => unreadable(error, "set"))
        ),
      clear: () => Effect.sync(() => (faults.set([]), state()))
    })
  )
}

/** What a request that cannot be read is not, by its endpoint. */
const REFUSED = { place: "this is not an order", pay: "this is no payment", set: "these are not faults" }

const programsOnly = Layer.succeed(ProgramsOnly, (work, { endpoint }) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (isOfPage(request))
      return yield* Effect.fail(new Forbidden({ error: "the sandbox answers no page of a browser" }))
    return yield* work
  }).pipe(
    Effect.catch((error) =>
      Effect.fail(HttpApiError.HttpApiSchemaError.is(error) ? unreadable(error.cause, endpoint.identifier) : error)
    ),
    Effect.catchDefect((cause) => {
      const error = "the sandbox could not answer: its log says why"
      const response = HttpServerResponse.jsonUnsafe({ error }, { status: 500 })
      return Effect.as(Log.error("The sandbox could not answer", { cause }), response)
    })
  )
)

/** A browser says which page asks. None of ours does. */
const isOfPage = ({ headers }: HttpServerRequest.HttpServerRequest): boolean => {
  const site = headers["sec-fetch-site"]
  return headers["origin"] !== undefined || (site !== undefined && site !== "none")
}

const unreadable = ({ issue }: Schema.SchemaError, endpoint: string): BadRequest => {
  const problems = issuesOf(issue).issues.map(({ path = [], message }) => [...path, message].join(": "))
  return new BadRequest({ error: REFUSED[endpoint as keyof typeof REFUSED], problems })
}

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** By its id, or the first eight digits of it, where it is among the latest. */
const findOrder = Effect.fnUntraced(function* (desk: OrderDesk["Service"], name: string) {
  if (!/^[0-9a-f]{8}$/i.test(name)) return yield* desk.readOrder(name)
  const orders = (yield* desk.latestOrders).filter(({ id }) => id.startsWith(name.toLowerCase()))
  const [order, other] = orders
  if (order === undefined)
    return yield* Effect.fail(notFound(`there is no order ${name} among the latest: give its whole id`))
  return other === undefined
    ? order
    : yield* Effect.fail(notFound(`there are several orders ${name}: give the whole id`))
})

const walletOf = ({ id, agent_address }: Order): Effect.Effect<Address, NotFound> => {
  const wallet = parse(agent_address ?? "")
  return wallet === undefined ? Effect.fail(notFound(`order ${id} has no agent wallet`)) : Effect.succeed(wallet)
}

const notFound = (error: string): NotFound => new NotFound({ error })

const baseUnits = (text: string): Usdc => {
  const [, whole = "0", fraction = ""] = AMOUNT.exec(text) ?? []
  return usdc(BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0")))
}

/** What the executor may need beyond a check to cancel: blocks that confirm the deadline's block, and the sweep. */
const LATE_MARGIN = Duration.seconds(5)

/** Payments that are remembered, for the answers: the oldest is forgotten first. */
const PAYMENTS_MAX = 1_000

type Payments = Effect.Success<ReturnType<typeof makePayments>>

/** The person's side: pays what was said, when it was said, and remembers it. */
const makePayments = Effect.fnUntraced(function* ({ paymentTimeout, checkInterval }: SandboxRoutesOptions) {
  const desk = yield* OrderDesk
  const scope = yield* Effect.scope
  const known = new Map<TaskId, PersonPayment>()

  const remember = (id: TaskId, payment: PersonPayment): PersonPayment => {
    known.set(id, payment)
    const [oldest] = known.keys()
    if (known.size > PAYMENTS_MAX && oldest !== undefined) known.delete(oldest)
    return payment
  }

  const send = Effect.fnUntraced(function* ({ taskId, agentAddress }: PlacedOrder, mode: PayMode, sum: Usdc) {
    const amount = amountOf(sum)
    const problem = yield* desk.pay(agentAddress, sum).pipe(
      Effect.as(null),
      Effect.catch(({ error }) =>
        Effect.as(Log.warn(`The payment for task ${shortId(taskId)} failed: ${error}`, { task: taskId }), error)
      )
    )
    const at = new Date(yield* Clock.currentTimeMillis)
    return remember(taskId, { mode, amount, state: problem === null ? "sent" : "failed", at, problem })
  })

  // The second check after the deadline finds the order cancelled: the first may have begun just before it.
  const delay = Duration.sum(Duration.sum(paymentTimeout, Duration.times(checkInterval, 2)), LATE_MARGIN)

  const arrange = Effect.fnUntraced(function* (order: PlacedOrder, mode: PayMode) {
    if (mode === "now") return yield* send(order, mode, order.totalCost)
    if (mode === "half") return yield* send(order, mode, usdc(order.totalCost / 2n))
    const base = { mode, problem: null }
    if (mode === "never") return remember(order.taskId, { ...base, amount: amountOf(zero), state: "none", at: null })
    yield* Effect.forkIn(
      Background.reported("A late payment", Effect.delay(send(order, mode, order.totalCost), delay)),
      scope
    )
    const at = after(order.createdAt, delay)
    return remember(order.taskId, { ...base, amount: amountOf(order.totalCost), state: "scheduled", at })
  })

  return { arrange, find: (id: TaskId): PersonPayment | undefined => known.get(id) }
})

const amountOf = (amount: Usdc): PersonPayment["amount"] => ({ baseUnits: amount, usdc: format(amount) })

const after = (time: Date, delay: Duration.Duration): Date => new Date(time.getTime() + Duration.toMillis(delay))
