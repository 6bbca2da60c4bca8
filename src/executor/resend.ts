import { Clock, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import type { Batch } from "../domain/Batch.ts"
import { resendPauseMs } from "../domain/transferPace.ts"
import { answered, awaitAnswer, markUnknown, resend } from "../domain/transferTransitions.ts"
import { chooseOffer } from "../domain/Offer.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { usdc } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { Minter, type MintQuote, type NoOffer } from "../mint/Minter.ts"
import { alone } from "../ops/eachAlone.ts"
import * as Log from "../ops/Log.ts"
import type { WalletWork } from "../domain/WalletState.ts"
import { Outage } from "./Outage.ts"
import { answerByMs, canBeSettled, headMs, isTooLate } from "./pace.ts"
import { makeAnswers, makeSend } from "./send.ts"
import { outrun, ServerRequests } from "./ServerRequests.ts"
import { Outrun } from "../ledger/TaskRepo.ts"
import { signTransfer, Transfers } from "./Transfers.ts"

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
    if (work.wallet === undefined) return yield* sendLater(batch, "the row of the agent wallet cannot be read")
    const nowMs = yield* Clock.currentTimeMillis
    const awaiting = awaitAnswer(batch, nowMs, answerByMs(settings, nowMs))
    yield* saveTransfer(batch, awaiting)
    const asking = { ...awaiting, version: batch.version + 1 }
    const request = askAndSend({ wallet: work.wallet, asking, task })
    yield* requests.start(batch.walletId, alone(batch.taskId, request, outrun))
  })
})

/** The server's present offer is asked for, to send a payment again. */
interface Resending {
  readonly wallet: Wallet
  /** As it is in the ledger since the request was claimed. */
  readonly asking: Batch
  /** The order that a refusal counts against. */
  readonly task: Task | undefined
}

const makeAskAndSend = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const custody = yield* KeyCustody
  const minter = yield* Minter
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

  return Effect.fn("Wallet.askAndSend")(function* ({ wallet, asking, task }: Resending) {
    if (isTooLate(asking, settings, yield* Clock.currentTimeMillis)) return yield* new Outrun()
    const quoted = yield* Effect.result(minter.quote(asking))
    if (Result.isFailure(quoted)) return yield* noOffer(asking, quoted.failure)
    const offer = offerAgain(asking, quoted.success, settings)
    if (Result.isFailure(offer)) return yield* sendLater(asking, offer.failure)
    const signature = yield* Effect.result(signTransfer(custody, wallet, asking))
    if (Result.isFailure(signature)) return yield* sendLater(asking, signature.failure.message)
    if (!(yield* isWorthSending(asking))) {
      return yield* saveAnswer(asking, (now) => ({ before: now, after: answered(now) }))
    }
    const claimed = yield* claim(asking)
    if (claimed === undefined) return
    yield* Log.info(`🔁 Sending the same payment again: task ${shortId(asking.taskId)}, batch ${asking.number}`, {
      task: asking.taskId,
      batch: asking.number,
      attempt: claimed.sends
    })
    return yield* send(claimed, quoted.success, offer.success, signature.success, task)
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
