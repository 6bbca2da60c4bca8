import { Effect } from "effect"
import type { Block } from "../../../domain/Block.ts"
import { type Cancellation, type Funding, type TaskRepo } from "../../TaskRepo.ts"
import { isHeld } from "../locks.ts"
import { idsOf } from "../rows.ts"
import type { Methods, Statements } from "../statements.ts"

/**
 * The tasks that still wait for money, locked, of wallets that are still as they were read: of one that is stopped since,
 * or of which money moved, none. With `bump` those wallets get a new version. A task that another program holds is left
 * out, as the others are not to wait for it; and so is one whose pay-in may still come, even where something was decided about it.
 */
const lockWaiting = Effect.fnUntraced(function* (
  { sql }: Statements,
  wanted: ReadonlyArray<Cancellation | Funding>,
  block: Block,
  { bump }: { readonly bump: boolean }
) {
  const rows = wanted.map((w) => ({ task_id: w.taskId, wallet_id: w.walletId, version: w.version.toString() }))
  const ids = yield* idsOf(sql`
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
      AND NOT EXISTS (SELECT 1 FROM ai_agent_pay_ins p WHERE p.task_id = t.id AND p.status = 'live')
    ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED`)
  return new Set(ids)
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
  return yield* idsOf(sql`
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
    RETURNING s.task_id AS id`)
})

/** In a transaction. An order that is held is not cancelled by its deadline; a person may, with `evenHeld`. */
export const cancelTasks = Effect.fnUntraced(function* (
  on: Statements,
  cancellations: ReadonlyArray<Cancellation>,
  block: Block,
  nowMs: number,
  options: { readonly evenHeld: boolean }
) {
  const waiting = yield* lockWaiting(on, cancellations, block, { bump: false })
  const unpaid = cancellations.filter(({ taskId }) => waiting.has(taskId))
  return unpaid.length === 0 ? [] : yield* cancelLocked(on, unpaid, nowMs, options)
})

const cancelLocked = Effect.fnUntraced(function* (
  on: Statements,
  cancellations: ReadonlyArray<Cancellation>,
  nowMs: number,
  { evenHeld }: { readonly evenHeld: boolean }
) {
  const { sql, time } = on
  const rows = cancellations.map((c) => ({ task_id: c.taskId, message: c.message }))
  return yield* idsOf(sql`
    UPDATE ai_agent_tasks t SET status = 'cancelled', error_message = unpaid.message,
      completed_at = ${time.write("ai_agent_tasks", "completed_at", nowMs)},
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS unpaid(task_id uuid, message text)
    WHERE t.id = unpaid.task_id AND (${evenHeld}::boolean OR NOT ${isHeld(on, sql`t.id`)})
    RETURNING t.id`)
})

/** What a sweep writes of many orders at once. */
export const sweep = {
  /**
   * Wallets are locked before tasks, tasks before what is kept beside them, and several of a kind by id: here and in every
   * other write. So programs that work on the same rows at once wait for one another, and never in a circle. What says
   * whether a task may be funded or cancelled is tested by the next statement, when all of it is locked.
   */
  fund: (on) =>
    on.transact("fund tasks", function* (fundings, block, nowMs) {
      const waiting = yield* lockWaiting(on, fundings, block, { bump: true })
      const paid = fundings.filter(({ taskId }) => waiting.has(taskId))
      return paid.length === 0 ? [] : yield* fundLocked(on, paid, block, nowMs)
    }),

  cancel: (on) =>
    on.transact("cancel tasks", function* (cancellations, block, nowMs) {
      return yield* cancelTasks(on, cancellations, block, nowMs, { evenHeld: false })
    })
} satisfies Methods<TaskRepo["Service"]>
