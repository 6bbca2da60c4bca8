import { Effect } from "effect"
import { type TaskId, messages } from "../../domain/Task.ts"
import { type WalletId } from "../../domain/Wallet.ts"
import type { Decision } from "../DecisionRepo.ts"
import { instantOf } from "./TimeColumns.ts"
import type { Statements } from "./statements.ts"

/** Kept for ever, in the transaction of the decision. */
export const noteDecision = (
  { sql }: Statements,
  decision: Decision,
  about: { readonly taskId?: TaskId; readonly walletId?: WalletId },
  nowMs: number
) => sql`
  INSERT INTO ai_agent_decisions (decided_at, command, task_id, wallet_id, said, why, made_by, key_id)
  VALUES (${instantOf(sql, nowMs)}, ${decision.command}, ${about.taskId ?? null}::uuid, ${about.walletId ?? null}::uuid,
    ${decision.said}, ${decision.why}, ${decision.by}, ${decision.keyId ?? null}::uuid)`

/** The stop holds whether or not its orders can say so: a row that cannot be written, or that another program has, does not. */
export const noteStop = Effect.fnUntraced(function* (
  { sql, time }: Statements,
  { walletId, reason }: { readonly walletId: WalletId; readonly reason: string },
  nowMs: number
) {
  const tell = (ids: ReadonlyArray<string>) =>
    sql.withTransaction(sql`
      UPDATE ai_agent_tasks t SET error_message = ${messages.stopped(reason)},
        updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)}
      WHERE t.id = ANY(${ids}::uuid[])`)
  const rows = yield* sql<{ readonly id: string }>`
    SELECT t.id FROM ai_agent_tasks t
    WHERE t.agent_wallet_id = ${walletId}::uuid AND t.status IN ('pending_payment', 'funded', 'processing')
    ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED`
  const ids = rows.map(({ id }) => id)
  yield* Effect.catch(tell(ids), () => Effect.forEach(ids, (id) => Effect.ignore(tell([id])), { discard: true }))
})
