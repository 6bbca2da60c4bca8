import { Result, Schema } from "effect"
import type { Fragment } from "effect/sql/Statement"
import type { Bytes32 } from "../../../domain/Address.ts"
import { BATCH_STATUSES } from "../../../domain/Batch.ts"
import { type Status, type TaskId } from "../../../domain/Task.ts"
import { type TaskFilter, type TaskPage, type TaskPlace, type TaskView, type WatchRepo } from "../../WatchRepo.ts"
import {
  TaskFields,
  WalletFields,
  fundingTx,
  hasStatus,
  placedAt,
  readWallet,
  taskColumns,
  taskRow,
  walletColumns
} from "../rows.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"

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
    received: Schema.NullOr(Schema.BigInt),
    batch_statuses: Schema.Array(Schema.Literals(BATCH_STATUSES))
  })
)

/** Tasks of `from` that this holds of, with all that is shown of them, out of `t`, `s` and `w`. */
const selectViews = (
  { sql, time }: Statements,
  which: Fragment,
  rest: Fragment,
  from: Fragment = sql`ai_agent_tasks`
) => sql`
  SELECT ${taskColumns(sql, time)}, ${walletColumns(sql)}, coalesce(t.mints_failed, 0) AS mints_failed,
    ${fundingTx(sql)} AS funding_tx, coalesce(${time.readAny("ai_agent_tasks", "created_at", "t")}, 0) AS placed_ms,
    ${time.read("ai_agent_tasks", "funding_received_at", "t")} AS funded_ms,
    ${time.read("ai_agent_tasks", "completed_at", "t")} AS completed_ms,
    (extract(epoch FROM s.held_at) * 1000)::float8 AS held_ms, s.held_reason,
    CASE WHEN t.status = 'pending_payment' THEN (
      SELECT least(coalesce(sum(d.remaining), 0), greatest(t.total_cost, 0))::bigint FROM ai_agent_deposits d
      WHERE d.wallet_id = t.agent_wallet_id AND d.remaining > 0 AND d.withdrawn_at IS NULL) END AS received,
    coalesce((SELECT array_agg(DISTINCT b.status::text) FROM ai_agent_batches b WHERE b.task_id = t.id), '{}')
      AS batch_statuses
  FROM ${from} t
  LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
  LEFT JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
  WHERE ${hasStatus(sql)} AND ${which}
  ${rest}`

const newestFirst = ({ sql }: Statements) => sql`ORDER BY ${placedAt(sql)} DESC, t.id DESC`

const viewOf = (row: (typeof Views.Type)[number]): TaskView => ({
  ...taskRow(row),
  mintsFailed: row.mints_failed,
  received: row.received ?? undefined,
  batches: new Set(row.batch_statuses),
  fundingTx: row.funding_tx ?? undefined,
  fundingReceivedAtMs: row.funded_ms ?? undefined,
  completedAtMs: row.completed_ms ?? undefined,
  held: row.held_ms === null ? undefined : { reason: row.held_reason ?? "", sinceMs: row.held_ms },
  agentAddress: Result.getOrUndefined(readWallet(row.agent_wallet_id, row))?.agentAddress
})

export const viewOfTask = function* (on: Statements, id: TaskId) {
  const [row] = yield* rowsOf(Views)(selectViews(on, on.sql`t.id = ${id}::uuid`, on.sql``))
  return row && viewOf(row)
}

const CLOSED: ReadonlyArray<Status> = ["completed", "failed", "cancelled"]

/** Written out: PostgreSQL proves for constants only that an index with a condition on the status may be used. */
const oneOf = (sql: Statements["sql"], statuses: ReadonlyArray<Status>): Fragment =>
  sql`t.status IN (${sql.literal(statuses.map((status) => `'${status}'`).join(", "))})`

/**
 * The statuses of a list, so that an index leads to the newest tasks of each group: to all open ones, and to those of each
 * closed status. Looked for among all tasks, a rare status would be behind a million others.
 */
const groupsOf = (statuses: ReadonlyArray<Status>): ReadonlyArray<ReadonlyArray<Status>> => {
  const open = statuses.filter((status) => !CLOSED.includes(status))
  const closed = CLOSED.filter((status) => statuses.includes(status)).map((status) => [status])
  return open.length === 0 ? closed : [open, ...closed]
}

/** The first tasks of every group: the first of all are among them. */
const firstOfEach = (
  on: Statements,
  groups: ReadonlyArray<ReadonlyArray<Status>>,
  which: Fragment,
  page: Fragment
): Fragment => {
  const { sql } = on
  const [first = sql`ai_agent_tasks`, ...others] = groups.map(
    (group) => sql`(
      SELECT t.* FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
      WHERE ${oneOf(sql, group)} AND ${which} ${page})`
  )
  return others.length === 0 ? first : sql`(${others.reduce((all, one) => sql`${all} UNION ALL ${one}`, first)})`
}

/** An array: what it takes to find its elements is the same for any plan of the statement around it. */
const tasksOfTransaction = (sql: Statements["sql"], tx: Bytes32) => sql`ARRAY(
  SELECT task_id FROM ai_agent_deposit_uses WHERE tx_hash = ${tx} AND task_id IS NOT NULL
  UNION SELECT task_id FROM ai_agent_batches WHERE payment_tx = ${tx}
  UNION SELECT task_id FROM ai_agent_batch_mints WHERE tx_hash = ${tx}
  UNION SELECT id FROM ai_agent_tasks WHERE lower(funding_tx_hash) = ${tx}
  UNION SELECT o.id FROM ai_agent_tasks o WHERE o.agent_wallet_id IN (
    SELECT wallet_id FROM ai_agent_refunds WHERE tx_hash = ${tx}
    UNION ALL SELECT wallet_id FROM ai_agent_deposits WHERE tx_hash = ${tx} AND remaining = amount))`

const conditionsOf = ({ sql, time }: Statements, filter: TaskFilter, after: TaskPlace | undefined) => {
  const created = (ms: number) => (ms === 0 ? sql`'epoch'` : time.write("ai_agent_tasks", "created_at", ms))
  const conditions = [sql`true`]
  if (filter.userAddress !== undefined) conditions.push(sql`lower(t.user_address) = ${filter.userAddress}`)
  if (filter.token !== undefined) conditions.push(sql`lower(t.token_address) = ${filter.token}`)
  if (filter.walletId !== undefined) conditions.push(sql`t.agent_wallet_id = ${filter.walletId}::uuid`)
  if (filter.held === true) conditions.push(sql`s.held_at IS NOT NULL`)
  if (filter.held === false) conditions.push(sql`s.held_at IS NULL`)
  if (filter.fromMs !== undefined) conditions.push(sql`${placedAt(sql)} >= ${created(filter.fromMs)}`)
  if (filter.beforeMs !== undefined) conditions.push(sql`${placedAt(sql)} < ${created(filter.beforeMs)}`)
  if (filter.tx !== undefined) conditions.push(sql`t.id = ANY(${tasksOfTransaction(sql, filter.tx)})`)
  if (after !== undefined) {
    conditions.push(sql`(${placedAt(sql)}, t.id) < (${created(after.placedAtMs)}, ${after.id}::uuid)`)
  }
  return sql.and(conditions)
}

const Counts = Schema.Tuple([Schema.Struct({ count: Schema.Number })])

export const lists = {
  /** By key and not by offset: a page costs the same however far down it is, and a new order shifts nothing. */
  listTasks: (on) =>
    on.once("list tasks", function* (filter, { after, limit }) {
      const page = on.sql`${newestFirst(on)} LIMIT ${limit + 1}::int`
      const which = conditionsOf(on, filter, after)
      const from = firstOfEach(on, groupsOf(filter.statuses), which, page)
      const rows = yield* rowsOf(Views)(
        selectViews(on, filter.statuses.length === 0 ? which : on.sql`true`, page, from)
      )
      const last = rows[limit - 1]
      return {
        tasks: rows.slice(0, limit).map(viewOf),
        next: last === undefined || rows.length <= limit ? undefined : { placedAtMs: last.placed_ms, id: last.id }
      } satisfies TaskPage
    }),

  tasksOf: (on) =>
    on.once("list tasks", function* (userAddress, { limit, offset }) {
      const { sql } = on
      const isTheirs = sql`lower(t.user_address) = ${userAddress}`
      const page = sql`${newestFirst(on)} LIMIT ${limit}::int OFFSET ${offset}::int`
      const tasks = yield* rowsOf(Views)(selectViews(on, isTheirs, page))
      const [counted] = yield* rowsOf(Counts)(
        sql`SELECT count(*)::int AS count FROM ai_agent_tasks t WHERE ${hasStatus(sql)} AND ${isTheirs}`
      )
      return { tasks: tasks.map(viewOf), total: counted.count }
    }),

  viewTask: (on) => on.once("read a task", (id) => viewOfTask(on, id))
} satisfies Methods<WatchRepo["Service"]>
