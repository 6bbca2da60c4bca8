import { Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { Amount, orNull, Whole } from "./values.ts"

export const Created = Schema.Struct({
  command: Schema.Literal("create"),
  taskId: Schema.String,
  /** `false` where this very order was there already. */
  isNew: Schema.Boolean,
  /** Where the person has to pay, how much, and by when. */
  agentAddress: Address,
  totalCost: Amount,
  pricePerMint: Amount,
  quantity: Schema.Int
})
export type Created = typeof Created.Type

export const Cancelled = Schema.Struct({
  command: Schema.Literal("cancel"),
  taskId: Schema.String,
  message: Schema.String,
  credit: orNull(Amount)
})
export type Cancelled = typeof Cancelled.Type

export const Retried = Schema.Struct({
  command: Schema.Literal("retry"),
  taskId: Schema.String,
  did: Schema.Literals(["funded", "released"]),
  mints: Schema.Int,
  cost: Amount
})
export type Retried = typeof Retried.Type

export const Adopted = Schema.Struct({
  command: Schema.Literal("adopt"),
  taskId: Schema.String,
  delivered: Schema.Int,
  mints: Schema.Int,
  cost: Amount,
  paid: Amount
})
export type Adopted = typeof Adopted.Type

export const Resolved = Schema.Struct({
  command: Schema.Literal("resolve"),
  taskId: Schema.String,
  batch: orNull(Schema.Int),
  as: Schema.Literals(["delivered", "replaced", "again", "failed"]),
  minted: Schema.Int,
  onChain: Schema.Int,
  quantity: Schema.Int,
  replacement: orNull(Schema.Int),
  /** Mints on chain that count for no order from now on. */
  setAside: Schema.Int,
  failed: Schema.Boolean
})
export type Resolved = typeof Resolved.Type

export const Reopened = Schema.Struct({
  command: Schema.Literal("resolve"),
  walletId: Schema.String,
  wallet: Address,
  stopped: Schema.String,
  balance: Amount,
  block: Whole
})
export type Reopened = typeof Reopened.Type

export const RefundReport = Schema.Struct({
  command: Schema.Literal("refund"),
  wallet: Address,
  to: Address,
  balance: Amount,
  reserved: Amount,
  free: Amount,
  unspentDeposits: Amount,
  amount: Amount,
  gasAccount: orNull(Address),
  gasBalance: Whole,
  against: Schema.Array(Schema.String),
  warnings: Schema.Array(Schema.String),
  refundId: orNull(Schema.String)
})
export type RefundReport = typeof RefundReport.Type

export const Withdrawn = Schema.Struct({
  command: Schema.Literal("withdraw"),
  refundId: Schema.String,
  wallet: Address,
  to: Address,
  /** What is the wallet's credit again. */
  amount: Amount
})
export type Withdrawn = typeof Withdrawn.Type

export const Reconciled = Schema.Struct({
  command: Schema.Literal("reconcile"),
  block: orNull(Whole),
  totals: Schema.Struct({
    wallets: Schema.Int,
    payments: Schema.Int,
    unproven: Schema.Int,
    held: Schema.Int,
    deposits: Schema.Int,
    uncounted: Schema.Int,
    earlierDeposits: Schema.Int,
    newer: Schema.Int,
    mints: Schema.Int,
    unseenMints: Schema.Int,
    beforeBooks: Schema.Int
  }),
  differences: Schema.Array(Schema.Struct({ wallet: Address, what: Schema.String }))
})
export type Reconciled = typeof Reconciled.Type
