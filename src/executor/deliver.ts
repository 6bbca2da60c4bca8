import { Clock, Duration, Effect } from "effect"
import { ChainClient, type Mint } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { type Batch, mintsOf } from "../domain/Batch.ts"
import { isAwaited, resendAtMs } from "../domain/transferPace.ts"
import { CLAIMS_MAX, deliver, isForAllOfIt, recheck } from "../domain/transferTransitions.ts"
import { counted } from "../domain/text.ts"
import { messages, shortId } from "../domain/Task.ts"
import { Minter } from "../mint/Minter.ts"
import { holdTask } from "../ops/holdTasks.ts"
import * as Log from "../ops/Log.ts"
import type { WalletWork } from "../domain/WalletState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { mintsFor } from "./mints.ts"
import { confirmMs } from "./pace.ts"
import { noteProofs } from "./transfers.ts"
import { resendPayment } from "./resend.ts"

/**
 * Mints that are so many times `MINT_TIMEOUT` late need a person: the task is held. Its batch goes on all the
 * same, and the hold ends with the mints.
 */
const HOLD_AFTER_TIMEOUTS = 10

/** Before that the server has been asked so often: after a long downtime of ours it gets the same chance. */
const SENDS_BEFORE_HOLD = 5

/** How often the mints of a mined transaction are searched: a node may have the receipt before it has the logs. */
const NAMED_LOOKS = 3

/** After so many searches without its mints every node is asked. */
const LOOKS_AT_ONE_NODE = 2

/** Looks for the mints of a paid batch. A payment is never made again; its bytes may be sent again to a server. */
export const deliverBatch = Effect.fn("Wallet.deliverBatch")(function* (work: WalletWork, batch: Batch) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  const isTime = nowMs >= resendAtMs(batch, yield* confirmMs)
  const askable = yield* isAskable(batch)
  // Before the bytes go out again no node may have them: one whose logs are short proves nothing.
  const unclaimed = yield* mintsFor(batch, batch.looks >= LOOKS_AT_ONE_NODE || (isTime && askable))
  const mints = mintsOf(batch, unclaimed)
  if (mints.length > 0) return yield* record(work, batch, mints)
  yield* warnWhenLate(batch, nowMs)
  // What is there is not asked for again, though it is not in the transactions that the server named.
  if (unclaimed.length === 0 && !work.held.has(batch.taskId) && !isAwaited(batch, nowMs)) {
    const mined = yield* namedAndMined(batch)
    const mayAsk = mined.length === 0 && askable
    const why = yield* whyHeld(batch, { mined, mayAsk, nowMs })
    if (why !== undefined && work.tasks.some(({ id }) => id === batch.taskId)) {
      yield* holdTask(batch.taskId, messages.undelivered(batch.number, why))
    } else if (mayAsk && isTime) {
      return yield* resendPayment(work, batch, undefined)
    }
  }
  return yield* repo.saveBatch({ before: batch, after: recheck(batch, nowMs) }, nowMs)
})

const warnWhenLate = Effect.fnUntraced(function* (batch: Batch, nowMs: number) {
  const { mintTimeout } = yield* Settings
  if (nowMs - batch.statusSinceMs <= Duration.toMillis(mintTimeout)) return
  const said = `⚠️ Task ${shortId(batch.taskId)}, batch ${batch.number} is paid and not delivered`
  yield* Log.warnOnce(`late:${batch.nonce}`, said, { task: batch.taskId, batch: batch.number, tx: batch.paymentTx })
})

/** Transactions that the server named and that did something. */
const namedAndMined = Effect.fnUntraced(function* ({ mintTxs }: Batch) {
  if (mintTxs.length === 0) return []
  const mined = yield* (yield* ChainClient).readMined(mintTxs)
  return mintTxs.filter((tx) => mined.get(tx) === "succeeded")
})

/**
 * Whether the server may be asked for the mints once more. Where some are there, or the server says again and again that
 * they are, another request would ask for more than was ordered.
 */
const isAskable = Effect.fnUntraced(function* (batch: Batch) {
  const { takesAgain } = yield* Minter
  return takesAgain && isForAllOfIt(batch) && batch.claims < CLAIMS_MAX
})

interface Missing {
  readonly mined: ReadonlyArray<Bytes32>
  readonly mayAsk: boolean
  readonly nowMs: number
}

/** Why a person has to look after mints that are not there, in the server's words where it has some. */
const whyHeld = Effect.fnUntraced(function* (batch: Batch, { mined, mayAsk, nowMs }: Missing) {
  const came = `${batch.minted} of ${batch.quantity} mints came`
  if (mined.length > 0 && mined.length === batch.mintTxs.length && batch.looks >= NAMED_LOOKS) {
    return [`the mint server named ${mined.join(", ")}, which is mined, and ${came}`, ...batch.said]
  }
  const { mintTimeout } = yield* Settings
  const isLate = nowMs - batch.statusSinceMs > HOLD_AFTER_TIMEOUTS * Duration.toMillis(mintTimeout)
  if (!isLate || (mayAsk && batch.sends < SENDS_BEFORE_HOLD)) return undefined
  const claimed = batch.claims > 0 ? ["the mint server said that it was done"] : []
  return [...(batch.minted > 0 ? [came] : []), ...claimed, ...batch.said]
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
  yield* noteProofs(mints)
  yield* repo.saveBatch(save, nowMs)
  yield* Log.mint(
    `Task ${shortId(batch.taskId)}, batch ${batch.number}: ${after.minted}/${counted(batch.quantity, "mint")} delivered`,
    { task: batch.taskId, batch: batch.number, tx: mints[0]?.tx }
  )
})
