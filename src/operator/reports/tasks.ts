import { Schema } from "effect"
import { BATCH_STATUSES } from "../../domain/Batch.ts"
import { NEXT_ACTIONS, PAYMENT_STATES } from "../../domain/nextAction.ts"
import { STATUSES } from "../../domain/Task.ts"
import { Amount, described, Instant, orNull, Whole } from "./values.ts"

export const Status = Schema.Literals(STATUSES)

/** The next step of an order in words for programs, by the decision that the executor acts on. */
export const NextFields = {
  paymentState: Schema.Literals(PAYMENT_STATES).annotate({
    description:
      "unpaid: nothing is counted for it. partial: some of its money came, or all of it, and none is reserved yet. " +
      "paid: its money is reserved. in_flight: a payment of it, or for it, is signed, and its outcome is not proven. settled: every " +
      "payment of it is proven. refundable: it ended, and its wallet has credit that can be sent back"
  }),
  nextAction: Schema.Literals(NEXT_ACTIONS).annotate({
    description:
      "What the program that placed the order does next. pay: send amountDue to payTo, once. wait: ask again after " +
      "checkAgainAfterSeconds. new_order: it has ended; place another one if the tokens are still wanted. ask_operator: a " +
      "person decides. none: nothing"
  }),
  amountDue: orNull(Amount).pipe(
    described(
      "USDC to pay now, in base units as text: more than zero with nextAction pay only. null while it cannot be said"
    )
  ),
  payTo: orNull(Schema.String).pipe(
    described("The agent wallet that the person pays to; null once the order does not wait for its money")
  ),
  payBy: orNull(Instant).pipe(
    described("The payment deadline, in UTC; null once the order does not wait for its money")
  ),
  checkAgainAfterSeconds: orNull(Schema.Int).pipe(
    described("When to ask again, 1 to 60; null where nothing will change by itself")
  )
}

/** A row of `ai_agent_tasks` and what the executor knows beside it. Sound or not: texts are as they are stored. */
export const TaskRecord = Schema.Struct({
  id: Schema.String,
  status: Status,
  held: orNull(Schema.Struct({ reason: Schema.String, since: Instant })).pipe(
    described("Why it waits for a person, and since when")
  ),
  userAddress: Schema.String.pipe(described("The person: the mints go to this address")),
  agentWalletId: Schema.String,
  agentAddress: orNull(Schema.String).pipe(described("The person's agent wallet, which pays for the order")),
  tokenAddress: Schema.String,
  quantity: Schema.Int.pipe(described("How many mints")),
  pricePerMint: Whole.pipe(described("The most that one mint may cost: USDC in base units (6 decimals), as text")),
  totalCost: Whole.pipe(described("USDC in base units (6 decimals), as text")),
  received: orNull(Whole).pipe(
    described(
      "Of an order that waits for its money: what came into its wallet and is not used yet, at most its cost. Where " +
        "several orders of the wallet wait, it may be for another of them"
    )
  ),
  mintsCompleted: Schema.Int.pipe(described("Mints that the person has")),
  mintsFailed: Schema.Int,
  retryCount: Schema.Int.pipe(described("Refusals in a row since the last progress")),
  errorMessage: orNull(Schema.String),
  fundingTx: orNull(Schema.String).pipe(
    described("The transfer that paid, or auto_funded where only the balance was known")
  ),
  createdAt: orNull(Instant),
  deadline: orNull(Instant).pipe(described("When the payment timeout is over, by the chain's clock")),
  fundedAt: orNull(Instant),
  startedAt: orNull(Instant),
  completedAt: orNull(Instant).pipe(described("When it was completed, failed or was cancelled")),
  nextActionAt: orNull(Instant).pipe(described("Nothing is done for it before this time"))
})
export type TaskRecord = typeof TaskRecord.Type
export type TaskJson = typeof TaskRecord.Encoded

/** An order with its next step. */
export const TaskReport = Schema.Struct({ ...TaskRecord.fields, ...NextFields })
export type TaskReport = typeof TaskReport.Type
export type TaskReportJson = typeof TaskReport.Encoded

export const TaskList = Schema.Struct({
  /** Newest first. */
  tasks: Schema.Array(TaskReport),
  /** The `cursor` of the next page. */
  next: orNull(Schema.String)
})
export type TaskList = typeof TaskList.Type
export type TaskListJson = typeof TaskList.Encoded

/** One thing that happened to an order, in words. */
export const Step = Schema.Struct({
  at: orNull(Instant),
  /** What kind of thing: `created`, `deposit`, `funded`, `planned`, `signed`, `paid`, `minted`, `refused`, `decision`, … */
  kind: Schema.String,
  text: Schema.String,
  batch: orNull(Schema.Int),
  /** Transactions on the chain that show it. */
  txs: Schema.Array(Schema.String)
})
export type Step = typeof Step.Type

/** One payment and the mints that it buys. */
export const BatchReport = Schema.Struct({
  number: Schema.Int,
  status: Schema.Literals(BATCH_STATUSES),
  since: Instant,
  quantity: Schema.Int,
  minted: Schema.Int,
  /** The most that it may cost, and what the chain shows that it cost. */
  amount: Amount,
  paidAmount: orNull(Amount),
  nonce: Schema.String,
  payTo: Schema.String,
  /** By the chain's clock: until when the signed payment can be taken. */
  validBefore: orNull(Instant),
  paymentTx: orNull(Schema.String),
  mintTxs: Schema.Array(Schema.String),
  reason: orNull(Schema.String),
  nextActionAt: orNull(Instant)
})

export type BatchReport = typeof BatchReport.Type

/** Everything that answers "I paid, where are my tokens?". */
export const Explanation = Schema.Struct({
  command: Schema.Literal("explain"),
  task: TaskReport,
  /** What there is to say, in one sentence. */
  summary: Schema.String,
  /** The money of its wallet; what is on chain is `null` where the chain does not answer. */
  money: Schema.Struct({
    onChain: orNull(Amount),
    block: orNull(Whole),
    reserved: Amount,
    /** What is still to be paid for this order. */
    needed: Amount,
    /** Of an order that waits for its money: the part of its cost that is there for it. `null` where that is not known. */
    received: orNull(Amount)
  }),
  /** In order of time. */
  steps: Schema.Array(Step),
  batches: Schema.Array(BatchReport),
  /** What happens next and when, or why nothing does, and what a person can do. */
  next: Schema.Struct({
    text: Schema.String,
    at: orNull(Instant),
    /** Commands that help, as they are typed behind `ai-mint`. */
    commands: Schema.Array(Schema.String)
  })
})
export type Explanation = typeof Explanation.Type
export type ExplanationJson = typeof Explanation.Encoded
