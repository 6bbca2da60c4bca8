import { Effect, Redacted, Result, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { parse } from "../../domain/Address.ts"
import type { HeldOrder } from "../../domain/Allocation.ts"
import { KeyId } from "../../domain/Key.ts"
import { STATUSES, type Task, TaskId, type TaskRow, isOfAnother, messages, readTask } from "../../domain/Task.ts"
import { usdc } from "../../domain/Usdc.ts"
import { type Wallet, WalletId, type WalletIdentity } from "../../domain/Wallet.ts"
import type { BadTask } from "../../domain/WalletState.ts"
import type { TimeColumns } from "./TimeColumns.ts"
import { rowsOf } from "./statements.ts"

const Ms = Schema.NullOr(Schema.Number)
export const StatusText = Schema.Literals(STATUSES)

/** A task beside its state of ours, as `taskColumns` selects it. Amounts are text, which JSON keeps exactly. */
export const TaskFields = {
  id: TaskId,
  user_address: Schema.String,
  agent_wallet_id: WalletId,
  token_address: Schema.String,
  quantity: Schema.Number,
  price_per_mint: Schema.BigIntFromString,
  total_cost: Schema.BigIntFromString,
  status: StatusText,
  mints_completed: Schema.Number,
  retry_count: Schema.Number,
  error_message: Schema.NullOr(Schema.String),
  refusal: Schema.NullOr(Schema.String),
  stalled_ms: Ms,
  limited_ms: Ms,
  key_id: Schema.NullOr(KeyId),
  created_ms: Ms,
  started_ms: Ms,
  updated_ms: Ms,
  reserved: Schema.Boolean,
  adopted: Schema.Boolean,
  next_action_ms: Ms
}
const TaskRecord = Schema.Struct(TaskFields)
export type TaskRecord = typeof TaskRecord.Type

/** More than a column of these holds where it holds what it should. */
const ADDRESS_CHARS = 100
const MESSAGE_CHARS = 4_000
const KEY_CHARS = 10_000

/** Texts of other programs may be of any length: what is longer than it can be is cut before it leaves the database. */
const leftOf = (sql: SqlClient.SqlClient, column: string, chars: number) => sql`left(${sql(column)}, ${chars}::int)`

/** Select list for `ai_agent_tasks t LEFT JOIN ai_agent_task_state s`. */
export const taskColumns = (sql: SqlClient.SqlClient, time: TimeColumns) => sql`
  t.id, ${leftOf(sql, "t.user_address", ADDRESS_CHARS)} AS user_address, t.agent_wallet_id,
  ${leftOf(sql, "t.token_address", ADDRESS_CHARS)} AS token_address, t.quantity, t.price_per_mint::text, t.total_cost::text,
  t.status,
  coalesce(t.mints_completed, 0) AS mints_completed, coalesce(t.retry_count, 0) AS retry_count,
  ${leftOf(sql, "t.error_message", MESSAGE_CHARS)} AS error_message,
  s.refusal, (extract(epoch FROM s.stalled_since) * 1000)::float8 AS stalled_ms,
  (extract(epoch FROM s.limited_since) * 1000)::float8 AS limited_ms, s.key_id,
  ${time.read("ai_agent_tasks", "created_at", "t")} AS created_ms,
  ${time.read("ai_agent_tasks", "started_at", "t")} AS started_ms,
  ${time.read("ai_agent_tasks", "updated_at", "t")} AS updated_ms,
  s.reserved_at_block IS NOT NULL AS reserved, s.adopted_at IS NOT NULL AS adopted,
  (extract(epoch FROM s.next_action_at) * 1000)::float8 AS next_action_ms`

/** Of the wallet `w`. */
export const agentAddress = (sql: SqlClient.SqlClient) => leftOf(sql, "w.agent_address", ADDRESS_CHARS)

/** How it was funded, by the row. */
export const fundingTx = (sql: SqlClient.SqlClient) => leftOf(sql, "t.funding_tx_hash", ADDRESS_CHARS)

/** Another program's column may hold anything. Of `t`, rows whose status is none are left out of all that is shown. */
export const hasStatus = (sql: SqlClient.SqlClient) => sql`t.status = ANY(${STATUSES}::text[])`

/** When `t` was placed. v1.1's column may be null: such orders come last in lists that begin with the newest. */
export const placedAt = (sql: SqlClient.SqlClient) => sql`coalesce(t.created_at, 'epoch')`

/** The wallet of a task; all null where the task names a wallet that does not exist. */
export const WalletFields = {
  wallet_id: Schema.NullOr(WalletId),
  wallet_user: Schema.NullOr(Schema.String),
  wallet_address: Schema.NullOr(Schema.String),
  wallet_key: Schema.NullOr(Schema.String)
}
type WalletRecord = Schema.Schema.Type<Schema.Struct<typeof WalletFields>>

/** Select list for `ai_agent_wallets w`. */
export const walletColumns = (sql: SqlClient.SqlClient) => sql`
  w.id AS wallet_id, ${leftOf(sql, "w.user_address", ADDRESS_CHARS)} AS wallet_user,
  ${leftOf(sql, "w.agent_address", ADDRESS_CHARS)} AS wallet_address,
  ${leftOf(sql, "w.encrypted_private_key", KEY_CHARS)} AS wallet_key`

/** What was noted of a wallet when it was first seen, as `joinIdentity` gives it. */
export const IdentityFields = {
  pinned_user: Schema.NullOr(Schema.String),
  pinned_agent: Schema.NullOr(Schema.String),
  twin: Schema.NullOr(WalletId)
}
type IdentityRecord = Schema.Schema.Type<Schema.Struct<typeof IdentityFields>>

/** Whose wallet it is, by its row and by what was noted of it. */
export const identityOf = (row: WalletRecord & IdentityRecord): WalletIdentity => ({
  userAddress: row.wallet_user ?? "",
  agentAddress: row.wallet_address ?? "",
  pinned:
    row.pinned_user === null || row.pinned_agent === null
      ? undefined
      : { userAddress: row.pinned_user, agentAddress: row.pinned_agent },
  twin: row.twin ?? undefined
})

export const MoneyFields = {
  version: Schema.BigInt,
  proven_block: Schema.BigInt,
  reserved_sum: Schema.BigInt,
  maybe_spent: Schema.BigInt,
  foreign_sum: Schema.BigInt,
  counted_block: Schema.NullOr(Schema.BigInt),
  book_balance: Schema.NullOr(Schema.BigInt),
  stopped_reason: Schema.NullOr(Schema.String),
  is_shared: Schema.Boolean
}

/** The row as it is stored, sound or not. */
export const taskRow = (row: TaskRecord): TaskRow => ({
  id: row.id,
  walletId: row.agent_wallet_id,
  userAddress: row.user_address,
  token: row.token_address,
  quantity: row.quantity,
  pricePerMint: row.price_per_mint,
  totalCost: row.total_cost,
  status: row.status,
  mintsCompleted: row.mints_completed,
  retryCount: row.retry_count,
  errorMessage: row.error_message ?? undefined,
  lastRefusal: row.refusal ?? undefined,
  stalledSinceMs: row.stalled_ms ?? undefined,
  limitedSinceMs: row.limited_ms ?? undefined,
  keyId: row.key_id ?? undefined,
  createdAtMs: row.created_ms ?? Number.NaN,
  startedAtMs: row.started_ms ?? undefined,
  updatedAtMs: row.updated_ms ?? row.created_ms ?? Number.NaN,
  reserved: row.reserved,
  adopted: row.adopted,
  nextActionAtMs: row.next_action_ms ?? undefined
})

/** The wallet in a row, or why there is none. */
export const readWallet = (walletId: string, row: WalletRecord | undefined): Result.Result<Wallet, string> => {
  if (row?.wallet_id == null) return Result.fail(`agent_wallet_id ${walletId} is not in ai_agent_wallets`)
  const userAddress = parse(row.wallet_user ?? "")
  const agentAddress = parse(row.wallet_address ?? "")
  if (userAddress === undefined) return Result.fail(`user_address of agent wallet ${row.wallet_id} is not an address`)
  if (agentAddress === undefined) return Result.fail(`agent_address of agent wallet ${row.wallet_id} is not an address`)
  const encryptedPrivateKey = Redacted.make(row.wallet_key ?? "", { label: "encrypted_private_key" })
  return Result.succeed({ id: row.wallet_id, userAddress, agentAddress, encryptedPrivateKey })
}

export interface SortedTasks {
  readonly tasks: ReadonlyArray<Task>
  readonly bad: ReadonlyArray<BadTask>
}

/** Sorts rows into orders that can be carried out and rows that wait for a person. */
export const sortTasks = (rows: ReadonlyArray<TaskRow>, wallet: Result.Result<Wallet, string>): SortedTasks => {
  const tasks: Array<Task> = []
  const bad: Array<BadTask> = []
  for (const row of rows) {
    const read = readTask(row, wallet)
    if (Result.isSuccess(read)) tasks.push(read.success)
    else bad.push({ taskId: row.id, reason: messages.badOrder(read.failure) })
  }
  return { tasks, bad }
}

/** What held orders keep. A row whose cost or time makes no sense keeps nothing, nor does another person's. */
export const heldOrders = (
  rows: ReadonlyArray<TaskRow>,
  wallet: Result.Result<Wallet, string>
): ReadonlyArray<HeldOrder> =>
  rows
    .filter((row) => Result.isFailure(wallet) || !isOfAnother(row, wallet.success))
    .filter(({ totalCost, createdAtMs }) => totalCost > 0n && Number.isFinite(createdAtMs))
    .map(({ id, totalCost, createdAtMs }) => ({ id, totalCost: usdc(totalCost), createdAtMs, isHeld: true }))

export const readTasks = (rows: ReadonlyArray<TaskRecord>, wallet: Result.Result<Wallet, string>): SortedTasks =>
  sortTasks(rows.map(taskRow), wallet)

const Ids = Schema.Array(Schema.Struct({ id: TaskId }))

/** The ids of a statement that gives `id`. */
export const idsOf = (query: Effect.Effect<ReadonlyArray<unknown>, SqlError>) =>
  Effect.map(rowsOf(Ids)(query), (rows) => rows.map(({ id }) => id))
