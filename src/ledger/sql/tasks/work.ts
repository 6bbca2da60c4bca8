import { Clock, Effect, HashMap, Result, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { type Address, Bytes32, parse } from "../../../domain/Address.ts"
import { EVERY_WALLET } from "../../../domain/Part.ts"
import { messages } from "../../../domain/Task.ts"
import { usdc } from "../../../domain/Usdc.ts"
import { identityFault, WalletId } from "../../../domain/Wallet.ts"
import type { WalletWork } from "../../../domain/WalletState.ts"
import { gather } from "../../../ops/gather.ts"
import { type MintId, type MintsOf, type OpenTasks, type TaskRepo, mintKey, mintRowKey } from "../../TaskRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { dueWork } from "../due.ts"
import { isOfAll } from "../failure.ts"
import { joinIdentity, pinWallets } from "../identities.ts"
import { pausesOf } from "../locks.ts"
import { inRanges } from "../ranges.ts"
import { limitUseOf, LimitUseRecords, limitUses } from "../limits.ts"
import { reservations } from "../reservations.ts"
import {
  IdentityFields,
  TaskFields,
  WalletFields,
  identityOf,
  readTasks,
  readWallet,
  taskColumns,
  walletColumns
} from "../rows.ts"
import { type Methods, type Statements, jsonOf, rowsOf } from "../statements.ts"
import {
  BatchFields,
  batchColumns,
  batchOf,
  batchesFrom,
  refundColumns,
  refundOf,
  RefundRecords
} from "../transferRows.ts"

const WalletIds = Schema.Array(Schema.Struct({ wallet_id: WalletId }))
const WorkHead = Schema.Struct({
  is_head: Schema.Literal(true),
  of_wallet: WalletId,
  ...WalletFields,
  ...IdentityFields,
  proven_block: Schema.BigInt,
  stopped_reason: Schema.NullOr(Schema.String),
  paused_reason: Schema.NullOr(Schema.String),
  paused_tokens: Schema.Record(Schema.String, Schema.String),
  reserved_sum: Schema.BigInt,
  maybe_spent: Schema.BigInt,
  tasks: Schema.Array(Schema.Struct(TaskFields)),
  refunds: RefundRecords,
  limits: LimitUseRecords
})
const WorkBatch = Schema.Struct({
  is_head: Schema.Literal(false),
  of_wallet: WalletId,
  ...BatchFields,
  is_held: Schema.Boolean,
  is_completed: Schema.Boolean
})
const WorkRows = Schema.Array(Schema.Union([WorkHead, WorkBatch]))
const Counts = Schema.Tuple([
  Schema.Struct({
    pendingPayment: Schema.Number,
    funded: Schema.Number,
    processing: Schema.Number,
    held: Schema.Number
  })
])
const One = Schema.Tuple([Schema.Struct({ count: Schema.Number })])
const AttributedMints = Schema.Array(Schema.Struct({ i: Schema.Number, tx: Bytes32, part: Schema.Number }))

/** The rows of a query, in its order, as one value. */
const asJson = (sql: SqlClient.SqlClient, query: Fragment): Fragment =>
  sql`(SELECT coalesce(json_agg(row), '[]') FROM (${query}) row)`

/**
 * One statement: all of one moment, and one round trip for all wallets that have their turn in it. The first row of a
 * wallet has everything but the batches, which are a row each: there may be thousands, and as JSON they take twice as
 * long.
 */
const selectWork = ({ sql, time }: Statements, walletIds: ReadonlyArray<WalletId>, nowMs: number) => {
  const ids = sql`SELECT unnest(${walletIds}::uuid[])`
  const tasks = sql`
    SELECT ${taskColumns(sql, time)}
    FROM ai_agent_tasks t
    LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
    WHERE t.agent_wallet_id = asked.id AND t.status IN ('funded', 'processing') AND s.held_at IS NULL
    ORDER BY t.created_at, t.id`
  const refunds = sql`
    SELECT ${refundColumns({ sql, time })} FROM ai_agent_refunds r
    WHERE r.wallet_id = asked.id AND r.status IN ('planned', 'signed') ORDER BY r.created_at, r.id`
  // Batches are found by their orders: no index has those of a wallet that are delivered, of which there are ever more.
  const ordersWithWork = sql`
    SELECT t.id FROM ai_agent_tasks t
    WHERE t.agent_wallet_id IN (${ids}) AND t.status IN ('funded', 'processing')
    UNION
    SELECT b.task_id FROM ai_agent_batches b WHERE b.wallet_id IN (${ids}) AND b.status <> 'delivered'`
  // The limits are read once for all wallets, and without one nothing is summed up.
  const planned = sql`ai_agent_batches b WHERE b.wallet_id IN (${ids}) AND b.status = 'planned'`
  const scopes = sql`
    SELECT 'all' UNION ALL SELECT 'token:' || b.token FROM ${planned}
    UNION ALL SELECT 'user:' || b.recipient FROM ${planned} UNION ALL SELECT 'key:' || b.key_id FROM ${planned}`
  const uses = limitUses(sql, { nowMs, scopes, amount: sql`(SELECT max(b.amount) FROM ${planned})` })
  return sql`
    WITH uses AS MATERIALIZED (${uses})
    SELECT head.*, b.*, coalesce(head.has_head, false) AS is_head, coalesce(head.asked_id, b.wallet_id) AS of_wallet,
      coalesce(head.wallet_id, b.wallet_id) AS wallet_id
    FROM (
      SELECT true AS has_head, asked.id AS asked_id, ${walletColumns(sql)}, pins.pinned_user, pins.pinned_agent, pins.twin,
        coalesce(ws.proven_block, 0) AS proven_block, ws.stopped_reason,
        (${pausesOf(sql, sql`asked.id::text`)} LIMIT 1) AS paused_reason,
        (SELECT coalesce(jsonb_object_agg(substr(p.scope, 7), p.reason), '{}') FROM ai_agent_pauses p
          WHERE starts_with(p.scope, 'token:')) AS paused_tokens,
        coalesce(m.reserved_sum, 0) AS reserved_sum, coalesce(m.maybe_spent, 0) AS maybe_spent,
        ${asJson(sql, tasks)} AS tasks, ${asJson(sql, refunds)} AS refunds,
        ${asJson(sql, sql`SELECT u.scope, u.per_day::text, u.used::text, u.frees FROM uses u ORDER BY u.scope`)} AS limits
      FROM (SELECT unnest(${walletIds}::uuid[]) AS id) asked
      LEFT JOIN ai_agent_wallets w ON w.id = asked.id
      LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = asked.id
      ${joinIdentity(sql, sql`asked.id`)}
      LEFT JOIN (${reservations(sql, ids, true)}) m ON m.wallet_id = asked.id
    ) head
    FULL JOIN (
      SELECT ${batchColumns(sql)}, s.held_at IS NOT NULL AS is_held,
        coalesce(t.status = 'completed', false) AS is_completed
      FROM ai_agent_batches b
      LEFT JOIN ai_agent_task_state s ON s.task_id = b.task_id
      LEFT JOIN ai_agent_tasks t ON t.id = b.task_id
      WHERE b.wallet_id IN (${ids}) AND b.task_id IN (${ordersWithWork})
        AND (b.status IN ('signed', 'accepted', 'unknown', 'paid')
          OR (t.status IN ('funded', 'processing') AND s.held_at IS NULL))
    ) b ON false
    ORDER BY of_wallet, b.task_id NULLS FIRST, b.number`
}

type WorkHead = typeof WorkHead.Type
type WorkBatch = typeof WorkBatch.Type

interface Found {
  readonly work: WalletWork
  /** Its addresses are not noted yet. */
  readonly isNew: boolean
}

const readWorks = Effect.fnUntraced(function* (on: Statements, walletIds: ReadonlyArray<WalletId>) {
  const rows = yield* rowsOf(WorkRows)(selectWork(on, walletIds, yield* Clock.currentTimeMillis))
  const batches = Map.groupBy(
    rows.filter((row): row is WorkBatch => !row.is_head),
    (batch) => batch.of_wallet
  )
  const heads = rows.filter((row): row is WorkHead => row.is_head)
  return heads.map((head) => [head.of_wallet, workOf(head, batches.get(head.of_wallet) ?? [])] as const)
})

const workOf = (head: WorkHead, batches: ReadonlyArray<WorkBatch>): Found => {
  const wallet = readWallet(head.of_wallet, head)
  const paused = head.paused_reason === null ? undefined : messages.paused(head.paused_reason)
  const work: WalletWork = {
    wallet: Result.getOrUndefined(wallet),
    provenBlock: head.proven_block,
    stopped: head.stopped_reason ?? identityFault(identityOf(head)) ?? paused,
    pausedTokens: new Map(Object.entries(head.paused_tokens)),
    reserved: usdc(head.reserved_sum),
    maybeSpent: usdc(head.maybe_spent),
    ...readTasks(head.tasks, wallet),
    batches: batches.map(batchOf),
    held: new Set(batches.filter((batch) => batch.is_held).map((batch) => batch.task_id)),
    completed: new Set(batches.filter((batch) => batch.is_completed).map((batch) => batch.task_id)),
    refunds: head.refunds.map(refundOf),
    limits: head.limits.map(limitUseOf)
  }
  return { work, isNew: Result.isSuccess(wallet) && head.pinned_user === null }
}

interface MintQuestion {
  readonly of: MintsOf
  readonly mints: ReadonlyArray<MintId>
}

/** What there is to do. */
export const work = {
  dueWallets: ({ read, sql }) =>
    read("read due wallets", function* (nowMs, limit, ranges = EVERY_WALLET) {
      const rows = yield* rowsOf(WalletIds)(sql`
        SELECT due.wallet_id FROM (${dueWork(sql, nowMs, inRanges(sql, ranges))}) due
        GROUP BY due.wallet_id
        ORDER BY min(coalesce(due.at, to_timestamp(0))), due.wallet_id
        LIMIT ${limit}::int`)
      return rows.map((row) => row.wallet_id)
    }),

  walletWork: (on) =>
    gather({
      inTurn: true,
      askAll: on.read("read the work of a wallet", function* (walletIds: ReadonlyArray<WalletId>) {
        const works = yield* readWorks(on, [...new Set(walletIds)])
        const fresh = works.filter(([, { isNew }]) => isNew).map(([walletId]) => walletId)
        if (fresh.length > 0) yield* pinWallets(on, on.sql`SELECT unnest(${fresh}::uuid[])`)
        const again = fresh.length === 0 ? [] : yield* readWorks(on, fresh)
        // Every wallet that is asked for has a row.
        const byWallet = HashMap.fromIterable([...works, ...again])
        return walletIds.map((walletId) => HashMap.getUnsafe(byWallet, walletId).work)
      }),
      isShared: isOfAll
    }),

  attributedMints: ({ read, sql }) => {
    const ask = gather({
      inTurn: true,
      askAll: read("read attributed mints", function* (questions: ReadonlyArray<MintQuestion>) {
        const rows = questions.flatMap(({ of, mints }, i) =>
          mints.map(({ tx, part }) => ({ i, ...of, tx, part, key: mintRowKey(of, { tx, part }) }))
        )
        const found = yield* rowsOf(AttributedMints)(sql`
          SELECT x.i, x.tx, x.part FROM jsonb_to_recordset(${jsonOf(rows)}::text::jsonb)
            AS x(i int, token text, recipient text, tx text, part int, key text)
          WHERE EXISTS (SELECT 1 FROM ai_agent_batch_mints m WHERE m.tx_hash = x.tx AND m.token = x.token
              AND m.recipient = x.recipient AND m.part = x.part)
            OR EXISTS (SELECT 1 FROM ai_agent_stray_mints stray WHERE stray.mint_key = x.key)`)
        const keys = Map.groupBy(found, (row) => row.i)
        return questions.map((_, i): ReadonlySet<string> => new Set(keys.get(i)?.map(mintKey)))
      }),
      isShared: isOfAll
    })
    return ({ token, recipient }, mints) =>
      mints.length === 0 ? Effect.succeed(new Set()) : ask({ of: { token, recipient }, mints })
  },

  undelivered: (on) => {
    const { sql } = on
    const askOldest = gather({
      inTurn: true,
      askAll: on.read("read undelivered batches", function* (tokens: ReadonlyArray<Address>) {
        const oldest = yield* batchesFrom(
          on,
          sql`
            WHERE (b.task_id, b.number) IN (
              SELECT DISTINCT ON (o.token) o.task_id, o.number FROM ai_agent_batches o
              WHERE o.status = 'paid' AND o.token = ANY(${[...new Set(tokens)]}::text[]) ORDER BY o.token, o.status_since)`
        )
        const byToken = new Map(oldest.map((batch) => [batch.token, batch]))
        return tokens.map((token) => byToken.get(token))
      }),
      isShared: isOfAll
    })
    return (token, beforeMs) =>
      Effect.map(askOldest(parse(token) ?? token), (oldest) =>
        oldest !== undefined && oldest.statusSinceMs < beforeMs ? oldest : undefined
      )
  },

  walletsRefused: ({ read, sql }) =>
    read("count refusals", function* (reason, sinceMs) {
      const [row] = yield* rowsOf(One)(sql`
        SELECT count(DISTINCT t.agent_wallet_id)::int AS count
        FROM ai_agent_task_state s JOIN ai_agent_tasks t ON t.id = s.task_id
        WHERE s.refusal = ${reason} AND s.refused_at > ${instantOf(sql, sinceMs)}`)
      return row.count
    }),

  openTasks: ({ read, sql }) =>
    read("count open tasks", function* () {
      const [row] = yield* rowsOf(Counts)(sql`
        SELECT count(*) FILTER (WHERE s.held_at IS NOT NULL)::int AS held,
          count(*) FILTER (WHERE t.status = 'pending_payment' AND s.held_at IS NULL)::int AS "pendingPayment",
          count(*) FILTER (WHERE t.status = 'funded' AND s.held_at IS NULL)::int AS funded,
          count(*) FILTER (WHERE t.status = 'processing' AND s.held_at IS NULL)::int AS processing
        FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
        WHERE t.status IN ('pending_payment', 'funded', 'processing')`)
      return row satisfies OpenTasks
    })()
} satisfies Methods<TaskRepo["Service"]>
