import { Clock, Duration, Effect } from "effect"
import { ChainClient, type Mint } from "../chain/ChainClient.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { type Batch, mintsOf } from "../domain/Batch.ts"
import { isAwaited, resendAtMs } from "../domain/transferPace.ts"
import { CLAIMS_MAX, deliver, isForAllOfIt, recheck } from "../domain/transferTransitions.ts"
import { counted } from "../domain/text.ts"
import { messages, shortId } from "../domain/Task.ts"
import { Minter } from "../mint/Minter.ts"
import * as Log from "../ops/Log.ts"
import type { WalletWork } from "../domain/WalletState.ts"
import { Outrun, TaskRepo } from "../ledger/TaskRepo.ts"
import { Orders } from "./Orders.ts"
import { leftOf } from "./left.ts"
import { confirmMs } from "./pace.ts"
import { makeResend } from "./send.ts"
import { Transfers } from "./Transfers.ts"

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

/** Delivers paid batches: finds their mints. */
export const makeDeliver = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const minter = yield* Minter
  const repo = yield* TaskRepo
  const { holdTask } = yield* Orders
  const { mintsFor, noteProofs } = yield* Transfers
  const resendPayment = yield* makeResend

  /** Transactions that the server named and that did something. */
  const namedAndMined = Effect.fnUntraced(function* ({ mintTxs }: Batch) {
    if (mintTxs.length === 0) return []
    const mined = yield* chain.readMined(mintTxs)
    return mintTxs.filter((tx) => mined.get(tx) === "succeeded")
  })

  const record = Effect.fnUntraced(function* (work: WalletWork, batch: Batch, mints: ReadonlyArray<Mint>) {
    const nowMs = yield* Clock.currentTimeMillis
    const after = deliver(batch, mints.length, nowMs)
    const { task, ...delivery } = deliveryOf(work, batch, mints, settings, nowMs)
    yield* noteProofs(mints)
    yield* repo.saveBatch({ before: batch, after, ...delivery, ...(task && { task }) }, nowMs)
    const delivered = `${after.minted}/${counted(batch.quantity, "mint")} delivered`
    const fields = { task: batch.taskId, batch: batch.number, tx: mints[0]?.tx }
    yield* Log.mint(`Task ${shortId(batch.taskId)}, batch ${batch.number}: ${delivered}`, fields)
    // An order that is held may go on now: the ledger says with what.
    return task && (after.status === "delivered" ? { dueMs: task.change.nextActionAtMs } : leftOf(after))
  })

  /**
   * Searches the mints of a paid batch. A payment is never made again; its bytes may be sent again to a server, unless
   * what brings nothing `staysAsItIs`. Gives what is left of the batch, where that is known.
   */
  return Effect.fn("Wallet.deliverBatch")(function* (work: WalletWork, batch: Batch, staysAsItIs: boolean) {
    const nowMs = yield* Clock.currentTimeMillis
    const isTime = nowMs >= resendAtMs(batch, confirmMs(settings))
    // Where some mints are there, or the server says again and again that they are, another request would ask for more
    // than was ordered.
    const askable = minter.takesAgain && isForAllOfIt(batch) && batch.claims < CLAIMS_MAX
    // Before the bytes go out again no node may have them: one whose logs are short proves nothing.
    const unclaimed = yield* mintsFor(batch, batch.looks >= LOOKS_AT_ONE_NODE || (isTime && askable))
    const mints = mintsOf(batch, unclaimed)
    if (mints.length > 0) return yield* record(work, batch, mints)
    if (staysAsItIs) return yield* new Outrun()
    yield* warnWhenLate(batch, settings, nowMs)
    // What is there is not asked for again, though it is not in the transactions that the server named.
    if (unclaimed.length === 0 && !work.held.has(batch.taskId) && !isAwaited(batch, nowMs)) {
      const mined = yield* namedAndMined(batch)
      const mayAsk = mined.length === 0 && askable
      const why = whyHeld(batch, { mined, mayAsk, nowMs }, settings)
      if (why !== undefined && work.tasks.some(({ id }) => id === batch.taskId)) {
        yield* holdTask(batch.taskId, messages.undelivered(batch.number, why))
      } else if (mayAsk && isTime) {
        return yield* resendPayment(work, batch, undefined)
      }
    }
    const looked = recheck(batch, nowMs)
    yield* repo.saveBatch({ before: batch, after: looked }, nowMs)
    return leftOf(looked)
  })
})

const warnWhenLate = (batch: Batch, { mintTimeout }: SettingsShape, nowMs: number) => {
  if (nowMs - batch.statusSinceMs <= Duration.toMillis(mintTimeout)) return Effect.void
  const said = `⚠️ Task ${shortId(batch.taskId)}, batch ${batch.number} is paid and not delivered`
  return Log.warnOnce(`late:${batch.nonce}`, said, { task: batch.taskId, batch: batch.number, tx: batch.paymentTx })
}

interface Missing {
  readonly mined: ReadonlyArray<Bytes32>
  readonly mayAsk: boolean
  readonly nowMs: number
}

/** Why a person has to search mints that are not there, in the server's words where it has some. */
const whyHeld = (batch: Batch, { mined, mayAsk, nowMs }: Missing, { mintTimeout }: SettingsShape) => {
  const came = `${batch.minted} of ${batch.quantity} mints came`
  if (mined.length > 0 && mined.length === batch.mintTxs.length && batch.looks >= NAMED_LOOKS) {
    return [`the mint server named ${mined.join(", ")}, which is mined, and ${came}`, ...batch.said]
  }
  const isLate = nowMs - batch.statusSinceMs > HOLD_AFTER_TIMEOUTS * Duration.toMillis(mintTimeout)
  if (!isLate || (mayAsk && batch.sends < SENDS_BEFORE_HOLD)) return undefined
  const claimed = batch.claims > 0 ? ["the mint server said that it was done"] : []
  return [...(batch.minted > 0 ? [came] : []), ...claimed, ...batch.said]
}

/** What is written with a batch of which these mints have come. */
const deliveryOf = (
  { tasks }: WalletWork,
  batch: Batch,
  mints: ReadonlyArray<Mint>,
  { checkTrigger, mintInterval }: SettingsShape,
  nowMs: number
) => {
  const numbered = mints.map((mint, index) => ({ ...mint, mintNumber: batch.firstMint + batch.minted + index }))
  const expected = tasks.find(({ id }) => id === batch.taskId)
  const isLast = expected !== undefined && expected.mintsCompleted + mints.length >= expected.quantity
  // v1.1 paid a batch of an order in each of its ticks.
  const waits = checkTrigger === "interval" && !isLast
  const nextActionAtMs = waits ? nowMs + Duration.toMillis(mintInterval) : nowMs
  const change = { retryCount: 0, errorMessage: null, stalledSinceMs: null, nextActionAtMs }
  const endsHold = messages.undelivered(batch.number)
  return { mints: numbered, endsHold, task: expected && { expected, change } }
}
