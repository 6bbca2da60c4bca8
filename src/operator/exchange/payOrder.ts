import { Clock, Effect } from "effect"
import { isNonceUsed, isNotSigned } from "../../chain/Facilitator.ts"
import type { Address } from "../../domain/Address.ts"
import { payInQuery, payInTaskId, placePayIn } from "../../domain/PayIn.ts"
import type { TaskId } from "../../domain/Task.ts"
import { times } from "../../domain/Usdc.ts"
import type { PaidOrder } from "../../ledger/DecisionRepo.ts"
import { wasFirst } from "../../ledger/TaskRepo.ts"
import { CurrentCaller } from "../Caller.ts"
import { decide } from "../commit.ts"
import { BadPayment, type ExchangeRequest, PaymentRequired } from "./Exchange.ts"
import { isForCaller } from "../find.ts"
import { refuse, type Refused } from "../Operator.ts"
import { type Presented, readPayment } from "./payment.ts"
import { misfitOf, paymentRequired, type PaymentTerms, priceOf } from "./paymentTerms.ts"
import { askedPrice, personsWallet, supplyFor, tokenOf } from "../quote.ts"
import { type ExchangeServices, paymentResponse, pending, settlePayIn } from "./settlePayIn.ts"
import { showTask } from "../tasks.ts"

/**
 * Places an order and takes its payment to the chain, in one exchange of x402. Without a payment it says what one costs, and
 * writes nothing. The order and its pay-in are written before anything is submitted, and both follow from the payment: the
 * same request again finds them.
 */
export const payOrder = Effect.fn("operator.payOrder")(function* (on: ExchangeServices, request: ExchangeRequest) {
  const asked = yield* askedOf(on, request)
  if (request.signature === undefined) {
    return yield* ask(on, asked, { code: "payment_required", message: "Pay for the order by x402." })
  }
  const presented = yield* read(request.signature)
  const known = yield* knownTo(on, presented)
  return yield* conclude(on, asked, presented, known ?? (yield* place(on, asked, presented)))
})

/** A wish whose person and token are known. */
interface Asked {
  readonly wallet: PaymentTerms["wallet"]
  readonly token: Address
  readonly quantity: number
  readonly url: string
}

const askedOf = Effect.fnUntraced(function* (on: ExchangeServices, { order, url }: ExchangeRequest) {
  const token = yield* tokenOf(order.token)
  const wallet = yield* personsWallet(on, order.user).pipe(
    Effect.catchIf(
      (error): error is Refused => error._tag === "Refused" && error.isMissing === true,
      () =>
        refuse(
          `${order.user} has no agent wallet: open one with POST /api/wallets {"user":"${order.user}"}.`,
          "no_wallet"
        )
    )
  )
  return { wallet, token, quantity: order.quantity, url } satisfies Asked
})

const read = (header: string) =>
  Effect.mapError(
    Effect.fromResult(readPayment(header)),
    (reason) => new BadPayment({ message: `The header PAYMENT-SIGNATURE cannot be read: ${reason}.` })
  )

/**
 * The order that is there for the payment already. Refused where the client has called another payment so. Payer and nonce
 * are on chain for everyone to read: who is bound to a person learns by them of no other person's order.
 */
const knownTo = Effect.fnUntraced(function* ({ decisions }: ExchangeServices, presented: Presented) {
  const found = yield* decisions.findPayIn(nameOf(presented))
  const known = found !== undefined && (yield* isForCaller(found.recipient)) ? found : undefined
  const { identifier } = presented
  if (identifier === undefined) return known
  const { keyId } = yield* CurrentCaller
  const called = yield* decisions.findPayInCalled({ keyId, identifier })
  if (called === undefined || called.payIn.taskId === known?.payIn.taskId) return known
  return yield* refuse(`The payment identifier ${identifier} is that of another payment.`, "id_taken")
})

const nameOf = ({ payment: { from, nonce } }: Presented) => ({ payer: from, nonce })

/** What the order costs now, where it can be sold. */
const termsOf = Effect.fnUntraced(function* (on: ExchangeServices, { wallet, token, quantity }: Asked) {
  if (!on.facilitator.canSettle) return yield* refuse(NO_FACILITATOR)
  yield* supplyFor(on, token, quantity)
  const pricePerMint = yield* askedPrice(on, token, wallet.userAddress)
  return { wallet, token, quantity, pricePerMint } satisfies PaymentTerms
})

const NO_FACILITATOR =
  "No payment can be settled here: set AI_AGENT_PRIVATE_KEY to an account with some ETH, or X402_FACILITATOR_URL, " +
  "where the executor runs."

type Why = Pick<PaymentRequired, "code" | "message">

/** Fails with what is to be paid, and why. */
const ask = Effect.fnUntraced(function* (on: ExchangeServices, asked: Asked, why: Why) {
  return yield* required(on, yield* termsOf(on, asked), asked, why)
})

const required = ({ settings }: ExchangeServices, terms: PaymentTerms, { url }: Asked, { code, message }: Why) =>
  new PaymentRequired({
    code,
    message,
    amountDue: times(terms.pricePerMint, terms.quantity),
    payTo: terms.wallet.agentAddress,
    header: paymentRequired(settings, terms, { url, error: message })
  })

/** Checks the payment and writes order and pay-in. Gives what another request wrote, where that was first. */
const place = Effect.fnUntraced(function* (on: ExchangeServices, asked: Asked, presented: Presented) {
  const terms = yield* termsOf(on, asked)
  const fault = yield* faultOf(on, presented, terms)
  if (fault === undefined) return yield* write(on, terms, presented)
  // What another request has placed meanwhile may be paid by now.
  const known = yield* knownTo(on, presented)
  if (known !== undefined) return known
  if (yield* hasPaid(on, presented, terms)) return yield* write(on, terms, presented)
  return yield* required(on, terms, asked, fault)
})

/** What keeps a payment from being taken for an order on these terms; `undefined` where nothing does. */
const faultOf = Effect.fnUntraced(function* (
  { facilitator, settings }: ExchangeServices,
  presented: Presented,
  terms: PaymentTerms
) {
  const misfit = misfitOf(settings, presented, terms, yield* Clock.currentTimeMillis)
  if (misfit !== undefined) {
    const message = `The payment is not taken: ${misfit.reason}.`
    return { code: misfit.code, message } satisfies Why as Why
  }
  const verdict = yield* facilitator.verify(presented.payment)
  if (verdict._tag === "Sound") return undefined
  const message = `USDC would not take the payment: ${verdict.reason}.`
  return { code: "payment_refused", message } satisfies Why as Why
})

/**
 * Whether this very payment has moved already, though no order is there for it: the ledger was restored from a backup that
 * is older. Then it is not asked for a second time. The order has the id that it had, so that what it bought is found.
 */
const hasPaid = Effect.fnUntraced(function* (
  { chain, facilitator, settings }: ExchangeServices,
  { payment }: Presented,
  { wallet, quantity }: PaymentTerms
) {
  if (payment.to !== wallet.agentAddress || priceOf(payment.value, quantity) === undefined) return false
  const verdict = yield* facilitator.verify(payment)
  // What was submitted is for all to see: only its payer's signature makes it the payment of an order.
  if (isNotSigned(verdict)) return false
  const { chainId, usdc } = settings.network
  const taskId = payInTaskId({ chainId, usdc: usdc.address, payer: payment.from, nonce: payment.nonce })
  const nowMs = yield* Clock.currentTimeMillis
  const payIn = placePayIn({ authorization: payment, wallet, taskId, nowMs })
  const at = yield* chain.confirmedBlockNow
  const { outcomes } = yield* chain.readAuthorizations([payInQuery(payIn, at, settings.network.blockSeconds)])
  const outcome = outcomes[0] ?? { _tag: "Unexplained" }
  switch (outcome._tag) {
    case "Used":
      return outcome.to === payment.to && outcome.value === payment.value
    case "Canceled":
      return false
    case "Unused":
      if (!isNonceUsed(verdict)) return false
      return yield* pending({ taskId }, "no confirmed block shows it yet", "There is no order of this payment yet")
    case "Unexplained":
      return yield* refuse("USDC has taken this payment before, and no node says where it went.", "in_doubt")
  }
})

const write = Effect.fnUntraced(function* (on: ExchangeServices, terms: PaymentTerms, presented: Presented) {
  const { decisions, settings } = on
  const { payment } = presented
  const { wallet, token, quantity } = terms
  const { chainId, usdc } = settings.network
  const nowMs = yield* Clock.currentTimeMillis
  const id = payInTaskId({ chainId, usdc: usdc.address, ...nameOf(presented) })
  const pricePerMint = priceOf(payment.value, quantity) ?? terms.pricePerMint
  const order = { id, wallet, token, quantity, pricePerMint, paymentIdentifier: presented.identifier }
  const payIn = placePayIn({ authorization: payment, wallet, taskId: id, nowMs })
  const decision = { command: "create", said: `task ${id} is ordered`, why: "asked for and paid by x402" }
  const isNew = yield* wasFirst(decide(decision, (made, atMs) => decisions.placePaidOrder(order, payIn, made, atMs)))
  if (isNew) return { payIn, token, quantity, recipient: wallet.userAddress } satisfies PaidOrder
  // The same request may have come twice at once.
  return (yield* knownTo(on, presented)) ?? (yield* refuse(`There is another order with the id ${id}.`, "id_taken"))
})

/** The answer to a payment whose order is placed, by this request or an earlier one. */
const conclude = Effect.fnUntraced(function* (
  on: ExchangeServices,
  asked: Asked,
  { payment }: Presented,
  placed: PaidOrder
) {
  const { payIn } = placed
  if (!isSame(placed, asked, payment))
    return yield* refuse("This payment is for another order: sign a new one.", "id_taken")
  const followed = yield* settlePayIn(on, payIn, payment)
  if (followed._tag === "Lapsed") {
    yield* refusePaidOtherwise(on, payIn.taskId)
    const message = `The payment has lapsed and moved nothing: ${followed.reason}. Sign a new one.`
    return yield* ask(on, asked, { code: "payment_lapsed", message })
  }
  const order = yield* Effect.mapError(showTask(on, payIn.taskId), ({ message }) => pending(payIn, message))
  return { order, header: paymentResponse(on, payIn, followed.tx) }
})

/** Another transfer may have paid for the order of a payment that lapsed: it is not asked to be paid a second time. */
const refusePaidOtherwise = Effect.fnUntraced(function* (on: ExchangeServices, taskId: TaskId) {
  const { status } = yield* showTask(on, taskId)
  if (status === "pending_payment" || status === "cancelled") return
  yield* refuse(
    `Order ${taskId} was paid by another transfer: it is ${status}. Do not pay for it again.`,
    "already_paid"
  )
})

const isSame = (
  { payIn, recipient, token, quantity }: PaidOrder,
  asked: Asked,
  { to, value, validAfter, validBefore }: Presented["payment"]
): boolean =>
  recipient === asked.wallet.userAddress &&
  token === asked.token &&
  quantity === asked.quantity &&
  payIn.payTo === to &&
  payIn.amount === value &&
  payIn.validAfter === validAfter &&
  payIn.validBefore === validBefore
