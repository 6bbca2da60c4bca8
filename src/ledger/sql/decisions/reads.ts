import { Effect, Result, Schema } from "effect"
import { Bytes32 } from "../../../domain/Address.ts"
import { readTask, TaskId } from "../../../domain/Task.ts"
import { type Wallet, WalletId } from "../../../domain/Wallet.ts"
import {
  type Account,
  type AccountPage,
  type AttributedMint,
  type DecisionRepo,
  type NamedWallet,
  type TaskFile
} from "../../DecisionRepo.ts"
import { TaskFields, WalletFields, idsOf, readWallet, taskColumns, taskRow, walletColumns } from "../rows.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"
import { gather } from "../../../ops/gather.ts"
import { isOfAll } from "../failure.ts"
import { ordersOf } from "../tasks/pages.ts"
import { batchesFrom, depositsFrom, refundsFrom } from "../transferRows.ts"

const Files = Schema.Array(
  Schema.Struct({
    ...TaskFields,
    ...WalletFields,
    is_held: Schema.Boolean,
    held_reason: Schema.NullOr(Schema.String)
  })
)
const WalletRecords = Schema.Array(Schema.Struct(WalletFields))

/** More than one is too many, and a person wants to see which. */
const ALIKE_MAX = 3

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The id that begins with `start` and goes on with this digit. */
const padded = (start: string, digit: string): string =>
  `${start}${"00000000-0000-0000-0000-000000000000".slice(start.length).replaceAll("0", digit)}`

/** By id or either address: all that the name fits, as far as a person wants to see. */
export const walletsNamed = function* ({ sql }: Statements, name: string) {
  const rows = yield* rowsOf(WalletRecords)(sql`
    SELECT ${walletColumns(sql)} FROM ai_agent_wallets w
    WHERE ${name.trim().toLowerCase()} IN (w.id::text, lower(btrim(w.user_address)), lower(btrim(w.agent_address)))
    ORDER BY w.id LIMIT ${ALIKE_MAX}::int`)
  return rows.flatMap((row): ReadonlyArray<NamedWallet> => {
    const id = row.wallet_id
    return id === null ? [] : [{ id, wallet: Result.getOrUndefined(readWallet(id, row)) }]
  })
}

const AccountRecords = Schema.Array(
  Schema.Struct({
    ...WalletFields,
    opened_block: Schema.NullOr(Schema.BigInt),
    counted_block: Schema.NullOr(Schema.BigInt),
    book_balance: Schema.NullOr(Schema.BigInt),
    stopped_reason: Schema.NullOr(Schema.String),
    is_shared: Schema.Boolean
  })
)
type AccountRecord = (typeof AccountRecords.Type)[number]

const MintRecords = Schema.Array(
  Schema.Struct({
    wallet_id: WalletId,
    tx_hash: Bytes32,
    part: Schema.Number,
    task_id: TaskId,
    batch_number: Schema.Number
  })
)

interface Page {
  readonly cursor: WalletId | undefined
  readonly walletsMax: number
}

const readAccounts = function* (on: Statements, { cursor, walletsMax }: Page) {
  const { sql } = on
  yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`
  const after = sql`${cursor ?? null}::uuid`
  const rows = yield* rowsOf(AccountRecords)(sql`
    SELECT ${walletColumns(sql)}, ws.opened_block, ws.counted_block, ws.book_balance, ws.stopped_reason,
      EXISTS (SELECT 1 FROM ai_agent_tasks v1 WHERE v1.agent_wallet_id = w.id AND v1.status = 'processing'
        AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = v1.id)) AS is_shared
    FROM ai_agent_wallets w LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = w.id
    WHERE ${after} IS NULL OR w.id > ${after}
    ORDER BY w.id LIMIT ${walletsMax}::int`)
  const sound = rows.flatMap((row) => {
    const wallet = readWallet(row.wallet_id ?? "", row)
    return Result.isSuccess(wallet) ? [{ row, wallet: wallet.success }] : []
  })
  const kept = yield* readKept(
    on,
    sound.map(({ wallet }) => wallet.id)
  )
  return {
    accounts: sound.map(({ row, wallet }) => accountOf(wallet, row, kept)),
    cursor: rows.length < walletsMax ? undefined : (rows.at(-1)?.wallet_id ?? undefined)
  } satisfies AccountPage as AccountPage
}

/** What is kept of these wallets' money, each kind by wallet. */
const readKept = Effect.fnUntraced(function* (on: Statements, walletIds: ReadonlyArray<WalletId>) {
  const { sql } = on
  const ids = sql`${walletIds}::uuid[]`
  const batches = yield* batchesFrom(on, sql`WHERE b.wallet_id = ANY(${ids}) ORDER BY b.task_id, b.number`)
  const mints = yield* rowsOf(MintRecords)(sql`
    SELECT b.wallet_id, m.tx_hash, m.part, m.task_id, m.batch_number
    FROM ai_agent_batch_mints m JOIN ai_agent_batches b ON b.task_id = m.task_id AND b.number = m.batch_number
    WHERE b.wallet_id = ANY(${ids}) ORDER BY m.task_id, m.mint_number`)
  const refunds = yield* refundsFrom(on, sql`WHERE r.wallet_id = ANY(${ids}) ORDER BY r.created_at, r.id`)
  const deposits = yield* depositsFrom(on, sql`d.wallet_id = ANY(${ids}) ORDER BY d.block, d.tx_hash, d.log_index`)
  return {
    batches: Map.groupBy(batches, ({ walletId }) => walletId),
    mints: Map.groupBy(mints, (row) => row.wallet_id),
    refunds: Map.groupBy(refunds, ({ walletId }) => walletId),
    deposits: Map.groupBy(deposits, ({ walletId }) => walletId)
  }
})

const accountOf = (wallet: Wallet, row: AccountRecord, kept: Effect.Success<ReturnType<typeof readKept>>): Account => ({
  wallet,
  openedBlock: row.opened_block ?? undefined,
  books: row.book_balance === null ? undefined : { countedBlock: row.counted_block ?? 0n, balance: row.book_balance },
  stopped: row.stopped_reason ?? undefined,
  isShared: row.is_shared,
  batches: kept.batches.get(wallet.id) ?? [],
  mints: (kept.mints.get(wallet.id) ?? []).map((mint) => ({
    tx: mint.tx_hash,
    part: mint.part,
    taskId: mint.task_id,
    batchNumber: mint.batch_number
  })) satisfies ReadonlyArray<AttributedMint>,
  refunds: kept.refunds.get(wallet.id) ?? [],
  deposits: kept.deposits.get(wallet.id) ?? []
})

const FirstBlocks = Schema.Array(Schema.Struct({ first_block: Schema.NullOr(Schema.BigInt) }))

const REFUNDS_MAX = 100

export const decisionReads = {
  /** From the first to the last id with that beginning, by the primary key. */
  taskIdsLike: ({ once, sql }) =>
    once("look up a task", function* (start) {
      const [first, last] = [padded(start.toLowerCase(), "0"), padded(start.toLowerCase(), "f")]
      if (!UUID.test(first)) return []
      return yield* idsOf(sql`
        SELECT id FROM ai_agent_tasks WHERE id BETWEEN ${first}::uuid AND ${last}::uuid
        ORDER BY id LIMIT ${ALIKE_MAX}::int`)
    }),

  findTask: (on) =>
    on.once("read a task", function* (id) {
      const { sql, time } = on
      const [record] = yield* rowsOf(Files)(sql`
        SELECT ${taskColumns(sql, time)}, ${walletColumns(sql)}, s.held_at IS NOT NULL AS is_held, s.held_reason
        FROM ai_agent_tasks t
        LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
        LEFT JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
        WHERE t.id = ${id}::uuid`)
      if (record === undefined) return undefined
      const row = taskRow(record)
      const wallet = readWallet(row.walletId, record)
      const task = readTask(row, wallet)
      return {
        row,
        wallet: Result.getOrUndefined(wallet),
        task: Result.getOrUndefined(task),
        faults: Result.isFailure(task) ? task.failure : [],
        held: record.is_held ? (record.held_reason ?? "") : undefined,
        batches: yield* batchesFrom(on, sql`WHERE b.task_id = ${id}::uuid ORDER BY b.number`)
      } satisfies TaskFile as TaskFile
    }),

  findWallets: (on) => on.once("read a wallet", (name) => walletsNamed(on, name)),

  /** All of one moment: what is written between two of the statements is in none of them. */
  accounts: (on) => on.transact("read accounts", (page) => readAccounts(on, page)),

  firstBlock: ({ once, sql }) =>
    once("read the first block", function* () {
      const rows = yield* rowsOf(FirstBlocks)(sql`SELECT first_block FROM ai_agent_network`)
      return rows[0]?.first_block ?? 0n
    })(),

  walletOrders: (on) =>
    gather({
      inTurn: true,
      askAll: on.once("read the orders of a wallet", function* (walletIds: ReadonlyArray<WalletId>) {
        const orders = new Map((yield* ordersOf(on, walletIds)).map((one) => [one.wallet.id, one]))
        return walletIds.map((walletId) => orders.get(walletId))
      }),
      isShared: isOfAll
    }),

  refundsOf: (on) =>
    on.once("read refunds", function* (walletId) {
      const ofWallet = on.sql`WHERE r.wallet_id = ${walletId}::uuid`
      return yield* refundsFrom(on, on.sql`${ofWallet} ORDER BY r.created_at DESC, r.id LIMIT ${REFUNDS_MAX}::int`)
    })
} satisfies Methods<DecisionRepo["Service"]>
