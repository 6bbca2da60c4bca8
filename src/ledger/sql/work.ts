import { Effect, Result, Schema } from "effect"
import { type Address, parse } from "../../domain/Address.ts"
import { messages } from "../../domain/Task.ts"
import { usdc } from "../../domain/Usdc.ts"
import { identityFault, type WalletId } from "../../domain/Wallet.ts"
import type { WalletWork } from "../../domain/WalletState.ts"
import { type MintId, mintKey, mintRowKey, type MintsOf, type OpenTasks } from "../TaskRepo.ts"
import { dueWork } from "./due.ts"
import { reservations } from "./money.ts"
import { pausesOf } from "./paused.ts"
import { identities, pinWallets } from "./pins.ts"
import { refundColumns, refundOf, RefundRecords } from "./refunds.ts"
import {
  batchColumns,
  batchOf,
  BatchRecords,
  IdentityFields,
  identityOf,
  readTasks,
  readWallet,
  taskColumns,
  TaskFields,
  walletColumns,
  WalletFields
} from "./rows.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

const WalletIds = Schema.Array(Schema.Struct({ wallet_id: Schema.String }))
const Tasks = Schema.Array(Schema.Struct(TaskFields))
const WalletRecords = Schema.Array(
  Schema.Struct({
    ...WalletFields,
    ...IdentityFields,
    proven_block: Schema.BigInt,
    stopped_reason: Schema.NullOr(Schema.String),
    paused_reason: Schema.NullOr(Schema.String),
    paused_tokens: Schema.Record(Schema.String, Schema.String),
    reserved_sum: Schema.BigInt,
    maybe_spent: Schema.BigInt
  })
)
const OrdersOfBatches = Schema.Array(
  Schema.Struct({ task_id: Schema.String, held: Schema.Boolean, is_completed: Schema.Boolean })
)
const Counts = Schema.Array(Schema.Struct({ status: Schema.String, held: Schema.Boolean, count: Schema.BigInt }))
const One = Schema.Array(Schema.Struct({ count: Schema.BigInt }))
const Strays = Schema.Array(Schema.Struct({ mint_key: Schema.String }))
const MintIds = Schema.Array(Schema.Struct({ tx_hash: Schema.String, part: Schema.Number }))

export const dueWallets = Effect.fnUntraced(function* ({ sql }: Statements, nowMs: number, limit: number) {
  const raw = yield* sql`
    SELECT due.wallet_id FROM (${dueWork(sql, nowMs)}) due
    GROUP BY due.wallet_id
    ORDER BY min(coalesce(due.at, to_timestamp(0))), due.wallet_id
    LIMIT ${limit}::int`
  return (yield* Schema.decodeUnknownEffect(WalletIds)(raw)).map((row) => row.wallet_id)
})

export const walletWork = Effect.fnUntraced(function* (on: Statements, walletId: WalletId) {
  const { work, isNew } = yield* readWork(on, walletId)
  if (!isNew) return work
  yield* pinWallets(on, on.sql`SELECT ${walletId}::uuid`)
  return (yield* readWork(on, walletId)).work
})

const readWork = Effect.fnUntraced(function* (on: Statements, walletId: WalletId) {
  const { sql, time } = on
  const id = sql`${walletId}::uuid`
  // Each statement sees the ledger of its own moment. Batches come first: what an order waits for is written before its
  // batch is free again for the next request. An order whose batches were not to be seen yet is left for the next turn.
  const batches = yield* sql`
    SELECT ${batchColumns(sql)}, s.held_at IS NOT NULL AS held,
      coalesce(t.status = 'completed', false) AS is_completed
    FROM ai_agent_batches b
    LEFT JOIN ai_agent_task_state s ON s.task_id = b.task_id
    LEFT JOIN ai_agent_tasks t ON t.id = b.task_id
    WHERE b.wallet_id = ${id} AND (b.status IN ('signed', 'accepted', 'unknown', 'paid')
      OR (t.status IN ('funded', 'processing') AND s.held_at IS NULL))
    ORDER BY b.task_id, b.number`
  const orders = yield* Schema.decodeUnknownEffect(OrdersOfBatches)(batches)
  const seen = orders.map((row) => row.task_id)
  const tasks = yield* sql`
    SELECT ${taskColumns(sql, time)}
    FROM ai_agent_tasks t
    LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
    WHERE (t.id = ANY(${seen}::uuid[]) OR NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = t.id))
      AND t.agent_wallet_id = ${id} AND t.status IN ('funded', 'processing') AND s.held_at IS NULL
    ORDER BY t.created_at, t.id`
  const wallets = yield* sql`
    SELECT ${walletColumns(sql)}, pins.pinned_user, pins.pinned_agent, pins.twin, coalesce(ws.proven_block, 0) AS proven_block,
      ws.stopped_reason,
      (${pausesOf(sql, id)} LIMIT 1) AS paused_reason,
      (SELECT coalesce(jsonb_object_agg(substr(p.scope, 7), p.reason), '{}') FROM ai_agent_pauses p
        WHERE starts_with(p.scope, 'token:')) AS paused_tokens,
      coalesce(m.reserved_sum, 0) AS reserved_sum, coalesce(m.maybe_spent, 0) AS maybe_spent
    FROM (SELECT ${id} AS id) p
    LEFT JOIN ai_agent_wallets w ON w.id = p.id
    LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = p.id
    LEFT JOIN (${identities(sql, sql`SELECT ${id}`)}) pins ON pins.wallet_id = p.id
    LEFT JOIN (${reservations(sql, sql`SELECT ${id}`, true)}) m ON m.wallet_id = p.id`
  const refunds = yield* sql`
    SELECT ${refundColumns(on)} FROM ai_agent_refunds r
    WHERE r.wallet_id = ${id} AND r.status IN ('planned', 'signed') ORDER BY r.created_at, r.id`
  const [row] = yield* Schema.decodeUnknownEffect(WalletRecords)(wallets)
  const wallet = readWallet(walletId, row)
  const fault = row && identityFault(identityOf(row))
  const work: WalletWork = {
    wallet: Result.isSuccess(wallet) ? wallet.success : undefined,
    provenBlock: row?.proven_block ?? 0n,
    stopped:
      row?.stopped_reason ?? fault ?? (row?.paused_reason == null ? undefined : messages.paused(row.paused_reason)),
    pausedTokens: new Map(Object.entries(row?.paused_tokens ?? {})),
    reserved: usdc(row?.reserved_sum ?? 0n),
    maybeSpent: usdc(row?.maybe_spent ?? 0n),
    ...readTasks(yield* Schema.decodeUnknownEffect(Tasks)(tasks), wallet),
    batches: (yield* Schema.decodeUnknownEffect(BatchRecords)(batches)).map(batchOf),
    held: new Set(orders.flatMap((row) => (row.held ? [row.task_id] : []))),
    completed: new Set(orders.flatMap((row) => (row.is_completed ? [row.task_id] : []))),
    refunds: (yield* Schema.decodeUnknownEffect(RefundRecords)(refunds)).map(refundOf)
  }
  return { work, isNew: Result.isSuccess(wallet) && row?.pinned_user === null }
})

export const attributedMints = Effect.fnUntraced(function* (
  { sql }: Statements,
  { token, recipient }: MintsOf,
  mints: ReadonlyArray<MintId>
) {
  if (mints.length === 0) return new Set<string>()
  const raw = yield* sql`
    SELECT tx_hash, part FROM ai_agent_batch_mints
    WHERE tx_hash = ANY(${[...new Set(mints.map((mint) => mint.tx))]}::text[])
      AND token = ${token} AND recipient = ${recipient}`
  const rows = yield* Schema.decodeUnknownEffect(MintIds)(raw)
  const attributed = new Set(rows.map((row) => mintKey({ tx: row.tx_hash as MintId["tx"], part: row.part })))
  const keys = mints.map((mint) => mintRowKey({ token, recipient }, mint))
  const strays = yield* sql`SELECT mint_key FROM ai_agent_stray_mints WHERE mint_key = ANY(${keys}::text[])`
  const setAside = new Set((yield* Schema.decodeUnknownEffect(Strays)(strays)).map((row) => row.mint_key))
  for (const mint of mints) if (setAside.has(mintRowKey({ token, recipient }, mint))) attributed.add(mintKey(mint))
  return new Set(mints.map(mintKey).filter((key) => attributed.has(key)))
})

export const undelivered = Effect.fnUntraced(function* ({ sql }: Statements, token: Address, beforeMs: number) {
  const raw = yield* sql`
    SELECT ${batchColumns(sql)} FROM ai_agent_batches b
    WHERE b.status = 'paid' AND b.token = ${parse(token) ?? token} AND b.status_since < ${instantOf(sql, beforeMs)}
    ORDER BY b.status_since LIMIT 1`
  return (yield* Schema.decodeUnknownEffect(BatchRecords)(raw)).map(batchOf)[0]
})

export const walletsRefused = Effect.fnUntraced(function* ({ sql }: Statements, reason: string, sinceMs: number) {
  const raw = yield* sql`
    SELECT count(DISTINCT t.agent_wallet_id) AS count
    FROM ai_agent_task_state s JOIN ai_agent_tasks t ON t.id = s.task_id
    WHERE s.refusal = ${reason} AND s.refused_at > ${instantOf(sql, sinceMs)}`
  return Number((yield* Schema.decodeUnknownEffect(One)(raw))[0]?.count ?? 0n)
})

export const openTasks = Effect.fnUntraced(function* ({ sql }: Statements) {
  const raw = yield* sql`
    SELECT t.status, s.held_at IS NOT NULL AS held, count(*) AS count
    FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
    WHERE t.status IN ('pending_payment', 'funded', 'processing')
    GROUP BY 1, 2`
  const rows = yield* Schema.decodeUnknownEffect(Counts)(raw)
  const count = (match: (row: (typeof rows)[number]) => boolean) =>
    Number(rows.filter(match).reduce((total, row) => total + row.count, 0n))
  return {
    pendingPayment: count((row) => row.status === "pending_payment" && !row.held),
    funded: count((row) => row.status === "funded" && !row.held),
    processing: count((row) => row.status === "processing" && !row.held),
    held: count((row) => row.held)
  } satisfies OpenTasks
})
