import { Clock, Effect } from "effect"
import type { Batch } from "../domain/Batch.ts"
import { resendPauseMs } from "../domain/transferPace.ts"
import { accept, markUnknown } from "../domain/transferTransitions.ts"
import type { AcceptedOffer } from "../domain/Offer.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { Minter, type MintQuote, type PaymentAnswer } from "../mint/Minter.ts"
import * as Log from "../ops/Log.ts"
import { type BatchSave, Outrun, wasFirst } from "../ledger/TaskRepo.ts"
import { asItIsNow, saveAnswer } from "./answered.ts"
import { holdForCode, refusal, stall } from "./outcome.ts"
import { Outage } from "./Outage.ts"
import { isTooLate } from "./pace.ts"
import { holdWhere, standstillNow } from "./standstill.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"

/**
 * Sends a claimed payment and stores what the server says to it, whenever that comes. Nothing here decides about money:
 * the chain is asked from the claim on. A refusal counts against `task`, unless the batch is paid already.
 */
export const send = Effect.fn("Wallet.send")(function* (
  batch: Batch,
  quote: MintQuote,
  { offer }: AcceptedOffer,
  payment: SignedAuthorization,
  task: Task | undefined
) {
  if (yield* isTooLate(batch)) return yield* new Outrun()
  const answer = yield* (yield* Minter).pay(batch, quote, offer, payment)
  const said = { task: batch.taskId, batch: batch.number, wallet: batch.payer, attempt: batch.sends }
  const which = `batch ${batch.number} of task ${shortId(batch.taskId)}`
  const outage = yield* Outage
  if (answer._tag === "Accepted") {
    yield* outage.serverAnswered(requestOf(batch))
    yield* Log.debug(`The mint server accepted ${which}`, said)
    const nowMs = yield* Clock.currentTimeMillis
    return yield* saveAnswer(batch, (now) => ({ before: now, after: accept(now, answer.mintTxs, nowMs) }))
  }
  const now = yield* asItIsNow(batch)
  if (now === undefined || !isEnvironment(answer)) yield* outage.serverAnswered(requestOf(batch))
  if (now === undefined) {
    yield* Log.debug(`An answer to ${which} came when the chain had decided: ${answer.reason}`, said)
    return yield* new Outrun()
  }
  yield* Log.warn(`⚠️ Task ${shortId(batch.taskId)}, batch ${batch.number}: ${answer.reason}`, said)
  if (task !== undefined && now.status !== "paid") return yield* refused(now, answer, task)
  if (isEnvironment(answer)) yield* outage.serverFailed(requestOf(batch), answer.reason)
  return yield* saveUnknown(now, answer)
})

const requestOf = ({ taskId }: Batch): string => `payment:${taskId}`

type Refusal = Exclude<PaymentAnswer, { readonly _tag: "Accepted" }>

/** No word of the server's own. */
const isEnvironment = (answer: PaymentAnswer): boolean => answer._tag === "Unclear" && answer.whose === undefined

/** An answer to a payment that has not been seen on chain, and proves nothing: it may cost its order a retry, or a pause. */
const refused = Effect.fnUntraced(function* (batch: Batch, answer: Refusal, task: Task) {
  // A server may report a paused USDC as anything: a transfer that failed in its simulation, or words of its own.
  const standstill = yield* standstillNow(batch, { isRefusal: !isEnvironment(answer) })
  if (standstill !== undefined) {
    const saved = yield* wasFirst(saveUnknown(batch, { ...answer, reason: `${standstill.reason} (${answer.reason})` }))
    yield* holdWhere(standstill, [task.id])
    return saved ? undefined : yield* new Outrun()
  }
  if (answer._tag === "Refused") {
    const change = yield* refusal(task, answer.reason)
    return yield* saveUnknown(batch, { ...answer, lookAtMs: change.nextActionAtMs }, { expected: task, change })
  }
  if (answer.whose === undefined) {
    yield* (yield* Outage).serverFailed(requestOf(batch), answer.reason)
    return yield* saveUnknown(batch, answer)
  }
  yield* saveUnknown(batch, answer, { expected: task, change: yield* stall(task, answer.reason) })
  if (answer.whose === "wallet") yield* holdForCode(task, batch.payer, answer.reason)
})

interface UnclearAnswer {
  readonly reason: string
  readonly reference?: string
  /** Left out: when the bytes may be sent again. */
  readonly lookAtMs?: number
}

/** What has been paid meanwhile costs its order nothing. */
const saveUnknown = Effect.fnUntraced(function* (
  batch: Batch,
  answer: UnclearAnswer,
  task?: NonNullable<BatchSave["task"]>
) {
  const nowMs = yield* Clock.currentTimeMillis
  const unclear = { lookAtMs: nowMs + resendPauseMs(batch.sends), ...answer }
  return yield* saveAnswer(batch, (now) => ({
    before: now,
    after: markUnknown(now, unclear, nowMs),
    ...(task !== undefined && now.status !== "paid" && { task })
  }))
})
