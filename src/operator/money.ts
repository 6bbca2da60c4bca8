import { Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import type { WalletMoney } from "../domain/Allocation.ts"
import { type Standing, standingOf } from "../domain/ExpectedBalance.ts"
import { zero } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { isOutdated, type WalletOrders } from "../domain/WalletState.ts"
import { Refused } from "./Refused.ts"

/**
 * What a wallet owes, and what it holds in a confirmed block: reservations first, the chain second. A balance from before
 * its last proven payment is refused.
 */
export const readMoney = Effect.fnUntraced(function* (wallet: Wallet) {
  const orders = yield* (yield* DecisionRepo).walletOrders(wallet.id)
  if (orders === undefined) {
    const message =
      `An order of agent wallet ${wallet.agentAddress} is in no state to be read, and is not set aside yet. ` +
      "The executor does that at its next check: try again then."
    return yield* new Refused({ message })
  }
  const { block, usdc } = yield* (yield* ChainClient).readBalances([wallet.agentAddress])
  if (isOutdated(block, orders)) {
    const message = `The node is behind the last payment of ${wallet.agentAddress} (block ${orders.provenBlock}): try again.`
    return yield* new Refused({ message })
  }
  const { reserved, maybeSpent } = orders
  const money: WalletMoney = { balance: usdc.get(wallet.agentAddress) ?? zero, reserved, maybeSpent }
  return { orders, block, money }
})

/** How the balance stands to the books; `unknown` where they say nothing about it. */
export const standing = ({ books, stopped, isShared }: WalletOrders, money: WalletMoney): Standing | "unknown" =>
  books === undefined || stopped !== undefined || isShared ? "unknown" : standingOf(books, money, zero)
