import { Effect, Schema } from "effect"
import type { Fragment } from "effect/sql/Statement"
import type { LedgerEvent } from "../WatchRepo.ts"
import type { Statements } from "./statements.ts"

const Detail = Schema.fromJsonString(
  Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Null]))
)

const Rows = Schema.Array(
  Schema.Struct({
    id: Schema.BigInt,
    at_ms: Schema.Number,
    kind: Schema.String,
    task_id: Schema.NullOr(Schema.String),
    wallet_id: Schema.NullOr(Schema.String),
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
  const rows = yield* Schema.decodeUnknownEffect(Rows)(yield* selectEvents(on, rest))
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

/** Two questions of the primary key: with an `OR` between them all events there ever were would be read. */
export const eventsAfter = (
  on: Statements,
  id: number,
  { limit, late = [] }: { readonly limit: number; readonly late?: ReadonlyArray<number> }
) =>
  eventsWhere(
    on,
    on.sql`WHERE e.id = ANY(${late.map(String)}::text[]::bigint[]) AND e.id <= ${id}::bigint
      UNION ALL (${selectEvents(on, on.sql`WHERE e.id > ${id}::bigint ORDER BY e.id LIMIT ${limit}::int`)})
      ORDER BY id LIMIT ${limit}::int`
  )

const Last = Schema.Array(Schema.Struct({ id: Schema.BigInt }))

export const lastEvent = Effect.fnUntraced(function* ({ sql }: Statements) {
  const raw = yield* sql`SELECT coalesce(max(id), 0)::bigint AS id FROM ai_agent_events`
  return Number((yield* Schema.decodeUnknownEffect(Last)(raw))[0]?.id ?? 0n)
})
