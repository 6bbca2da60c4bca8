import { Effect, Schema } from "effect"
import type { Block } from "../../domain/Block.ts"
import type { TaskId } from "../../domain/Task.ts"
import type { BadTask } from "../../domain/WalletState.ts"
import type { Cancellation, Funding, HoldOptions } from "../TaskRepo.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"
import { isHeld } from "./transact.ts"

const Ids = Schema.Array(Schema.Struct({ id: Schema.String }))

/**
 * Wallets are locked before tasks, tasks before what is kept beside them, and several of a kind by id: here and in every
 * other write. So programs that work on the same rows at once wait for one another, and never in a circle. What says
 * whether a task may be funded or cancelled is tested by the next statement, when all of it is locked.
 */
export const fund = (on: Statements, fundings: ReadonlyArray<Funding>, block: Block, nowMs: number) =>
  on.sql.withTransaction(
    Effect.gen(function* () {
      const waiting = yield* lockWaiting(on, fundings, block, { bump: true })
      const paid = fundings.filter(({ taskId }) => waiting.has(taskId))
      return paid.length === 0 ? [] : yield* fundLocked(on, paid, block, nowMs)
    })
  )

/** An order that is held is not cancelled by its deadline; a person may, with `evenHeld`. */
export const cancel = (
  on: Statements,
  cancellations: ReadonlyArray<Cancellation>,
  block: Block,
  nowMs: number,
  options: { readonly evenHeld: boolean } = { evenHeld: false }
) =>
  on.sql.withTransaction(
    Effect.gen(function* () {
      const waiting = yield* lockWaiting(on, cancellations, block, { bump: false })
      const unpaid = cancellations.filter(({ taskId }) => waiting.has(taskId))
      return unpaid.length === 0 ? [] : yield* cancelLocked(on, unpaid, nowMs, options)
    })
  )

/**
 * The tasks that still wait for money, locked, of wallets that are still as they were read: of one that is stopped since,
 * or of which money moved, none. With `bump` those wallets get a new version. A task that another program holds is left
 * out, as the others are not to wait for it.
 */
const lockWaiting = Effect.fnUntraced(function* (
  { sql }: Statements,
  wanted: ReadonlyArray<Cancellation | Funding>,
  block: Block,
  { bump }: { readonly bump: boolean }
) {
  const rows = wanted.map((w) => ({ task_id: w.taskId, wallet_id: w.walletId, version: w.version.toString() }))
  const raw = yield* sql`
    WITH want AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        AS x(task_id uuid, wallet_id uuid, version bigint)
    ), unchanged AS (
      INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version)
      SELECT DISTINCT wallet_id, version + ${bump ? 1 : 0}::int FROM want
      WHERE version = 0 OR EXISTS (SELECT 1 FROM ai_agent_wallet_state known WHERE known.wallet_id = want.wallet_id)
      ORDER BY wallet_id
      ON CONFLICT (wallet_id) DO UPDATE SET version = excluded.version
      WHERE ws.version = excluded.version - ${bump ? 1 : 0}::int AND ws.proven_block <= ${block.number}::bigint
      RETURNING ws.wallet_id
    )
    SELECT t.id FROM ai_agent_tasks t JOIN want ON want.task_id = t.id JOIN unchanged USING (wallet_id)
    WHERE t.status = 'pending_payment'
    ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED`
  return new Set(yield* taskIds(raw))
})

const fundLocked = Effect.fnUntraced(function* (
  on: Statements,
  fundings: ReadonlyArray<Funding>,
  block: Block,
  nowMs: number
) {
  const { sql, time } = on
  const rows = fundings.map((f) => ({ task_id: f.taskId, tx: f.fundingTx, received_ms: f.receivedAtMs }))
  const uses = fundings.flatMap((f) =>
    (f.uses ?? []).map((use) => ({
      task_id: f.taskId,
      tx: use.tx,
      log_index: use.logIndex,
      amount: use.amount.toString()
    }))
  )
  const raw = yield* sql`
    WITH paid AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        AS x(task_id uuid, tx text, received_ms float8)
    ), funded AS (
      UPDATE ai_agent_tasks t SET status = 'funded', error_message = NULL, funding_tx_hash = paid.tx,
        funding_received_at = ${time.write("ai_agent_tasks", "funding_received_at", sql`paid.received_ms`)},
        updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
      FROM paid WHERE t.id = paid.task_id AND NOT ${isHeld(on, sql`t.id`)}
      RETURNING t.id
    ), use AS (
      SELECT x.* FROM jsonb_to_recordset(${JSON.stringify(uses)}::text::jsonb)
        AS x(task_id uuid, tx text, log_index int, amount bigint) JOIN funded ON funded.id = x.task_id
    ), spent AS (
      UPDATE ai_agent_deposits d SET remaining = d.remaining - total.amount
      FROM (SELECT tx, log_index, sum(amount)::bigint AS amount FROM use GROUP BY 1, 2) total
      WHERE d.tx_hash = total.tx AND d.log_index = total.log_index AND d.remaining >= total.amount
        AND d.withdrawn_at IS NULL
      RETURNING d.tx_hash, d.log_index
    ), noted AS (
      INSERT INTO ai_agent_deposit_uses (tx_hash, log_index, task_id, amount)
      SELECT use.tx, use.log_index, use.task_id, use.amount
      FROM use JOIN spent ON spent.tx_hash = use.tx AND spent.log_index = use.log_index
    )
    INSERT INTO ai_agent_task_state AS s (task_id, reserved_at_block)
    SELECT id, ${block.number}::bigint FROM funded
    ON CONFLICT (task_id) DO UPDATE SET reserved_at_block = excluded.reserved_at_block, next_action_at = NULL
    RETURNING s.task_id AS id`
  return yield* taskIds(raw)
})

const cancelLocked = Effect.fnUntraced(function* (
  on: Statements,
  cancellations: ReadonlyArray<Cancellation>,
  nowMs: number,
  { evenHeld }: { readonly evenHeld: boolean }
) {
  const { sql, time } = on
  const rows = cancellations.map((c) => ({ task_id: c.taskId, message: c.message }))
  const raw = yield* sql`
    UPDATE ai_agent_tasks t SET status = 'cancelled', error_message = unpaid.message,
      completed_at = ${time.write("ai_agent_tasks", "completed_at", nowMs)},
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS unpaid(task_id uuid, message text)
    WHERE t.id = unpaid.task_id AND (${evenHeld}::boolean OR NOT ${isHeld(on, sql`t.id`)})
    RETURNING t.id`
  return yield* taskIds(raw)
})

export const hold = Effect.fnUntraced(function* (
  { sql, time }: Statements,
  tasks: ReadonlyArray<BadTask>,
  nowMs: number,
  { inRow = true }: HoldOptions = {}
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
      ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED
    ), held AS (
      INSERT INTO ai_agent_task_state AS s (task_id, held_at, held_reason)
      SELECT id, ${instantOf(sql, nowMs)}, reason FROM open
      ON CONFLICT (task_id) DO UPDATE SET held_at = excluded.held_at, held_reason = excluded.held_reason
      WHERE s.held_at IS NULL
      RETURNING s.task_id, s.held_reason
    ), told AS (
      UPDATE ai_agent_tasks t SET error_message = held.held_reason,
        updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
      FROM held WHERE t.id = held.task_id AND ${inRow}::boolean
    )
    SELECT task_id AS id FROM held`
  return yield* taskIds(raw)
})

const taskIds = (raw: unknown): Effect.Effect<ReadonlyArray<TaskId>, Schema.SchemaError> =>
  Effect.map(Schema.decodeUnknownEffect(Ids)(raw), (rows) => rows.map((row) => row.id))
