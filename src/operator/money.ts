import { Duration, Effect, Result } from "effect"
import { type Balances, ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { UnspentDeposit } from "../domain/Deposit.ts"
import { type Evidence, moneyOf, recordedHistory } from "../domain/PaymentDecision.ts"
import { zero } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { isOutdated, type WalletOrders } from "../domain/WalletState.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import * as Clocks from "../ops/Clocks.ts"
import { Refused } from "./Refused.ts"

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
export const tryReadMoney = Effect.fnUntraced(function* (wallet: Wallet) {
  const orders = yield* (yield* DecisionRepo).walletOrders(wallet.id)
  const read = yield* Effect.result((yield* ChainClient).readBalances([wallet.agentAddress]))
  if (Result.isFailure(read)) return { orders, chain: undefined, evidence: undefined } satisfies MoneyRead as MoneyRead
  const deposits = yield* (yield* TaskRepo).unspentDeposits([wallet.id])
  const evidence = orders && (yield* evidenceOf(orders, read.success, deposits))
  const balance = read.success.usdc.get(wallet.agentAddress) ?? zero
  return { orders, chain: { balance, block: read.success.block }, evidence } satisfies MoneyRead as MoneyRead
})

/** The same for a decision: refused where the orders cannot be read, or the balance is from before the last payment. */
export const readMoney = Effect.fnUntraced(function* (wallet: Wallet) {
  const orders = yield* (yield* DecisionRepo).walletOrders(wallet.id)
  if (orders === undefined) {
    const message =
      `An order of agent wallet ${wallet.agentAddress} is in no state to be read, and is not set aside yet. ` +
      "The executor does that at its next check: try again then."
    return yield* new Refused({ message })
  }
  const balances = yield* (yield* ChainClient).readBalances([wallet.agentAddress])
  if (isOutdated(balances.block, orders)) {
    const message = `The node is behind the last payment of ${wallet.agentAddress} (block ${orders.provenBlock}): try again.`
    return yield* new Refused({ message })
  }
  const unspent = yield* (yield* TaskRepo).unspentDeposits([wallet.id])
  const evidence = yield* evidenceOf(orders, balances, unspent)
  return { orders, block: balances.block, money: moneyOf(evidence), unspent, evidence }
})

/** Nothing is searched for: deposits that are not recorded are awaited, as the sweep finds them. */
const evidenceOf = Effect.fnUntraced(function* (
  orders: WalletOrders,
  { block, usdc, isPaused }: Balances,
  deposits: ReadonlyArray<UnspentDeposit>
) {
  const { paymentTimeout } = yield* Settings
  const balance = usdc.get(orders.wallet.agentAddress) ?? zero
  return {
    ...recordedHistory(orders, balance, deposits),
    orders,
    balance,
    block,
    isUsdcPaused: isPaused,
    awaitsDeposits: true,
    ledgerAheadMs: yield* Clocks.ledgerAheadMs,
    paymentTimeoutMs: Duration.toMillis(paymentTimeout)
  } satisfies Evidence as Evidence
})
