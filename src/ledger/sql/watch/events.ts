import { Effect, Schema } from "effect"
import type { Fragment } from "effect/sql/Statement"
import { type LedgerEvent, type WatchRepo } from "../../WatchRepo.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"
import { TaskId } from "../../../domain/Task.ts"
import { WalletId } from "../../../domain/Wallet.ts"

/** Of an event, as text. */
export const Detail = Schema.fromJsonString(
  Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Null]))
)

const Rows = Schema.Array(
  Schema.Struct({
    id: Schema.BigInt,
    at_ms: Schema.Number,
    kind: Schema.String,
    task_id: Schema.NullOr(TaskId),
    wallet_id: Schema.NullOr(WalletId),
    batch: Schema.NullOr(Schema.Number),
    detail: Detail
  })
)

const selectEvents = ({ sql }: Statements, rest: Fragment) => sql`
  SELECT e.id, (extract(epoch FROM e.at) * 1000)::float8 AS at_ms, e.kind, e.task_id, e.wallet_id, e.batch,
    e.detail::text AS detail
  FROM ai_agent_events e ${rest}`

/** Events out of `e`. */
export const eventsWhere = Effect.fnUntraced(function* (on: Statements, rest: Fragment) {
  const rows = yield* rowsOf(Rows)(selectEvents(on, rest))
  return rows.map((row): LedgerEvent => ({
    id: Number(row.id),
    atMs: row.at_ms,
    kind: row.kind,
    taskId: row.task_id ?? undefined,
    walletId: row.wallet_id ?? undefined,
    batch: row.batch ?? undefined,
    detail: row.detail
  }))
})

const Last = Schema.Tuple([Schema.Struct({ id: Schema.BigInt })])

export const events = {
  /** Two questions of the primary key: with an `OR` between them all events there ever were would be read. */
  eventsAfter: (on) =>
    on.once("read events", function* (id, { limit, late = [] }) {
      return yield* eventsWhere(
        on,
        on.sql`WHERE e.id = ANY(${late.map(String)}::text[]::bigint[]) AND e.id <= ${id}::bigint
      UNION ALL (${selectEvents(on, on.sql`WHERE e.id > ${id}::bigint ORDER BY e.id LIMIT ${limit}::int`)})
      ORDER BY id LIMIT ${limit}::int`
      )
    }),

  lastEvent: ({ once, sql }) =>
    once("read events", function* () {
      const [row] = yield* rowsOf(Last)(sql`SELECT coalesce(max(id), 0)::bigint AS id FROM ai_agent_events`)
      return Number(row.id)
    })()
} satisfies Methods<WatchRepo["Service"]>
