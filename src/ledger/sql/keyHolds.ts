import { Effect, Result, Schema } from "effect"
import { messages, type TaskId } from "../../domain/Task.ts"
import type { BadTask } from "../../domain/WalletState.ts"
import type { HeldForKey } from "../TaskRepo.ts"
import { readWallet, walletColumns, WalletFields } from "./rows.ts"
import type { Statements } from "./statements.ts"

const Ids = Schema.Array(Schema.Struct({ id: Schema.String }))
const WalletRecords = Schema.Array(Schema.Struct(WalletFields))
const HeldRecords = Schema.Array(Schema.Struct({ id: Schema.String, held_reason: Schema.String, ...WalletFields }))

export const heldForKeys = Effect.fnUntraced(function* ({ sql }: Statements, limit: number) {
  const raw = yield* sql`
    SELECT t.id, s.held_reason, ${walletColumns(sql)}
    FROM ai_agent_task_state s
    JOIN ai_agent_tasks t ON t.id = s.task_id
    JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
    WHERE s.held_at IS NOT NULL AND starts_with(s.held_reason, ${messages.heldForKey})
      AND t.status IN ('pending_payment', 'funded', 'processing')
    ORDER BY s.held_at, t.id LIMIT ${limit}::int`
  const rows = yield* Schema.decodeUnknownEffect(HeldRecords)(raw)
  return rows.flatMap((row): ReadonlyArray<HeldForKey> => {
    const wallet = readWallet(row.wallet_id ?? "", row)
    return Result.isFailure(wallet) ? [] : [{ taskId: row.id, reason: row.held_reason, wallet: wallet.success }]
  })
})

/** Tasks are locked before what is kept beside them, as everywhere. */
export const endHolds = Effect.fnUntraced(function* (
  { sql, time }: Statements,
  holds: ReadonlyArray<BadTask>,
  nowMs: number
) {
  if (holds.length === 0) return []
  const rows = holds.map(({ taskId, reason }) => ({ task_id: taskId, reason }))
  const raw = yield* sql`
    WITH want AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(task_id uuid, reason text)
    ), locked AS (
      SELECT t.id, want.reason FROM ai_agent_tasks t JOIN want ON want.task_id = t.id
      WHERE t.status IN ('pending_payment', 'funded', 'processing')
      ORDER BY t.id FOR NO KEY UPDATE OF t
    ), ended AS (
      UPDATE ai_agent_task_state s SET held_at = NULL, held_reason = NULL
      FROM locked WHERE s.task_id = locked.id AND s.held_reason = locked.reason
      RETURNING s.task_id
    )
    UPDATE ai_agent_tasks t SET error_message = NULL,
      updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
    FROM ended WHERE t.id = ended.task_id
    RETURNING t.id`
  return (yield* Schema.decodeUnknownEffect(Ids)(raw)).map(({ id }): TaskId => id)
})

export const sampleWallets = Effect.fnUntraced(function* ({ sql }: Statements, count: number) {
  const half = sql`${Math.ceil(count / 2)}::int`
  const raw = yield* sql`
    SELECT ${walletColumns(sql)} FROM ai_agent_wallets w WHERE w.id IN (
      (SELECT id FROM ai_agent_wallets ORDER BY created_at DESC LIMIT ${half})
      UNION (SELECT id FROM ai_agent_wallets ORDER BY created_at LIMIT ${half}))`
  const rows = yield* Schema.decodeUnknownEffect(WalletRecords)(raw)
  return rows.flatMap((row) => {
    const wallet = readWallet(row.wallet_id ?? "", row)
    return Result.isFailure(wallet) ? [] : [wallet.success]
  })
})
