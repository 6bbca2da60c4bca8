import { Clock, Effect } from "effect"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { type BatchSave, Outrun, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"

/**
 * Stores what a request brought. The chain was asked while it was on its way, so that the batch may be another by
 * now than the one that was `sent`: `saveFor` makes the change of what it is now. `Outrun` where the answer has come
 * too late: the batch is delivered, set aside, released, or was sent again.
 */
export const saveAnswer = Effect.fn("Wallet.saveAnswer")(function* (sent: Batch, saveFor: (now: Batch) => BatchSave) {
  const repo = yield* TaskRepo
  let now: Batch | undefined = sent
  while (now !== undefined) {
    if (yield* wasFirst(repo.saveBatch(saveFor(now), yield* Clock.currentTimeMillis))) return
    const tried: number = now.version
    now = yield* asItIsNow(sent)
    // No step of another turn keeps it from being written, but something else.
    if (now?.version === tried) break
  }
  return yield* new Outrun()
})

/** The batch as it is by now; `undefined` where an answer to what was sent has come too late to matter. */
export const asItIsNow = Effect.fnUntraced(function* (sent: Batch) {
  const { batches } = yield* (yield* TaskRepo).walletWork(sent.walletId)
  const now = batches.find(({ taskId, number }) => taskId === sent.taskId && number === sent.number)
  return now !== undefined && isInFlight(now) && isSameSend(sent, now) ? now : undefined
})

const isSameSend = (sent: Batch, now: Batch): boolean =>
  now.sends === sent.sends && now.answerByMs === sent.answerByMs && now.window?.validBefore === sent.window?.validBefore
