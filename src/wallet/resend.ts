import { Clock, Effect, Result } from "effect"
import { Settings } from "../config/Settings.ts"
import type { Batch, SignedWindow } from "../domain/Batch.ts"
import { awaitAnswer, doubt, resend, resendPauseMs } from "../domain/BatchLife.ts"
import { chooseOffer } from "../domain/Offer.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { usdc } from "../domain/Usdc.ts"
import { Minter, type NoOffer } from "../mint/Minter.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo, type WalletWork } from "../task/TaskRepo.ts"
import { Outage } from "./Outage.ts"
import { ANSWER_MARGIN_MS, answerByMs } from "./pace.ts"
import { send, signatureOf } from "./pay.ts"

/**
 * Sends the identical authorization again, wrapped in the server's present offer as x402 wants it. Where the server
 * now asks for something else, nothing is sent: a live authorization has no successor until it is void. What is paid
 * already is sent at any price: it can move no money, and the server may know it by its nonce.
 */
export const resendPayment = Effect.fn("Wallet.resendPayment")(function* (
  work: WalletWork,
  batch: Batch,
  window: SignedWindow,
  task: Task | undefined
) {
  const repo = yield* TaskRepo
  const { network } = yield* Settings
  const later = Effect.fnUntraced(function* (before: Batch, reason: string) {
    const nowMs = yield* Clock.currentTimeMillis
    const lookAtMs = nowMs + resendPauseMs(before.sends)
    const after = doubt({ ...before, sends: before.sends + 1 }, { reason, lookAtMs, isOurs: true }, nowMs)
    return yield* repo.saveBatch({ before, after }, nowMs)
  })
  if (work.wallet === undefined) return yield* later(batch, "the row of the agent wallet cannot be read")
  const askedAtMs = yield* Clock.currentTimeMillis
  const awaiting = awaitAnswer(batch, yield* answerByMs)
  if (!(yield* repo.saveBatch({ before: batch, after: awaiting }, askedAtMs))) return false
  if ((yield* Clock.currentTimeMillis) - askedAtMs > ANSWER_MARGIN_MS) return false
  const asking = { ...awaiting, version: batch.version + 1 }
  const quoted = yield* Effect.result((yield* Minter).quote(asking))
  if (Result.isFailure(quoted)) return yield* noOffer(asking, quoted.failure)
  const { offers } = quoted.success
  const fitting = batch.status === "paid" ? offers : offers.filter(({ amount }) => amount === window.amount)
  if (fitting.length === 0) return yield* later(asking, "the server does not offer any more what was signed")
  const offer = chooseOffer(fitting, {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    maxAmount: usdc(fitting.reduce((most, { amount }) => (amount > most ? amount : most), 0n)),
    payees: [window.payTo],
    quantity: batch.quantity
  })
  if (Result.isFailure(offer)) return yield* later(asking, offer.failure)
  const signature = yield* Effect.result(signatureOf(work.wallet, batch))
  if (Result.isFailure(signature)) return yield* later(asking, signature.failure.message)
  const nowMs = yield* Clock.currentTimeMillis
  const claimed = resend(asking, nowMs, yield* answerByMs)
  if (!(yield* repo.saveBatch({ before: asking, after: claimed }, nowMs))) return false
  yield* Log.info(`🔁 Sending the same payment again: task ${shortId(batch.taskId)}, batch ${batch.number}`, {
    task: batch.taskId,
    batch: batch.number,
    attempt: claimed.sends
  })
  const sent = { ...claimed, version: asking.version + 1 }
  return yield* send(sent, quoted.success, offer.success, signature.success, { task, claimedAtMs: nowMs })
})

/** The server made no offer. One that was never reached is left alone like by everybody, and its batch is not held for that. */
const noOffer = Effect.fnUntraced(function* (asking: Batch, { message, did }: NoOffer) {
  const nowMs = yield* Clock.currentTimeMillis
  const isUnreached = did === "nothing"
  const pauseMs = isUnreached ? yield* (yield* Outage).failed : 0
  const after = doubt(
    {
      ...asking,
      sends: asking.sends + (isUnreached ? 0 : 1),
      claims: asking.claims + (did === "claims" ? 1 : 0)
    },
    { reason: message, lookAtMs: nowMs + Math.max(pauseMs, resendPauseMs(asking.sends)) },
    nowMs
  )
  return yield* (yield* TaskRepo).saveBatch({ before: asking, after }, nowMs)
})
