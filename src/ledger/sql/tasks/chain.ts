import { Effect, Schema } from "effect"
import { Bytes32 } from "../../../domain/Address.ts"
import type { Anchor, KeptAnchor } from "../../../domain/Anchor.ts"
import { gather } from "../../../ops/gather.ts"
import {
  CODE_DECISION,
  type LedgerError,
  type RecordedAbove,
  type TaskRepo,
  codeChanged,
  placeKey
} from "../../TaskRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { lockWallets } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import { type Methods, jsonOf, rowsOf } from "../statements.ts"
import { Keys } from "./deposits.ts"
import { BatchFields, batchColumns, batchOf, batchesFrom, depositsFrom, refundsFrom } from "../transferRows.ts"
import { TaskId } from "../../../domain/Task.ts"

const Anchors = Schema.Array(Schema.Struct({ block: Schema.BigInt, hash: Bytes32, is_proof: Schema.Boolean }))
const Payments = Schema.Array(Schema.Struct({ ...BatchFields, is_completed: Schema.NullOr(Schema.Boolean) }))
const Mints = Schema.Array(
  Schema.Struct({
    task_id: TaskId,
    batch_number: Schema.Number,
    tx_hash: Bytes32,
    part: Schema.Number
  })
)

const UsdcCodes = Schema.Array(Schema.Struct({ usdc_code: Schema.NullOr(Schema.String), now_ms: Schema.Number }))

/** What is kept of the chain: blocks that were seen, what a reorganisation concerns, the code of USDC. */
export const chain = {
  /** Newest first. */
  anchors: ({ read, sql }) =>
    read("read anchors", function* () {
      const rows = yield* rowsOf(Anchors)(sql`SELECT block, hash, is_proof FROM ai_agent_anchors ORDER BY block DESC`)
      return rows.map((row): KeptAnchor => ({ block: row.block, hash: row.hash, isProof: row.is_proof }))
    })(),

  addAnchor: ({ once, sql }) =>
    once("add an anchor", function* (anchor, superfluous) {
      yield* sql`
        WITH dropped AS (
          DELETE FROM ai_agent_anchors WHERE block = ANY(${superfluous.map(String)}::bigint[]) AND block <> ${anchor.block}
        )
        INSERT INTO ai_agent_anchors AS a (block, hash, is_proof) VALUES (${anchor.block}::bigint, ${anchor.hash}, false)
        ON CONFLICT (block) DO UPDATE SET is_proof = false WHERE a.hash = EXCLUDED.hash`
    }),

  noteProofs: ({ once, sql }) => {
    const noteAll = gather<ReadonlyArray<Anchor>, undefined, LedgerError>({
      inTurn: true,
      askAll: once("note proofs", function* (noted: ReadonlyArray<ReadonlyArray<Anchor>>) {
        const rows = noted.flat().map(({ block, hash }) => ({ block: block.toString(), hash }))
        yield* sql`
          INSERT INTO ai_agent_anchors (block, hash, is_proof)
          SELECT x.block, x.hash, true FROM jsonb_to_recordset(${jsonOf(rows)}::text::jsonb) AS x(block bigint, hash text)
          ORDER BY x.block
          ON CONFLICT DO NOTHING`
        return noted.map(() => undefined)
      }),
      isShared: ({ reason }) => reason !== "Rejected"
    })
    return (blocks) => (blocks.length === 0 ? Effect.void : noteAll(blocks))
  },

  recordedAbove: (on) =>
    on.read("read what a reorganisation concerns", function* (fork) {
      const { sql } = on
      const payments = yield* rowsOf(Payments)(sql`
        SELECT ${batchColumns(sql)}, t.status = 'completed' AS is_completed
        FROM ai_agent_batches b LEFT JOIN ai_agent_tasks t ON t.id = b.task_id
        WHERE b.payment_block > ${fork}::bigint AND b.payment_tx IS NOT NULL ORDER BY b.task_id, b.number`)
      const above = sql`
        FROM ai_agent_batch_mints m JOIN ai_agent_batches p ON p.task_id = m.task_id AND p.number = m.batch_number
        WHERE coalesce(m.block, p.payment_block) > ${fork}::bigint`
      const minted = yield* batchesFrom(
        on,
        sql`
          WHERE (b.task_id, b.number) IN (SELECT m.task_id, m.batch_number ${above}) ORDER BY b.task_id, b.number`
      )
      const mints = yield* rowsOf(Mints)(sql`SELECT m.task_id, m.batch_number, m.tx_hash, m.part ${above}`)
      return {
        payments: payments.map((row) => ({ batch: batchOf(row), isCompleted: row.is_completed === true })),
        refunds: yield* refundsFrom(on, sql`WHERE r.status = 'paid' AND r.block > ${fork}::bigint ORDER BY r.id`),
        deposits: yield* depositsFrom(on, sql`d.block > ${fork}::bigint ORDER BY d.block, d.tx_hash, d.log_index`),
        minted: minted.map((batch) => ({
          batch,
          mints: mints
            .filter((row) => row.task_id === batch.taskId && row.batch_number === batch.number)
            .map((row) => ({ tx: row.tx_hash, part: row.part }))
        }))
      } satisfies RecordedAbove as RecordedAbove
    }),

  /**
   * What was looked at above the fork is looked at anew. Versions go up, so that no decision is written that was made from
   * what was read before.
   */
  rewind: ({ transact, sql }) =>
    transact("rewind", function* (fork) {
      const at = sql`${fork}::bigint`
      yield* sql`
        UPDATE ai_agent_wallet_state SET version = version + 1,
          book_balance = CASE WHEN opened_block > ${at} THEN NULL ELSE book_balance END,
          counted_block = CASE WHEN opened_block > ${at} THEN NULL ELSE least(counted_block, ${at}) END,
          opened_block = CASE WHEN opened_block > ${at} THEN NULL ELSE opened_block END
        WHERE counted_block > ${at} OR opened_block > ${at}`
      yield* sql`
        UPDATE ai_agent_batches SET version = version + 1,
          signed_block = CASE WHEN signed_block > ${at} THEN ${at} ELSE signed_block END,
          asked_since = CASE WHEN asked_since > ${at} THEN ${at} ELSE asked_since END
        WHERE signed_block > ${at} OR asked_since > ${at}`
      yield* sql`
        UPDATE ai_agent_refunds SET version = version + 1, signed_block = ${at} WHERE signed_block > ${at}`
      // Of an order that is paid for or has ended nothing more follows from its pay-in.
      yield* sql`
        UPDATE ai_agent_pay_ins p SET status = 'live', tx_hash = NULL, block = NULL, reason = NULL
        WHERE p.block > ${at}
          AND EXISTS (SELECT 1 FROM ai_agent_tasks t WHERE t.id = p.task_id AND t.status = 'pending_payment')`
    }),

  /**
   * Those that are still recorded as given, where the wallet holds less than its books say: where it does not, the money is
   * there and the logs are short. What they paid for stays written: found again, they have paid for it.
   */
  withdrawDeposits: (on) =>
    on.transact("withdraw deposits", function* (gone, nowMs) {
      const { sql } = on
      const given = gone.map(({ tx, logIndex, block, balance }) => ({
        tx,
        log_index: logIndex,
        block: block.number.toString(),
        balance: balance.toString()
      }))
      yield* lockWallets(on, [...new Set(gone.map(({ walletId }) => walletId))])
      const rows = yield* rowsOf(Keys)(sql`
        WITH gone AS (
          UPDATE ai_agent_deposits d SET withdrawn_at = ${instantOf(sql, nowMs)}
          FROM jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) AS x(tx text, log_index int, block bigint,
            balance bigint), ai_agent_wallet_state ws
          WHERE d.tx_hash = x.tx AND d.log_index = x.log_index AND d.block = x.block AND d.withdrawn_at IS NULL
            AND ws.wallet_id = d.wallet_id AND coalesce(ws.book_balance > x.balance, true)
          RETURNING d.wallet_id, d.tx_hash, d.log_index, d.amount, d.block
        ), booked AS (
          UPDATE ai_agent_wallet_state ws SET version = version + 1,
            book_balance = ws.book_balance - (SELECT coalesce(sum(g.amount), 0)::bigint FROM gone g
              WHERE g.wallet_id = ws.wallet_id AND g.block > ws.opened_block)
          WHERE ws.wallet_id IN (SELECT wallet_id FROM gone)
        )
        SELECT tx_hash, log_index FROM gone`)
      const withdrawn = new Set(rows.map((row) => `${row.tx_hash}:${row.log_index}`))
      return gone.filter((deposit) => withdrawn.has(placeKey(deposit)))
    }),

  /** The blocks above the fork are other ones now, and all that was recorded in them has been looked at. */
  endReorganisation: ({ once, sql }) =>
    once("end a reorganisation", function* ({ fork, block }, nowMs) {
      yield* sql`
        WITH forgotten AS (
          DELETE FROM ai_agent_anchors WHERE block > ${fork}::bigint RETURNING block
        )
        INSERT INTO ai_agent_reorganisations (noticed_at, fork_block, old_block, noticed_block)
        SELECT ${instantOf(sql, nowMs)}, ${fork}::bigint, max(block), ${block}::bigint FROM forgotten HAVING count(*) > 0`
    }),

  /** The row is locked first: of two executors that see the change one pauses, and a person's answer is not undone. */
  noteUsdcCode: (on) =>
    on.transact("note the code of USDC", function* ({ code, isSure }, nowMs) {
      const { sql } = on
      const [row] = yield* rowsOf(UsdcCodes)(sql`
        SELECT usdc_code, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
        FROM ai_agent_network FOR UPDATE`)
      const databaseMs = row?.now_ms
      if (row === undefined || row.usdc_code === code) return { before: undefined, databaseMs }
      const before = row.usdc_code
      if (before !== null && !isSure) return { before, databaseMs }
      yield* sql`UPDATE ai_agent_network SET usdc_code = ${code}`
      if (before === null) return { before: undefined, databaseMs }
      const reason = codeChanged(before, code)
      yield* sql`
        INSERT INTO ai_agent_pauses AS p (scope, reason, since) VALUES ('all', ${reason}, ${instantOf(sql, nowMs)})
        ON CONFLICT (scope) DO UPDATE SET reason = p.reason || '; ' || excluded.reason`
      yield* noteDecision(on, { ...CODE_DECISION, why: reason }, {}, nowMs)
      return { before, databaseMs }
    })
} satisfies Methods<TaskRepo["Service"]>
