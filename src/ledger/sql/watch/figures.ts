import { Effect, Schema } from "effect"
import { usdc } from "../../../domain/Usdc.ts"
import { type Funnel, type LedgerFigures, type Waiting, type WatchRepo } from "../../WatchRepo.ts"
import { oldestDueMs } from "../due.ts"
import { capped } from "../reservations.ts"
import { isLimited } from "./attention.ts"
import { StatusText, hasStatus, placedAt } from "../rows.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"
import { BatchStatusText } from "../transferRows.ts"

const Ms = Schema.NullOr(Schema.Number)

const Tasks = Schema.Array(
  Schema.Struct({
    status: StatusText,
    held: Schema.Boolean,
    count: Schema.Number,
    cost: Schema.BigInt,
    since_ms: Ms
  })
)
const Batches = Schema.Array(
  Schema.Struct({
    status: BatchStatusText,
    count: Schema.Number,
    amount: Schema.BigInt,
    paid: Schema.BigInt,
    since_ms: Ms
  })
)
const Sums = Schema.Tuple([
  Schema.Struct({
    deposited: Schema.BigInt,
    credit: Schema.BigInt,
    refunded: Schema.BigInt,
    stopped: Schema.Number,
    stopped_ms: Ms,
    limited: Schema.Number,
    limited_ms: Ms
  })
])

/** Rows of another program can add up to less than nothing, or to more than there is. */
const sound = (amount: bigint) => usdc(amount < 0n ? 0n : amount)

const OPEN: ReadonlySet<string> = new Set(["pending_payment", "funded", "processing"])

const all = (rows: ReadonlyArray<{ readonly count: number; readonly since_ms: number | null }>): Waiting => {
  const since = rows.flatMap(({ since_ms }) => (since_ms === null ? [] : [since_ms]))
  return {
    count: rows.reduce((total, { count }) => total + count, 0),
    sinceMs: since.length === 0 ? undefined : Math.min(...since)
  }
}

/**
 * A wallet has at most what its books expect: v1.1 paid for its orders out of deposits without noting it, so that more seems
 * to be left of them.
 */
const creditOf = ({ sql }: Statements) => sql`
  SELECT ${capped(
    sql,
    sql`coalesce(sum(CASE WHEN ws.book_balance IS NULL THEN u.amount
      ELSE least(u.amount, greatest(ws.book_balance, 0)) END), 0)`
  )} FROM (
    SELECT wallet_id, sum(remaining) AS amount FROM ai_agent_deposits
    WHERE remaining > 0 AND withdrawn_at IS NULL GROUP BY wallet_id
  ) u LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = u.wallet_id`

const sumsOf = (on: Statements, nowMs: number) => {
  const { sql } = on
  return sql`
    SELECT d.deposited, (${creditOf(on)}) AS credit,
      (SELECT ${capped(sql, sql`coalesce(sum(amount), 0)`)} FROM ai_agent_refunds WHERE status = 'paid') AS refunded,
      (SELECT count(*)::int FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL) AS stopped,
      (SELECT (extract(epoch FROM min(stopped_at)) * 1000)::float8 FROM ai_agent_wallet_state) AS stopped_ms,
      limited.count AS limited, limited.since_ms AS limited_ms
    FROM (SELECT ${capped(sql, sql`coalesce(sum(amount), 0)`)} AS deposited FROM ai_agent_deposits
      WHERE withdrawn_at IS NULL) d, (
      SELECT count(*)::int AS count, (extract(epoch FROM min(s.limited_since)) * 1000)::float8 AS since_ms
      FROM ai_agent_task_state s JOIN ai_agent_tasks t ON t.id = s.task_id WHERE ${isLimited(sql, nowMs)}) limited`
}

const Began = Schema.Tuple([Schema.Struct({ began_ms: Ms })])
const Earlier = Schema.Tuple([Schema.Struct({ is_there: Schema.Boolean })])

/** When the ledger began, where orders were minted before that, by v1.1. */
const beganMs = Effect.fnUntraced(function* ({ sql, time }: Statements) {
  const [{ began_ms: at }] = yield* rowsOf(Began)(sql`
    SELECT (extract(epoch FROM min(created_at)) * 1000)::float8 AS began_ms FROM ai_agent_migrations`)
  if (at === null) return undefined
  const [earlier] = yield* rowsOf(Earlier)(sql`
    SELECT EXISTS (SELECT 1 FROM ai_agent_tasks t
      WHERE ${placedAt(sql)} < ${time.write("ai_agent_tasks", "created_at", at)} AND t.mints_completed > 0) AS is_there`)
  return earlier.is_there ? at : undefined
})

const Funnels = Schema.Tuple([
  Schema.Struct({
    created: Schema.Number,
    funded: Schema.Number,
    minting: Schema.Number,
    completed: Schema.Number,
    failed: Schema.Number,
    cancelled: Schema.Number
  })
])

const Writes = Schema.Tuple([Schema.Struct({ taken: Schema.Boolean })])

export const figures = {
  figures: (on) =>
    on.once("sum up the ledger", function* (nowMs) {
      const { sql } = on
      const tasks = yield* rowsOf(Tasks)(sql`
        SELECT t.status, s.held_at IS NOT NULL AS held, count(*)::int AS count,
          ${capped(sql, sql`sum(greatest(t.total_cost, 0))`)} AS cost,
          (extract(epoch FROM min(s.held_at)) * 1000)::float8 AS since_ms
        FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id AND s.held_at IS NOT NULL
        WHERE ${hasStatus(sql)}
        GROUP BY 1, 2`)
      const batches = yield* rowsOf(Batches)(sql`
        SELECT status, count(*)::int AS count, ${capped(sql, sql`sum(amount)`)} AS amount,
          ${capped(sql, sql`coalesce(sum(paid_amount), 0)`)} AS paid,
          (extract(epoch FROM min(status_since)) * 1000)::float8 AS since_ms
        FROM ai_agent_batches GROUP BY status`)
      const [sums] = yield* rowsOf(Sums)(sumsOf(on, nowMs))
      const openHeld = tasks.filter(({ status, held }) => held && OPEN.has(status))
      const waiting = (statuses: ReadonlyArray<string>): Waiting =>
        all(batches.filter(({ status }) => statuses.includes(status)))
      return {
        tasks: tasks.map(({ status, held, count, cost }) => ({ status, held, count, cost: sound(cost) })),
        batches: batches.map(({ status, count, amount }) => ({ status, count, amount: sound(amount) })),
        unknown: waiting(["signed", "accepted", "unknown"]),
        undelivered: waiting(["paid"]),
        held: all(openHeld),
        stoppedWallets: { count: sums.stopped, sinceMs: sums.stopped_ms ?? undefined },
        limited: { count: sums.limited, sinceMs: sums.limited_ms ?? undefined },
        money: {
          deposited: sound(sums.deposited),
          paid: sound(batches.reduce((total, { paid }) => total + paid, 0n)),
          refunded: sound(sums.refunded),
          credit: sound(sums.credit)
        },
        beganMs: yield* beganMs(on),
        dueSinceMs: yield* oldestDueMs(on, nowMs)
      } satisfies LedgerFigures as LedgerFigures
    }),

  funnel: ({ once, sql, time }) =>
    once("count orders", function* (sinceMs) {
      const [row] = yield* rowsOf(Funnels)(sql`
        SELECT count(*)::int AS created,
          count(*) FILTER (WHERE status NOT IN ('pending_payment', 'cancelled'))::int AS funded,
          count(*) FILTER (WHERE status IN ('processing', 'completed') OR mints_completed > 0)::int AS minting,
          count(*) FILTER (WHERE status = 'completed')::int AS completed,
          count(*) FILTER (WHERE status = 'failed')::int AS failed,
          count(*) FILTER (WHERE status = 'cancelled')::int AS cancelled
        FROM ai_agent_tasks t
        WHERE ${placedAt(sql)} >= ${time.write("ai_agent_tasks", "created_at", sinceMs)} AND ${hasStatus(sql)}`)
      return row satisfies Funnel
    }),

  /** `transaction_read_only` is on at a standby too. Source: PostgreSQL, "Client Connection Defaults". */
  takesWrites: ({ once, sql }) =>
    once("ask whether the database takes writes", function* () {
      const [row] = yield* rowsOf(Writes)(sql`SELECT current_setting('transaction_read_only') = 'off' AS taken`)
      return row.taken
    })(),

  dueSince: (on) =>
    on.once("read what is due", function* (nowMs) {
      return yield* oldestDueMs(on, nowMs)
    })
} satisfies Methods<WatchRepo["Service"]>
