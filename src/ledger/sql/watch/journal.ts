import { Schema } from "effect"
import { Bytes32 } from "../../../domain/Address.ts"
import { RefundId } from "../../../domain/Refund.ts"
import { TaskId } from "../../../domain/Task.ts"
import { WalletId } from "../../../domain/Wallet.ts"
import { JOURNAL_KINDS, type JournalEntry, type WatchRepo } from "../../WatchRepo.ts"
import { agentAddress } from "../rows.ts"
import { type Methods, rowsOf } from "../statements.ts"
import { instantOf } from "../TimeColumns.ts"

const Entries = Schema.Array(
  Schema.Struct({
    id: Schema.Number,
    at_ms: Schema.Number,
    kind: Schema.Literals(JOURNAL_KINDS),
    wallet_id: WalletId,
    agent_address: Schema.NullOr(Schema.String),
    user_address: Schema.NullOr(Schema.String),
    task_id: Schema.NullOr(TaskId),
    batch: Schema.NullOr(Schema.Number),
    refund_id: Schema.NullOr(RefundId),
    token: Schema.NullOr(Schema.String),
    tx_hash: Schema.NullOr(Bytes32),
    log_index: Schema.NullOr(Schema.Number),
    block: Schema.NullOr(Schema.BigInt),
    amount: Schema.BigInt,
    books: Schema.BigInt,
    reserved: Schema.BigInt
  })
)

const Sums = Schema.Tuple([Schema.Struct({ books: Schema.BigIntFromString, reserved: Schema.BigIntFromString })])

const Gaps = Schema.Array(
  Schema.Struct({ wallet_id: WalletId, journal: Schema.BigIntFromString, books: Schema.BigIntFromString })
)

const entryOf = (row: (typeof Entries.Type)[number]): JournalEntry => ({
  id: row.id,
  atMs: row.at_ms,
  kind: row.kind,
  walletId: row.wallet_id,
  agentAddress: row.agent_address ?? undefined,
  userAddress: row.user_address ?? undefined,
  taskId: row.task_id ?? undefined,
  batch: row.batch ?? undefined,
  refundId: row.refund_id ?? undefined,
  token: row.token ?? undefined,
  tx: row.tx_hash ?? undefined,
  logIndex: row.log_index ?? undefined,
  block: row.block ?? undefined,
  amount: row.amount,
  books: row.books,
  reserved: row.reserved
})

export const journal = {
  /** By time and number, from the place of the last entry on: entries of one moment are in the order of their numbers. */
  journalPage: (on) =>
    on.once("read the journal", function* ({ fromMs, toMs }, { after, limit }) {
      const { sql } = on
      // As one comparison of rows, which the index answers: a million entries are read once and not once for each page.
      const place = sql`(SELECT p.at FROM ai_agent_journal p WHERE p.id = ${after ?? null}::bigint)`
      const behind = after === undefined ? sql`true` : sql`(j.at, j.id) > (${place}, ${after}::bigint)`
      const rows = yield* rowsOf(Entries)(sql`
        SELECT j.id::float8 AS id, (extract(epoch FROM j.at) * 1000)::float8 AS at_ms, j.kind, j.wallet_id,
          ${agentAddress(sql)} AS agent_address, left(w.user_address, 100) AS user_address, j.task_id, j.batch,
          j.refund_id, j.token, j.tx_hash, j.log_index, j.block, j.amount, j.books, j.reserved
        FROM ai_agent_journal j LEFT JOIN ai_agent_wallets w ON w.id = j.wallet_id
        WHERE j.at >= ${instantOf(sql, fromMs)} AND j.at < ${instantOf(sql, toMs)} AND ${behind}
        ORDER BY j.at, j.id LIMIT ${limit}::int`)
      return rows.map(entryOf)
    }),

  journalSums: ({ once, sql }) =>
    once("sum up the journal", function* (beforeMs) {
      const [row] = yield* rowsOf(Sums)(sql`
        SELECT coalesce(sum(j.books), 0)::text AS books, coalesce(sum(j.reserved), 0)::text AS reserved
        FROM ai_agent_journal j WHERE j.at < ${instantOf(sql, beforeMs)}`)
      return row
    }),

  journalGaps: ({ once, sql }) =>
    once("compare journal and books", function* (limit) {
      const rows = yield* rowsOf(Gaps)(sql`
        SELECT wallet_id, coalesce(j.books, 0)::text AS journal, coalesce(ws.book_balance, 0)::text AS books
        FROM (SELECT wallet_id, sum(books) AS books FROM ai_agent_journal GROUP BY wallet_id) j
        FULL JOIN ai_agent_wallet_state ws USING (wallet_id)
        WHERE coalesce(j.books, 0) <> coalesce(ws.book_balance, 0)
        ORDER BY wallet_id LIMIT ${limit}::int`)
      return rows.map((row) => ({ walletId: row.wallet_id, journal: row.journal, books: row.books }))
    })
} satisfies Methods<WatchRepo["Service"]>
