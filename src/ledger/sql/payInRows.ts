import { Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Address, Bytes32 } from "../../domain/Address.ts"
import { type PayIn, PAY_IN_STATUSES } from "../../domain/PayIn.ts"
import { TaskId } from "../../domain/Task.ts"
import { usdc } from "../../domain/Usdc.ts"
import { WalletId } from "../../domain/Wallet.ts"

/** A row of `ai_agent_pay_ins`. Amounts and blocks are text, which JSON keeps exactly. */
export const PayInFields = {
  task_id: TaskId,
  payer: Address,
  nonce: Bytes32,
  amount: Schema.BigIntFromString,
  pay_to: Address,
  valid_after: Schema.BigIntFromString,
  valid_before: Schema.BigIntFromString,
  wallet_id: WalletId,
  status: Schema.Literals(PAY_IN_STATUSES),
  tx_hash: Schema.NullOr(Bytes32),
  block: Schema.NullOr(Schema.BigIntFromString),
  reason: Schema.NullOr(Schema.String),
  created_ms: Schema.Number
}
export const PayInRecord = Schema.Struct(PayInFields)

/** Select list for `ai_agent_pay_ins p`. */
export const payInColumns = (sql: SqlClient.SqlClient) => sql`
  p.task_id, p.payer, p.nonce, p.amount::text, p.pay_to, p.valid_after::text, p.valid_before::text, p.wallet_id, p.status,
  p.tx_hash, p.block::text, p.reason, (extract(epoch FROM p.created_at) * 1000)::float8 AS created_ms`

export const payInOf = (row: typeof PayInRecord.Type): PayIn => ({
  payer: row.payer,
  nonce: row.nonce,
  amount: usdc(row.amount),
  payTo: row.pay_to,
  validAfter: Number(row.valid_after),
  validBefore: Number(row.valid_before),
  walletId: row.wallet_id,
  taskId: row.task_id,
  status: row.status,
  tx: row.tx_hash ?? undefined,
  block: row.block ?? undefined,
  reason: row.reason ?? undefined,
  createdAtMs: row.created_ms
})
