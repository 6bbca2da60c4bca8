import { Effect, Schema } from "effect"
import type { DepositUse } from "../../../domain/Deposit.ts"
import type { Refund } from "../../../domain/Refund.ts"
import { messages } from "../../../domain/Task.ts"
import { type WalletId } from "../../../domain/Wallet.ts"
import { type DecisionRepo } from "../../DecisionRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { repin } from "../identities.ts"
import { claimWallet, orOutrun, touchWallet } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"
import { updateRefund } from "../transferWrites.ts"

/** An order that was placed meanwhile bumps no version: its money must not go back as credit, nor that of one that is held. */
const nobodyWaits = ({ sql }: Statements, walletId: WalletId) => sql`
  SELECT 1 WHERE NOT EXISTS (
    SELECT 1 FROM ai_agent_tasks t WHERE t.agent_wallet_id = ${walletId}::uuid AND t.status = 'pending_payment')`

const insertRefund = ({ sql }: Statements, refund: Refund) => {
  const createdAt = instantOf(sql, refund.createdAtMs)
  return sql`
    INSERT INTO ai_agent_refunds (id, wallet_id, payer, pay_to, amount, nonce, status, next_action_at, reason,
      created_at, updated_at)
    VALUES (${refund.id}::uuid, ${refund.walletId}::uuid, ${refund.payer}, ${refund.payTo}, ${refund.amount}::bigint,
      ${refund.nonce}, ${refund.status}, ${instantOf(sql, refund.nextActionAtMs ?? null)}, ${refund.reason ?? null}::text,
      ${createdAt}, ${createdAt})`
}

/** Takes what is refunded from the deposits, and notes it. */
const useDeposits = ({ sql }: Statements, refund: Refund, uses: ReadonlyArray<DepositUse>) => {
  const rows = uses.map((use) => ({ tx: use.tx, log_index: use.logIndex, amount: use.amount.toString() }))
  return sql`
    WITH use AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS x(tx text, log_index int, amount bigint)
    ), spent AS (
      UPDATE ai_agent_deposits d SET remaining = d.remaining - use.amount
      FROM use WHERE d.tx_hash = use.tx AND d.log_index = use.log_index AND d.remaining >= use.amount
        AND d.withdrawn_at IS NULL
      RETURNING d.tx_hash, d.log_index, use.amount
    )
    INSERT INTO ai_agent_deposit_uses (tx_hash, log_index, refund_id, amount)
    SELECT tx_hash, log_index, ${refund.id}::uuid, amount FROM spent`
}

/** The deposits have again what was to be refunded out of them. */
const giveBack = ({ sql }: Statements, { id }: Refund) => sql`
  UPDATE ai_agent_deposits d SET remaining = d.remaining + total.amount
  FROM (
    SELECT tx_hash, log_index, sum(amount)::bigint AS amount FROM ai_agent_deposit_uses
    WHERE refund_id = ${id}::uuid GROUP BY 1, 2
  ) total
  WHERE d.tx_hash = total.tx_hash AND d.log_index = total.log_index AND d.remaining + total.amount <= d.amount`

const Reasons = Schema.Array(Schema.Struct({ stopped_reason: Schema.NullOr(Schema.String) }))

export const moneyDecisions = {
  askRefund: (on) =>
    on.transact("ask for a refund", function* (refund, evidence, block, decision) {
      const { walletId, createdAtMs } = refund
      yield* orOutrun(claimWallet(on, { walletId, version: evidence.version }, block))
      yield* orOutrun(nobodyWaits(on, walletId))
      yield* insertRefund(on, refund)
      yield* useDeposits(on, refund, evidence.uses)
      yield* noteDecision(on, decision, { walletId }, createdAtMs)
    }),

  withdrawRefund: (on) =>
    on.transact("withdraw a refund", function* ({ before, after }, decision, nowMs) {
      yield* touchWallet(on, before.walletId)
      yield* orOutrun(updateRefund(on, before, after, nowMs))
      yield* giveBack(on, before)
      yield* noteDecision(on, decision, { walletId: before.walletId }, nowMs)
    }),

  reopenBooks: (on) =>
    on.transact("reopen the books of a wallet", function* (opening, block, decision, nowMs) {
      const { sql, time } = on
      const { walletId } = opening
      const stopped = yield* rowsOf(Reasons)(sql`
        SELECT stopped_reason FROM ai_agent_wallet_state
        WHERE wallet_id = ${walletId}::uuid AND stopped_at IS NOT NULL AND version = ${opening.version}::bigint
          AND proven_block <= ${block.number}::bigint
        FOR UPDATE`)
      yield* orOutrun(Effect.succeed(stopped))
      yield* sql`
        UPDATE ai_agent_wallet_state SET version = version + 1, opened_block = ${block.number}::bigint,
          counted_block = ${block.number}::bigint, book_balance = ${opening.balance}::bigint, stopped_at = NULL,
          stopped_reason = NULL
        WHERE wallet_id = ${walletId}::uuid`
      yield* sql`
        UPDATE ai_agent_tasks t SET updated_at = ${time.write("ai_agent_tasks", "updated_at", nowMs)},
          error_message = (SELECT s.held_reason FROM ai_agent_task_state s
            WHERE s.task_id = t.id AND s.held_at IS NOT NULL)
        WHERE t.agent_wallet_id = ${walletId}::uuid AND t.status IN ('pending_payment', 'funded', 'processing')
          AND t.error_message = ${messages.stopped(stopped[0]?.stopped_reason ?? "")}`
      yield* repin(on, walletId, opening.seen)
      yield* noteDecision(on, decision, { walletId }, nowMs)
    })
} satisfies Methods<DecisionRepo["Service"]>
