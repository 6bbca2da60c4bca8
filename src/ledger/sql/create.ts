import { Effect } from "effect"
import type { Decision, NewOrder } from "../DecisionRepo.ts"
import { noteDecision } from "./decide.ts"
import type { Statements } from "./statements.ts"
import { lockWallet, orOutrun, transact } from "./transact.ts"

/** The columns that every writer of orders fills, and the times of this one's clock. */
export const createTask = (
  on: Statements,
  { id, wallet, token, quantity, pricePerMint }: NewOrder,
  decision: Decision,
  nowMs: number
) => {
  const { sql, time } = on
  return transact(
    on,
    Effect.gen(function* () {
      // A refund that is asked for at this moment sees this order, or this order waits for it.
      yield* lockWallet(on, wallet.id)
      yield* orOutrun(sql`
        INSERT INTO ai_agent_tasks (id, user_address, agent_wallet_id, token_address, quantity, price_per_mint,
          total_cost, status, created_at, updated_at)
        VALUES (${id}::uuid, ${wallet.userAddress}, ${wallet.id}::uuid, ${token}, ${quantity}::int,
          ${pricePerMint}::bigint, ${pricePerMint * BigInt(quantity)}::bigint, 'pending_payment',
          ${time.write("ai_agent_tasks", "created_at", nowMs)}, ${time.write("ai_agent_tasks", "updated_at", nowMs)})
        ON CONFLICT (id) DO NOTHING RETURNING id`)
      yield* noteDecision(on, decision, { taskId: id, walletId: wallet.id }, nowMs)
    })
  )
}
