import { Duration, Effect, Result } from "effect"
import type { Balances } from "../chain/ChainClient.ts"
import type { Address } from "../domain/Address.ts"
import type { UnspentDeposit } from "../domain/Deposit.ts"
import { type Evidence, moneyOf, recordedHistory } from "../domain/PaymentDecision.ts"
import { lookAtPayIn, type PayIn, payInQuery } from "../domain/PayIn.ts"
import { zero } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { isOutdated, type WalletOrders } from "../domain/WalletState.ts"
import * as Clocks from "../ops/Clocks.ts"
import { refuse } from "./Operator.ts"
import type { Services } from "./services.ts"

/** What a wallet owes, and what it holds in a confirmed block, as far as ledger and chain can tell. */
export interface MoneyRead {
  /** `undefined` where its orders cannot be read. */
  readonly orders: WalletOrders | undefined
  /** `undefined` where the chain does not answer. */
  readonly chain: Pick<Evidence, "balance" | "block"> | undefined
  /** `undefined` where either is missing. */
  readonly evidence: Evidence | undefined
}

/** Reservations first, the chain second, as for every decision. An explanation without the chain is better than none. */
export const tryReadMoney = Effect.fnUntraced(function* (services: Services, wallet: Wallet) {
  const { decisions, tasks } = services
  const orders = yield* decisions.walletOrders(wallet.id)
  const read = yield* Effect.result(lookAt(services, wallet, orders?.payIns ?? []))
  if (Result.isFailure(read)) return { orders, chain: undefined, evidence: undefined } satisfies MoneyRead as MoneyRead
  const deposits = yield* tasks.unspentDeposits([wallet.id])
  const evidence = orders && (yield* evidenceOf(services, orders, read.success, deposits))
  const balance = read.success.usdc.get(wallet.agentAddress) ?? zero
  return { orders, chain: { balance, block: read.success.block }, evidence } satisfies MoneyRead as MoneyRead
})

/** The same for a decision: refused where the orders cannot be read, or the balance is from before the last payment. */
export const readMoney = Effect.fnUntraced(function* (services: Services, wallet: Wallet) {
  const { decisions, tasks } = services
  const orders = yield* decisions.walletOrders(wallet.id)
  if (orders === undefined) {
    return yield* refuse(
      `An order of agent wallet ${wallet.agentAddress} is in no state to be read, and is not set aside yet. ` +
        "The executor does that at its next check: try again then.",
      "not_now"
    )
  }
  const balances = yield* lookAt(services, wallet, orders.payIns)
  if (isOutdated(balances.block, orders)) {
    return yield* refuse(
      `The node is behind the last payment of ${wallet.agentAddress} (block ${orders.provenBlock}): try again.`,
      "not_now"
    )
  }
  const unspent = yield* tasks.unspentDeposits([wallet.id])
  const evidence = yield* evidenceOf(services, orders, balances, unspent)
  return { orders, block: balances.block, money: moneyOf(evidence), unspent, evidence }
})

export type DecidedMoney = Effect.Success<ReturnType<typeof readMoney>>

export const refuseStopped = (wallet: Address, reason: string) =>
  refuse(
    `Its wallet is stopped: ${reason}. When that is clear: ai-mint resolve --wallet ${wallet} --why "…"`,
    "wallet_stopped"
  )

/** The wallet on the chain, with what became of the payments that are under way into it, in the order of its pay-ins. */
const lookAt = Effect.fnUntraced(function* (
  { chain, settings }: Services,
  { agentAddress }: Wallet,
  payIns: ReadonlyArray<PayIn>
) {
  const { blockSeconds } = settings.network
  const at = payIns.length === 0 ? undefined : yield* chain.confirmedBlock
  return yield* chain.readBalances([agentAddress], at && payIns.map((one) => payInQuery(one, at, blockSeconds)))
})

/**
 * What is known of the money of a wallet. Nothing is searched for: deposits that are not recorded are awaited, as the sweep
 * finds them. Of balances that were read without asking about its pay-ins, nothing is known of those.
 */
export const evidenceOf = Effect.fnUntraced(function* (
  { settings }: Services,
  orders: WalletOrders,
  { block, usdc, isPaused, outcomes }: Balances,
  deposits: ReadonlyArray<UnspentDeposit>
) {
  const balance = usdc.get(orders.wallet.agentAddress) ?? zero
  return {
    ...recordedHistory(orders, balance, deposits),
    orders,
    payIns: orders.payIns.map((one, index) => lookAtPayIn(one, outcomes[index], block)),
    balance,
    block,
    isUsdcPaused: isPaused,
    awaitsDeposits: true,
    ledgerAheadMs: yield* Clocks.ledgerAheadMs,
    paymentTimeoutMs: Duration.toMillis(settings.paymentTimeout)
  } satisfies Evidence as Evidence
})
