import { Clock, Duration, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { blockBefore } from "../domain/Block.ts"
import type { Refund } from "../domain/Refund.ts"
import { expire, holdWithMoney, recheck, resend, sign } from "../domain/transferTransitions.ts"
import { format } from "../domain/Usdc.ts"
import type { WalletWork } from "../domain/WalletState.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import * as Log from "../ops/Log.ts"
import { canBeSettled, headMs } from "./pace.ts"
import { type Observed, refundFields, signTransfer, standstillFor, Transfers, windowFrom } from "./Transfers.ts"
import { UsdcCode } from "./UsdcCode.ts"

/** How soon to try again where the gas account is missing or the chain does not take it. */
const RETRY_MS = 30_000

/** After the chain was asked so often for its transfer, the identical bytes are sent again each time it is asked. */
const LOOKS_BEFORE_RESEND = 2

/** Moves refunds. */
export const makeMoveRefund = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const { holdRefund, observe, recordOutcome, saveTransfer } = yield* Transfers
  const send = yield* makeSend
  const signUnlessStill = yield* makeSign

  const expireRefund = Effect.fnUntraced(function* ({ transfer: refund, block }: Observed<Refund>) {
    const after = expire(refund, { nowMs: yield* Clock.currentTimeMillis, block })
    return yield* after.status === "held" ? holdRefund(refund, after) : saveTransfer(refund, after)
  })

  const waitForRefund = Effect.fnUntraced(function* (
    work: WalletWork,
    { transfer: refund, block, usdc }: Observed<Refund>
  ) {
    const nowMs = yield* Clock.currentTimeMillis
    const isInTime = refund.window !== undefined && canBeSettled(refund.window, headMs(block, settings))
    const standstill = yield* standstillFor(usdc, { payer: refund.payer, payee: refund.payTo })
    if (refund.looks < LOOKS_BEFORE_RESEND || !isInTime || standstill !== undefined) {
      const reason = standstill?.reason ?? refund.reason ?? "waiting for the chain"
      return yield* saveTransfer(refund, recheck(refund, nowMs, { reason }))
    }
    const again = resend(refund, nowMs)
    yield* saveTransfer(refund, again)
    yield* send(work, { ...again, version: refund.version + 1 })
  })

  /** Takes a refund one step further: asks the chain what became of its nonce, and signs and sends where it is free. */
  return Effect.fn("Wallet.moveRefund")(function* (work: WalletWork, refund: Refund) {
    const { blockSeconds } = settings.network
    const fromBlock = refund.window?.block ?? blockBefore(yield* chain.confirmedBlock, refund.createdAtMs, blockSeconds)
    const [observed] = yield* observe([refund], { fromBlock })
    if (observed === undefined) return
    return yield* recordOutcome(observed, {
      onVoid: refund.status === "signed" ? expireRefund(observed) : signUnlessStill(work, observed),
      onUnknown: waitForRefund(work, observed)
    })
  })
})

const makeSend = Effect.gen(function* () {
  const chain = yield* ChainClient
  const custody = yield* KeyCustody
  const { saveTransfer } = yield* Transfers

  /** The chain is asked next, whether it was sent or not. Why it could not be sent is kept for the person who asks. */
  return Effect.fnUntraced(function* ({ wallet }: WalletWork, refund: Refund) {
    if (wallet === undefined) return
    const sent = yield* Effect.result(Effect.flatMap(signTransfer(custody, wallet, refund), chain.sendTransfer))
    if (Result.isSuccess(sent)) return
    const reason = `it could not be sent: ${sent.failure.message}`
    const said = `⚠️ A refund could not be sent: ${sent.failure.message}`
    yield* Log.warnOnce(`send:${refund.id}`, said, refundFields(refund))
    yield* wasFirst(saveTransfer(refund, { ...refund, reason }))
  })
})

const makeSign = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const usdcCode = yield* UsdcCode
  const { holdRefund, saveTransfer } = yield* Transfers
  const send = yield* makeSend

  /** Nothing can be signed now, and why. */
  const postpone = Effect.fnUntraced(function* (refund: Refund, reason: string) {
    yield* Log.warnOnce(`refund:${refund.id}:${reason}`, `⚠️ A refund waits: ${reason}`, refundFields(refund))
    const nowMs = yield* Clock.currentTimeMillis
    return yield* saveTransfer(refund, recheck(refund, nowMs, { reason, pauseMs: RETRY_MS }))
  })

  const signAndSend = Effect.fnUntraced(function* (work: WalletWork, { transfer: refund, block }: Observed<Refund>) {
    const { amount, payTo, version } = refund
    if (work.wallet === undefined) return yield* postpone(refund, "the row of the agent wallet cannot be read")
    if (work.stopped !== undefined) return yield* postpone(refund, "the wallet is stopped")
    if (chain.gasAccount === undefined) return yield* postpone(refund, "AI_AGENT_PRIVATE_KEY is not set")
    const seconds = Duration.toSeconds(settings.authorizationWindow)
    const window = { amount, payTo, ...(yield* windowFrom(block, seconds, settings)) }
    const signed = sign(refund, window, yield* Clock.currentTimeMillis)
    // The claim: from here on the transfer may exist, even if this process dies.
    yield* saveTransfer(refund, signed)
    yield* Log.info(`↩️ Refunding ${format(amount)} USDC to ${payTo}`, refundFields(refund))
    yield* send(work, { ...signed, version: version + 1 })
  })

  /** Nothing is signed that cannot be carried out: a pause of USDC passes, and what its blacklist stops needs a person. */
  return Effect.fnUntraced(function* (work: WalletWork, observed: Observed<Refund>) {
    const { transfer: refund, usdc } = observed
    const mustWait = yield* usdcCode.reasonToWait
    if (mustWait !== undefined) return yield* postpone(refund, mustWait)
    const standstill = yield* standstillFor(usdc, { payer: refund.payer, payee: refund.payTo })
    if (standstill === undefined) return yield* signAndSend(work, observed)
    if (standstill._tag === "Paused") return yield* postpone(refund, standstill.reason)
    return yield* holdRefund(refund, holdWithMoney(refund, standstill.reason))
  })
})
