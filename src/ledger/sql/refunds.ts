import { Effect, Schema } from "effect"
import type { Address, Bytes32 } from "../../domain/Address.ts"
import type { Refund } from "../../domain/Refund.ts"
import { usdc } from "../../domain/Usdc.ts"
import { movesMoney, paymentIn } from "../../domain/Spent.ts"
import { keepPauses, pausedFor } from "./paused.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"
import { isStopped, orOutrun, touchWallet, transact } from "./transact.ts"

const RefundRecord = Schema.Struct({
  id: Schema.String,
  wallet_id: Schema.String,
  payer: Schema.String,
  pay_to: Schema.String,
  amount: Schema.BigInt,
  nonce: Schema.String,
  status: Schema.Literals(["planned", "signed", "paid", "held", "withdrawn"]),
  version: Schema.Number,
  valid_after: Schema.NullOr(Schema.BigInt),
  valid_before: Schema.NullOr(Schema.BigInt),
  signed_block: Schema.NullOr(Schema.BigInt),
  sends: Schema.Number,
  looks: Schema.Number,
  voids: Schema.Number,
  keeps_money: Schema.Boolean,
  tx_hash: Schema.NullOr(Schema.String),
  block: Schema.NullOr(Schema.BigInt),
  next_action_ms: Schema.NullOr(Schema.Number),
  reason: Schema.NullOr(Schema.String),
  created_ms: Schema.Number
})
type RefundRecord = typeof RefundRecord.Type
export const RefundRecords = Schema.Array(RefundRecord)

/** Select list for `ai_agent_refunds r`. */
export const refundColumns = ({ sql }: Statements) => sql`
  r.id, r.wallet_id, r.payer, r.pay_to, r.amount, r.nonce, r.status, r.version, r.valid_after, r.valid_before,
  r.signed_block, r.sends, r.looks, r.voids, r.keeps_money, r.tx_hash, r.block, r.reason,
  (extract(epoch FROM r.next_action_at) * 1000)::float8 AS next_action_ms,
  (extract(epoch FROM r.created_at) * 1000)::float8 AS created_ms`

/** Our own rows, under our own checks: their texts are of the right form. */
export const refundOf = (row: RefundRecord): Refund => ({
  id: row.id,
  walletId: row.wallet_id,
  payer: row.payer as Address,
  payTo: row.pay_to as Address,
  amount: usdc(row.amount),
  nonce: row.nonce as Bytes32,
  status: row.status,
  version: row.version,
  window:
    row.valid_before === null
      ? undefined
      : {
          amount: usdc(row.amount),
          payTo: row.pay_to as Address,
          validAfter: Number(row.valid_after),
          validBefore: Number(row.valid_before),
          block: row.signed_block ?? 0n
        },
  sends: row.sends,
  looks: row.looks,
  voids: row.voids,
  keepsMoney: row.keeps_money,
  paymentTx: (row.tx_hash ?? undefined) as Bytes32 | undefined,
  paymentBlock: row.block ?? undefined,
  paidAmount: row.status === "paid" ? usdc(row.amount) : undefined,
  nextActionAtMs: row.next_action_ms ?? undefined,
  reason: row.reason ?? undefined,
  createdAtMs: row.created_ms
})

export const saveRefund = Effect.fnUntraced(function* (
  on: Statements,
  { before, after }: { readonly before: Refund; readonly after: Refund },
  nowMs: number
) {
  return yield* transact(
    on,
    Effect.gen(function* () {
      if (movesMoney(before, after)) yield* touchWallet(on, before.walletId, paymentIn(before, after))
      if (isClaim(before, after)) yield* keepPauses(on.sql)
      yield* orOutrun(updateRefund(on, before, after, nowMs))
    })
  )
})

/** From this step on a transfer may exist. */
const isClaim = (before: Refund, after: Refund): boolean => before.status === "planned" && after.status === "signed"

/** The row of `before` becomes `after`, under the same conditions as a batch's. */
export const updateRefund = (on: Statements, before: Refund, after: Refund, nowMs: number) => {
  const { sql } = on
  return sql`
    UPDATE ai_agent_refunds r SET status = ${after.status}, version = version + 1,
      valid_after = ${after.window?.validAfter ?? null}::bigint,
      valid_before = ${after.window?.validBefore ?? null}::bigint,
      signed_block = ${after.window?.block ?? null}::bigint,
      sends = ${after.sends}::int, looks = ${after.looks}::int, voids = ${after.voids}::int,
      keeps_money = ${after.keepsMoney}::boolean, tx_hash = ${after.paymentTx ?? null}::text,
      block = ${after.paymentBlock ?? null}::bigint, next_action_at = ${instantOf(sql, after.nextActionAtMs ?? null)},
      reason = ${after.reason ?? null}::text, updated_at = ${instantOf(sql, nowMs)}
    WHERE id = ${before.id}::uuid AND version = ${before.version}::int AND status = ${before.status}
      AND NOT (${isClaim(before, after)}::boolean
        AND (${isStopped(on, sql`r.wallet_id`)} OR ${pausedFor(sql, sql`r.wallet_id`)}))
    RETURNING id`
}
