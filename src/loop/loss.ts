import { Clock, Effect } from "effect"
import { ChainClient, type Spending } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { nonceOf } from "../domain/Batch.ts"
import type { Block } from "../domain/Block.ts"
import type { TaskId } from "../domain/Task.ts"
import { format } from "../domain/Usdc.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo, type WalletOrders } from "../task/TaskRepo.ts"

/** What is known of money that left a wallet and is in nobody's books. */
interface Loss {
  /** Nothing may be decided about the wallet's orders. */
  readonly isUnclear: boolean
  readonly spentOn: ReadonlySet<TaskId>
}

/**
 * Finds out where money of a wallet went that the books do not know of. A payment of an order that still waits for its
 * money was made by this program before the ledger was restored from a backup: that order was paid. What nobody can
 * explain stops the wallet: somebody else has its key.
 */
export const explainLoss = Effect.fn("CheckLoop.explainLoss")(function* (
  { orders }: { readonly orders: WalletOrders },
  block: Block
) {
  const { wallet, books } = orders
  const unclear: Loss = { isUnclear: true, spentOn: new Set() }
  const query = { wallets: [wallet.agentAddress], fromBlock: (books?.countedBlock ?? block.number) + 1n }
  const read = (yield* ChainClient).findSpending({ ...query, toBlock: block.number })
  const spending = yield* Effect.catch(read, (error) =>
    Effect.as(Log.warnOnce(`loss:${wallet.id}`, `⚠️ Money left ${wallet.agentAddress}: ${error.message}`), [])
  )
  const known = yield* (yield* TaskRepo).knownNonces(spending.flatMap(({ nonce }) => nonce ?? []))
  const unknown = spending.filter(({ nonce }) => nonce === undefined || !known.has(nonce))
  const ours = yield* noncesOf(orders)
  const stray = unknown.find(({ nonce }) => nonce === undefined || !ours.has(nonce))
  if (stray !== undefined) {
    yield* stop(orders, stray)
    return unclear
  }
  const spentOn = new Set(unknown.flatMap(({ nonce }) => (nonce && ours.get(nonce)) ?? []))
  return spentOn.size > 0 ? { isUnclear: false, spentOn } : unclear
})

/** Every nonce that a batch of these orders could have. */
const noncesOf = Effect.fnUntraced(function* ({ wallet, pending }: WalletOrders) {
  const { network } = yield* Settings
  const seed = { chainId: network.chainId, usdc: network.usdc.address, payer: wallet.agentAddress }
  const numbered = pending.flatMap(({ id, quantity }) =>
    Array.from({ length: quantity }, (_, index) => ({ taskId: id, number: index + 1 }))
  )
  return new Map(numbered.map((batch) => [nonceOf({ ...seed, ...batch }), batch.taskId]))
})

const stop = Effect.fnUntraced(function* ({ wallet, version }: WalletOrders, { amount, to, tx }: Spending) {
  const reason = `${format(amount)} USDC went to ${to} in ${tx}, and no order or refund of this ledger explains it`
  const stopped = yield* (yield* TaskRepo).stopWallet(
    { walletId: wallet.id, version, reason },
    yield* Clock.currentTimeMillis
  )
  if (stopped) {
    yield* Log.error(`🚨 Wallet ${wallet.agentAddress} is stopped: ${reason}`, { wallet: wallet.agentAddress, tx })
  }
})
