import { encodePaymentResponseHeader } from "@x402/core/http"
import { Duration, Effect } from "effect"
import { type Facilitator, isNonceUsed, isNotSigned, type PresentedPayment } from "../../chain/Facilitator.ts"
import type { Bytes32 } from "../../domain/Address.ts"
import { chainName } from "../../domain/Offer.ts"
import { judgePayIn, type PayIn, payInQuery } from "../../domain/PayIn.ts"
import { shortId } from "../../domain/Task.ts"
import * as Log from "../../ops/Log.ts"
import { BadPayment, SettlementPending } from "./Exchange.ts"
import type { Services } from "../services.ts"

export interface ExchangeServices extends Services {
  readonly facilitator: Facilitator["Service"]
}

/** What is known of a pay-in when the answer is due. */
export type Followed =
  | { readonly _tag: "Paid"; readonly tx: Bytes32 }
  /** It will never pay for its order. */
  | { readonly _tag: "Lapsed"; readonly reason: string }

/** How long a client waits at most, from where nothing more is submitted: ten blocks of Base. */
const LOOK_TIME_LIMIT = Duration.seconds(20)

/**
 * Takes a pay-in to the chain, unless it is there already, and waits for what becomes of it. It is safe to do this for one
 * pay-in as often and as many times at once as one likes: USDC takes its nonce once. Fails with `SettlementPending` where
 * nothing is known when the answer is due.
 */
export const settlePayIn = Effect.fn("operator.settlePayIn")(function* (
  on: ExchangeServices,
  payIn: PayIn,
  payment: PresentedPayment
): Effect.fn.Return<Followed, BadPayment | SettlementPending> {
  const before = yield* look(on, payIn)
  if (before !== undefined) return before
  const isOnItsWay = yield* mayBeSubmitted(on, payIn, payment)
  if (!isOnItsWay) {
    const settlement = yield* on.facilitator.settle(payment)
    if (settlement._tag === "Settled") return { _tag: "Paid", tx: settlement.tx }
    yield* Log.warn(`⚠️ The payment of task ${shortId(payIn.taskId)} may not be settled: ${settlement.reason}`, {
      task: payIn.taskId
    })
  }
  return yield* lookUntilKnown(on, payIn)
})

/** What a confirmed block says; `undefined` where it says nothing yet, or no node answers. */
const look = Effect.fnUntraced(function* ({ chain, settings }: ExchangeServices, payIn: PayIn) {
  if (payIn.status !== "live") return followed(payIn)
  const judged = yield* Effect.gen(function* () {
    const at = yield* chain.confirmedBlockNow
    const { outcomes, block } = yield* chain.readAuthorizations([payInQuery(payIn, at, settings.network.blockSeconds)])
    return outcomes[0] && judgePayIn(payIn, outcomes[0], block)
  }).pipe(Effect.orElseSucceed(() => undefined))
  return judged && followed(judged)
})

const followed = ({ status, tx, reason = "" }: PayIn): Followed | undefined =>
  status === "settled" && tx !== undefined ? { _tag: "Paid", tx } : { _tag: "Lapsed", reason }

/**
 * Whether USDC has taken it already, in a block that is not confirmed yet. Not everything that keeps a payment from being
 * made is for ever: money may come to the payer, and USDC may be paused. Then it stays open until its window has passed.
 */
const mayBeSubmitted = Effect.fnUntraced(function* (
  { facilitator }: ExchangeServices,
  payIn: PayIn,
  payment: PresentedPayment
) {
  const verdict = yield* Effect.mapError(facilitator.verify(payment), ({ message }) => pending(payIn, message))
  if (verdict._tag === "Sound") return false
  if (isNonceUsed(verdict)) return true
  if (isNotSigned(verdict))
    return yield* new BadPayment({ message: "The signature of the payment is not its payer's." })
  return yield* pending(payIn, verdict.reason)
})

const lookUntilKnown = (on: ExchangeServices, payIn: PayIn) =>
  Effect.gen(function* () {
    for (;;) {
      const seen = yield* look(on, payIn)
      if (seen !== undefined) return seen
      yield* on.chain.nextHead
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: LOOK_TIME_LIMIT,
      orElse: () => pending(payIn, "no confirmed block shows it yet")
    })
  )

export const pending = ({ taskId }: Pick<PayIn, "taskId">, why: string, order = `Order ${taskId} is placed`) =>
  new SettlementPending({
    taskId,
    message:
      `${order}, and whether its payment is made is not known yet: ${why}. ` +
      "Send the same request again, with the same payment: it pays nothing twice."
  })

/** The value of a `PAYMENT-RESPONSE` header. Source: x402 v2, `SettlementResponse`. */
export const paymentResponse = ({ settings }: ExchangeServices, payIn: Pick<PayIn, "payer">, tx: Bytes32): string =>
  encodePaymentResponseHeader({
    success: true,
    transaction: tx,
    network: chainName(settings.network.chainId),
    payer: payIn.payer
  })
