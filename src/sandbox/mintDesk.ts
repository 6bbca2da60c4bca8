import type { FacilitatorClient } from "@x402/core/server"
import { Array as Arr, Effect, RcMap, Result, Schema, Semaphore } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import { times, type Usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"
import { isPaidBy, type MintChain, type Settled } from "./mintChain.ts"
import { onRecord, type Run } from "./mintFacilitator.ts"
import { isSameOrder, paymentKey, mintIds, type ReceivedPayment } from "./mintOrder.ts"
import { type MintRecords, recordOf } from "./mintRecords.ts"

/** Why an order is not served. */
export class NotServed extends Schema.TaggedError<NotServed>()("NotServed", {
  /** As HTTP has it. 409: not like this, however often it is asked. 500 and 503: not now; the same request may be. */
  status: Schema.Literals([409, 500, 503]),
  message: Schema.String
}) {}

/** A paid order and what was minted for it. */
export interface Delivery {
  readonly quantity: number
  readonly paymentTx: Bytes32
  /** One, or more where a mint that failed was made up for. */
  readonly mintTxs: Arr.NonEmptyReadonlyArray<Bytes32>
}

/** What can be said of a request whose payment is on the chain already. */
export interface Recalled {
  readonly settled: Settled
  readonly outcome: Result.Result<Delivery, NotServed>
}

export type MintDesk = Effect.Success<ReturnType<typeof make>>

export interface MintDeskOptions {
  readonly chain: MintChain
  readonly records: MintRecords
  readonly facilitator: FacilitatorClient
  /** Base units for one mint. */
  readonly prices: ReadonlyMap<Address, Usdc>
  readonly run: Run
}

export const make = Effect.fn("MintDesk.make")(function* (options: MintDeskOptions) {
  const { chain, records, prices } = options
  const turns = yield* RcMap.make({ lookup: (_payment: string) => Semaphore.make(1) })
  const supply = makeSupply(chain)
  /** What each payment that is being taken is for. */
  const selling = new Map<string, MintOrder>()

  /** Base units for the whole order; `undefined` where the token is not sold here. */
  const priceOf = (token: Address, quantity: number): Usdc | undefined => {
    const price = prices.get(token)
    return price && times(price, quantity)
  }

  /** One at a time for each payment: a duplicate waits, and then finds what the first one did. */
  const inTurn = <A, E>(payment: ReceivedPayment, work: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    RcMap.get(turns, paymentKey(payment)).pipe(
      Effect.flatMap((turn) => Semaphore.withPermit(turn, work)),
      Effect.scoped
    )

  const recall = Effect.fnUntraced(function* (order: MintOrder, payment: ReceivedPayment) {
    const record = yield* orNotNow(records.find(payment))
    const settled = yield* orNotNow(chain.findSettled(payment, record?.fromBlock ?? 0n))
    const due = record ?? { token: order.token, amount: priceOf(order.token, order.quantity) }
    const isPaid = isPaidBy(settled, due)
    if (record !== undefined && !isSameOrder(record, order)) {
      const refusal = new NotServed({ status: 409, message: "this payment was made for another order" })
      return isPaid ? { settled, outcome: Result.fail(refusal) } : yield* refusal
    }
    // Not settled yet, or its nonce is spent in another way: official x402 takes it, or says why not.
    if (!isPaid) return undefined
    // The payment was on chain before it came here. It is for the order that it comes with first.
    if (record === undefined) yield* orNotNow(records.add(recordOf(order, payment, settled.block)))
    return { settled, outcome: yield* Effect.result(deliverSettled(chain, order, payment, settled)) }
  })

  const take = (order: MintOrder, payment: ReceivedPayment, sell: Effect.Effect<void>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => selling.set(paymentKey(payment), order)),
      () => supply.whileReserved(order, sell),
      () => Effect.sync(() => selling.delete(paymentKey(payment)))
    )

  return {
    priceOf,
    /**
     * Serves a request. Where its payment is settled already this is all there is to do. Else `sell` is run, which may
     * take the payment through `facilitator` and have the order delivered, and there is nothing to recall.
     */
    attend: (order: MintOrder, payment: ReceivedPayment | undefined, sell: Effect.Effect<void>) => {
      if (payment === undefined) return Effect.as(Effect.andThen(supply.require(order), sell), undefined)
      const recallOrTake: Effect.Effect<Recalled | undefined, NotServed> = Effect.tap(
        recall(order, payment),
        (recalled) => (recalled === undefined ? take(order, payment, sell) : Effect.void)
      )
      return inTurn(payment, recallOrTake)
    },
    /** Mints what is missing of an order that has just been paid. */
    deliver: Effect.fn("MintDesk.deliver")(function* (order: MintOrder, payment: ReceivedPayment) {
      const record = yield* orNotNow(records.find(payment))
      const settled = yield* orNotNow(chain.findSettled(payment, record?.fromBlock ?? 0n))
      if (settled !== undefined) return yield* deliverSettled(chain, order, payment, settled)
      return yield* new NotServed({ status: 500, message: "the payment is not on the chain" })
    }),
    /** Settles what is being sold, and nothing else. */
    facilitator: onRecord(options, (payment) => selling.get(paymentKey(payment)))
  }
})

const makeSupply = (chain: MintChain) => {
  const reserved = new Map<Address, number>()
  const reservedOf = (token: Address): number => reserved.get(token) ?? 0
  const change = ({ token }: MintOrder, by: number): void => void reserved.set(token, reservedOf(token) + by)
  const shortage = ({ token, quantity }: MintOrder, remaining: bigint): NotServed | undefined => {
    const left = Number(remaining) - reservedOf(token)
    if (left >= quantity) return undefined
    return new NotServed({ status: 409, message: left > 0 ? `only ${left} mints are left` : "sold out" })
  }
  const remainingOf = ({ token }: MintOrder) => orNotNow(chain.remaining(token))
  return {
    /** Fails where the token has not enough mints left, or has promised them to others. */
    require: (order: MintOrder) =>
      Effect.flatMap(remainingOf(order), (remaining) => shortage(order, remaining) ?? Effect.void),
    /** Runs `sell` while the mints of the order are kept for it: the last ones must not be paid for twice. */
    whileReserved: (order: MintOrder, sell: Effect.Effect<void>) =>
      Effect.flatMap(remainingOf(order), (remaining) =>
        Effect.acquireUseRelease(
          // Seen and taken in one step: between two, another order could take the same mints.
          Effect.suspend(() => shortage(order, remaining) ?? Effect.succeed(change(order, order.quantity))),
          () => sell,
          () => Effect.sync(() => change(order, -order.quantity))
        )
      )
  }
}

/** The ids of a payment's mints follow from it, so this may be done again after any failure. */
const deliverSettled = Effect.fnUntraced(
  function* (chain: MintChain, order: MintOrder, payment: ReceivedPayment, settled: Settled) {
    const ids = mintIds(payment, order.quantity)
    const before = yield* chain.findMints(order, settled.block)
    const missing = ids.filter((id) => !before.has(id))
    if (missing.length > 0) yield* chain.mint(order, missing)
    const after = missing.length > 0 ? yield* chain.findMints(order, settled.block) : before
    const mintTxs = Arr.dedupe(ids.flatMap((id) => after.get(id) ?? []))
    if (!Arr.isArrayNonEmpty(mintTxs) || !ids.every((id) => after.has(id)))
      return yield* new NotServed({ status: 500, message: "paid, but the mints cannot be found on the chain" })
    yield* Effect.logDebug(`mint server: minted ${missing.length} of ${ids.length} for payment ${settled.tx}`)
    return { quantity: order.quantity, paymentTx: settled.tx, mintTxs }
  },
  Effect.catchTag("DevChainError", ({ message }) => new NotServed({ status: 500, message: `paid, but: ${message}` }))
)

/** Nothing was taken: the chain or the disk did not answer. */
const orNotNow = <A>(effect: Effect.Effect<A, { readonly message: string }>): Effect.Effect<A, NotServed> =>
  Effect.mapError(effect, ({ message }) => new NotServed({ status: 503, message }))
