import { Effect, Schema } from "effect"
import { Bytes32 } from "../../../domain/Address.ts"
import { type TaskId } from "../../../domain/Task.ts"
import { usdc } from "../../../domain/Usdc.ts"
import { type WalletId } from "../../../domain/Wallet.ts"
import { type DecidedEvent, type TaskStory, type WalletStory, type WatchRepo } from "../../WatchRepo.ts"
import { walletsNamed } from "../decisions/reads.ts"
import { reservations } from "../reservations.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"
import { DepositFields, batchesFrom, depositColumns, depositOf, depositsFrom, refundsFrom } from "../transferRows.ts"
import { eventsWhere } from "./events.ts"
import { viewOfTask } from "./lists.ts"

/** More than an order of a thousand mints makes without trouble. */
const EVENTS_MAX = 5_000

/** Of the history of a wallet, the newest. */
const HISTORY_MAX = 100

const Mints = Schema.Array(
  Schema.Struct({
    batch_number: Schema.Number,
    mint_number: Schema.Number,
    tx_hash: Bytes32,
    log_index: Schema.Number,
    part: Schema.Number,
    block: Schema.NullOr(Schema.BigInt)
  })
)
const Quotes = Schema.Array(
  Schema.Struct({
    id: Schema.String,
    quantity: Schema.Number,
    price_per_mint: Schema.BigInt,
    created_ms: Schema.Number,
    expires_ms: Schema.Number
  })
)
const Uses = Schema.Array(Schema.Struct({ ...DepositFields, used: Schema.BigInt, is_withdrawn: Schema.Boolean }))
const Decisions = Schema.Array(
  Schema.Struct({
    at_ms: Schema.Number,
    command: Schema.String,
    said: Schema.String,
    why: Schema.String,
    made_by: Schema.NullOr(Schema.String)
  })
)

const readStory = function* (on: Statements, id: TaskId) {
  const { sql } = on
  yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`
  const task = yield* viewOfTask(on, id)
  if (task === undefined) return undefined
  const taskId = sql`${id}::uuid`
  const mints = yield* rowsOf(Mints)(sql`
    SELECT batch_number, mint_number, tx_hash, log_index, part, block FROM ai_agent_batch_mints
    WHERE task_id = ${taskId} ORDER BY mint_number`)
  const uses = yield* rowsOf(Uses)(sql`
    SELECT ${depositColumns(on)}, u.amount AS used, d.withdrawn_at IS NOT NULL AS is_withdrawn
    FROM ai_agent_deposit_uses u
    JOIN ai_agent_deposits d USING (tx_hash, log_index)
    LEFT JOIN ai_agent_wallets w ON w.id = d.wallet_id
    WHERE u.task_id = ${taskId} ORDER BY d.block, d.log_index`)
  return {
    task,
    batches: yield* batchesFrom(on, sql`WHERE b.task_id = ${taskId} ORDER BY b.number`),
    mints: mints.map((row) => ({
      batch: row.batch_number,
      mintNumber: row.mint_number,
      tx: row.tx_hash,
      logIndex: row.log_index,
      part: row.part,
      block: row.block ?? undefined
    })),
    deposits: uses.map((row) => ({ ...depositOf(row), used: usdc(row.used), isWithdrawn: row.is_withdrawn })),
    quote: yield* quoteOf(on, id),
    refunds: yield* refundsFrom(
      on,
      sql`
        WHERE r.status = 'paid' AND r.id IN (
          SELECT o.refund_id FROM ai_agent_deposit_uses u JOIN ai_agent_deposit_uses o USING (tx_hash, log_index)
          WHERE u.task_id = ${taskId})
        ORDER BY r.created_at, r.id`
    ),
    decisions: yield* decisionsWhere(on, "task_id", id),
    events: yield* eventsWhere(on, sql`WHERE e.task_id = ${taskId} ORDER BY e.id LIMIT ${EVENTS_MAX}::int`)
  } satisfies TaskStory as TaskStory
}

const quoteOf = Effect.fnUntraced(function* ({ sql }: Statements, id: TaskId) {
  const [row] = yield* rowsOf(Quotes)(sql`
    SELECT id, quantity, price_per_mint, (extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
      (extract(epoch FROM expires_at) * 1000)::float8 AS expires_ms
    FROM ai_agent_quotes WHERE task_id = ${id}::uuid`)
  if (row === undefined) return undefined
  return {
    id: row.id,
    quantity: row.quantity,
    pricePerMint: usdc(row.price_per_mint),
    quotedAtMs: row.created_ms,
    expiresAtMs: row.expires_ms
  } satisfies TaskStory["quote"]
})

/** Newest first. */
const decisionsWhere = Effect.fnUntraced(function* (
  { sql }: Statements,
  column: "task_id" | "wallet_id",
  id: TaskId | WalletId
) {
  const rows = yield* rowsOf(Decisions)(sql`
    SELECT (extract(epoch FROM decided_at) * 1000)::float8 AS at_ms, command, said, why, made_by FROM ai_agent_decisions
    WHERE ${sql(column)} = ${id}::uuid ORDER BY id DESC LIMIT ${HISTORY_MAX}::int`)
  return rows.map(({ at_ms: atMs, made_by: by, ...row }): DecidedEvent => ({ ...row, atMs, by: by ?? undefined }))
})

const States = Schema.Tuple([
  Schema.Struct({
    stopped_ms: Schema.NullOr(Schema.Number),
    stopped_reason: Schema.NullOr(Schema.String),
    book_balance: Schema.NullOr(Schema.BigInt),
    counted_block: Schema.NullOr(Schema.BigInt),
    proven_block: Schema.BigInt,
    reserved_sum: Schema.BigInt,
    maybe_spent: Schema.BigInt
  })
])

const readWalletStory = function* (on: Statements, id: WalletId) {
  const { sql } = on
  yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`
  const wallet = (yield* walletsNamed(on, id)).find((named) => named.id === id)?.wallet
  if (wallet === undefined) return undefined
  const walletId = sql`${id}::uuid`
  const [state] = yield* rowsOf(States)(sql`
    SELECT (extract(epoch FROM ws.stopped_at) * 1000)::float8 AS stopped_ms, ws.stopped_reason, ws.book_balance,
      ws.counted_block, coalesce(ws.proven_block, 0) AS proven_block,
      coalesce(m.reserved_sum, 0) AS reserved_sum, coalesce(m.maybe_spent, 0) AS maybe_spent
    FROM (SELECT ${walletId} AS id) p
    LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = p.id
    LEFT JOIN (${reservations(sql, sql`SELECT ${walletId}`, false)}) m ON m.wallet_id = p.id`)
  const newest = sql`DESC LIMIT ${HISTORY_MAX}::int`
  const { stopped_reason: reason, stopped_ms, book_balance, counted_block } = state
  return {
    wallet,
    stopped: reason === null ? undefined : { reason, sinceMs: stopped_ms ?? undefined },
    books: book_balance === null ? undefined : { balance: book_balance, block: counted_block ?? 0n },
    provenBlock: state.proven_block,
    reserved: usdc(state.reserved_sum),
    maybeSpent: usdc(state.maybe_spent),
    deposits: yield* depositsFrom(on, sql`d.wallet_id = ${walletId} ORDER BY d.block DESC, d.log_index ${newest}`),
    refunds: yield* refundsFrom(on, sql`WHERE r.wallet_id = ${walletId} ORDER BY r.created_at ${newest}`),
    decisions: yield* decisionsWhere(on, "wallet_id", id)
  } satisfies WalletStory as WalletStory
}

export const stories = {
  /** All of one moment. */
  storyOf: (on) => on.transact("read all of a task", (id) => readStory(on, id)),

  /** All of one moment. */
  walletStory: (on) => on.transact("read all of a wallet", (id) => readWalletStory(on, id))
} satisfies Methods<WatchRepo["Service"]>
