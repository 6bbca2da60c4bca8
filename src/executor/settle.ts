import { Clock, Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { isLive } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { isAwaited, isEarly, resendAtMs } from "../domain/transferPace.ts"
import { answered, CLAIMS_MAX, expire, recheck, seenMinted } from "../domain/transferTransitions.ts"
import { messages, shortId } from "../domain/Task.ts"
import { zero } from "../domain/Usdc.ts"
import type { Standstill } from "../domain/UsdcState.ts"
import { Minter } from "../mint/Minter.ts"
import { alone } from "../ops/eachAlone.ts"
import * as Log from "../ops/Log.ts"
import { isOutdated, type WalletWork } from "../domain/WalletState.ts"
import { type LedgerError, Outrun } from "../ledger/TaskRepo.ts"
import { makeDeliver } from "./deliver.ts"
import { Orders } from "./Orders.ts"
import { type Left, leftOf, unknown } from "./left.ts"
import { answerByMs, canBeSettled, confirmMs, headMs } from "./pace.ts"
import { Outage, STANDSTILL_MS } from "./Outage.ts"
import { makeAnswers, makeResend } from "./send.ts"
import { type Place, ServerRequests } from "./ServerRequests.ts"
import { neverPaidFor, type Observed, standstillFor, Transfers } from "./Transfers.ts"

/** How often the chain is asked for an accepted payment before its bytes are sent again: for two minutes. */
const ACCEPTED_LOOKS = 7

const GONE_FOR_EVER = "its order was completed, and its payment left the chain and can never be made again"

/** What became of a payment in flight that was looked at. */
export interface Followed {
  readonly batch: Batch
  /** Whether anything was written. */
  readonly isChanged: boolean
  /** What is left of it; `undefined` where the ledger has to be read for that. */
  readonly left: Left | undefined
}

/** Settles payments in flight. */
export const makeSettle = Effect.gen(function* () {
  const { holdWhere } = yield* Orders
  const { observe, recordOutcome, saveTransfer } = yield* Transfers
  const deliverBatch = yield* makeDeliver
  const signAgain = yield* makeSignAgain
  const waitForProof = yield* makeWait

  /** Its order's row cannot be written: the chain is asked again later. */
  const postpone = (batch: Batch) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => saveTransfer(batch, recheck(batch, nowMs)))

  /** Does what a look at a payment asks for. `Outrun` where nothing was written. */
  const follow = <A extends Left | undefined, E, R>(batch: Batch, isEarlyLook: boolean, look: Look<A, E, R>) =>
    alone(batch.taskId, look, () => unknown(postpone(batch))).pipe(
      Effect.map((left): Followed => ({ batch, isChanged: true, left })),
      Effect.catchTag("Outrun", () =>
        Effect.succeed<Followed>({ batch, isChanged: false, left: isEarlyLook ? leftOf(batch) : undefined })
      )
    )

  /** The mints of a payment that has just been found may be in sight too. */
  const deliverAtOnce = (work: WalletWork) => (paid: Batch) =>
    paid.status === "paid"
      ? Effect.catchTag(deliverBatch(work, paid, false), "Outrun", () => Effect.undefined)
      : Effect.undefined

  /**
   * Follows payments in flight: one question to the chain for all of them, then each by what was proven. What is not due,
   * and looked at only for a new block, stays as it is where that shows nothing.
   */
  return Effect.fn("Wallet.settleBatches")(function* (
    work: WalletWork,
    due: ReadonlyArray<Batch>,
    { isForBlock = false }: { readonly isForBlock?: boolean } = {}
  ) {
    const followed: Array<Followed> = []
    const nowMs = yield* Clock.currentTimeMillis
    const staysAsItIs = (batch: Batch) => isForBlock && isEarly(batch, nowMs)
    for (const observed of yield* observe(due.filter((batch) => isLive(batch) && batch.window !== undefined))) {
      const { transfer: batch, outcome, usdc } = observed
      const standstill = yield* standstillFor(usdc, { payer: batch.payer, payee: batch.window?.payTo ?? batch.payTo })
      if (standstill !== undefined && outcome._tag === "Unused") yield* holdWhere(standstill, [batch.taskId])
      const settling = recordOutcome(observed, {
        onPaid: deliverAtOnce(work),
        onVoid: unknown(signAgain(work, observed)),
        onUnknown: staysAsItIs(batch) ? Effect.fail(new Outrun()) : waitForProof(work, observed, standstill)
      })
      followed.push(yield* follow(batch, staysAsItIs(batch), settling))
    }
    for (const batch of due.filter(({ status }) => status === "paid"))
      followed.push(yield* follow(batch, staysAsItIs(batch), deliverBatch(work, batch, staysAsItIs(batch))))
    return followed
  })
})

type Look<A, E, R> = Effect.Effect<A, E | LedgerError | Outrun, R>

const makeSignAgain = Effect.gen(function* () {
  const chain = yield* ChainClient
  const { holdBatch, holdStalled, holdTask } = yield* Orders
  const { mintsFor, saveTransfer } = yield* Transfers

  /**
   * A payment that was refused to its end and never made, for no fault of the order: a person has to find the cause, once
   * that has lasted, and at once where the money is gone.
   */
  const holdLapsed = Effect.fnUntraced(function* (work: WalletWork, batch: Batch) {
    const task = work.tasks.find(({ id }) => id === batch.taskId)
    const isLastWord = task?.lastRefusal !== undefined && task.lastRefusal === batch.reason
    if (task?.stalledSinceMs === undefined || !isLastWord) return
    const { block, usdc } = yield* chain.readBalances([batch.payer])
    const balance = usdc.get(batch.payer) ?? zero
    if (!isOutdated(block, work) && balance < batch.amount)
      return yield* holdTask(task.id, messages.held(messages.shortOfMoney(batch.amount, balance)))
    yield* holdStalled(task, task.stalledSinceMs, batch.reason ?? "refused")
  })

  /** The payment was not made in time, and can never be: it is planned again, unless there are mints for it all the same. */
  return Effect.fnUntraced(function* (work: WalletWork, { transfer: batch, block }: Observed<Batch>) {
    const nowMs = yield* Clock.currentTimeMillis
    // A request that is on its way carries what has lapsed: until it is answered, what it has done is unknown.
    if (isAwaited(batch, nowMs)) return yield* saveTransfer(batch, recheck(batch, nowMs))
    const minted = yield* mintsFor(batch, true)
    // Those that it had before its payment left the chain stay with it.
    const made = minted.length + batch.minted
    if (made > 0) return yield* holdBatch(batch, neverPaidFor({ length: made }))
    // An order that is over is not bought anew: a person has to know that its payment never came back.
    if (work.completed.has(batch.taskId)) return yield* holdBatch(batch, GONE_FOR_EVER)
    const after = expire(batch, { nowMs, block })
    yield* Log.info(`↩️ Task ${shortId(batch.taskId)}, batch ${batch.number}: ${after.reason}`, { task: batch.taskId })
    yield* saveTransfer(batch, after)
    yield* holdLapsed(work, batch)
  })
})

const makeWait = Effect.gen(function* () {
  const settings = yield* Settings
  const minter = yield* Minter
  const outage = yield* Outage
  const requests = yield* ServerRequests
  const { mintsFor, saveTransfer } = yield* Transfers
  const { saveAnswer } = yield* makeAnswers
  const resendPayment = yield* makeResend

  /** The server is asked what became of the payment: it has a word that decides nothing. */
  const followUp = Effect.fnUntraced(function* (before: Batch, looked: Batch, reference: string) {
    const after = { ...looked, answerByMs: answerByMs(settings, yield* Clock.currentTimeMillis) }
    const begin = Effect.fnUntraced(function* (place: Place) {
      yield* saveTransfer(before, after)
      const asking = Effect.gen(function* () {
        const said = yield* Effect.orElseSucceed(place.follow(reference), () => undefined)
        const sent = { ...after, version: before.version + 1 }
        return leftOf(yield* saveAnswer(sent, (now) => ({ before: now, after: noted(now, said) })))
      })
      yield* place.start(asking)
    })
    const begun = yield* requests.withPlace(before.walletId, begin)
    if (begun === "InLine") yield* saveTransfer(before, looked)
  })

  /** Nothing is proven: ask the chain again, or send the identical bytes once more. */
  return Effect.fnUntraced(function* (
    work: WalletWork,
    { transfer: batch, block }: Observed<Batch>,
    standstill: Standstill | undefined
  ) {
    const { window } = batch
    const nowMs = yield* Clock.currentTimeMillis
    const task = work.tasks.find((candidate) => candidate.id === batch.taskId)
    const acceptedLately = batch.status === "accepted" && batch.looks < ACCEPTED_LOOKS
    const inTime = window !== undefined && canBeSettled(window, headMs(block, settings))
    const isMoving = (yield* outage.standstillMs(block)) <= STANDSTILL_MS
    const isStill = standstill !== undefined || !isMoving
    const isTime = nowMs >= resendAtMs(batch, confirmMs(settings)) && batch.claims < CLAIMS_MAX
    const isRefused = task === undefined || task.retryCount >= settings.maxRetryCount
    const mayGo = !acceptedLately && !isStill && inTime && isTime && !isRefused
    const { takesAgain } = minter
    // A server may mint before it settles: what is delivered is not asked for again.
    const isMinted = takesAgain && mayGo && (batch.minted > 0 || (yield* mintsFor(batch, true)).length > 0)
    if (takesAgain && mayGo && !isMinted) return yield* resendPayment(work, batch, task)
    const looked = recheck(isMinted ? seenMinted(batch) : batch, nowMs)
    if (batch.reference === undefined || isAwaited(batch, nowMs)) yield* saveTransfer(batch, looked)
    else yield* followUp(batch, looked, batch.reference)
    return leftOf(looked)
  })
})

/** What the server says of a payment that the chain has not shown. */
const noted = (now: Batch, said: string | undefined): Batch => ({
  ...answered(now),
  reason: now.status === "paid" ? now.reason : (said ?? now.reason)
})
