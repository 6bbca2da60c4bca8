import { Clock, Duration, Effect, Ref } from "effect"
import type { Balances } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Block } from "../domain/Block.ts"
import { decidePayments, type DepositHistory, type Evidence, NO_HISTORY } from "../domain/PaymentDecision.ts"
import { messages } from "../domain/Task.ts"
import { words } from "../domain/time.ts"
import { zero } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import { type Funding, TaskRepo } from "../ledger/TaskRepo.ts"
import * as Clocks from "../ops/Clocks.ts"
import { eachAlone } from "../ops/eachAlone.ts"
import type { DecidedOrder } from "./sweepLog.ts"
import type { SeenPayIns } from "./payIns.ts"
import { Wallets } from "./Wallets.ts"

/** So many sweeps in a row without the deposits are no hiccup: orders are then paid by the balance alone. */
const SWEEPS_UNREAD_MAX = 3

/** In how many sweeps in a row the deposits of a wallet could not be read. */
type SweepsUnread = ReadonlyMap<WalletId, number>

const countUnread = (
  before: SweepsUnread,
  orders: ReadonlyArray<WalletOrders>,
  known: ReadonlyMap<WalletId, DepositHistory>
): SweepsUnread => {
  const counts = new Map(before)
  for (const { wallet } of orders) {
    if (known.get(wallet.id)?.deposits === undefined) counts.set(wallet.id, (counts.get(wallet.id) ?? 0) + 1)
    else counts.delete(wallet.id)
  }
  return counts
}

/** What is known of where the money of wallets comes from. */
interface KnownMoney {
  readonly known: ReadonlyMap<WalletId, DepositHistory>
  readonly payIns: SeenPayIns
}

/** Decides by what one block shows. */
export const makeDecide = Effect.gen(function* () {
  const { paymentTimeout } = yield* Settings
  const unread = yield* Ref.make<SweepsUnread>(new Map())

  /** Decides about every waiting order of these wallets, by one block. */
  return Effect.fnUntraced(function* (
    orders: ReadonlyArray<WalletOrders>,
    { block, usdc, isPaused }: Balances,
    { known, payIns }: KnownMoney
  ) {
    const ledgerAheadMs = yield* Clocks.ledgerAheadMs
    const sweepsUnread = yield* Ref.updateAndGet(unread, (before) => countUnread(before, orders, known))
    return orders.flatMap((ofWallet): ReadonlyArray<DecidedOrder> => {
      const { wallet, pending } = ofWallet
      const history = known.get(wallet.id) ?? NO_HISTORY
      const evidence: Evidence = {
        ...history,
        orders: ofWallet,
        // Nothing is known of the pay-ins of a wallet that this sweep has not looked at.
        payIns: payIns.get(wallet.id) ?? ofWallet.payIns.map((one) => ({ ...one, isUnused: false })),
        balance: usdc.get(wallet.agentAddress) ?? zero,
        block,
        isUsdcPaused: isPaused,
        awaitsDeposits: (sweepsUnread.get(wallet.id) ?? 0) <= SWEEPS_UNREAD_MAX,
        ledgerAheadMs,
        paymentTimeoutMs: Duration.toMillis(paymentTimeout)
      }
      const decisions = decidePayments(evidence)
      return pending.flatMap((task) => {
        const decision = decisions.get(task.id)
        return decision === undefined ? [] : [{ task, evidence, decision }]
      })
    })
  })
})

const onEvidence = ({ task, evidence: { orders } }: DecidedOrder) => ({
  taskId: task.id,
  walletId: orders.wallet.id,
  version: orders.version
})

/** Writes what is decided. */
export const makeWrites = Effect.gen(function* () {
  const { paymentTimeout } = yield* Settings
  const repo = yield* TaskRepo
  const { wake } = yield* Wallets
  const message = messages.timeout(words(Duration.toMillis(paymentTimeout)))

  const fundPaid = Effect.fnUntraced(function* (decided: ReadonlyArray<DecidedOrder>, block: Block) {
    const fundings = decided.flatMap((one): ReadonlyArray<Funding> => {
      const { decision } = one
      if (decision._tag !== "Fund") return []
      const { uses, last } = decision
      const received = {
        fundingTx: last?.tx ?? "auto_funded",
        receivedAtMs: last?.block.timeMs ?? block.timeMs
      } as const
      return [{ ...onEvidence(one), ...received, uses }]
    })
    if (fundings.length === 0) return []
    const nowMs = yield* Clock.currentTimeMillis
    const funded = yield* eachAlone(fundings, (some) => repo.fund(some, block, nowMs))
    const isFunded = new Set(funded)
    const woken = new Set(fundings.filter(({ taskId }) => isFunded.has(taskId)).map(({ walletId }) => walletId))
    yield* Effect.forEach(woken, wake, { discard: true })
    return funded
  })

  const cancelOverdue = Effect.fnUntraced(function* (decided: ReadonlyArray<DecidedOrder>, block: Block) {
    const overdue = decided.filter(({ decision }) => decision._tag === "Cancel")
    if (overdue.length === 0) return []
    const cancellations = overdue.map((one) => ({ ...onEvidence(one), message }))
    const nowMs = yield* Clock.currentTimeMillis
    return yield* eachAlone(cancellations, (some) => repo.cancel(some, block, nowMs))
  })

  return { fundPaid, cancelOverdue }
})
