import { Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { NextFields } from "./tasks.ts"
import { Amount, Instant, orNull, Whole } from "./values.ts"

/** An order that was placed. */
export const Created = Schema.Struct({
  command: Schema.Literal("create"),
  taskId: Schema.String,
  /** `false` where this very order was there already. */
  isNew: Schema.Boolean,
  /** Where the person has to pay, and how much. */
  agentAddress: Address,
  totalCost: Amount,
  pricePerMint: Amount,
  quantity: Schema.Int,
  ...NextFields
})
export type Created = typeof Created.Type

/** What an order would cost. */
export const Quoted = Schema.Struct({
  command: Schema.Literal("quote"),
  /** To be given with the order, as long as it holds: once, and with the same key, person, token and quantity. */
  quoteId: Schema.String,
  userAddress: Address,
  tokenAddress: Address,
  quantity: Schema.Int,
  pricePerMint: Amount,
  totalCost: Amount,
  /** The person's agent wallet: where an order is paid to. */
  payTo: Address,
  /** How many mints the token still allows; `null` where it states no limit. */
  supplyLeft: orNull(Whole),
  expiresAt: Instant
})
export type Quoted = typeof Quoted.Type

export const Cancelled = Schema.Struct({
  command: Schema.Literal("cancel"),
  taskId: Schema.String,
  message: Schema.String,
  /** What the wallet keeps as credit, as far as it is certain. `null` where there is no such wallet. */
  credit: orNull(Amount)
})
export type Cancelled = typeof Cancelled.Type

export const Retried = Schema.Struct({
  command: Schema.Literal("retry"),
  taskId: Schema.String,
  /** `funded`: it had failed, and its money is reserved again. `released`: it was held, and is not any more. */
  did: Schema.Literals(["funded", "released"]),
  /** Mints that are bought now, and what they may cost at most. */
  mints: Schema.Int,
  cost: Amount
})
export type Retried = typeof Retried.Type

export const Adopted = Schema.Struct({
  command: Schema.Literal("adopt"),
  taskId: Schema.String,
  /** Mints that count as delivered, and those that are bought now. */
  delivered: Schema.Int,
  mints: Schema.Int,
  /** What the rest may cost at most. */
  cost: Amount,
  /** What the chain shows that was paid from the wallet to the token since the order began. */
  paid: Amount
})
export type Adopted = typeof Adopted.Type

/** A batch that was decided, or an order that was given up. */
export const Resolved = Schema.Struct({
  command: Schema.Literal("resolve"),
  taskId: Schema.String,
  /** `null` where the order failed and no batch of it had to be decided. */
  batch: orNull(Schema.Int),
  as: Schema.Literals(["delivered", "replaced", "again", "failed"]),
  /** Mints that the batch has now, and how many of them the chain shows. */
  minted: Schema.Int,
  onChain: Schema.Int,
  quantity: Schema.Int,
  /** The number under which the missing mints are bought again. */
  replacement: orNull(Schema.Int),
  /** Mints on chain that count for no order from now on. */
  setAside: Schema.Int,
  /** Whether the order failed with it. */
  failed: Schema.Boolean
})
export type Resolved = typeof Resolved.Type

/** A wallet whose stop has ended. */
export const Reopened = Schema.Struct({
  command: Schema.Literal("resolve"),
  walletId: Schema.String,
  wallet: Address,
  /** Why it was stopped. */
  stopped: Schema.String,
  /** The balance that its books begin with now, and the block of it. */
  balance: Amount,
  block: Whole
})
export type Reopened = typeof Reopened.Type

/** A refund that was asked for, or would be. */
export const RefundReport = Schema.Struct({
  command: Schema.Literal("refund"),
  wallet: Address,
  /** Always the wallet's user. */
  to: Address,
  balance: Amount,
  reserved: Amount,
  /** What is certainly free. */
  free: Amount,
  /** What is left of the deposits that are recorded. */
  unspentDeposits: Amount,
  amount: Amount,
  gasAccount: orNull(Address),
  /** In wei. */
  gasBalance: Whole,
  /** What stands against it: with any of it, nothing is refunded. */
  against: Schema.Array(Schema.String),
  warnings: Schema.Array(Schema.String),
  /** The refund that was asked for; `null` in a dry run. */
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

/** What the audit compared, and what it found. */
export const Reconciled = Schema.Struct({
  command: Schema.Literal("reconcile"),
  /** Up to which confirmed block ledger and chain were compared; `null` where there is no wallet. */
  block: orNull(Whole),
  totals: Schema.Struct({
    wallets: Schema.Int,
    /** Payments of orders and refunds that ledger and chain agree on. */
    payments: Schema.Int,
    /** Signed, and not proven yet: on chain already or not. */
    unproven: Schema.Int,
    /** Batches and refunds that wait for a person's decision. */
    held: Schema.Int,
    deposits: Schema.Int,
    /** Deposits that no sweep has counted yet. */
    uncounted: Schema.Int,
    /** Transfers into a wallet from before its books were opened: in their opening balance, and not recorded. */
    earlierDeposits: Schema.Int,
    /** Recorded deposits and payments that are not in the blocks that were compared: a sweep has written them since. */
    newer: Schema.Int,
    mints: Schema.Int,
    /** Mints that a batch counts and that were not looked for: by a person's word alone, or from too long ago. */
    unseenMints: Schema.Int,
    /** Transfers that nothing explains from before a wallet's books were opened: v1.1's, or what a person has checked. */
    beforeBooks: Schema.Int
  }),
  differences: Schema.Array(Schema.Struct({ wallet: Address, what: Schema.String }))
})
export type Reconciled = typeof Reconciled.Type
