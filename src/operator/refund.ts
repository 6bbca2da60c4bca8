import { Clock, Effect, Result } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { freeAtLeast, freeAtMost, type WalletMoney } from "../domain/Allocation.ts"
import { parse, ZERO } from "../domain/Address.ts"
import { type UnspentDeposit } from "../domain/Deposit.ts"
import { type Evidence, paidFromDeposits } from "../domain/PaymentDecision.ts"
import { planRefund, RefundId } from "../domain/Refund.ts"
import { shortId } from "../domain/Task.ts"
import { format, sum, type Usdc } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { findWallet } from "./find.ts"
import { readMoney } from "./money.ts"
import { commit } from "./commit.ts"
import { Refused } from "./Refused.ts"
import type { RefundReport } from "./reports/decisions.ts"

export interface RefundOptions {
  /** All that is free where left out, which a confirmation may not. */
  readonly amount?: Usdc | undefined
  /** Whom the person who confirms expects to get it. */
  readonly to?: string | undefined
  /** Without it nothing is done: the report says what would be. */
  readonly confirm: boolean
}

/** Sends free credit of a wallet back to its own user. Written down here, and sent by the executor's wallet actor. */
export const refund = Effect.fn("operator.refund")(function* (name: string, options: RefundOptions, why: string) {
  const { orders, block, money, unspent, evidence } = yield* readMoney(yield* findWallet(name))
  // Read in one statement with what was noted of it: whose it is cannot change in between.
  const { wallet } = orders
  const chain = yield* ChainClient
  const gasBalance = yield* chain.gasBalance
  const amount = options.amount ?? freeAtLeast(money)
  const key = yield* Effect.result((yield* KeyCustody).check(wallet))
  const noGasKey = chain.gasAccount === undefined ? [NO_GAS_KEY] : []
  const noGas = chain.gasAccount !== undefined && gasBalance === 0n ? [`${chain.gasAccount} has no gas money.`] : []
  const against = [
    ...obstacles(evidence, money, amount),
    ...(Result.isFailure(key) ? [`${key.failure.message}.`] : []),
    ...(options.confirm ? [...noGasKey, ...unconfirmed(wallet, options)] : [])
  ]
  const report: RefundReport = {
    command: "refund",
    wallet: wallet.agentAddress,
    to: wallet.userAddress,
    balance: money.balance,
    reserved: money.reserved,
    free: freeAtLeast(money),
    unspentDeposits: sum(unspent.map(({ left }) => left)),
    amount,
    gasAccount: chain.gasAccount,
    gasBalance,
    against,
    warnings: [...(options.confirm ? [] : noGasKey), ...noGas],
    refundId: undefined
  }
  if (!options.confirm) return report
  if (against.length > 0) return yield* new Refused({ message: against.join("\n") })
  const planned = yield* plan(wallet, amount)
  const planning = { version: orders.version, uses: usesOf(amount, unspent) }
  const said = `refund ${planned.id}: ${format(amount)} USDC go back to ${wallet.userAddress}`
  const repo = yield* DecisionRepo
  yield* commit("The wallet's money", { command: "refund", said, why }, (made) =>
    repo.askRefund(planned, planning, block, made)
  )
  return { ...report, refundId: planned.id }
})

const NO_GAS_KEY = "AI_AGENT_PRIVATE_KEY is not set: there is no account that pays the gas of a refund."

/** What is sent is what a person has read: neither of the two may have become another one since. */
const unconfirmed = ({ userAddress }: Wallet, { to, amount }: RefundOptions): ReadonlyArray<string> => {
  if (to === undefined || amount === undefined)
    return ["A confirmation repeats the recipient and the amount that were shown without it: --to 0x… --amount n."]
  return parse(to) === userAddress
    ? []
    : [`It would go to ${userAddress}, and the recipient that was confirmed is another.`]
}

/** What stands against a refund, with any settings. */
const obstacles = ({ orders, missing }: Evidence, money: WalletMoney, amount: Usdc): ReadonlyArray<string> => {
  const { wallet, pending, held, stopped, isShared } = orders
  const orderly = [...pending, ...held]
  const waiting = orderly.map(({ id }) => shortId(id)).join(", ")
  return [
    ...(stopped === undefined ? [] : [`The wallet is stopped: ${stopped}.`]),
    ...(isShared ? ["v1.1 may still pay from this wallet: take its order over, or wait until it is done."] : []),
    ...(orderly.length === 0 ? [] : [`The wallet has an order that waits for its money: ${waiting}. Cancel it first.`]),
    ...(missing === undefined ? [] : ["Money left the wallet that no order explains: see ai-mint reconcile."]),
    ...(wallet.userAddress === ZERO ? ["The wallet's user is the zero address: nobody would get the money."] : []),
    ...(wallet.userAddress === wallet.agentAddress ? ["The wallet's user is the wallet itself."] : []),
    ...amountObstacle(money, amount)
  ]
}

const amountObstacle = (money: WalletMoney, amount: Usdc): ReadonlyArray<string> => {
  const free = freeAtLeast(money)
  if (amount === 0n) return ["Nothing is free to be refunded."]
  if (amount <= free) return []
  return amount <= freeAtMost(money)
    ? [`A payment of the wallet is not proven yet: ${format(free)} USDC are free for sure. Try again when it is.`]
    : [`${format(free)} USDC are free, and ${format(amount)} are more than that.`]
}

const plan = Effect.fnUntraced(function* (wallet: Wallet, amount: Usdc) {
  const { network } = yield* Settings
  const id = RefundId.make(yield* (yield* SecureRandom.SecureRandom).uuidV4())
  const nowMs = yield* Clock.currentTimeMillis
  return planRefund({ id, wallet, amount, chainId: network.chainId, usdc: network.usdc.address, nowMs })
})

const usesOf = (amount: Usdc, unspent: ReadonlyArray<UnspentDeposit>) => {
  const refunded = { id: "refund", totalCost: amount }
  return paidFromDeposits([refunded], unspent).get(refunded.id)?.uses ?? []
}
