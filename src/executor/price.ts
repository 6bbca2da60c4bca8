import { Clock, Duration, Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Batch } from "../domain/Batch.ts"
import { ask, CLAIMS_MAX, didNothing, mayHaveDone } from "../domain/transferTransitions.ts"
import type { Block } from "../domain/Block.ts"
import { messages, type Task } from "../domain/Task.ts"
import { type Did, Minter } from "../mint/Minter.ts"
import { holdTask } from "../ops/holdTasks.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { mintsUnpaid, neverPaidFor } from "./mints.ts"
import { noteOf, pauseTask, holdBatch } from "./outcome.ts"
import { answerByMs, confirmMs, isTooLate } from "./pace.ts"

/** A planned batch about which the server is asked for its price. */
export interface Asking {
  /** As it was before. */
  readonly batch: Batch
  /** As it is in the ledger now. */
  readonly asking: Batch
}

/**
 * Claims the request for the price of a planned batch: a server may carry out a request that only asks for the price, so
 * this is committed before it leaves, and no other executor asks meanwhile. Gives the batch as it is then in the
 * ledger.
 */
export const askFor = Effect.fn("Wallet.askFor")(function* (batch: Batch, task: Task, block: Block) {
  const after = ask(batch, block, yield* answerByMs)
  const claim = { before: batch, after, onlyFor: task }
  yield* (yield* TaskRepo).saveBatch(claim, yield* Clock.currentTimeMillis)
  return { ...after, version: batch.version + 1 }
})

/** The server's price, or why there is none. `undefined` where it is too late to ask. */
export const askPrice = Effect.fn("Wallet.askPrice")(function* ({ batch, asking }: Asking) {
  if (yield* isTooLate(asking)) return undefined
  return yield* Effect.result((yield* Minter).quote(batch))
})

/**
 * Notes what the server may have done when it gave no price. From here on it may be asked again: what its order waits
 * for is written before.
 */
export const noteDone = Effect.fnUntraced(function* (asked: Asking, did: Did) {
  const { batch, asking } = asked
  if (did === "nothing" || asking.version === batch.version) return yield* dismiss(asked)
  const after = mayHaveDone(asking, yield* inSightAt, did === "claims")
  return yield* (yield* TaskRepo).saveBatch({ before: asking, after }, yield* Clock.currentTimeMillis)
})

/** This request brought nothing to search or to wait for: the server asked for money, and gets none now. */
export const dismiss = Effect.fnUntraced(function* ({ asking, batch }: Asking) {
  if (asking.version === batch.version) return
  const save = { before: asking, after: didNothing(asking, batch) }
  return yield* (yield* TaskRepo).saveBatch(save, yield* Clock.currentTimeMillis)
})

/** Why an order waits whose server may have minted unasked. */
const LOOKING = "mints that the mint server may have made without payment are looked for"

/** The block that has to count before all that happened until now is in sight. */
const inSightAt = Effect.gen(function* () {
  const { confirmations } = yield* Settings
  return (yield* (yield* ChainClient).confirmedBlock).number + BigInt(confirmations)
})

/**
 * Looks for what earlier requests without payment may have brought, before there is another one. Says whether
 * something was done instead of asking.
 */
export const lookBack = Effect.fn("Wallet.lookBack")(function* (batch: Batch, task: Task, block: Block) {
  const { network } = yield* Settings
  if (batch.asked === undefined) return false
  const { until } = batch.asked
  if (until === undefined) {
    const nowMs = yield* Clock.currentTimeMillis
    const change = { nextActionAtMs: nowMs + (yield* confirmMs), ...noteOf(task, LOOKING) }
    const save = { before: batch, after: mayHaveDone(batch, yield* inSightAt, false), task: { expected: task, change } }
    yield* (yield* TaskRepo).saveBatch(save, nowMs)
    return true
  }
  if (block.number < until) {
    yield* pauseTask(task, Number(until - block.number) * network.blockSeconds * 1000, LOOKING)
    return true
  }
  const minted = yield* mintsUnpaid(batch)
  if (minted.length === 0 && batch.claims < CLAIMS_MAX) return false
  yield* minted.length > 0 ? holdBatch(batch, neverPaidFor(minted)) : holdUnbilled(batch)
  return true
})

/** A server that sells without asking for money is not asked for ever. With a retry it is asked as often again. */
const holdUnbilled = Effect.fnUntraced(function* (batch: Batch) {
  const nowMs = yield* Clock.currentTimeMillis
  yield* (yield* TaskRepo).saveBatch({ before: batch, after: { ...batch, claims: 0 } }, nowMs)
  const what = `the mint server answered ${batch.claims} times as if it had minted, asked for no payment, and no mint came`
  yield* holdTask(batch.taskId, messages.held(`batch ${batch.number}: ${what}`))
})

/** The server says that it is done, without having been paid: its mints get time to come before it is asked again. */
export const waitForClaimed = Effect.fnUntraced(function* (task: Task, reason: string) {
  const { mintTimeout } = yield* Settings
  yield* Log.warnOnce(`claims:${task.id}`, `⚠️ Mints that nobody paid for are looked for: ${reason}`, { task: task.id })
  return yield* pauseTask(task, Duration.toMillis(mintTimeout), reason)
})
