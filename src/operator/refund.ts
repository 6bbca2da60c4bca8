import { Clock, Effect, Result } from "effect"
import { freeAtLeast, freeAtMost, type WalletMoney } from "../domain/Allocation.ts"
import { parse, ZERO } from "../domain/Address.ts"
import { type UnspentDeposit } from "../domain/Deposit.ts"
import { type Evidence, paidFromDeposits } from "../domain/PaymentDecision.ts"
import { planRefund, RefundId } from "../domain/Refund.ts"
import { shortId } from "../domain/Task.ts"
import { format, sum, type Usdc } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { findWallet } from "./find.ts"
import { readMoney } from "./money.ts"
import { commit } from "./commit.ts"
import { refuse } from "./Operator.ts"
import type { RefundReport } from "./reports/decisions.ts"
import type { RefundBody } from "./requests.ts"
import type { Services } from "./services.ts"

/** Sends free credit of a wallet back to its own user. Written down here, and sent by the executor's wallet actor. */
export const refund = Effect.fn("operator.refund")(function* (services: Services, name: string, options: RefundBody) {
  const { confirm = false, why } = options
  const { chain, custody, decisions } = services
  if (confirm && why === undefined) return yield* refuse("With confirm, a reason is needed: why.")
  const { orders, block, money, unspent, evidence } = yield* readMoney(services, yield* findWallet(services, name))
  // Read in one statement with what was noted of it: whose it is cannot change in between.
  const { wallet } = orders
  const gasBalance = yield* chain.gasBalance
  const amount = options.amount ?? freeAtLeast(money)
  const key = yield* Effect.result(custody.check(wallet))
  const noGasKey = chain.gasAccount === undefined ? [NO_GAS_KEY] : []
  const noGas = chain.gasAccount !== undefined && gasBalance === 0n ? [`${chain.gasAccount} has no gas money.`] : []
  const against = [
    ...obstacles(evidence, money, amount),
    ...(Result.isFailure(key) ? [`${key.failure.message}.`] : []),
    ...(confirm ? [...noGasKey, ...unconfirmed(wallet, options)] : [])
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
    warnings: [...(confirm ? [] : noGasKey), ...noGas],
    refundId: undefined
  }
  if (!confirm || why === undefined) return report
  if (against.length > 0) return yield* refuse(against.join("\n"))
  const planned = yield* plan(services, wallet, amount)
  const planning = { version: orders.version, uses: usesOf(amount, unspent) }
  const said = `refund ${planned.id}: ${format(amount)} USDC go back to ${wallet.userAddress}`
  yield* commit("The wallet's money", { command: "refund", said, why }, (made) =>
    decisions.askRefund(planned, planning, block, made)
  )
  return { ...report, refundId: planned.id }
})

const NO_GAS_KEY = "AI_AGENT_PRIVATE_KEY is not set: there is no account that pays the gas of a refund."

/** What is sent is what a person has read: neither of the two may have become another one since. */
const unconfirmed = ({ userAddress }: Wallet, { to, amount }: RefundBody): ReadonlyArray<string> => {
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
    ...(wallet.userAddress === ZERO ? ["The wallet's user is the zero address: the money would be lost."] : []),
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

const plan = Effect.fnUntraced(function* ({ settings: { network }, random }: Services, wallet: Wallet, amount: Usdc) {
  const id = RefundId.make(yield* random.uuidV4())
  const nowMs = yield* Clock.currentTimeMillis
  return planRefund({ id, wallet, amount, chainId: network.chainId, usdc: network.usdc.address, nowMs })
})

const usesOf = (amount: Usdc, unspent: ReadonlyArray<UnspentDeposit>) => {
  const refunded = { id: "refund", totalCost: amount }
  return paidFromDeposits([refunded], unspent).get(refunded.id)?.uses ?? []
}
