import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { type Address, Bytes32, parse, StoredAddress } from "../../domain/Address.ts"
import { BATCH_STATUSES, type Batch } from "../../domain/Batch.ts"
import type { UnspentDeposit } from "../../domain/Deposit.ts"
import { KeyId } from "../../domain/Key.ts"
import { type Refund, RefundId } from "../../domain/Refund.ts"
import { usdc } from "../../domain/Usdc.ts"
import { WalletId } from "../../domain/Wallet.ts"
import { agentAddress } from "./rows.ts"
import { type Statements, rowsOf } from "./statements.ts"
import { TaskId } from "../../domain/Task.ts"

const Ms = Schema.NullOr(Schema.Number)

/** As text: refunds also come as JSON, where a number is a double; and a portion is wider than `bigint`. */
const Big = Schema.BigIntFromString

export const BatchStatusText = Schema.Literals(BATCH_STATUSES)

export const BatchFields = {
  task_id: TaskId,
  number: Schema.Number,
  wallet_id: WalletId,
  first_mint: Schema.Number,
  quantity: Schema.Number,
  amount: Schema.BigInt,
  token: StoredAddress,
  payer: StoredAddress,
  pay_to: StoredAddress,
  recipient: StoredAddress,
  portion: Schema.NullOr(Big),
  nonce: Bytes32,
  status: BatchStatusText,
  version: Schema.Number,
  signed_amount: Schema.NullOr(Schema.BigInt),
  signed_pay_to: Schema.NullOr(StoredAddress),
  valid_after: Schema.NullOr(Schema.BigInt),
  valid_before: Schema.NullOr(Schema.BigInt),
  signed_block: Schema.NullOr(Schema.BigInt),
  sends: Schema.Number,
  looks: Schema.Number,
  payment_tx: Schema.NullOr(Bytes32),
  payment_block: Schema.NullOr(Schema.BigInt),
  paid_amount: Schema.NullOr(Schema.BigInt),
  asked_since: Schema.NullOr(Schema.BigInt),
  asked_until: Schema.NullOr(Schema.BigInt),
  tried_ms: Ms,
  answer_by_ms: Ms,
  claims: Schema.Number,
  said: Schema.Array(Schema.String),
  mint_txs: Schema.Array(Bytes32),
  reference: Schema.NullOr(Schema.String),
  minted: Schema.Number,
  next_action_ms: Ms,
  reason: Schema.NullOr(Schema.String),
  status_since_ms: Schema.Number,
  signed_ms: Ms,
  key_id: Schema.NullOr(KeyId)
}
const BatchRecord = Schema.Struct(BatchFields)
type BatchRecord = typeof BatchRecord.Type
export const BatchRecords = Schema.Array(BatchRecord)

/** Select list for `ai_agent_batches b`. */
export const batchColumns = (sql: SqlClient.SqlClient) => sql`
  b.task_id, b.number, b.wallet_id, b.first_mint, b.quantity, b.amount, b.token, b.payer, b.pay_to, b.recipient,
  b.portion::text, b.nonce, b.status, b.version, b.signed_amount, b.signed_pay_to, b.valid_after, b.valid_before,
  b.signed_block, b.sends, b.looks, b.payment_tx, b.payment_block, b.paid_amount, b.mint_txs, b.reference, b.minted,
  b.reason, b.claims, b.said, b.asked_since, b.asked_until,
  (extract(epoch FROM b.tried_at) * 1000)::float8 AS tried_ms,
  (extract(epoch FROM b.answer_by) * 1000)::float8 AS answer_by_ms,
  (extract(epoch FROM b.next_action_at) * 1000)::float8 AS next_action_ms,
  (extract(epoch FROM b.status_since) * 1000)::float8 AS status_since_ms,
  (extract(epoch FROM b.signed_at) * 1000)::float8 AS signed_ms, b.key_id`

export const batchOf = (row: BatchRecord): Batch => ({
  taskId: row.task_id,
  number: row.number,
  walletId: row.wallet_id,
  firstMint: row.first_mint,
  quantity: row.quantity,
  amount: usdc(row.amount),
  token: row.token,
  payer: row.payer,
  payTo: row.pay_to,
  recipient: row.recipient,
  portion: row.portion ?? undefined,
  nonce: row.nonce,
  status: row.status,
  version: row.version,
  window: windowOf(row, row.signed_amount, row.signed_pay_to ?? row.pay_to),
  sends: row.sends,
  looks: row.looks,
  paymentTx: row.payment_tx ?? undefined,
  paymentBlock: row.payment_block ?? undefined,
  paidAmount: row.paid_amount === null ? undefined : usdc(row.paid_amount),
  asked: row.asked_since === null ? undefined : { since: row.asked_since, until: row.asked_until ?? undefined },
  triedAtMs: row.tried_ms ?? undefined,
  answerByMs: row.answer_by_ms ?? undefined,
  claims: row.claims,
  said: row.said,
  mintTxs: row.mint_txs,
  reference: row.reference ?? undefined,
  minted: row.minted,
  nextActionAtMs: row.next_action_ms ?? undefined,
  reason: row.reason ?? undefined,
  statusSinceMs: row.status_since_ms,
  signedAtMs: row.signed_ms ?? undefined,
  keyId: row.key_id ?? undefined
})

/** What was signed for this amount and payee; `undefined` where nothing is. */
const windowOf = (
  row: Pick<BatchRecord, "valid_after" | "valid_before" | "signed_block">,
  amount: bigint | null,
  payTo: Address
): Batch["window"] =>
  amount === null || row.valid_before === null
    ? undefined
    : {
        amount: usdc(amount),
        payTo,
        validAfter: Number(row.valid_after),
        validBefore: Number(row.valid_before),
        block: row.signed_block ?? 0n
      }

/** Batches, out of `b`. */
export const batchesFrom = ({ sql }: Pick<Statements, "sql">, rest: Fragment) =>
  Effect.map(rowsOf(BatchRecords)(sql`SELECT ${batchColumns(sql)} FROM ai_agent_batches b ${rest}`), (rows) =>
    rows.map(batchOf)
  )

const RefundRecord = Schema.Struct({
  id: RefundId,
  wallet_id: WalletId,
  payer: StoredAddress,
  pay_to: StoredAddress,
  amount: Big,
  nonce: Bytes32,
  status: Schema.Literals(["planned", "signed", "paid", "held", "withdrawn"]),
  version: Schema.Number,
  valid_after: Schema.NullOr(Big),
  valid_before: Schema.NullOr(Big),
  signed_block: Schema.NullOr(Big),
  sends: Schema.Number,
  looks: Schema.Number,
  voids: Schema.Number,
  keeps_money: Schema.Boolean,
  tx_hash: Schema.NullOr(Bytes32),
  block: Schema.NullOr(Big),
  next_action_ms: Schema.NullOr(Schema.Number),
  reason: Schema.NullOr(Schema.String),
  created_ms: Schema.Number
})
type RefundRecord = typeof RefundRecord.Type
export const RefundRecords = Schema.Array(RefundRecord)

/** Select list for `ai_agent_refunds r`. */
export const refundColumns = ({ sql }: Statements) => sql`
  r.id, r.wallet_id, r.payer, r.pay_to, r.amount::text, r.nonce, r.status, r.version, r.valid_after::text,
  r.valid_before::text, r.signed_block::text, r.sends, r.looks, r.voids, r.keeps_money, r.tx_hash, r.block::text, r.reason,
  (extract(epoch FROM r.next_action_at) * 1000)::float8 AS next_action_ms,
  (extract(epoch FROM r.created_at) * 1000)::float8 AS created_ms`

export const refundOf = (row: RefundRecord): Refund => ({
  id: row.id,
  walletId: row.wallet_id,
  payer: row.payer,
  payTo: row.pay_to,
  amount: usdc(row.amount),
  nonce: row.nonce,
  status: row.status,
  version: row.version,
  window: windowOf(row, row.amount, row.pay_to),
  sends: row.sends,
  looks: row.looks,
  voids: row.voids,
  keepsMoney: row.keeps_money,
  paymentTx: row.tx_hash ?? undefined,
  paymentBlock: row.block ?? undefined,
  paidAmount: row.status === "paid" ? usdc(row.amount) : undefined,
  nextActionAtMs: row.next_action_ms ?? undefined,
  reason: row.reason ?? undefined,
  createdAtMs: row.created_ms
})

/** Refunds, out of `r`. */
export const refundsFrom = (on: Statements, rest: Fragment) =>
  Effect.map(rowsOf(RefundRecords)(on.sql`SELECT ${refundColumns(on)} FROM ai_agent_refunds r ${rest}`), (rows) =>
    rows.map(refundOf)
  )

export const DepositFields = {
  wallet_id: WalletId,
  agent_address: Schema.NullOr(Schema.String),
  tx_hash: Bytes32,
  log_index: Schema.Number,
  sender: Schema.String,
  amount: Schema.BigInt,
  remaining: Schema.BigInt,
  block: Schema.BigInt,
  block_ms: Schema.Number
}
const DepositRecords = Schema.Array(Schema.Struct(DepositFields))
type DepositRecord = (typeof DepositRecords.Type)[number]

/** Select list for `ai_agent_deposits d LEFT JOIN ai_agent_wallets w`. */
export const depositColumns = ({ sql }: Statements) => sql`
  d.wallet_id, ${agentAddress(sql)} AS agent_address, d.tx_hash, d.log_index, d.sender, d.amount, d.remaining, d.block,
  (extract(epoch FROM d.block_at) * 1000)::float8 AS block_ms`

/** A sender only names where the money came from: one that is no address must not hide the deposits of others. */
export const depositOf = (row: DepositRecord): UnspentDeposit & { readonly walletId: WalletId } => ({
  walletId: row.wallet_id,
  wallet: (parse(row.agent_address ?? "") ?? "") as Address,
  from: row.sender as Address,
  amount: usdc(row.amount),
  left: usdc(row.remaining),
  tx: row.tx_hash,
  logIndex: row.log_index,
  block: { number: row.block, timeMs: row.block_ms }
})

/** Deposits that were not withdrawn, out of `d`. */
export const depositsFrom = (on: Statements, rest: Fragment) =>
  Effect.map(
    rowsOf(DepositRecords)(on.sql`
      SELECT ${depositColumns(on)} FROM ai_agent_deposits d LEFT JOIN ai_agent_wallets w ON w.id = d.wallet_id
      WHERE d.withdrawn_at IS NULL AND ${rest}`),
    (rows) => rows.map(depositOf)
  )
