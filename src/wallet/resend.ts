import { Clock, Effect, Result } from "effect"
import { Settings } from "../config/Settings.ts"
import type { Batch, SignedWindow } from "../domain/Batch.ts"
import { doubt, resend, resendPauseMs } from "../domain/BatchLife.ts"
import { chooseOffer } from "../domain/Offer.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { usdc } from "../domain/Usdc.ts"
import { Minter } from "../mint/Minter.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo, type WalletWork } from "../task/TaskRepo.ts"
import { answerByMs, send, signatureOf } from "./pay.ts"

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
  const later = Effect.fnUntraced(function* (reason: string) {
    const nowMs = yield* Clock.currentTimeMillis
    const lookAtMs = nowMs + resendPauseMs(batch.sends)
    const after = doubt({ ...batch, sends: batch.sends + 1 }, { reason, lookAtMs }, nowMs)
    return yield* repo.saveBatch({ before: batch, after }, nowMs)
  })
  if (work.wallet === undefined) return yield* later("the row of the agent wallet cannot be read")
  const quoted = yield* Effect.result((yield* Minter).quote(batch))
  if (Result.isFailure(quoted)) return yield* later(quoted.failure.message)
  const { offers } = quoted.success
  const fitting = batch.status === "paid" ? offers : offers.filter(({ amount }) => amount === window.amount)
  if (fitting.length === 0) return yield* later("the server does not offer any more what was signed")
  const offer = chooseOffer(fitting, {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    maxAmount: usdc(fitting.reduce((most, { amount }) => (amount > most ? amount : most), 0n)),
    payees: [window.payTo],
    quantity: batch.quantity
  })
  if (Result.isFailure(offer)) return yield* later(offer.failure)
  const signature = yield* Effect.result(signatureOf(work.wallet, batch))
  if (Result.isFailure(signature)) return yield* later(signature.failure.message)
  const nowMs = yield* Clock.currentTimeMillis
  const claimed = resend(batch, nowMs, yield* answerByMs)
  if (!(yield* repo.saveBatch({ before: batch, after: claimed }, nowMs))) return false
  yield* Log.info(`🔁 Sending the same payment again: task ${shortId(batch.taskId)}, batch ${batch.number}`, {
    task: batch.taskId,
    batch: batch.number,
    attempt: claimed.sends
  })
  const sent = { ...claimed, version: batch.version + 1 }
  return yield* send(sent, quoted.success, offer.success, signature.success, { task, claimedAtMs: nowMs })
})
