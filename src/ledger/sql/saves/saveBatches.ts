import { Effect } from "effect"
import type { Batch } from "../../../domain/Batch.ts"
import type { LimitScope } from "../../../domain/Limit.ts"
import { movesMoney } from "../../../domain/transferTransitions.ts"
import type { TaskId } from "../../../domain/Task.ts"
import { gather } from "../../../ops/gather.ts"
import { type BatchSave, type LedgerError, Outrun, type TaskRepo } from "../../TaskRepo.ts"
import { keepPauses, lockTask, lockWallet } from "../locks.ts"
import { lockLimits } from "../limits.ts"
import type { SqlLedger, Statements } from "../statements.ts"
import { attributeMints, countMints, isClaim, type Minted } from "../transferWrites.ts"
import { limitScopes, lockFree, type Step, touchesTask, updateBatches } from "./batchRows.ts"
import { changeOrders } from "./orderChanges.ts"

/**
 * - `saved`
 * - `outrun`: another writer was first, and nothing was written of this step.
 * - `crowded`: another program has its rows, or another step of the group is of the same wallet.
 * - `alone`: the group failed, and the step is to be made by itself.
 *
 * Of the last two nothing was written, and nothing of them was decided.
 */
type End = "saved" | "outrun" | "crowded" | "alone"

/**
 * Steps of many wallets that are due in the same moment are one transaction, with each statement made once for all. A step
 * that cannot have its rows at once is made by itself; and so is each, where the transaction fails for what may be one
 * step's fault: none costs the others anything.
 */
export const saveBatch = (on: SqlLedger): TaskRepo["Service"]["saveBatch"] => {
  const alone = on.transact("save a batch", (step: Step) => makeAlone(on, step))
  const together = on.transactOnce("save a batch", (steps: ReadonlyArray<Step>) => makeTogether(on, steps))
  const inGroup = gather({
    inTurn: true,
    askAll: (steps: ReadonlyArray<Step>) =>
      together(steps).pipe(
        Effect.catchIf(
          (error) => isOfOne(error, steps.length),
          () => Effect.succeed(steps.map((): End => "alone"))
        )
      ),
    isShared: () => true
  })
  return Effect.fnUntraced(function* (save, nowMs) {
    const step = { save, nowMs }
    const first = yield* inGroup(step)
    // A sweep keeps the rows of many wallets for some milliseconds: with the next group most have theirs.
    const end = first === "crowded" ? yield* inGroup(step) : first
    if (end === "outrun") return yield* new Outrun()
    if (end !== "saved") yield* alone(step)
  })
}

/** Whether this may be the fault of one step of so many, and not of the environment. */
const isOfOne = (error: LedgerError | Outrun, steps: number): boolean => {
  if (error._tag === "Outrun") return steps > 1
  return error.reason === "Contended" || (steps > 1 && error.reason !== "Unavailable")
}

/** Waits for what other programs have locked. */
function* makeAlone(on: Statements, step: Step) {
  const { before, after } = step.save
  if (movesMoney(before, after)) yield* lockWallet(on, before.walletId)
  if (touchesTask(step.save)) yield* lockTask(on, before.taskId)
  const limits = isClaim(before, after) ? yield* lockClaim(on, step.save) : []
  if ((yield* write(on, [step], limits)).size === 0) return yield* new Outrun()
}

/** What a claim locks behind wallet and order, and the batch before the limits: one who has a limit waits for nothing. */
const lockClaim = Effect.fnUntraced(function* ({ sql }: Statements, save: BatchSave) {
  const { taskId, number } = save.before
  yield* keepPauses(sql)
  yield* sql`
    SELECT 1 FROM ai_agent_batches WHERE task_id = ${taskId}::uuid AND number = ${number}::int FOR NO KEY UPDATE`
  const rows = yield* sql<{ readonly scope: LimitScope }>`${lockLimits(sql, limitScopes([save]))}`
  return rows.map(({ scope }) => scope)
})

function* makeTogether(on: Statements, steps: ReadonlyArray<Step>) {
  const firsts = firstOfEach(steps)
  const locked = yield* lockFree(on, firsts)
  const free = chosen(firsts, locked)
  const written = yield* write(on, free, locked[0]?.limits)
  const ends = new Map(free.map((step) => [step, written.has(step) ? "saved" : "outrun"] as const))
  return steps.map((step): End => ends.get(step) ?? "crowded")
}

/** One step of each wallet and order: what another one of the same transaction has written is no condition's. */
const firstOfEach = (steps: ReadonlyArray<Step>): ReadonlyArray<Step> => {
  const seen = new Set<string>()
  return steps.filter(({ save: { before } }) => {
    const isFirst = !seen.has(before.walletId) && !seen.has(before.taskId)
    seen.add(before.walletId).add(before.taskId)
    return isFirst
  })
}

const chosen = (steps: ReadonlyArray<Step>, rows: ReadonlyArray<{ readonly i: number }>): ReadonlyArray<Step> => {
  const indices = new Set(rows.map(({ i }) => i))
  return steps.filter((_, index) => indices.has(index))
}

/** Gives the steps that were made, their rows locked before. */
const write = Effect.fnUntraced(function* (
  on: Statements,
  steps: ReadonlyArray<Step>,
  limits: ReadonlyArray<LimitScope> = []
) {
  if (steps.length === 0) return new Set<Step>()
  const rows = yield* updateBatches(
    on,
    steps.map(({ save }) => save),
    { limits }
  )
  const made = chosen(steps, rows)
  for (const { save, nowMs } of made) if (save.withdrawsMints === true) yield* withdrawMints(on, save.before, nowMs)
  yield* recordMints(on, made)
  yield* endHolds(on, made)
  const changes = made.flatMap(({ save: { task }, nowMs }) => (task === undefined ? [] : [{ ...task, nowMs }]))
  if (changes.length > 0) yield* changeOrders(on, changes)
  return new Set(made)
})

/** Marks mints as those of their batches, writes v1.1's record of each, and counts the orders anew from their batch rows. */
const recordMints = Effect.fnUntraced(function* (on: Statements, steps: ReadonlyArray<Step>) {
  const minted = steps.flatMap(({ save: { after, mints = [] }, nowMs }): ReadonlyArray<Minted> => {
    return mints.length === 0 ? [] : [{ batch: after, mints, nowMs }]
  })
  if (minted.length === 0) return
  const owned = yield* attributeMints(on, minted)
  const have = new Map(owned.map((row) => [`${row.taskId}/${row.number}`, row.mints]))
  // Another batch may have taken one of them: then this one has to look again.
  const isShort = minted.some(({ batch }) => have.get(`${batch.taskId}/${batch.number}`) !== batch.minted)
  if (isShort) return yield* new Outrun()
  yield* countMints(
    on,
    minted.map(({ batch: { taskId }, nowMs }) => ({ taskId, nowMs }))
  )
})

const withdrawMints = Effect.fnUntraced(function* (on: Statements, { taskId, number }: Batch, nowMs: number) {
  yield* on.sql`
    WITH gone AS (
      DELETE FROM ai_agent_batch_mints WHERE task_id = ${taskId}::uuid AND batch_number = ${number}::int
      RETURNING task_id, mint_number, tx_hash
    )
    DELETE FROM ai_agent_mint_records r USING gone
    WHERE r.task_id = gone.task_id AND r.mint_number = gone.mint_number AND r.tx_hash = gone.tx_hash`
  yield* countMints(on, [{ taskId, nowMs }])
})

/** Ends the holds whose reason begins as given. */
const endHolds = Effect.fnUntraced(function* ({ sql }: Statements, steps: ReadonlyArray<Step>) {
  const holds = steps.flatMap(({ save: { before, endsHold } }): ReadonlyArray<readonly [TaskId, string]> => {
    return endsHold === undefined ? [] : [[before.taskId, endsHold]]
  })
  if (holds.length === 0) return
  yield* sql`
    WITH released AS (
      UPDATE ai_agent_task_state s SET held_at = NULL, held_reason = NULL
      FROM unnest(${holds.map(([taskId]) => taskId)}::uuid[], ${holds.map(([, reason]) => reason)}::text[])
        AS x(task_id, reason)
      WHERE s.task_id = x.task_id AND starts_with(s.held_reason, x.reason)
      RETURNING s.task_id
    )
    UPDATE ai_agent_tasks t SET error_message = NULL, retry_count = 0 FROM released WHERE t.id = released.task_id`
})
