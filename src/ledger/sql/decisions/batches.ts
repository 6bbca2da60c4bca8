import type { Batch } from "../../../domain/Batch.ts"
import { type BatchResolution, type DecisionRepo } from "../../DecisionRepo.ts"
import { type MintId, mintRowKey, Outrun } from "../../TaskRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { endHold, failTask } from "./orders.ts"
import { claimWallet, lockTask, orOutrun, touchWallet } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import type { Methods, Statements } from "../statements.ts"
import { updateBatches } from "../saves/batchRows.ts"
import { attributeMints, countMints, insertBatches } from "../transferWrites.ts"

/** Those that a batch has got meanwhile stay with it. */
const setAsideMints = ({ sql }: Statements, batch: Batch, strays: ReadonlyArray<MintId>, nowMs: number) => {
  const rows = JSON.stringify(strays.map((mint) => ({ key: mintRowKey(batch, mint), tx: mint.tx, part: mint.part })))
  return sql`
    INSERT INTO ai_agent_stray_mints (mint_key, task_id, decided_at)
    SELECT x.key, ${batch.taskId}::uuid, ${instantOf(sql, nowMs)}
    FROM jsonb_to_recordset(${rows}::text::jsonb) AS x(key text, tx text, part int)
    WHERE NOT EXISTS (SELECT 1 FROM ai_agent_batch_mints m WHERE m.tx_hash = x.tx AND m.part = x.part
      AND m.token = ${batch.token} AND m.recipient = ${batch.recipient})
    ORDER BY x.key
    ON CONFLICT DO NOTHING`
}

const areStrays = ({ sql }: Statements, batch: Batch, strays: ReadonlyArray<MintId>) => sql`
  SELECT 1 FROM ai_agent_stray_mints WHERE mint_key = ANY(${strays.map((mint) => mintRowKey(batch, mint))}::text[])
  HAVING count(*) = ${strays.length}::int`

/** v1.1's record of mints that are there by a person's word: the chain names no transaction for them. */
const recordAttested = ({ sql, time }: Statements, { before, after, mints }: BatchResolution, nowMs: number) => sql`
  INSERT INTO ai_agent_mint_records (task_id, mint_number, status, created_at, completed_at)
  SELECT ${before.taskId}::uuid, n, 'completed', ${time.write("ai_agent_mint_records", "created_at", nowMs)},
    ${time.write("ai_agent_mint_records", "completed_at", nowMs)}
  FROM generate_series(${before.firstMint + before.minted + mints.length}::int,
    ${before.firstMint + after.minted - 1}::int) n`

export const batchDecisions = {
  resolveBatch: (on) =>
    on.transact("resolve a batch", function* (resolution, decision, nowMs) {
      const { before, after, mints, strays = [], replacement, evidence, failure } = resolution
      const { taskId, walletId } = before
      if (evidence === undefined) yield* touchWallet(on, walletId)
      else yield* orOutrun(claimWallet(on, { walletId, version: evidence.version }, evidence.block))
      yield* lockTask(on, taskId)
      yield* orOutrun(updateBatches(on, [{ before, after }], { notesWallets: false }))
      if (mints.length > 0) {
        const [owned] = yield* attributeMints(on, [{ batch: after, mints, nowMs }])
        if (owned?.mints !== before.minted + mints.length) return yield* new Outrun()
      }
      if (strays.length > 0) {
        yield* setAsideMints(on, before, strays, nowMs)
        yield* orOutrun(areStrays(on, before, strays))
      }
      yield* recordAttested(on, resolution, nowMs)
      if (replacement !== undefined) yield* orOutrun(insertBatches(on, [replacement], on.sql`true`))
      yield* countMints(on, [{ taskId, nowMs }])
      if (failure === undefined) yield* endHold(on, taskId, nowMs)
      else yield* orOutrun(failTask(on, taskId, failure, nowMs))
      yield* noteDecision(on, decision, { taskId, walletId }, nowMs)
    })
} satisfies Methods<DecisionRepo["Service"]>
