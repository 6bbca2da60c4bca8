import { Effect, Result, Schema } from "effect"
import type { Fragment } from "effect/sql/Statement"
import type { Address } from "../../domain/Address.ts"
import type { TaskId } from "../../domain/Task.ts"
import type { TaskFilter, TaskPage, TaskPlace, TaskView } from "../WatchRepo.ts"
import {
  fundingTx,
  hasStatus,
  placedAt,
  readWallet,
  taskColumns,
  TaskFields,
  taskRow,
  walletColumns,
  WalletFields
} from "./rows.ts"
import type { Statements } from "./statements.ts"

const Ms = Schema.NullOr(Schema.Number)

const Views = Schema.Array(
  Schema.Struct({
    ...TaskFields,
    ...WalletFields,
    mints_failed: Schema.Number,
    funding_tx: Schema.NullOr(Schema.String),
    placed_ms: Schema.Number,
    funded_ms: Ms,
    completed_ms: Ms,
    held_ms: Ms,
    held_reason: Schema.NullOr(Schema.String),
    received: Schema.NullOr(Schema.BigInt)
  })
)

/** Tasks that this holds of, with all that is shown of them, out of `t`, `s` and `w`. */
const selectViews = ({ sql, time }: Statements, which: Fragment, rest: Fragment) => sql`
  SELECT ${taskColumns(sql, time)}, ${walletColumns(sql)}, coalesce(t.mints_failed, 0) AS mints_failed,
    ${fundingTx(sql)} AS funding_tx, coalesce(${time.readAny("ai_agent_tasks", "created_at", "t")}, 0) AS placed_ms,
    ${time.read("ai_agent_tasks", "funding_received_at", "t")} AS funded_ms,
    ${time.read("ai_agent_tasks", "completed_at", "t")} AS completed_ms,
    (extract(epoch FROM s.held_at) * 1000)::float8 AS held_ms, s.held_reason,
    CASE WHEN t.status = 'pending_payment' THEN (
      SELECT least(coalesce(sum(d.remaining), 0), greatest(t.total_cost, 0))::bigint FROM ai_agent_deposits d
      WHERE d.wallet_id = t.agent_wallet_id AND d.remaining > 0 AND d.withdrawn_at IS NULL) END AS received
  FROM ai_agent_tasks t
  LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
  LEFT JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
  WHERE ${hasStatus(sql)} AND ${which}
  ${rest}`

const newestFirst = ({ sql }: Statements) => sql`ORDER BY ${placedAt(sql)} DESC, t.id DESC`

const viewOf = (row: (typeof Views.Type)[number]): TaskView => ({
  ...taskRow(row),
  mintsFailed: row.mints_failed,
  received: row.received ?? undefined,
  fundingTx: row.funding_tx ?? undefined,
  fundingReceivedAtMs: row.funded_ms ?? undefined,
  completedAtMs: row.completed_ms ?? undefined,
  held: row.held_ms === null ? undefined : { reason: row.held_reason ?? "", sinceMs: row.held_ms },
  agentAddress: Result.getOrUndefined(readWallet(row.agent_wallet_id, row))?.agentAddress
})

const readViews = (raw: unknown): Effect.Effect<ReadonlyArray<TaskView>, Schema.SchemaError> =>
  Effect.map(Schema.decodeUnknownEffect(Views)(raw), (rows) => rows.map(viewOf))

/** By key and not by offset: a page costs the same however far down it is, and a new order shifts nothing. */
export const listTasks = Effect.fnUntraced(function* (
  on: Statements,
  filter: TaskFilter,
  { after, limit }: { readonly after: TaskPlace | undefined; readonly limit: number }
) {
  const { sql, time } = on
  const conditions = [sql`true`]
  if (filter.statuses.length > 0) conditions.push(sql`t.status = ANY(${filter.statuses}::text[])`)
  if (filter.userAddress !== undefined) conditions.push(sql`lower(t.user_address) = ${filter.userAddress}`)
  if (filter.token !== undefined) conditions.push(sql`lower(t.token_address) = ${filter.token}`)
  if (filter.walletId !== undefined) conditions.push(sql`t.agent_wallet_id = ${filter.walletId}::uuid`)
  if (filter.held === true) conditions.push(sql`s.held_at IS NOT NULL`)
  if (filter.held === false) conditions.push(sql`s.held_at IS NULL`)
  if (after !== undefined) {
    const createdAt =
      after.placedAtMs === 0 ? sql`'epoch'` : time.write("ai_agent_tasks", "created_at", after.placedAtMs)
    conditions.push(sql`(${placedAt(sql)}, t.id) < (${createdAt}, ${after.id}::uuid)`)
  }
  const raw = yield* selectViews(on, sql.and(conditions), sql`${newestFirst(on)} LIMIT ${limit + 1}::int`)
  const rows = yield* Schema.decodeUnknownEffect(Views)(raw)
  const last = rows[limit - 1]
  return {
    tasks: rows.slice(0, limit).map(viewOf),
    next: last === undefined || rows.length <= limit ? undefined : { placedAtMs: last.placed_ms, id: last.id }
  } satisfies TaskPage
})

const Counts = Schema.Array(Schema.Struct({ count: Schema.BigInt }))

export const tasksOf = Effect.fnUntraced(function* (
  on: Statements,
  userAddress: Address,
  { limit, offset }: { readonly limit: number; readonly offset: number }
) {
  const { sql } = on
  const isTheirs = sql`lower(t.user_address) = ${userAddress}`
  const page = sql`${newestFirst(on)} LIMIT ${limit}::int OFFSET ${offset}::int`
  const raw = yield* selectViews(on, isTheirs, page)
  const counted = yield* sql`SELECT count(*) AS count FROM ai_agent_tasks t WHERE ${hasStatus(sql)} AND ${isTheirs}`
  const [row] = yield* Schema.decodeUnknownEffect(Counts)(counted)
  return { tasks: yield* readViews(raw), total: Number(row?.count ?? 0n) }
})

export const viewTask = Effect.fnUntraced(function* (on: Statements, id: TaskId) {
  return (yield* readViews(yield* selectViews(on, on.sql`t.id = ${id}::uuid`, on.sql``)))[0]
})
