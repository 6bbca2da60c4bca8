import { Schema, SchemaTransformation } from "effect"
import { eventSentence } from "../events.ts"
import { LimitReport } from "./limits.ts"
import { PauseReport } from "./wallets.ts"
import { Status, TaskRecord } from "./tasks.ts"
import { Amount, Instant, orNull, Whole } from "./values.ts"

const Part = {
  ok: Schema.Boolean,
  tookMs: Schema.Number,
  problem: orNull(Schema.String)
}

export const Sweep = Schema.Struct({
  at: Instant,
  tookMs: Schema.Number,
  checked: Schema.Int,
  funded: Schema.Int,
  cancelled: Schema.Int
})

/** Whether everything that is needed answers. */
export const readinessWhere = <R extends Schema.Constraint>(ready: R) =>
  Schema.Struct({
    ready,
    checkedAt: Instant,
    database: Schema.Struct(Part),
    /** Each node of the list, by host. */
    rpc: Schema.Array(
      Schema.Struct({ host: Schema.String, ...Part, head: orNull(Whole), headAgeMs: orNull(Schema.Number) })
    ),
    /** Each WebSocket endpoint of the list, which announces new blocks. Only where there is one. */
    announcements: Schema.optionalKey(
      Schema.Array(
        Schema.Struct({
          host: Schema.String,
          /** Not `down`. New blocks are asked for while it is. */
          ok: Schema.Boolean,
          /** `unused`: nothing waits for a block. */
          stage: Schema.Literals(["unused", "connecting", "live", "down"]),
          problem: orNull(Schema.String),
          head: orNull(Whole),
          heardAt: orNull(Instant)
        })
      )
    ),
    mintServer: Schema.Struct(Part),
    sweep: Schema.Struct({ ok: Schema.Boolean, problem: orNull(Schema.String), last: orNull(Sweep) }),
    /** The longest overdue row. */
    due: Schema.Struct({ ok: Schema.Boolean, problem: orNull(Schema.String), since: orNull(Instant) }),
    /** What outside this program keeps its work waiting now. Not `ok`: no money can move while it lasts. */
    incidents: Schema.Array(Schema.Struct({ ok: Schema.Boolean, problem: Schema.String, since: Instant })),
    /** The executors that share the database, this one first, and which of the 32 parts of the wallets each owns. Only with `RUNNERS=cluster`. */
    runners: Schema.optionalKey(
      Schema.Array(
        Schema.Struct({
          name: Schema.String,
          version: Schema.String,
          isThis: Schema.Boolean,
          parts: Schema.Array(Schema.Int)
        })
      )
    )
  })
export const Readiness = readinessWhere(Schema.Boolean)
export type Readiness = typeof Readiness.Type

export const Version = Schema.Struct({
  name: Schema.String,
  version: Schema.String,
  network: Schema.String,
  chainId: Schema.Int,
  startedAt: Instant
})

const eventWhere = <Text extends Schema.Constraint>(text: Text) =>
  Schema.Struct({
    id: Schema.Int,
    at: Instant,
    /** `task.funded`, `batch.paid`, `deposit.arrived`, `refund.signed`, `decision.made`, `wallet.stopped`, … */
    kind: Schema.String,
    /** The same in a sentence. */
    text,
    taskId: orNull(Schema.String),
    walletId: orNull(Schema.String),
    batch: orNull(Schema.Int),
    detail: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Null]))
  })

/** One step of an order, a payment, a deposit, a refund or a decision. Executors before 2.4.0 send no text. */
export const EventReport = eventWhere(Schema.optionalKey(Schema.String)).pipe(
  Schema.decodeTo(
    Schema.toType(eventWhere(Schema.String)),
    SchemaTransformation.transform({
      decode: (event) => ({ ...event, text: event.text ?? eventSentence(event) }),
      encode: (event) => event
    })
  )
)
export type EventReport = typeof EventReport.Type
export type EventJson = typeof EventReport.Encoded

/** Something that waits for a person, or might soon. */
export const Attention = Schema.Struct({
  kind: Schema.Literals(["held", "undelivered", "unknown", "stopped", "refund", "limit", "incident"]),
  taskId: orNull(Schema.String),
  wallet: orNull(Schema.String),
  batch: orNull(Schema.Int),
  since: orNull(Instant),
  text: Schema.String,
  /** How many wait for the same cause, this one included. */
  alike: Schema.Int,
  /** What to type behind `ai-mint` to learn more. */
  command: Schema.String
})
export type Attention = typeof Attention.Type

/** What runs now, for the page and for `status`. */
export const StatusReport = Schema.Struct({
  command: Schema.Literal("status"),
  now: Instant,
  version: Version,
  /** Where transactions can be looked at: `<explorer>/tx/<hash>`; `null` on a local chain. */
  explorer: orNull(Schema.String),
  paymentTimeoutMs: Schema.Number,
  tasks: Schema.Array(Schema.Struct({ status: Status, held: Schema.Boolean, count: Schema.Int, cost: Amount })),
  batches: Schema.Array(Schema.Struct({ status: Schema.String, count: Schema.Int, amount: Amount })),
  money: Schema.Struct({ deposited: Amount, paid: Amount, refunded: Amount, credit: Amount }),
  /** When this ledger began, where v1.1 minted orders before that: their money is not in `money` or `batches`. Else `null`. */
  moneySince: orNull(Instant),
  /** Orders that were created since then, and how far they came. */
  funnel: Schema.Struct({
    since: Instant,
    created: Schema.Int,
    funded: Schema.Int,
    minting: Schema.Int,
    completed: Schema.Int,
    failed: Schema.Int,
    cancelled: Schema.Int
  }),
  /** Open orders, newest first, at most 100, and how many there are. */
  open: Schema.Array(TaskRecord),
  openCount: Schema.Int,
  /** At most 100. */
  attention: Schema.Array(Attention),
  attentionCount: Schema.Int,
  /** The newest events, newest first, at most 12. */
  lately: Schema.Array(EventReport),
  readiness: Readiness,
  pauses: Schema.Array(PauseReport),
  limits: Schema.Array(LimitReport)
})
export type StatusReport = typeof StatusReport.Type
export type StatusJson = typeof StatusReport.Encoded
