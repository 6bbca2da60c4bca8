import { Clock, Duration, Effect, Option } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { nextStep, type NextStep } from "../domain/NextStep.ts"
import { nextWords, type NextWords, type OrderSeen, type Pace, refundableOf } from "../domain/nextAction.ts"
import { decidePayments, type Evidence } from "../domain/PaymentDecision.ts"
import type { Status, TaskId } from "../domain/Task.ts"
import type { WalletId } from "../domain/Wallet.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import type { TaskView } from "../ledger/WatchRepo.ts"
import * as Clocks from "../ops/Clocks.ts"
import { evidenceOf } from "./money.ts"
import type { Services } from "./services.ts"

/** What the ledger says of an order by itself. */
export type LedgerOrder = Omit<OrderSeen, "payment" | "step" | "ended"> & {
  readonly id: TaskId
  readonly walletId: WalletId
}

export const ofView = (task: TaskView): LedgerOrder => ({ ...task, isHeld: task.held !== undefined })

export const ofFile = ({ row, wallet, held, batches }: TaskFile): LedgerOrder => ({
  ...row,
  isHeld: held !== undefined,
  agentAddress: wallet?.agentAddress,
  batches: new Set(batches.map(({ status }) => status)),
  received: undefined
})

export const paceOf = (
  { checkTrigger, checkInterval, confirmations, network, paymentTimeout }: SettingsShape,
  { nowMs, oursAheadMs }: { readonly nowMs: number; readonly oursAheadMs: number }
): Pace => {
  const blockMs = network.blockSeconds * 1000
  const everyMs = Duration.toMillis(checkInterval)
  return {
    nowMs,
    chainMs: nowMs - oursAheadMs,
    paymentTimeoutMs: Duration.toMillis(paymentTimeout),
    checkMs: checkTrigger === "block" ? Math.min(everyMs, (confirmations + 1) * blockMs) : everyMs,
    blockMs
  }
}

/**
 * The next step of each of these orders in words for programs, by the decisions that the executor makes of the same facts.
 * However many orders and wallets they are: a statement for what the wallets owe, one for their deposits, one for their
 * work, and one question to a node.
 */
export const nextWordsOf = Effect.fnUntraced(function* (services: Services, orders: ReadonlyArray<LedgerOrder>) {
  const walletsOf = (statuses: ReadonlySet<Status>) => [
    ...new Set(orders.filter(({ status }) => statuses.has(status)).map(({ walletId }) => walletId))
  ]
  const wallets = yield* readWallets(services, walletsOf(BY_MONEY))
  const steps = yield* readSteps(services, walletsOf(BY_WORK))
  const nowMs = yield* Clock.currentTimeMillis
  const pace = paceOf(services.settings, { nowMs, oursAheadMs: yield* Clocks.oursAheadMs })
  return (order: LedgerOrder): NextWords => {
    const wallet = wallets.get(order.walletId)
    const decided = { payment: paymentOf(wallet, order.id), step: steps.get(order.id), ended: endedOf(wallet) }
    return nextWords({ ...order, ...decided }, pace)
  }
})

/** The same of one order. */
export const nextWordsOfOne = (services: Services, order: LedgerOrder) =>
  Effect.map(nextWordsOf(services, [order]), (wordsOf) => wordsOf(order))

/** Orders of which the next step depends on the money of their wallet, or on its work. */
const BY_MONEY: ReadonlySet<Status> = new Set(["pending_payment", "failed", "cancelled"])
const BY_WORK: ReadonlySet<Status> = new Set(["funded", "processing"])

interface WalletSeen {
  readonly orders: WalletOrders
  /** `undefined` where the chain does not answer. */
  readonly evidence: Evidence | undefined
  readonly decisions: ReturnType<typeof decidePayments>
}

const paymentOf = (wallet: WalletSeen | undefined, id: TaskId): OrderSeen["payment"] => {
  const decision = wallet?.decisions.get(id)
  const task = wallet?.orders.pending.find((one) => one.id === id)
  return wallet?.evidence && decision && task && { task, evidence: wallet.evidence, decision }
}

export const endedOf = (wallet: Pick<WalletSeen, "orders" | "evidence"> | undefined): OrderSeen["ended"] =>
  wallet && {
    isStopped: wallet.orders.stopped !== undefined,
    credit: wallet.evidence && refundableOf(wallet.evidence)
  }

/** Words without the chain are better than none that come late. */
const CHAIN_PATIENCE = "3 seconds"

/** Reservations first, the chain second, as for every decision. */
const readWallets = Effect.fnUntraced(function* (services: Services, ids: ReadonlyArray<WalletId>) {
  const { balances, decisions, tasks } = services
  const found = yield* Effect.forEach(ids, decisions.walletOrders, { concurrency: "unbounded" })
  const owing = found.filter((orders) => orders !== undefined)
  const read = yield* Effect.forEach(owing, ({ wallet }) => balances(wallet.agentAddress), UNBOUNDED).pipe(
    Effect.timeout(CHAIN_PATIENCE),
    Effect.option
  )
  const deposits = Map.groupBy(
    owing.length === 0 ? [] : yield* tasks.unspentDeposits(owing.map(({ wallet }) => wallet.id)),
    ({ walletId }) => walletId
  )
  return new Map(
    yield* Effect.forEach(owing, (orders, index) =>
      Effect.gen(function* () {
        const { id } = orders.wallet
        const seen = Option.getOrUndefined(read)?.[index]
        const evidence = seen && (yield* evidenceOf(services, orders, seen, deposits.get(id) ?? []))
        const decided = evidence === undefined ? new Map() : decidePayments(evidence)
        return [id, { orders, evidence, decisions: decided } satisfies WalletSeen as WalletSeen] as const
      })
    )
  )
})

const UNBOUNDED = { concurrency: "unbounded" } as const

/** What the wallets do next for their orders. */
const readSteps = Effect.fnUntraced(function* ({ settings, tasks }: Services, ids: ReadonlyArray<WalletId>) {
  const terms = { nowMs: yield* Clock.currentTimeMillis, maxRetryCount: settings.maxRetryCount }
  const works = yield* Effect.forEach(ids, tasks.walletWork, UNBOUNDED)
  return new Map(
    works.flatMap((work) =>
      work.tasks.map((task): readonly [TaskId, NextStep] => [task.id, nextStep(work, task, terms)])
    )
  )
})
