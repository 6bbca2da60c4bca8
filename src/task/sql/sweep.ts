import { Effect, Result, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Block } from "../../domain/Block.ts"
import type { TaskId } from "../../domain/Task.ts"
import { usdc } from "../../domain/Usdc.ts"
import type { WalletId } from "../../domain/Wallet.ts"
import type { BadTask, Cancellation, Funding, PendingPage, WalletOrders } from "../TaskRepo.ts"
import { reservations } from "./money.ts"
import { MoneyFields, readTasks, readWallet, taskColumns, TaskFields, walletColumns, WalletFields } from "./rows.ts"
import { instantOf, type TimeColumns } from "./TimeColumns.ts"

const PendingRecords = Schema.Array(Schema.Struct({ ...TaskFields, ...WalletFields, ...MoneyFields }))
type PendingRecord = (typeof PendingRecords.Type)[number]

const Ids = Schema.Array(Schema.Struct({ id: Schema.String }))

export interface SweepStatements {
  readonly time: TimeColumns
  readonly sql: SqlClient.SqlClient
}

/** Orders, wallet, version and reservations come out of one statement, and so of one moment. */
export const pendingPage = Effect.fnUntraced(function* (
  { sql, time }: SweepStatements,
  page: { readonly cursor: WalletId | undefined; readonly walletsMax: number }
) {
  const cursor = sql`${page.cursor ?? null}::uuid`
  const raw = yield* sql`
    WITH page AS (
      SELECT DISTINCT t.agent_wallet_id AS wallet_id
      FROM ai_agent_tasks t
      LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
      WHERE t.status = 'pending_payment' AND s.held_at IS NULL
        AND (${cursor} IS NULL OR t.agent_wallet_id > ${cursor})
      ORDER BY 1
      LIMIT ${page.walletsMax}::int
    ), money AS (${reservations(sql, sql`SELECT wallet_id FROM page`, false)})
    SELECT ${taskColumns(sql, time)}, ${walletColumns(sql)},
      coalesce(ws.version, 0) AS version, coalesce(ws.proven_block, 0) AS proven_block,
      coalesce(m.reserved_sum, 0) AS reserved_sum, coalesce(m.maybe_spent, 0) AS maybe_spent
    FROM page p
    JOIN ai_agent_tasks t ON t.agent_wallet_id = p.wallet_id AND t.status = 'pending_payment'
    LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
    LEFT JOIN ai_agent_wallets w ON w.id = p.wallet_id
    LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = p.wallet_id
    LEFT JOIN money m ON m.wallet_id = p.wallet_id
    WHERE s.held_at IS NULL
    ORDER BY t.agent_wallet_id, t.created_at, t.id`
  return toPage(yield* Schema.decodeUnknownEffect(PendingRecords)(raw), page.walletsMax)
})

const toPage = (rows: ReadonlyArray<PendingRecord>, walletsMax: number): PendingPage => {
  const byWallet = Map.groupBy(rows, (row) => row.agent_wallet_id)
  const wallets: Array<WalletOrders> = []
  const bad: Array<BadTask> = []
  for (const [walletId, ofWallet] of byWallet) {
    const first = ofWallet[0]
    const wallet = readWallet(walletId, first)
    const read = readTasks(ofWallet, wallet)
    bad.push(...read.bad)
    if (first === undefined || Result.isFailure(wallet) || read.tasks.length === 0) continue
    wallets.push({
      wallet: wallet.success,
      version: first.version,
      provenBlock: first.proven_block,
      reserved: usdc(first.reserved_sum),
      maybeSpent: usdc(first.maybe_spent),
      pending: read.tasks
    })
  }
  const cursor = byWallet.size < walletsMax ? undefined : rows.at(-1)?.agent_wallet_id
  return { wallets, bad, cursor }
}

/**
 * One statement: the wallets that are still as they were get a new version, and only their tasks become funded. The
 * wallet's row is the lock on which two programs that fund at once meet; the second finds another version.
 *
 * Here and below: wallets are locked before tasks, tasks before what is kept beside them, and several of a kind by id.
 * So programs that work on the same rows at once wait for one another and never in a circle.
 */
export const fund = Effect.fnUntraced(function* (
  { sql, time }: SweepStatements,
  fundings: ReadonlyArray<Funding>,
  block: Block,
  nowMs: number
) {
  const rows = fundings.map((f) => ({
    task_id: f.taskId,
    wallet_id: f.walletId,
    version: f.version.toString(),
    tx: f.fundingTx,
    received_ms: f.receivedAtMs
  }))
  const raw = yield* sql`
    WITH want AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        AS x(task_id uuid, wallet_id uuid, version bigint, tx text, received_ms float8)
    ), unchanged AS (
      INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version)
      SELECT DISTINCT wallet_id, version + 1 FROM want
      WHERE version = 0 OR EXISTS (SELECT 1 FROM ai_agent_wallet_state known WHERE known.wallet_id = want.wallet_id)
      ORDER BY wallet_id
      ON CONFLICT (wallet_id) DO UPDATE SET version = excluded.version
      WHERE ws.version = excluded.version - 1 AND ws.proven_block <= ${block.number}::bigint
      RETURNING ws.wallet_id
    ), paid AS (
      SELECT t.id, want.tx, want.received_ms
      FROM ai_agent_tasks t JOIN want ON want.task_id = t.id JOIN unchanged USING (wallet_id)
      WHERE t.status = 'pending_payment'
      ORDER BY t.id FOR NO KEY UPDATE OF t
    ), funded AS (
      UPDATE ai_agent_tasks t SET status = 'funded', error_message = NULL, funding_tx_hash = paid.tx,
        funding_received_at = ${time.write("ai_agent_tasks", "funding_received_at", sql`paid.received_ms`)},
        updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
      FROM paid WHERE t.id = paid.id
      RETURNING t.id
    )
    INSERT INTO ai_agent_task_state AS s (task_id, reserved_at_block)
    SELECT id, ${block.number}::bigint FROM funded
    ON CONFLICT (task_id) DO UPDATE SET reserved_at_block = excluded.reserved_at_block, next_action_at = NULL
    RETURNING s.task_id AS id`
  return yield* taskIds(raw)
})

export const cancel = Effect.fnUntraced(function* (
  { sql, time }: SweepStatements,
  cancellations: ReadonlyArray<Cancellation>,
  block: Block,
  nowMs: number
) {
  const rows = cancellations.map((c) => ({
    task_id: c.taskId,
    wallet_id: c.walletId,
    version: c.version.toString(),
    message: c.message
  }))
  const raw = yield* sql`
    WITH want AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        AS x(task_id uuid, wallet_id uuid, version bigint, message text)
    ), unpaid AS (
      SELECT t.id, want.message
      FROM ai_agent_tasks t JOIN want ON want.task_id = t.id LEFT JOIN ai_agent_wallet_state ws USING (wallet_id)
      WHERE t.status = 'pending_payment'
        AND coalesce(ws.version, 0) = want.version AND coalesce(ws.proven_block, 0) <= ${block.number}::bigint
      ORDER BY t.id FOR NO KEY UPDATE OF t
    )
    UPDATE ai_agent_tasks t SET status = 'cancelled', error_message = unpaid.message,
      completed_at = ${time.write("ai_agent_tasks", "completed_at", nowMs)},
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    FROM unpaid WHERE t.id = unpaid.id
    RETURNING t.id`
  return yield* taskIds(raw)
})

export const hold = Effect.fnUntraced(function* (
  { sql, time }: SweepStatements,
  tasks: ReadonlyArray<BadTask>,
  nowMs: number
) {
  const rows = tasks.map((task) => ({ task_id: task.taskId, reason: task.reason }))
  const raw = yield* sql`
    WITH want AS (
      SELECT DISTINCT ON (task_id) *
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(task_id uuid, reason text)
    ), open AS (
      SELECT t.id, want.reason
      FROM ai_agent_tasks t JOIN want ON want.task_id = t.id
      WHERE t.status IN ('pending_payment', 'funded', 'processing')
      ORDER BY t.id FOR NO KEY UPDATE OF t
    ), held AS (
      INSERT INTO ai_agent_task_state AS s (task_id, held_at, held_reason)
      SELECT id, ${instantOf(sql, nowMs)}, reason FROM open
      ON CONFLICT (task_id) DO UPDATE SET held_at = excluded.held_at, held_reason = excluded.held_reason
      WHERE s.held_at IS NULL
      RETURNING s.task_id, s.held_reason
    )
    UPDATE ai_agent_tasks t SET error_message = held.held_reason,
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    FROM held WHERE t.id = held.task_id
    RETURNING t.id`
  return yield* taskIds(raw)
})

const taskIds = (raw: unknown): Effect.Effect<ReadonlyArray<TaskId>, Schema.SchemaError> =>
  Effect.map(Schema.decodeUnknownEffect(Ids)(raw), (rows) => rows.map((row) => row.id))
