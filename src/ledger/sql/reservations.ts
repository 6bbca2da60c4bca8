import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"

/** Another program's rows can add up to more than a `bigint` holds; then nothing of the wallet is free. */
const BIGINT_MAX = 2n ** 63n - 1n

/** A sum as a `bigint`, however large: it must not make the rest unreadable. */
export const capped = (sql: SqlClient.SqlClient, total: Fragment): Fragment =>
  sql`least(${total}, ${BIGINT_MAX}::bigint)::bigint`

/**
 * What each of the wallets in `wallets` (a query that gives `wallet_id`) has reserved, as rows of
 * `wallet_id, reserved_sum, maybe_spent, foreign_sum`.
 *
 * Reserved are the unpaid batches of funded and processing tasks at what they were quoted (a payment that is signed for
 * less may lapse and be signed for more), the whole cost of such a task that is not planned yet, every signed payment
 * whose outcome is not proven, in any state of its task, and every refund that may still be paid. A held batch of an
 * open task keeps its money unless the chain shows it spent: a person decides. `maybe_spent` is the part that may have left the wallet already: what is signed and, `foreign_sum`, what
 * another program may spend at any moment for an order of its own, which nothing of ours proves: a row of v1.1's that was
 * left in `processing`, or one that another program funded. That is so until such an order is taken over. A row that makes
 * no sense never lowers what the others have reserved, and never stops the reading of them.
 *
 * `onlyOurs` leaves out unplanned tasks that this program has not reserved: a `funded` row of another's making proves
 * no money.
 */
export const reservations = (sql: SqlClient.SqlClient, wallets: Fragment, onlyOurs: boolean): Fragment => sql`
  SELECT m.wallet_id, ${capped(sql, sql`sum(m.reserved)`)} AS reserved_sum,
    ${capped(sql, sql`sum(m.maybe_spent)`)} AS maybe_spent, ${capped(sql, sql`sum(m.foreign_part)`)} AS foreign_sum
  FROM (
    SELECT b.wallet_id,
      CASE
        WHEN b.payment_tx IS NOT NULL THEN 0
        WHEN t.status IN ('funded', 'processing') THEN b.amount
        WHEN b.status IN ('signed', 'accepted', 'unknown') THEN b.signed_amount
        ELSE 0
      END AS reserved,
      CASE
        WHEN b.status NOT IN ('signed', 'accepted', 'unknown') THEN 0
        WHEN t.status IN ('funded', 'processing') THEN b.amount
        ELSE b.signed_amount
      END AS maybe_spent,
      0 AS foreign_part
    FROM ai_agent_batches b
    JOIN ai_agent_tasks t ON t.id = b.task_id
    WHERE b.wallet_id IN (${wallets}) AND b.status NOT IN ('paid', 'delivered', 'resolved')
    UNION ALL
    SELECT r.wallet_id, r.amount, CASE WHEN r.status = 'signed' THEN r.amount ELSE 0 END, 0
    FROM ai_agent_refunds r
    WHERE r.wallet_id IN (${wallets}) AND (r.status IN ('planned', 'signed') OR (r.status = 'held' AND r.keeps_money))
    UNION ALL
    SELECT u.wallet_id, u.cost, CASE WHEN u.is_foreign THEN u.cost ELSE 0 END,
      CASE WHEN u.is_foreign THEN u.cost ELSE 0 END
    FROM (
      SELECT t.agent_wallet_id AS wallet_id,
        greatest(t.total_cost - t.price_per_mint::numeric * coalesce(t.mints_completed, 0), 0) AS cost,
        s.adopted_at IS NULL AND (t.status = 'processing' OR s.reserved_at_block IS NULL) AS is_foreign
      FROM ai_agent_tasks t
      LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
      WHERE t.agent_wallet_id IN (${wallets}) AND t.status IN ('funded', 'processing')
        AND (s.reserved_at_block IS NOT NULL OR ${!onlyOurs}::boolean)
        AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id)
    ) u
  ) m
  GROUP BY m.wallet_id`
