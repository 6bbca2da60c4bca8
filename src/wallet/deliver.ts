import { Clock, Duration, Effect } from "effect"
import type { Mint } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Batch } from "../domain/Batch.ts"
import { deliver, lookAgain } from "../domain/BatchLife.ts"
import { mintsOf } from "../domain/Delivery.ts"
import { messages, shortId } from "../domain/Task.ts"
import { Minter } from "../mint/Minter.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo, type WalletWork } from "../task/TaskRepo.ts"
import { mintsFor } from "./mints.ts"
import { holdTask } from "./outcome.ts"
import { resendPayment } from "./resend.ts"

/** So many looks for the mints of a paid batch, before its server is asked again. */
const LOOKS_BEFORE_RESEND = 2

/**
 * Mints that are so many times `MINT_TIMEOUT` late need a person: the task is held. Its batch is looked after all the
 * same, and the hold ends with the mints.
 */
const HOLD_AFTER_TIMEOUTS = 10

/** Looks for the mints of a paid batch. A payment is never made again; its bytes may be sent again to a server. */
export const deliverBatch = Effect.fn("Wallet.deliverBatch")(function* (work: WalletWork, batch: Batch) {
  const repo = yield* TaskRepo
  const { mintTimeout } = yield* Settings
  const unclaimed = yield* mintsFor(batch)
  const mints = mintsOf(batch, unclaimed)
  if (mints.length > 0) return yield* record(work, batch, mints)
  const nowMs = yield* Clock.currentTimeMillis
  const lateMs = nowMs - batch.statusSinceMs
  if (
    lateMs > HOLD_AFTER_TIMEOUTS * Duration.toMillis(mintTimeout) &&
    work.tasks.some(({ id }) => id === batch.taskId)
  ) {
    yield* holdTask(batch.taskId, messages.undelivered(batch.number))
  }
  if (lateMs > Duration.toMillis(mintTimeout)) {
    const said = `⚠️ Task ${shortId(batch.taskId)}, batch ${batch.number} is paid and not delivered`
    yield* Log.warnOnce(`late:${batch.nonce}`, said, { task: batch.taskId, batch: batch.number, tx: batch.paymentTx })
  }
  const { takesAgain } = yield* Minter
  // What is there is not asked for again, though it is not in the transactions that the server named.
  if (takesAgain && batch.window !== undefined && batch.looks >= LOOKS_BEFORE_RESEND && unclaimed.length === 0) {
    return yield* resendPayment(work, batch, batch.window, undefined)
  }
  return yield* repo.saveBatch({ before: batch, after: lookAgain(batch, nowMs) }, nowMs)
})

const record = Effect.fnUntraced(function* (work: WalletWork, batch: Batch, mints: ReadonlyArray<Mint>) {
  const repo = yield* TaskRepo
  const { mintInterval } = yield* Settings
  const nowMs = yield* Clock.currentTimeMillis
  const after = deliver(batch, mints.length, nowMs)
  const numbered = mints.map((mint, index) => ({ ...mint, mintNumber: batch.firstMint + batch.minted + index }))
  const expected = work.tasks.find((task) => task.id === batch.taskId)
  const isLast = expected !== undefined && expected.mintsCompleted + mints.length >= expected.quantity
  const nextActionAtMs = isLast ? nowMs : nowMs + Duration.toMillis(mintInterval)
  const task = expected && {
    expected,
    change: { retryCount: 0, errorMessage: null, stalledSinceMs: null, nextActionAtMs }
  }
  const endsHold = messages.undelivered(batch.number)
  const save = { before: batch, after, mints: numbered, endsHold, ...(task && { task }) }
  const saved = yield* repo.saveBatch(save, nowMs)
  if (saved) {
    yield* Log.mint(
      `Task ${shortId(batch.taskId)}, batch ${batch.number}: ${after.minted}/${batch.quantity} mint(s) delivered`,
      { task: batch.taskId, batch: batch.number, tx: mints[0]?.tx }
    )
  }
  return saved
})
