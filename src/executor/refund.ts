import { Clock, Duration, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import { lookPauseMs, classifyEvidence } from "../domain/transferTransitions.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import {
  delayRefund,
  holdRefund,
  keepRefund,
  noteSend,
  proveRefund,
  type Refund,
  refundAuthorization,
  releaseRefund,
  resendRefund,
  signRefund
} from "../domain/Refund.ts"
import { format } from "../domain/Usdc.ts"
import type { UsdcState } from "../domain/UsdcState.ts"
import * as Log from "../ops/Log.ts"
import type { WalletWork } from "../domain/WalletState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { canBeSettled, headMs } from "./pace.ts"
import { windowAt } from "./pay.ts"
import { noteProofs } from "./proofs.ts"
import { standstillFor } from "./standstill.ts"
import { UsdcCode } from "./UsdcCode.ts"

/** How soon to try again where the gas account is missing or the chain does not take it. */
const RETRY_MS = 30_000

/** After so many looks for its transfer the identical bytes are sent again, with every look. */
const LOOKS_BEFORE_RESEND = 2

/**
 * Takes a refund one step further: asks the chain what became of its nonce, and signs and sends where it is free. What
 * is proven counts, not what was sent. Says whether anything was written.
 */
export const moveRefund = Effect.fn("Wallet.moveRefund")(function* (work: WalletWork, refund: Refund) {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const fromBlock =
    refund.window?.block ?? blockBefore(yield* chain.confirmedBlock, refund.createdAtMs, network.blockSeconds)
  const { payer, nonce, payTo, amount } = refund
  const query = { payer, nonce, fromBlock, expected: { to: payTo, value: amount } }
  const { block, outcomes, usdc } = yield* chain.readAuthorizations([query], [payer, payTo])
  yield* noteProofs(outcomes)
  const outcome = outcomes[0] ?? ({ _tag: "Unexplained" } as const)
  // Without a window of its own only the amount and the payee can be held against what the chain shows.
  const window = refund.window ?? {
    amount: refund.amount,
    payTo: refund.payTo,
    validAfter: 0,
    validBefore: 0,
    block: 0n
  }
  switch (classifyEvidence(window, outcome, block)) {
    case "paid":
      return yield* settle(refund, outcome)
    case "misused":
      return yield* setAside(refund, "its nonce was used for another transfer", outcome)
    case "canceled":
      return yield* setAside(refund, "its nonce was cancelled on chain: it can never be paid")
    case "void":
      if (refund.status === "signed") return yield* release(refund)
      return yield* signUnlessStill(work, refund, block, usdc)
    case "open":
      return yield* wait(work, refund, block, usdc)
  }
})

const save = Effect.fnUntraced(function* (before: Refund, after: Refund, outcome?: Used) {
  const spent = outcome && { amount: outcome.value, block: outcome.block }
  return yield* (yield* TaskRepo).saveRefund({ before, after, spent }, yield* Clock.currentTimeMillis)
})

type Used = Extract<AuthorizationOutcome, { _tag: "Used" }>

const fieldsOf = ({ id, payer, tx }: Refund) => ({ refund: id, wallet: payer, tx })

const settle = Effect.fnUntraced(function* (refund: Refund, outcome: AuthorizationOutcome) {
  if (outcome._tag !== "Used") return false
  const paid = proveRefund(refund, outcome)
  const saved = yield* save(refund, paid, outcome)
  if (saved) yield* Log.success(`Refund of ${format(refund.amount)} USDC to ${refund.payTo} is paid`, fieldsOf(paid))
  return saved
})

const setAside = Effect.fnUntraced(function* (refund: Refund, reason: string, outcome?: AuthorizationOutcome) {
  const spent = outcome?._tag === "Used" ? outcome : undefined
  return yield* hold(refund, holdRefund(refund, reason, spent), spent)
})

const release = Effect.fnUntraced(function* (refund: Refund) {
  const after = releaseRefund(refund, yield* Clock.currentTimeMillis)
  return after.status === "held" ? yield* hold(refund, after) : yield* save(refund, after)
})

const hold = Effect.fnUntraced(function* (refund: Refund, held: Refund, spent?: Used) {
  const saved = yield* save(refund, held, spent)
  if (saved) {
    const said = `🚨 Refund of ${format(refund.amount)} USDC from ${refund.payer} is held: ${held.reason}`
    yield* Log.error(said, fieldsOf(refund))
  }
  return saved
})

/** Not now, and why. */
const later = Effect.fnUntraced(function* (refund: Refund, reason: string) {
  yield* Log.warnOnce(`refund:${refund.id}:${reason}`, `⚠️ A refund waits: ${reason}`, fieldsOf(refund))
  return yield* save(refund, delayRefund(refund, reason, (yield* Clock.currentTimeMillis) + RETRY_MS))
})

/** Nothing is signed that cannot be carried out: a pause passes, and what the blacklist stops never will by itself. */
const signUnlessStill = Effect.fnUntraced(function* (work: WalletWork, refund: Refund, block: Block, state: UsdcState) {
  const codeDoubt = yield* (yield* UsdcCode).doubt
  if (codeDoubt !== undefined) return yield* later(refund, codeDoubt)
  const standstill = yield* standstillFor(state, { payer: refund.payer, payee: refund.payTo })
  if (standstill === undefined) return yield* sign(work, refund, block)
  if (standstill._tag === "Paused") return yield* later(refund, standstill.reason)
  return yield* hold(refund, keepRefund(refund, standstill.reason))
})

const sign = Effect.fnUntraced(function* (work: WalletWork, refund: Refund, block: Block) {
  const { authorizationWindow } = yield* Settings
  if (work.wallet === undefined) return yield* later(refund, "the row of the agent wallet cannot be read")
  if (work.stopped !== undefined) return yield* later(refund, "the wallet is stopped")
  if ((yield* ChainClient).gasAccount === undefined) return yield* later(refund, "AI_AGENT_PRIVATE_KEY is not set")
  const window = {
    amount: refund.amount,
    payTo: refund.payTo,
    ...(yield* windowAt(block, Duration.toSeconds(authorizationWindow)))
  }
  const signed = signRefund(refund, window, yield* Clock.currentTimeMillis)
  // The claim: from here on the transfer may exist, whatever happens to this process.
  if (!(yield* save(refund, signed))) return false
  yield* Log.info(`↩️ Refunding ${format(refund.amount)} USDC to ${refund.payTo}`, fieldsOf(refund))
  yield* send(work, { ...signed, version: refund.version + 1 })
  return true
})

/** The chain is asked next, whatever comes of this. Why it could not be sent is kept for the person who asks. */
const send = Effect.fnUntraced(function* (work: WalletWork, refund: Refund) {
  if (work.wallet === undefined || refund.window === undefined) return
  const authorization = refundAuthorization(refund, refund.window)
  const signature = yield* Effect.result((yield* KeyCustody).sign(work.wallet, authorization))
  const failed = Result.isFailure(signature)
    ? signature.failure
    : yield* (yield* ChainClient)
        .sendTransfer({ ...authorization, signature: signature.success })
        .pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
  if (failed === undefined) return
  yield* Log.warnOnce(`send:${refund.id}`, `⚠️ A refund could not be sent: ${failed.message}`, fieldsOf(refund))
  yield* save(refund, noteSend(refund, `it could not be sent: ${failed.message}`))
})

const wait = Effect.fnUntraced(function* (work: WalletWork, refund: Refund, block: Block, state: UsdcState) {
  const nowMs = yield* Clock.currentTimeMillis
  const inTime = refund.window !== undefined && canBeSettled(refund.window, yield* headMs(block))
  const standstill = yield* standstillFor(state, { payer: refund.payer, payee: refund.payTo })
  if (refund.looks < LOOKS_BEFORE_RESEND || !inTime || standstill !== undefined) {
    const reason = standstill?.reason ?? refund.reason ?? "waiting for the chain"
    return yield* save(refund, delayRefund(refund, reason, nowMs + lookPauseMs(refund.looks + 1)))
  }
  const again = resendRefund(refund, nowMs)
  if (!(yield* save(refund, again))) return false
  yield* send(work, { ...again, version: refund.version + 1 })
  return true
})
