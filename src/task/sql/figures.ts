import { Effect, Schema } from "effect"
import { usdc } from "../../domain/Usdc.ts"
import type { AttentionItem, Funnel, LedgerFigures, Waiting } from "../WatchRepo.ts"
import { BatchStatusText, StatusText } from "./rows.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

const Ms = Schema.NullOr(Schema.Number)

const Tasks = Schema.Array(
  Schema.Struct({
    status: StatusText,
    held: Schema.Boolean,
    count: Schema.BigInt,
    cost: Schema.BigInt,
    since_ms: Ms
  })
)
const Batches = Schema.Array(
  Schema.Struct({
    status: BatchStatusText,
    count: Schema.BigInt,
    amount: Schema.BigInt,
    paid: Schema.BigInt,
    since_ms: Ms
  })
)
const Sums = Schema.Array(
  Schema.Struct({
    deposited: Schema.BigInt,
    credit: Schema.BigInt,
    refunded: Schema.BigInt,
    stopped: Schema.BigInt,
    stopped_ms: Ms
  })
)

/** Rows of another program can add up to less than nothing, or to more than there is. */
const sound = (amount: bigint) => usdc(amount < 0n ? 0n : amount)

export const figures = Effect.fnUntraced(function* ({ sql }: Statements, nowMs: number) {
  const tasks = yield* Schema.decodeUnknownEffect(Tasks)(
    yield* sql`
    SELECT t.status, s.held_at IS NOT NULL AS held, count(*) AS count,
      sum(greatest(t.total_cost, 0))::numeric::text::bigint AS cost,
      (extract(epoch FROM min(s.held_at)) * 1000)::float8 AS since_ms
    FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id AND s.held_at IS NOT NULL
    GROUP BY 1, 2`
  )
  const batches = yield* Schema.decodeUnknownEffect(Batches)(
    yield* sql`
    SELECT status, count(*) AS count, sum(amount)::bigint AS amount, coalesce(sum(paid_amount), 0)::bigint AS paid,
      (extract(epoch FROM min(status_since)) * 1000)::float8 AS since_ms
    FROM ai_agent_batches GROUP BY status`
  )
  const sums = (yield* Schema.decodeUnknownEffect(Sums)(yield* sumsOf({ sql })))[0]
  const openHeld = tasks.filter(({ status, held }) => held && OPEN.has(status))
  const waiting = (statuses: ReadonlyArray<string>): Waiting =>
    all(batches.filter(({ status }) => statuses.includes(status)))
  return {
    tasks: tasks.map(({ status, held, count, cost }) => ({ status, held, count: Number(count), cost: sound(cost) })),
    batches: batches.map(({ status, count, amount }) => ({ status, count: Number(count), amount: sound(amount) })),
    unknown: waiting(["signed", "accepted", "unknown"]),
    undelivered: waiting(["paid"]),
    held: all(openHeld),
    stoppedWallets: { count: Number(sums?.stopped ?? 0n), sinceMs: sums?.stopped_ms ?? undefined },
    money: {
      deposited: sound(sums?.deposited ?? 0n),
      paid: sound(batches.reduce((total, { paid }) => total + paid, 0n)),
      refunded: sound(sums?.refunded ?? 0n),
      credit: sound(sums?.credit ?? 0n)
    },
    dueSinceMs: yield* dueSince({ sql }, nowMs)
  } satisfies LedgerFigures as LedgerFigures
})

const OPEN: ReadonlySet<string> = new Set(["pending_payment", "funded", "processing"])

const all = (rows: ReadonlyArray<{ readonly count: bigint; readonly since_ms: number | null }>): Waiting => {
  const since = rows.flatMap(({ since_ms }) => (since_ms === null ? [] : [since_ms]))
  return {
    count: Number(rows.reduce((total, { count }) => total + count, 0n)),
    sinceMs: since.length === 0 ? undefined : Math.min(...since)
  }
}

const sumsOf = ({ sql }: Pick<Statements, "sql">) => sql`
  SELECT d.deposited, d.credit,
    (SELECT coalesce(sum(amount), 0)::bigint FROM ai_agent_refunds WHERE status = 'paid') AS refunded,
    (SELECT count(*) FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL) AS stopped,
    (SELECT (extract(epoch FROM min(stopped_at)) * 1000)::float8 FROM ai_agent_wallet_state) AS stopped_ms
  FROM (SELECT coalesce(sum(amount), 0)::bigint AS deposited, coalesce(sum(remaining), 0)::bigint AS credit
    FROM ai_agent_deposits) d`

const Due = Schema.Array(Schema.Struct({ due_ms: Ms }))

/** What is due and neither held, stopped nor paused should have been done a moment ago. */
export const dueSince = Effect.fnUntraced(function* ({ sql }: Pick<Statements, "sql">, nowMs: number) {
  const now = instantOf(sql, nowMs)
  const raw = yield* sql`
    SELECT (extract(epoch FROM min(due.at)) * 1000)::float8 AS due_ms FROM (
      SELECT b.next_action_at AS at FROM ai_agent_batches b
      WHERE b.status IN ('signed', 'accepted', 'unknown', 'paid') AND b.next_action_at <= ${now}
      UNION ALL
      SELECT s.next_action_at FROM ai_agent_task_state s
      JOIN ai_agent_tasks t ON t.id = s.task_id
      LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = t.agent_wallet_id
      WHERE t.status IN ('funded', 'processing') AND s.held_at IS NULL AND ws.stopped_at IS NULL
        AND s.next_action_at <= ${now}
        AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b
          WHERE b.task_id = t.id AND b.status IN ('signed', 'accepted', 'unknown', 'paid'))
        AND NOT EXISTS (SELECT 1 FROM ai_agent_pauses p
          WHERE p.scope IN ('all', 'token:' || lower(t.token_address), 'wallet:' || t.agent_wallet_id))
    ) due`
  return (yield* Schema.decodeUnknownEffect(Due)(raw))[0]?.due_ms ?? undefined
})

const Funnels = Schema.Array(
  Schema.Struct({
    created: Schema.BigInt,
    funded: Schema.BigInt,
    minting: Schema.BigInt,
    completed: Schema.BigInt,
    failed: Schema.BigInt,
    cancelled: Schema.BigInt
  })
)

export const funnel = Effect.fnUntraced(function* ({ sql, time }: Statements, sinceMs: number) {
  const raw = yield* sql`
    SELECT count(*) AS created,
      count(*) FILTER (WHERE status NOT IN ('pending_payment', 'cancelled')) AS funded,
      count(*) FILTER (WHERE status IN ('processing', 'completed') OR mints_completed > 0) AS minting,
      count(*) FILTER (WHERE status = 'completed') AS completed,
      count(*) FILTER (WHERE status = 'failed') AS failed,
      count(*) FILTER (WHERE status = 'cancelled') AS cancelled
    FROM ai_agent_tasks WHERE created_at >= ${time.write("ai_agent_tasks", "created_at", sinceMs)}`
  const [row] = yield* Schema.decodeUnknownEffect(Funnels)(raw)
  return {
    created: Number(row?.created ?? 0n),
    funded: Number(row?.funded ?? 0n),
    minting: Number(row?.minting ?? 0n),
    completed: Number(row?.completed ?? 0n),
    failed: Number(row?.failed ?? 0n),
    cancelled: Number(row?.cancelled ?? 0n)
  } satisfies Funnel
})

const Items = Schema.Array(
  Schema.Struct({
    kind: Schema.Literals(["held", "undelivered", "unknown", "stopped"]),
    task_id: Schema.NullOr(Schema.String),
    wallet_id: Schema.NullOr(Schema.String),
    agent_address: Schema.NullOr(Schema.String),
    batch: Schema.NullOr(Schema.Number),
    since_ms: Ms,
    reason: Schema.NullOr(Schema.String)
  })
)

export const attention = Effect.fnUntraced(function* ({ sql }: Statements, limit: number) {
  const raw = yield* sql`
    SELECT a.kind, a.task_id, a.wallet_id, w.agent_address, a.batch,
      (extract(epoch FROM a.since) * 1000)::float8 AS since_ms, a.reason
    FROM (
      SELECT 'held' AS kind, t.id AS task_id, t.agent_wallet_id AS wallet_id, NULL::int AS batch, s.held_at AS since,
        s.held_reason AS reason
      FROM ai_agent_tasks t JOIN ai_agent_task_state s ON s.task_id = t.id
      WHERE s.held_at IS NOT NULL AND t.status IN ('pending_payment', 'funded', 'processing')
      UNION ALL
      SELECT CASE WHEN b.status = 'paid' THEN 'undelivered' ELSE 'unknown' END, b.task_id, b.wallet_id, b.number,
        b.status_since, b.reason
      FROM ai_agent_batches b WHERE b.status IN ('unknown', 'paid')
      UNION ALL
      SELECT 'stopped', NULL, ws.wallet_id, NULL, ws.stopped_at, ws.stopped_reason
      FROM ai_agent_wallet_state ws WHERE ws.stopped_at IS NOT NULL
    ) a LEFT JOIN ai_agent_wallets w ON w.id = a.wallet_id
    ORDER BY a.since, a.task_id, a.batch LIMIT ${limit}::int`
  return (yield* Schema.decodeUnknownEffect(Items)(raw)).map((row): AttentionItem => ({
    kind: row.kind,
    taskId: row.task_id ?? undefined,
    walletId: row.wallet_id ?? undefined,
    agentAddress: row.agent_address ?? undefined,
    batch: row.batch ?? undefined,
    sinceMs: row.since_ms ?? undefined,
    reason: row.reason ?? ""
  }))
})
