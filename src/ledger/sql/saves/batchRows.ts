import type { Fragment } from "effect/sql/Statement"
import type { Batch } from "../../../domain/Batch.ts"
import { type LimitScope, limitScopesOf } from "../../../domain/Limit.ts"
import { movesMoney, paymentIn } from "../../../domain/transferTransitions.ts"
import type { BatchSave } from "../../TaskRepo.ts"
import { bookSpent, claimPauses, isHeld, isStopped, pausedFor } from "../locks.ts"
import { lockLimits, usedOf } from "../limits.ts"
import { jsonOf, type Statements } from "../statements.ts"
import { isClaim } from "../transferWrites.ts"

/** A step of a batch, and when it is made. */
export interface Step {
  readonly save: BatchSave
  readonly nowMs: number
}

/** Whether the order's row is tested or written. */
export const touchesTask = ({ onlyFor, task, mints = [], withdrawsMints, endsHold }: BatchSave): boolean =>
  onlyFor !== undefined || task !== undefined || mints.length > 0 || withdrawsMints === true || endsHold !== undefined

/** The limits that these steps may count against: those of payments that would be signed. */
export const limitScopes = (saves: ReadonlyArray<BatchSave>): ReadonlyArray<LimitScope> => {
  const claims = saves.filter(({ before, after }) => isClaim(before, after))
  return [...new Set(claims.flatMap(({ before }) => limitScopesOf(before)))]
}

/** Which rows a step needs. */
const lockOf = ({ save }: Step, index: number) => ({
  i: index,
  task_id: save.before.taskId,
  number: save.before.number,
  wallet_id: save.before.walletId,
  moves_money: movesMoney(save.before, save.after),
  touches_task: touchesTask(save),
  is_claim: isClaim(save.before, save.after)
})

/**
 * Locks what these steps need, wallets before tasks before batches, and waits for none of it: a step is left out of which
 * another program has a row, or a row is not there yet. Gives the indices of the others. For the limits of payments that
 * would be signed it waits, as the holder of them waits for nothing; each row names those that are locked.
 */
export const lockFree = ({ sql }: Statements, steps: ReadonlyArray<Step>) => {
  const rows = steps.map(lockOf)
  const walletIds = rows.filter((row) => row.moves_money).map((row) => row.wallet_id)
  const taskIds = rows.filter((row) => row.touches_task).map((row) => row.task_id)
  return sql<{ readonly i: number; readonly limits: ReadonlyArray<LimitScope> }>`
    WITH x AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${jsonOf(rows)}::text::jsonb) AS x(i int, task_id uuid, number int,
        wallet_id uuid, moves_money boolean, touches_task boolean, is_claim boolean)
    ), wallets AS MATERIALIZED (
      SELECT ws.wallet_id FROM ai_agent_wallet_state ws WHERE ws.wallet_id = ANY(${walletIds}::uuid[])
      ORDER BY ws.wallet_id FOR NO KEY UPDATE SKIP LOCKED
    ), tasks AS MATERIALIZED (
      SELECT t.id FROM ai_agent_tasks t WHERE t.id = ANY(${taskIds}::uuid[])
      ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
    ), batches AS MATERIALIZED (
      SELECT b.task_id, b.number FROM x JOIN ai_agent_batches b ON b.task_id = x.task_id AND b.number = x.number
      ORDER BY b.task_id, b.number FOR NO KEY UPDATE OF b SKIP LOCKED
    ), limits AS MATERIALIZED (${lockLimits(sql, limitScopes(steps.map(({ save }) => save)))})
    SELECT x.i, (SELECT coalesce(array_agg(scope), '{}') FROM limits) AS limits
    FROM x JOIN batches b ON b.task_id = x.task_id AND b.number = x.number
    WHERE (NOT x.moves_money OR x.wallet_id IN (SELECT wallet_id FROM wallets))
      AND (NOT x.touches_task OR x.task_id IN (SELECT id FROM tasks))
      AND (NOT x.is_claim OR ${claimPauses(sql)})`
}

const rowOf = ({ before, after, onlyFor }: BatchSave, index: number) => {
  const spent = paymentIn(before, after)
  return {
    i: index,
    task_id: before.taskId,
    number: before.number,
    was: before.status,
    version: before.version,
    is_claim: isClaim(before, after),
    token: before.token,
    recipient: before.recipient,
    key_id: before.keyId ?? null,
    only_task: onlyFor?.id ?? null,
    only_status: onlyFor?.status ?? null,
    moves_money: movesMoney(before, after),
    spent_amount: spent?.amount.toString() ?? "0",
    spent_block: spent?.block.toString() ?? "0",
    ...columnsOf(after)
  }
}

const columnsOf = ({ window, asked, ...after }: Batch) => ({
  status: after.status,
  signed_amount: window?.amount.toString() ?? null,
  signed_pay_to: window?.payTo ?? null,
  valid_after: window?.validAfter ?? null,
  valid_before: window?.validBefore ?? null,
  signed_block: window?.block.toString() ?? null,
  sends: after.sends,
  looks: after.looks,
  asked_since: asked?.since.toString() ?? null,
  asked_until: asked?.until?.toString() ?? null,
  tried_ms: after.triedAtMs ?? null,
  answer_by_ms: after.answerByMs ?? null,
  claims: after.claims,
  said: after.said,
  payment_tx: after.paymentTx ?? null,
  payment_block: after.paymentBlock?.toString() ?? null,
  paid_amount: after.paidAmount?.toString() ?? null,
  mint_txs: after.mintTxs,
  reference: after.reference ?? null,
  minted: after.minted,
  next_ms: after.nextActionAtMs ?? null,
  reason: after.reason ?? null,
  since_ms: after.statusSinceMs,
  signed_ms: after.signedAtMs ?? null
})

interface UpdateOptions {
  /** Of the limits that are set, those that are locked. */
  readonly limits?: ReadonlyArray<LimitScope>
  readonly notesWallets?: boolean
}

/** The limits of these claims, which are made in one moment, and what is used of each. */
const limitsOf = ({ sql }: Statements, saves: ReadonlyArray<BatchSave>): Fragment => {
  const scopes = limitScopes(saves)
  const times = saves.flatMap(({ before, after }) => (isClaim(before, after) ? (after.signedAtMs ?? []) : []))
  const nowMs = Math.min(...times)
  if (times.length === 0) return sql`SELECT ''::text AS scope, 0::bigint AS per_day, 0::bigint AS used WHERE false`
  return sql`
    SELECT l.scope, l.per_day, ${usedOf(sql, nowMs)} AS used FROM ai_agent_limits l
    WHERE l.scope = ANY(${scopes}::text[])`
}

/** Whether `x` counts against the limit `l`. */
const isUnder = (sql: Statements["sql"], x: string): Fragment =>
  sql`l.scope IN ('all', 'token:' || ${sql(`${x}.token`)}, 'user:' || ${sql(`${x}.recipient`)},
    'key:' || ${sql(`${x}.key_id`)})`

/**
 * Whether the claim `x` has no room in a limit, with those of the same statement before it; whether or not these are made,
 * which is tested for each row alone: one that is refused for them is asked anew. A limit that was set since the locks were
 * taken is not locked: its turn comes with the next try.
 */
const exceedsLimit = ({ sql }: Statements, locked: ReadonlyArray<LimitScope>): Fragment => sql`
  EXISTS (SELECT 1 FROM limits l WHERE ${isUnder(sql, "x")} AND (l.scope <> ALL(${locked}::text[])
    OR l.used + (SELECT sum(y.signed_amount) FROM x y WHERE y.is_claim AND y.i <= x.i AND ${isUnder(sql, "y")}) > l.per_day))`

/**
 * Batches become what they are `after`, each if its row is still as it was read. Not one whose order, where it is
 * `onlyFor` one, is not as it was; nor one that would be signed while its wallet is stopped, it is paused, or another
 * payment of this wallet and token is in flight, whose mints could not be distinguished from its own; nor one that would
 * exceed a limit. Wallets, tasks, pauses and limits are locked before, and no two steps are of one wallet. Gives the
 * indices of those that were written.
 *
 * What it moves is noted of its wallet, unless the caller has done so: see `touchWallet`.
 */
export const updateBatches = (
  on: Statements,
  saves: ReadonlyArray<BatchSave>,
  { limits = [], notesWallets = true }: UpdateOptions = {}
) => {
  const { sql } = on
  const another = sql`EXISTS (SELECT 1 FROM ai_agent_batches o
    WHERE o.wallet_id = b.wallet_id AND o.token = b.token AND (o.task_id, o.number) <> (b.task_id, b.number)
      AND o.status IN ('signed', 'accepted', 'unknown', 'paid'))`
  const barred = sql`(${isStopped(on, sql`b.wallet_id`)} OR ${pausedFor(sql, sql`b.wallet_id`, sql`b.token`)} OR ${another})`
  return sql<{ readonly i: number }>`
    WITH x AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${jsonOf(saves.map(rowOf))}::text::jsonb) AS x(i int, task_id uuid, number int,
        was text, version int, is_claim boolean, token text, recipient text, key_id uuid, only_task uuid, only_status text,
        moves_money boolean, spent_amount bigint, spent_block bigint, status text, signed_amount bigint,
        signed_pay_to text, valid_after bigint, valid_before bigint, signed_block bigint, sends int, looks int,
        asked_since bigint, asked_until bigint, tried_ms float8, answer_by_ms float8, claims int, said text[],
        payment_tx text, payment_block bigint, paid_amount bigint, mint_txs text[], reference text, minted int,
        next_ms float8, reason text, since_ms float8, signed_ms float8)
    ), limits AS MATERIALIZED (${limitsOf(on, saves)}), saved AS (
      UPDATE ai_agent_batches b SET
        status = x.status, version = b.version + 1, signed_amount = x.signed_amount, signed_pay_to = x.signed_pay_to,
        valid_after = x.valid_after, valid_before = x.valid_before, signed_block = x.signed_block, sends = x.sends,
        looks = x.looks, asked_since = x.asked_since, asked_until = x.asked_until,
        tried_at = to_timestamp(x.tried_ms / 1000), answer_by = to_timestamp(x.answer_by_ms / 1000), claims = x.claims,
        said = x.said, payment_tx = x.payment_tx, payment_block = x.payment_block, paid_amount = x.paid_amount,
        mint_txs = x.mint_txs, reference = x.reference, minted = x.minted,
        next_action_at = to_timestamp(x.next_ms / 1000), reason = x.reason, status_since = to_timestamp(x.since_ms / 1000),
        signed_at = to_timestamp(x.signed_ms / 1000)
      FROM x
      WHERE b.task_id = x.task_id AND b.number = x.number AND b.version = x.version AND b.status = x.was
        AND (x.only_task IS NULL OR EXISTS (SELECT 1 FROM ai_agent_tasks t
          WHERE t.id = x.only_task AND t.status = x.only_status AND NOT ${isHeld(on, sql`t.id`)}))
        AND NOT (x.is_claim AND ${barred})
        AND NOT (x.is_claim AND ${exceedsLimit(on, limits)})
      RETURNING x.i, b.wallet_id, x.moves_money, x.spent_amount, x.spent_block
    ), noted AS (
      UPDATE ai_agent_wallet_state ws SET version = ws.version + 1,
        ${bookSpent(sql, sql`saved.spent_block`, sql`saved.spent_amount`)}
      FROM saved WHERE ws.wallet_id = saved.wallet_id AND saved.moves_money AND ${notesWallets}::boolean
    )
    SELECT i FROM saved`
}
