import type { FacilitatorClient } from "@x402/core/server"
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types"
import { Array as Arr, Effect, RcMap, Result, Schema, type Scope, Semaphore } from "effect"
import { BaseError } from "viem"
import type { Address, Bytes32 } from "../domain/Address.ts"
import { times, type Usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"
import type { DevChainError } from "./DevChain.ts"
import type { MintChain, Settled } from "./mintChain.ts"
import type { Run } from "./mintFacilitator.ts"
import { isSameOrder, keyOf, mintIds, type Payment, readPayment } from "./mintOrder.ts"
import type { MintRecords, MintRecordsError } from "./mintRecords.ts"

/** Why an order is not served. */
export class NotServed extends Schema.TaggedError<NotServed>()("NotServed", {
  /** 409: not in this way, whenever it is asked again. 5xx: not now; the same request may succeed later. */
  status: Schema.Literals([409, 500, 503]),
  message: Schema.String
}) {}

/** What a paid order has got. */
export interface Delivery {
  readonly success: true
  readonly quantity: number
  readonly mintTxHash: Bytes32
  /** One, or more where a failed mint was made up for. In the order of the ids. */
  readonly mintTxHashes: ReadonlyArray<Bytes32>
  readonly paymentTxHash: Bytes32
}

/** What became of a payment that has been here before, or has reached the chain by another way. */
export interface Recall {
  /** `undefined` where the payment is still to be taken. */
  readonly settled: Settled | undefined
  readonly delivery: Effect.Effect<Delivery, NotServed>
}

export interface MintDeskOptions {
  readonly chain: MintChain
  readonly records: MintRecords
  readonly facilitator: FacilitatorClient
  /** Base units of USDC for one mint. */
  readonly prices: ReadonlyMap<Address, Usdc>
  readonly run: Run
}

export interface MintDesk {
  readonly priceOf: (order: MintOrder) => Usdc | undefined
  /** One at a time for each payment: a duplicate waits, and then finds what the first one did. */
  readonly inTurn: (payment: Payment) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly recall: (order: MintOrder, payment: Payment) => Effect.Effect<Recall, NotServed>
  /** Runs `take`, which may take a payment for the order, while the mints for it are kept from others. */
  readonly whileReserved: <A>(order: MintOrder, take: Effect.Effect<A>) => Effect.Effect<A, NotServed>
  /** Settles what is being taken under `whileReserved`, once it is on record what it is for. */
  readonly facilitator: FacilitatorClient
}
