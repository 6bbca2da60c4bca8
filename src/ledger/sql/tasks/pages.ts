import { Effect, Result, Schema } from "effect"
import { Address } from "../../../domain/Address.ts"
import type { Fragment } from "effect/sql/Statement"
import { usdc } from "../../../domain/Usdc.ts"
import { identityFault, WalletId } from "../../../domain/Wallet.ts"
import type { BadTask, WalletOrders } from "../../../domain/WalletState.ts"
import { EVERY_WALLET } from "../../../domain/Part.ts"
import type { PageAsked, PendingPage, TaskRepo } from "../../TaskRepo.ts"
import { ADDRESS_FORM, joinIdentity, pinWallets, plainAddress } from "../identities.ts"
import { PayInRecord, payInColumns, payInOf } from "../payInRows.ts"
import { inRanges, rangesAfter, walkRanges } from "../ranges.ts"
import { reservations } from "../reservations.ts"
import {
  IdentityFields,
  MoneyFields,
  TaskFields,
  WalletFields,
  heldOrders,
  identityOf,
  readTasks,
  readWallet,
  taskColumns,
  taskRow,
  walletColumns
} from "../rows.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"

const WalletRecords = Schema.Array(
  Schema.Struct({ page_wallet: WalletId, ...WalletFields, ...IdentityFields, ...MoneyFields })
)
type WalletRecord = (typeof WalletRecords.Type)[number]

const TaskRecords = Schema.Array(
  Schema.Struct({ ...TaskFields, is_held: Schema.Boolean, pay_in: Schema.NullOr(PayInRecord) })
)

/** The wallets of a query that gives `wallet_id`, with those of their tasks that wait for money. */
const readOrders = Effect.fnUntraced(function* (on: Statements, walletsMax: number, wallets: Fragment) {
  const read = yield* readPage(on, wallets)
  if (read.wallets.every(isKnown)) return toPage(read.wallets, read.tasks, walletsMax)
  yield* pinWallets(on, on.sql`SELECT wallet_id FROM (${wallets}) page`)
  const again = yield* readPage(on, wallets)
  return toPage(again.wallets, again.tasks, walletsMax)
})

/** Seen before; or with no row that can be read, and then nothing is done for it. */
const isKnown = (row: WalletRecord): boolean =>
  row.pinned_user !== null || Result.isFailure(readWallet(row.page_wallet, row))

const readPage = Effect.fnUntraced(function* ({ sql, time }: Statements, wallets: Fragment) {
  // Orders, wallet, version, books and reservations come out of one statement, and so of one moment.
  const raw = yield* sql<{ readonly id: string | null }>`
    WITH page AS (${wallets}), money AS (${reservations(sql, sql`SELECT wallet_id FROM page`, false)})
    SELECT p.wallet_id AS page_wallet, ${taskColumns(sql, time)}, s.held_at IS NOT NULL AS is_held,
      CASE WHEN p_in.task_id IS NOT NULL THEN (SELECT to_jsonb(x) FROM (SELECT ${payInColumns(sql)}
        FROM ai_agent_pay_ins p WHERE p.task_id = p_in.task_id) x) END AS pay_in,
      ${walletColumns(sql)}, pins.pinned_user, pins.pinned_agent, pins.twin,
      coalesce(ws.version, 0) AS version, coalesce(ws.proven_block, 0) AS proven_block,
      ws.counted_block, ws.book_balance, ws.stopped_reason,
      coalesce(m.reserved_sum, 0) AS reserved_sum, coalesce(m.maybe_spent, 0) AS maybe_spent,
      coalesce(m.foreign_sum, 0) AS foreign_sum,
      EXISTS (SELECT 1 FROM ai_agent_tasks v1 WHERE v1.agent_wallet_id = p.wallet_id AND v1.status = 'processing'
        AND NOT EXISTS (SELECT 1 FROM ai_agent_batches b WHERE b.task_id = v1.id)) AS is_shared
    FROM page p
    LEFT JOIN (ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id)
      ON t.agent_wallet_id = p.wallet_id AND t.status = 'pending_payment'
    LEFT JOIN ai_agent_pay_ins p_in ON p_in.task_id = t.id AND p_in.status IN ('live', 'settled')
    LEFT JOIN ai_agent_wallets w ON w.id = p.wallet_id
    LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = p.wallet_id
    LEFT JOIN money m ON m.wallet_id = p.wallet_id
    ${joinIdentity(sql, sql`p.wallet_id`)}
    ORDER BY p.wallet_id, t.created_at, t.id`
  return {
    wallets: yield* Schema.decodeUnknownEffect(WalletRecords)(raw),
    tasks: yield* Schema.decodeUnknownEffect(TaskRecords)(raw.filter((row) => row.id !== null))
  }
})

/** Those of these wallets, with orders that wait for money or without. */
export const ordersOf = function* (on: Statements, walletIds: ReadonlyArray<WalletId>) {
  const asked = on.sql`SELECT unnest(${[...new Set(walletIds)]}::uuid[]) AS wallet_id`
  return (yield* readOrders(on, walletIds.length, asked)).wallets
}

const toPage = (rows: ReadonlyArray<WalletRecord>, tasks: typeof TaskRecords.Type, walletsMax: number): PendingPage => {
  const tasksOf = Map.groupBy(tasks, (task) => task.agent_wallet_id)
  const wallets: Array<WalletOrders> = []
  const bad: Array<BadTask> = []
  const ofWallet = new Map(rows.map((row) => [row.page_wallet, row]))
  for (const [walletId, row] of ofWallet) {
    const wallet = readWallet(walletId, row)
    const ofThis = tasksOf.get(walletId) ?? []
    const waiting = ofThis.filter(({ is_held }) => !is_held)
    const read = readTasks(waiting, wallet)
    bad.push(...read.bad)
    // What is about to be held keeps its money from this look on.
    const isBad = new Set(read.bad.map(({ taskId }) => taskId))
    const held = heldOrders(ofThis.filter(({ id, is_held }) => is_held || isBad.has(id)).map(taskRow), wallet)
    // Whose every order is bad has nothing to be paid.
    if (Result.isFailure(wallet) || read.tasks.length < Math.min(1, waiting.length)) continue
    const payIns = ofThis.flatMap(({ pay_in }) => (pay_in === null ? [] : [payInOf(pay_in)]))
    wallets.push({ wallet: wallet.success, ...moneyOf(row), pending: read.tasks, held, payIns })
  }
  return { wallets, bad, cursor: ofWallet.size < walletsMax ? undefined : rows.at(-1)?.page_wallet }
}

const moneyOf = (row: WalletRecord): Omit<WalletOrders, "wallet" | "pending" | "held" | "payIns"> => ({
  version: row.version,
  provenBlock: row.proven_block,
  reserved: usdc(row.reserved_sum),
  maybeSpent: usdc(row.maybe_spent),
  foreign: usdc(row.foreign_sum),
  books: row.book_balance === null ? undefined : { countedBlock: row.counted_block ?? 0n, balance: row.book_balance },
  isShared: row.is_shared,
  stopped: row.stopped_reason ?? identityFault(identityOf(row)),
  twin: row.twin ?? undefined
})

/** A page of the wallets that `walk` finds in the ranges that are asked for. */
const pageOf = Effect.fnUntraced(function* (on: Statements, asked: PageAsked, walk: Parameters<typeof walkRanges>[2]) {
  const { cursor, walletsMax, ranges = EVERY_WALLET } = asked
  const { read, end } = rangesAfter(ranges, cursor)
  if (read.length === 0) return { wallets: [], bad: [], cursor: undefined }
  const page = yield* readOrders(on, walletsMax, walkRanges(on.sql, { read, cursor, walletsMax }, walk))
  return { ...page, cursor: page.cursor ?? end }
})

const Addresses = Schema.Array(Schema.Struct({ agent_address: Address }))

/** Pending tasks that are not held, each with its wallet. */
const PENDING = (sql: Statements["sql"]) => sql`
  ai_agent_tasks t JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
  LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
  WHERE t.status = 'pending_payment' AND s.held_at IS NULL`

/** Wallets with their orders, page by page. */
export const pages = {
  pendingAddresses: ({ read, sql }) =>
    read("read the wallets of pending tasks", function* (limit, ranges) {
      const agent = plainAddress(sql, sql`w.agent_address`)
      const rows = yield* rowsOf(Addresses)(sql`
        SELECT ${agent} AS agent_address FROM ${PENDING(sql)}
          AND ${inRanges(sql, ranges)(sql`t.agent_wallet_id`)} AND ${agent} ~ ${ADDRESS_FORM}
        LIMIT ${limit}::int`)
      return rows.map((row) => row.agent_address)
    }),

  pendingAt: (on) =>
    on.read("read the tasks of paid wallets", function* (addresses, ranges) {
      const { sql } = on
      const wallets = sql`
        SELECT DISTINCT t.agent_wallet_id AS wallet_id FROM ${PENDING(sql)}
          AND ${inRanges(sql, ranges)(sql`t.agent_wallet_id`)}
          AND ${plainAddress(sql, sql`w.agent_address`)} = ANY(${addresses}::text[])`
      return (yield* readOrders(on, 0, wallets)).wallets
    }),

  pendingPage: (on) =>
    on.read("read pending tasks", function* (page) {
      const { sql } = on
      return yield* pageOf(
        on,
        page,
        (isAsked, limit) => sql`
          SELECT DISTINCT t.agent_wallet_id AS wallet_id
          FROM ai_agent_tasks t
          LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
          WHERE t.status = 'pending_payment' AND s.held_at IS NULL AND ${isAsked(sql`t.agent_wallet_id`)}
          ORDER BY 1 ${limit}`
      )
    }),

  idlePage: (on) =>
    on.read("read idle wallets", function* (page) {
      const { sql } = on
      return yield* pageOf(
        on,
        page,
        (isAsked, limit) => sql`
          SELECT ws.wallet_id FROM ai_agent_wallet_state ws
          WHERE ${isAsked(sql`ws.wallet_id`)}
            AND NOT EXISTS (SELECT 1 FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id
              WHERE t.agent_wallet_id = ws.wallet_id AND t.status = 'pending_payment' AND s.held_at IS NULL)
          ORDER BY 1 ${limit}`
      )
    })
} satisfies Methods<TaskRepo["Service"]>
