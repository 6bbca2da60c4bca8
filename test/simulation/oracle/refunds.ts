import type { Bytes32 } from "../../../src/domain/Address.ts"
import type { SignedAuthorization } from "../../../src/domain/Authorization.ts"
import type { Refund } from "../../../src/domain/Refund.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { Tables } from "../../support/memory/MemoryLedger.ts"
import { short } from "../Timeline.ts"
import { arrowOf, mayRefundMove, refundStep } from "./arrows.ts"
import { checkOwed } from "./money.ts"
import type { Oracle } from "./Oracle.ts"
import { checkMayPay } from "./pauses.ts"
import { checkVoid, checkWaits, onWindow, windowKey } from "./transfers.ts"

/** A refund as it was asked for, even where its row is gone. */
export interface AskedRefund {
  readonly id: string
  readonly walletId: WalletId
  readonly payer: string
  readonly payTo: string
  readonly amount: bigint
  readonly nonce: Bytes32
  readonly askedAtMs: number
}

const nameOf = (refund: Pick<Refund, "id">): string => `refund ${refund.id.slice(0, 8)}`

/** What must not change once a refund is asked for. */
const FIXED = ["walletId", "payer", "payTo", "amount", "nonce"] as const

/** Checks every refund that a transaction wrote. */
export const watchRefunds = (oracle: Oracle, before: Tables, after: Tables): void => {
  if (before.refunds === after.refunds) return
  for (const [id, refund] of after.refunds) {
    const old = before.refunds.get(id)
    if (old === refund) continue
    if (old === undefined) onAsked(oracle, refund, after)
    else {
      onStep(oracle, old, refund)
      if (old.status === "planned" && refund.status === "signed") {
        checkMayPay(oracle, nameOf(refund), before, refund.walletId)
      }
    }
    checkRow(oracle, refund)
    if (refund.window !== undefined && old?.window !== refund.window) {
      const { amount, payTo } = refund.window
      if (amount !== refund.amount || payTo !== refund.payTo) {
        oracle.report("I1", `${nameOf(refund)} is signed ${windowKey(refund.window)}`)
      }
      onWindow(oracle, nameOf(refund), refund, refund.window)
    }
  }
  for (const id of before.refunds.keys()) {
    if (!after.refunds.has(id)) oracle.report("I8", `refund ${id} is gone`)
  }
}

const onAsked = (oracle: Oracle, refund: Refund, tables: Tables): void => {
  const { id, walletId, payer, payTo, amount, nonce, status } = refund
  const { timeline, trace } = oracle.world
  oracle.refunds.set(nonce, { id, walletId, payer, payTo, amount, nonce, askedAtMs: timeline.nowMs })
  trace.say("ledger", `${nameOf(refund)} of ${amount} is asked for`)
  const wallet = tables.wallets.get(walletId)
  if (wallet?.userAddress !== payTo || wallet.agentAddress !== payer) {
    oracle.report("I1", `${nameOf(refund)} goes from ${payer} to ${payTo}`)
  }
  if (amount <= 0n) oracle.report("I1", `${nameOf(refund)} is of ${amount}`)
  if (status !== "planned") oracle.report("I8", `${nameOf(refund)} begins as ${status}`)
  checkOwed(oracle, nameOf(refund), walletId, tables)
}

const onStep = (oracle: Oracle, old: Refund, refund: Refund): void => {
  const { chain } = oracle.world
  oracle.takeStep(refundStep(old.status, refund.status))
  const arrow = arrowOf(old.status, refund.status)
  oracle.world.trace.say("ledger", `${nameOf(refund)}: ${arrow}`)
  if (!mayRefundMove(old.status, refund.status)) oracle.report("I8", `${nameOf(refund)} goes ${arrow}`)
  const changed = FIXED.filter((field) => old[field] !== refund[field])
  if (changed.length > 0) oracle.report("I2", `${nameOf(refund)} has another ${changed.join(", ")}`)
  const isGone = refund.paymentTx !== undefined && chain.gone.has(refund.paymentTx)
  if (refund.status === "paid" && !isGone && chain.outcome(refund.payer, refund.nonce)._tag !== "Used") {
    oracle.report("I2", `${nameOf(refund)} counts as paid, and its nonce is unused`)
  }
  if (refund.status === "planned" && old.status === "signed") checkVoid(oracle, nameOf(old), old)
}

/** Every row that is not final says what it waits for, and until when. */
const checkRow = (oracle: Oracle, refund: Refund): void => {
  const { status, reason } = refund
  const isWaiting = status === "planned" || status === "signed"
  if (isWaiting) checkWaits(oracle, nameOf(refund), refund)
  if (status !== "paid" && !reason) oracle.report("rows", `${nameOf(refund)} is ${status} and says no reason`)
}

/** Checks the transfer of a refund at the moment at which it leaves a process. */
export const checkRefundSent = (oracle: Oracle, payment: SignedAuthorization): void => {
  const refund = oracle.refunds.get(payment.nonce)
  const name = `refund ${short(payment.nonce)}`
  if (refund === undefined) return oracle.report("I1", `${name} was never asked for`)
  const key = windowKey({ amount: payment.value, payTo: payment.to, validBefore: payment.validBefore })
  if (oracle.committed.get(payment.nonce)?.has(key) !== true) {
    oracle.report("I2", `${name} (${key}) leaves before it is committed`)
  }
  if (payment.to !== refund.payTo || payment.value > refund.amount) oracle.report("I1", `${name} is ${key}`)
}
