import { Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { TaskReport } from "./tasks.ts"
import { Amount, Instant, orNull, Whole } from "./values.ts"

/** The agent wallet of a person: where they pay to. */
export const WalletOpened = Schema.Struct({
  command: Schema.Literal("wallets create"),
  id: Schema.String,
  userAddress: Address,
  agentAddress: Address,
  /** `false` where the person had one already. */
  isNew: Schema.Boolean
})
export type WalletOpened = typeof WalletOpened.Type

/** One agent wallet: what the chain shows beside what the ledger says. */
export const WalletReport = Schema.Struct({
  command: Schema.Literal("wallet"),
  id: Schema.String,
  userAddress: Address,
  agentAddress: Address,
  stopped: orNull(Schema.Struct({ reason: Schema.String, since: orNull(Instant) })),
  /** `null` where the chain does not answer. */
  chain: orNull(Schema.Struct({ balance: Amount, block: Whole, at: Instant })),
  ledger: Schema.Struct({
    /** What the books expect on chain, below zero where a deposit is missing; `null` until they are opened. */
    expected: orNull(Whole),
    countedTo: orNull(Whole),
    reserved: Amount,
    /** Signed, and not yet proven paid or void. */
    maybeSpent: Amount,
    lastPaymentBlock: Whole
  }),
  /** What is certainly free: on chain, and reserved for nothing. */
  credit: orNull(Amount),
  /** Open orders, newest first. */
  tasks: Schema.Array(TaskReport),
  /** Newest first. */
  deposits: Schema.Array(
    Schema.Struct({
      tx: Schema.String,
      from: Schema.String,
      amount: Amount,
      left: Amount,
      block: Whole,
      at: Instant
    })
  ),
  /** Newest first. */
  refunds: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      status: Schema.Literals(["planned", "signed", "paid", "held", "withdrawn"]),
      amount: Amount,
      to: Schema.String,
      tx: orNull(Schema.String),
      reason: orNull(Schema.String),
      createdAt: Instant
    })
  ),
  /** Newest first. */
  decisions: Schema.Array(
    Schema.Struct({
      at: Instant,
      command: Schema.String,
      said: Schema.String,
      why: Schema.String,
      /** By what it came, and the name that was given. */
      by: orNull(Schema.String)
    })
  )
})
export type WalletReport = typeof WalletReport.Type

export const PauseReport = Schema.Struct({
  /** `all`, `token:0x…` or `wallet:<id>`. */
  scope: Schema.String,
  reason: Schema.String,
  since: Instant
})
export type PauseReport = typeof PauseReport.Type

/** What is paused now, after what was asked for was done. */
export const Paused = Schema.Struct({
  command: Schema.Literals(["pause", "resume", "pauses"]),
  /** What this request was about, and whether it changed anything. */
  scope: orNull(Schema.String),
  did: Schema.Boolean,
  pauses: Schema.Array(PauseReport)
})
export type Paused = typeof Paused.Type
