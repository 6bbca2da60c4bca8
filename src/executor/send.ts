import { Clock, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { resendPauseMs } from "../domain/transferPace.ts"
import { accept, answered, awaitAnswer, markUnknown, recheck, resend } from "../domain/transferTransitions.ts"
import { type AcceptedOffer, chooseOffer } from "../domain/Offer.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { usdc } from "../domain/Usdc.ts"
import type { Standstill } from "../domain/UsdcState.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { WalletWork } from "../domain/WalletState.ts"
import type { MintQuote, NoOffer, PaymentAnswer } from "../mint/Minter.ts"
import { alone } from "../ops/eachAlone.ts"
import * as Log from "../ops/Log.ts"
import { type BatchSave, Outrun, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { leftOf, unknown } from "./left.ts"
import { Orders } from "./Orders.ts"
import { Outage } from "./Outage.ts"
import { answerByMs, canBeSettled, firstLookMs, headMs, isTooLate } from "./pace.ts"
import { outrun, type Place, ServerRequests } from "./ServerRequests.ts"
import { signTransfer, standstillFor, Transfers } from "./Transfers.ts"

/** A signed payment, and the offer that it takes. */
interface Signed {
  readonly quote: MintQuote
  readonly accepted: AcceptedOffer
  readonly payment: SignedAuthorization
}

/** Sends payments to the mint server. */
export const makeSend = Effect.gen(function* () {
  const settings = yield* Settings
  const outage = yield* Outage
  const { asItIsNow, saveAnswer } = yield* makeAnswers
  const { refused, saveUnknown } = yield* makeRefused

  /**
   * Sends a claimed payment and stores what the server says to it, whenever that comes. Nothing here decides about money:
   * the chain is asked from the claim on. A refusal counts against `task`, unless the batch is paid already. Gives what is
   * left of the batch, where that is known.
   */
  return Effect.fn("Wallet.send")(function* (
    place: Place,
    batch: Batch,
    { quote, accepted, payment }: Signed,
    task: Task | undefined
  ) {
    if (isTooLate(batch, settings, yield* Clock.currentTimeMillis)) return yield* new Outrun()
    const answer = yield* place.pay(batch, quote, accepted.offer, payment)
    const said = { task: batch.taskId, batch: batch.number, wallet: batch.payer, attempt: batch.sends }
    const which = `batch ${batch.number} of task ${shortId(batch.taskId)}`
    if (answer._tag === "Accepted") {
      yield* outage.serverAnswered(requestOf(batch))
      yield* Log.debug(`The mint server accepted ${which}`, said)
      const nowMs = yield* Clock.currentTimeMillis
      const pauseMs = firstLookMs(settings)
      const saving = saveAnswer(batch, (now) => ({ before: now, after: accept(now, answer.mintTxs, nowMs, pauseMs) }))
      return leftOf(yield* saving)
    }
    const now = yield* asItIsNow(batch)
    if (now === undefined || !isEnvironment(answer)) yield* outage.serverAnswered(requestOf(batch))
    if (now === undefined) {
      yield* Log.debug(`An answer to ${which} came when the chain had decided: ${answer.reason}`, said)
      return yield* new Outrun()
    }
    yield* Log.warn(`⚠️ Task ${shortId(batch.taskId)}, batch ${batch.number}: ${answer.reason}`, said)
    if (task !== undefined && now.status !== "paid") return yield* unknown(refused(now, answer, task))
    if (isEnvironment(answer)) yield* outage.serverFailed(requestOf(batch), answer.reason)
    return leftOf(yield* saveUnknown(now, answer))
  })
})

const requestOf = ({ taskId }: Batch): string => `payment:${taskId}`

type Refusal = Exclude<PaymentAnswer, { readonly _tag: "Accepted" }>

/** No word of the server's own. */
const isEnvironment = (answer: PaymentAnswer): boolean => answer._tag === "Unclear" && answer.whose === undefined

interface UnclearAnswer {
  readonly reason: string
  readonly reference?: string
  /** Left out: when the bytes may be sent again. */
  readonly lookAtMs?: number
}

const makeRefused = Effect.gen(function* () {
  const outage = yield* Outage
  const { holdForCode, holdWhere, refusal, stall } = yield* Orders
  const { saveAnswer } = yield* makeAnswers
  const standstillNow = yield* makeStandstillNow

  /** What has been paid meanwhile costs its order nothing. */
  const saveUnknown = Effect.fnUntraced(function* (batch: Batch, answer: UnclearAnswer, task?: BatchSave["task"]) {
    const nowMs = yield* Clock.currentTimeMillis
    const unclear = { lookAtMs: nowMs + resendPauseMs(batch.sends), ...answer }
    return yield* saveAnswer(batch, (now) => ({
      before: now,
      after: markUnknown(now, unclear, nowMs),
      ...(task !== undefined && now.status !== "paid" && { task })
    }))
  })

  /** An answer to a payment that has not been seen on chain, and proves nothing: it may cost its order a retry, or a pause. */
  const refused = Effect.fnUntraced(function* (batch: Batch, answer: Refusal, task: Task) {
    // A server may report a paused USDC as anything: a transfer that failed in its simulation, or words of its own.
    const standstill = yield* standstillNow(batch, { isRefusal: !isEnvironment(answer) })
    if (standstill !== undefined) {
      const reason = `${standstill.reason} (${answer.reason})`
      const saved = yield* wasFirst(saveUnknown(batch, { ...answer, reason }))
      yield* holdWhere(standstill, [task.id])
      return saved ? undefined : yield* new Outrun()
    }
    if (answer._tag === "Refused") {
      const change = yield* refusal(task, answer.reason)
      return yield* saveUnknown(batch, { ...answer, lookAtMs: change.nextActionAtMs }, { expected: task, change })
    }
    if (answer.whose === undefined) {
      yield* outage.serverFailed(requestOf(batch), answer.reason)
      return yield* saveUnknown(batch, answer)
    }
    yield* saveUnknown(batch, answer, { expected: task, change: yield* stall(task, answer.reason) })
    if (answer.whose === "wallet") yield* holdForCode(task, batch.payer, answer.reason)
  })

  return { refused, saveUnknown }
})

/**
 * What keeps a payment from being made that the mint server has just not taken, by the newest block. Where the chain does not answer,
 * a refusal may have any cause: it is not held against the order.
 */
export const makeStandstillNow = Effect.map(
  ChainClient,
  (chain) =>
    ({ payer, window, payTo }: Batch, { isRefusal }: { readonly isRefusal: boolean }) => {
      const payee = window?.payTo ?? payTo
      return chain.usdcState([payer, payee]).pipe(
        Effect.flatMap((state) => standstillFor(state, { payer, payee })),
        Effect.catch(({ message }) =>
          Effect.succeed<Standstill | undefined>(isRefusal ? { _tag: "Paused", reason: message } : undefined)
        )
      )
    }
)

/** What is done with the answer to a request, whenever it comes. */
export const makeAnswers = Effect.map(TaskRepo, (repo) => {
  /** The batch as it is by now; `undefined` where an answer to what was sent has come too late to matter. */
  const asItIsNow = Effect.fnUntraced(function* (sent: Batch) {
    const { batches } = yield* repo.walletWork(sent.walletId)
    const now = batches.find(({ taskId, number }) => taskId === sent.taskId && number === sent.number)
    return now !== undefined && isInFlight(now) && isSameSend(sent, now) ? now : undefined
  })

  /**
   * Stores what a request brought. The chain was asked while it was on its way, so that the batch may be another by
   * now than the one that was `sent`: `saveFor` makes the change of what it is now. Gives what it became. `Outrun` where
   * the answer has come too late: the batch is delivered, held, void, or was sent again.
   */
  const saveAnswer = Effect.fn("Wallet.saveAnswer")(function* (sent: Batch, saveFor: (now: Batch) => BatchSave) {
    let now: Batch | undefined = sent
    while (now !== undefined) {
      const save = saveFor(now)
      if (yield* wasFirst(repo.saveBatch(save, yield* Clock.currentTimeMillis))) return save.after
      const tried: number = now.version
      now = yield* asItIsNow(sent)
      // No step of another turn keeps it from being written, but something else.
      if (now?.version === tried) break
    }
    return yield* new Outrun()
  })

  return { asItIsNow, saveAnswer }
})

const isSameSend = (sent: Batch, now: Batch): boolean =>
  now.sends === sent.sends && now.answerByMs === sent.answerByMs && now.window?.validBefore === sent.window?.validBefore

/** Sends payments again. */
export const makeResend = Effect.gen(function* () {
  const settings = yield* Settings
  const requests = yield* ServerRequests
  const { saveTransfer } = yield* Transfers
  const { sendLater } = yield* makeRecords
  const askAndSend = yield* makeAskAndSend

  /**
   * Sends the identical authorization again, wrapped in the server's present offer as x402 wants it. Where the server
   * now asks for something else, nothing is sent: a live authorization has no successor until it is void. What is paid
   * already is sent at any price: it can move no money, and the server may know it by its nonce.
   */
  return Effect.fn("Wallet.resendPayment")(function* (work: WalletWork, batch: Batch, task: Task | undefined) {
    const { wallet } = work
    if (wallet === undefined) return yield* unknown(sendLater(batch, "the row of the agent wallet cannot be read"))
    const nowMs = yield* Clock.currentTimeMillis
    const begin = Effect.fnUntraced(function* (place: Place) {
      const awaiting = awaitAnswer(batch, nowMs, answerByMs(settings, nowMs))
      yield* saveTransfer(batch, awaiting)
      const asking = { ...awaiting, version: batch.version + 1 }
      yield* place.start(alone(batch.taskId, askAndSend({ wallet, asking, task, place }), outrun))
    })
    // Until it has a place the chain goes on being asked.
    const begun = yield* requests.withPlace(batch.walletId, begin)
    if (begun === "InLine") yield* saveTransfer(batch, recheck(batch, nowMs))
    return undefined
  })
})

/** The server's present offer is asked for, to send a payment again. */
interface Resending {
  readonly wallet: Wallet
  /** As it is in the ledger since the request was claimed. */
  readonly asking: Batch
  /** The order that a refusal counts against. */
  readonly task: Task | undefined
  readonly place: Place
}

const makeAskAndSend = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const custody = yield* KeyCustody
  const { mintsFor } = yield* Transfers
  const { saveAnswer } = yield* makeAnswers
  const { claim, noOffer, sendLater } = yield* makeRecords
  const send = yield* makeSend

  /** While the server thought about its offer a payment may have lapsed, or its mints have come. */
  const isWorthSending = Effect.fnUntraced(function* (asking: Batch) {
    if (asking.status === "paid") return true
    const chainMs = headMs(yield* chain.confirmedBlock, settings)
    const isInTime = asking.window !== undefined && canBeSettled(asking.window, chainMs)
    return isInTime && (yield* mintsFor(asking, true)).length === 0
  })

  return Effect.fn("Wallet.askAndSend")(function* ({ wallet, asking, task, place }: Resending) {
    if (isTooLate(asking, settings, yield* Clock.currentTimeMillis)) return yield* new Outrun()
    const quoted = yield* Effect.result(place.quote(asking))
    if (Result.isFailure(quoted)) return leftOf(yield* noOffer(asking, quoted.failure))
    const offer = offerAgain(asking, quoted.success, settings)
    if (Result.isFailure(offer)) return leftOf(yield* sendLater(asking, offer.failure))
    const signature = yield* Effect.result(signTransfer(custody, wallet, asking))
    if (Result.isFailure(signature)) return leftOf(yield* sendLater(asking, signature.failure.message))
    if (!(yield* isWorthSending(asking))) {
      return leftOf(yield* saveAnswer(asking, (now) => ({ before: now, after: answered(now) })))
    }
    const claimed = yield* claim(asking)
    if (claimed === undefined) return undefined
    yield* Log.info(`🔁 Sending the same payment again: task ${shortId(asking.taskId)}, batch ${asking.number}`, {
      task: asking.taskId,
      batch: asking.number,
      attempt: claimed.sends
    })
    const signed = { quote: quoted.success, accepted: offer.success, payment: signature.success }
    return yield* send(place, claimed, signed, task)
  })
})

/** An offer that the payment fits as it was signed. */
const offerAgain = (asking: Batch, { offers }: MintQuote, { network }: SettingsShape) => {
  const { amount: signedAmount, payTo } = asking.window ?? asking
  const fitting = asking.status === "paid" ? offers : offers.filter(({ amount }) => amount === signedAmount)
  if (fitting.length === 0) return Result.fail("the server does not offer any more what was signed")
  return chooseOffer(fitting, {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    maxAmount: usdc(fitting.reduce((most, { amount }) => (amount > most ? amount : most), 0n)),
    payees: [payTo],
    quantity: asking.quantity
  })
}

/** What is recorded of a payment that is sent again, or is not. */
const makeRecords = Effect.gen(function* () {
  const settings = yield* Settings
  const outage = yield* Outage
  const { saveAnswer } = yield* makeAnswers

  /**
   * Claims the next send. Where the chain has shown something of the batch since the server was asked, nothing is sent:
   * by that it is decided anew. Gives the batch as it is then in the ledger.
   */
  const claim = Effect.fnUntraced(function* (asking: Batch) {
    const nowMs = yield* Clock.currentTimeMillis
    let claimed: Batch | undefined
    yield* saveAnswer(asking, (now) => {
      const isUnchanged = now.status === asking.status && now.minted === asking.minted && now.claims === asking.claims
      const after = isUnchanged ? resend(now, nowMs, answerByMs(settings, nowMs)) : answered(now)
      claimed = isUnchanged ? { ...after, version: now.version + 1 } : undefined
      return { before: now, after }
    })
    return claimed
  })

  /** Nothing was sent, for a reason of ours; it counts as a try. */
  const sendLater = Effect.fnUntraced(function* (batch: Batch, reason: string) {
    const nowMs = yield* Clock.currentTimeMillis
    const lookAtMs = nowMs + resendPauseMs(batch.sends)
    return yield* saveAnswer(batch, (now) => ({
      before: now,
      after: markUnknown({ ...now, sends: now.sends + 1 }, { reason, lookAtMs, isOurs: true }, nowMs)
    }))
  })

  /** The server made no offer. One that was never reached gets a pause from all wallets, and its batch is not held for that. */
  const noOffer = Effect.fnUntraced(function* (asking: Batch, { message, did }: NoOffer) {
    const nowMs = yield* Clock.currentTimeMillis
    const isUnreached = did === "nothing"
    const pauseMs = isUnreached ? yield* outage.failed : 0
    const answer = { reason: message, lookAtMs: nowMs + Math.max(pauseMs, resendPauseMs(asking.sends)) }
    return yield* saveAnswer(asking, (now) => {
      const sends = now.sends + (isUnreached ? 0 : 1)
      const claims = now.claims + (did === "claims" ? 1 : 0)
      return { before: now, after: markUnknown({ ...now, sends, claims }, answer, nowMs) }
    })
  })

  return { claim, sendLater, noOffer }
})
