import { Clock, Duration, Effect, FiberSet, Schema, type Scope } from "effect"
import type { Context, Hono } from "hono"
import { bodyLimit } from "hono/body-limit"
import { type Address, address, parse, ZERO } from "../domain/Address.ts"
import { QUANTITY_MAX, shortId, type TaskId } from "../domain/Task.ts"
import { format, type Usdc, usdc, zero } from "../domain/Usdc.ts"
import * as Log from "../ops/Log.ts"
import { isLoopback, isOfPage, readBody, refuse } from "./controlAnswers.ts"
import { faultRoutes } from "./faultRoutes.ts"
import type { Faults } from "./faults.ts"
import { type DeskError, MintRecord, Order, OrderDesk, type PlacedOrder } from "./OrderDesk.ts"
import { payFor } from "./payRoutes.ts"

/** What is the same for all orders of a sandbox. */
export interface ControlOptions {
  /** The sandbox's mint token. */
  readonly token: Address
  readonly pricePerMint: Usdc
  /** `PAYMENT_TIMEOUT` and `CHECK_INTERVAL` of the executor: they decide what is late. */
  readonly paymentTimeout: Duration.Duration
  readonly checkInterval: Duration.Duration
  /** What the mint server and the node do wrong on request. */
  readonly faults: Faults
}

/**
 * How the person pays. `now`: all, at once. `half`: half of it at once, rounded down to base units. `late`: all, when
 * the order should be cancelled by then, so that it stays as the wallet's credit. `never`: nothing.
 */
export const PayMode = Schema.Literals(["now", "late", "half", "never"]).annotate({
  message: "expected now, late, half or never"
})
export type PayMode = typeof PayMode.Type

/** Whether tokens can be minted to this text: the address of an account, in any case. */
export const isRecipient = (text: string): boolean => ![undefined, ZERO].includes(parse(text))

/** What a request may hold, in words. */
export const allowed = {
  quantity: `a whole number from 1 to ${QUANTITY_MAX}`,
  user: "the address of an account: 0x and 40 hex digits, not all 0"
}

/** Mints in one order. */
export const Quantity = Schema.Int.annotate({ message: `expected ${allowed.quantity}` }).check(
  Schema.isBetween({ minimum: 1, maximum: QUANTITY_MAX }, { message: `expected ${allowed.quantity}` })
)

/** The body of `POST /sandbox/orders`. */
export const OrderBody = Schema.Struct({
  quantity: Quantity,
  pay: PayMode,
  user: Schema.optionalKey(
    Schema.String.check(Schema.makeFilter((text) => isRecipient(text) || `expected ${allowed.user}`))
  )
})
export type OrderBody = typeof OrderBody.Type

/** Base units (6 decimals), and the same for people. */
const Amount = Schema.Struct({ baseUnits: Schema.BigInt, usdc: Schema.String })

/** The person's payment for an order: what, and when it was or will be sent. */
export const Payment = Schema.Struct({
  mode: PayMode,
  amount: Amount,
  state: Schema.Literals(["none", "scheduled", "sent", "failed"]),
  /** When it was sent or, where it is scheduled, will be. Null where nothing is ever sent. */
  at: Schema.NullOr(Schema.Date),
  /** Why it failed. */
  problem: Schema.NullOr(Schema.String)
})
export type Payment = typeof Payment.Type

/** The answer to `POST /sandbox/orders`. */
export const OrderPlaced = Schema.toCodecJson(
  Schema.Struct({
    taskId: Schema.String,
    walletId: Schema.String,
    userAddress: Schema.String,
    agentAddress: Schema.String,
    token: Schema.String,
    quantity: Schema.Int,
    pricePerMint: Amount,
    cost: Amount,
    createdAt: Schema.Date,
    /** Paid in full by then, on chain, or cancelled. */
    deadline: Schema.Date,
    payment: Payment
  })
)
export type OrderPlaced = typeof OrderPlaced.Type

/** The answer to `GET /sandbox/orders`, newest first. */
export const OrderList = Schema.toCodecJson(Schema.Struct({ orders: Schema.Array(Order) }))

/** The answer to `GET /sandbox/orders/:id`. */
export const OrderDetails = Schema.toCodecJson(
  Schema.Struct({
    order: Order,
    mints: Schema.Array(MintRecord),
    /** Null for an order of an earlier run: payments are not remembered across a restart, and late ones not made. */
    payment: Schema.NullOr(Payment)
  })
)

/** What the executor may need beyond a check to cancel: blocks that confirm the deadline's block, and the sweep. */
const LATE_MARGIN = Duration.seconds(5)

/** Payments that are remembered, for the answers: the oldest is forgotten first. */
const PAYMENTS_MAX = 1_000

/** An order is some 100 bytes. */
const BODY_BYTES_MAX = 10_000

/**
 * The endpoints under `/sandbox` that play the person who orders and pays. They hand out money that is not worth
 * anything, and answer this machine only.
 */
export const controlRoutes = Effect.fnUntraced(function* (
  options: ControlOptions
): Effect.fn.Return<(app: Hono) => void, never, OrderDesk | Scope.Scope> {
  const desk = yield* OrderDesk
  const payments = yield* makePayments(options)
  const run = yield* FiberSet.makeRuntimePromise<never, Response, never>()

  const answer = (c: Context, handler: Effect.Effect<Response, DeskError>): Promise<Response> =>
    run(
      handler.pipe(
        Effect.catchTag("DeskError", ({ reason, message }) =>
          Effect.succeed(refuse(c, STATUS[reason], { error: message }))
        ),
        Effect.catchDefect((cause) => {
          const answered = refuse(c, 500, { error: "the sandbox could not answer: its log says why" })
          return Effect.as(Log.error("The sandbox's control server could not answer", { cause }), answered)
        })
      )
    )

  const place = Effect.fn("ControlServer.place")(function* (c: Context) {
    const body = yield* readOrder(c)
    if ("problems" in body) return refuse(c, 400, { error: "this is not an order", problems: body.problems })
    const { quantity, pay, user } = body
    const { token, pricePerMint, paymentTimeout } = options
    const who = user === undefined ? {} : { user: address(user) }
    const order = yield* desk.placeOrder({ token, quantity, pricePerMint, ...who })
    const payment = yield* payments.arrange(order, pay)
    const money = { pricePerMint: amountOf(pricePerMint), cost: amountOf(order.totalCost), payment }
    const deadline = after(order.createdAt, paymentTimeout)
    return c.json(encodePlaced({ ...order, token, quantity, ...money, deadline }), 201)
  })

  const list = (c: Context) => Effect.map(desk.latestOrders, (orders) => c.json(encodeList({ orders })))

  const details = Effect.fn("ControlServer.details")(function* (c: Context, id: TaskId) {
    const order = yield* desk.readOrder(id)
    const mints = yield* desk.readMints(order.id)
    return c.json(encodeDetails({ order, mints, payment: payments.find(order.id) ?? null }))
  })

  const pay = payFor(desk)

  return (app) => {
    app.use("/sandbox/*", (c, next) => {
      if (!isLoopback(c)) return Promise.resolve(refuse(c, 403, { error: "the sandbox answers only its own machine" }))
      return isOfPage(c)
        ? Promise.resolve(refuse(c, 403, { error: "the sandbox answers no page of a browser" }))
        : next()
    })
    const tooLong = (c: Context) => refuse(c, 413, { error: `an order has at most ${BODY_BYTES_MAX} bytes` })
    const limit = bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLong })
    app.post("/sandbox/orders", limit, (c) => answer(c, place(c)))
    app.post("/sandbox/orders/:id/pay", limit, (c) => answer(c, pay(c, c.req.param("id"))))
    app.get("/sandbox/orders", (c) => answer(c, list(c)))
    app.get("/sandbox/orders/:id", (c) => answer(c, details(c, c.req.param("id"))))
    faultRoutes(app, options.faults)
  }
})

/** The person's side: pays what was said, when it was said, and remembers it. */
const makePayments = Effect.fnUntraced(function* ({ paymentTimeout, checkInterval }: ControlOptions) {
  const desk = yield* OrderDesk
  const scope = yield* Effect.scope
  const known = new Map<TaskId, Payment>()

  const remember = (id: TaskId, payment: Payment): Payment => {
    known.set(id, payment)
    const [oldest] = known.keys()
    if (known.size > PAYMENTS_MAX && oldest !== undefined) known.delete(oldest)
    return payment
  }

  const send = Effect.fnUntraced(function* ({ taskId, agentAddress }: PlacedOrder, mode: PayMode, sum: Usdc) {
    const amount = amountOf(sum)
    const problem = yield* desk.pay(agentAddress, sum).pipe(
      Effect.as(null),
      Effect.catchTag("DeskError", ({ message }) =>
        Effect.as(Log.warn(`The payment for task ${shortId(taskId)} failed: ${message}`, { task: taskId }), message)
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
    yield* send(order, mode, order.totalCost).pipe(Effect.delay(delay), Effect.forkIn(scope))
    const at = after(order.createdAt, delay)
    return remember(order.taskId, { ...base, amount: amountOf(order.totalCost), state: "scheduled", at })
  })

  return { arrange, find: (id: TaskId): Payment | undefined => known.get(id) }
})

const amountOf = (amount: Usdc): typeof Amount.Type => ({ baseUnits: amount, usdc: format(amount) })

const after = (time: Date, delay: Duration.Duration): Date => new Date(time.getTime() + Duration.toMillis(delay))

const encodePlaced = Schema.encodeSync(OrderPlaced)
const encodeList = Schema.encodeSync(OrderList)
const encodeDetails = Schema.encodeSync(OrderDetails)

const STATUS = { NotFound: 404, Database: 503, Payment: 502 } as const

const readOrder = readBody(OrderBody)
