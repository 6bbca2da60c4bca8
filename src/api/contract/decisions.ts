import { Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { Amount, Name, orNull, Why, Whole } from "./values.ts"

/** What a person decides about a task. */
export const WhyBody = Schema.Struct({ why: Why })
export const AdoptBody = Schema.Struct({
  why: Why,
  mints: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
})
export const ResolveBody = Schema.Struct({
  why: Why,
  as: Schema.Literals(["delivered", "replaced", "again", "failed"]),
  batch: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
  mints: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
})
export const RefundBody = Schema.Struct({
  /** Default: all that is free. With `confirm` it must be there. */
  amount: Schema.optionalKey(Amount),
  /** With `confirm` it must be there, and be the wallet's user: who confirms has read who gets it. */
  to: Schema.optionalKey(Name),
  /** Without it, it is only told what would be done. */
  confirm: Schema.optionalKey(Schema.Boolean),
  why: Schema.optionalKey(Why)
})

export const WithdrawBody = Schema.Struct({
  /** The id of the refund, or the first eight digits of it. */
  refund: Name,
  why: Why
})

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

export const Cancelled = Schema.Struct({
  command: Schema.Literal("cancel"),
  taskId: Schema.String,
  message: Schema.String,
  credit: orNull(Amount)
})

export const Retried = Schema.Struct({
  command: Schema.Literal("retry"),
  taskId: Schema.String,
  did: Schema.Literals(["funded", "released"]),
  mints: Schema.Int,
  cost: Amount
})

export const Adopted = Schema.Struct({
  command: Schema.Literal("adopt"),
  taskId: Schema.String,
  delivered: Schema.Int,
  mints: Schema.Int,
  cost: Amount,
  paid: Amount
})

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

export const Reopened = Schema.Struct({
  command: Schema.Literal("resolve"),
  walletId: Schema.String,
  wallet: Address,
  stopped: Schema.String,
  balance: Amount,
  block: Whole
})

export const Refunding = Schema.Struct({
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

export const Withdrawn = Schema.Struct({
  command: Schema.Literal("withdraw"),
  refundId: Schema.String,
  wallet: Address,
  to: Address,
  /** What is the wallet's credit again. */
  amount: Amount
})

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
