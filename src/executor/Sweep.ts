import { Clock, Context, Duration, Effect, Layer, Ref } from "effect"
import { type Balances, ChainClient, type ChainError, AfterRpcCall } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { type Block, headTimeMs } from "../domain/Block.ts"
import { messages, shortId, type TaskId } from "../domain/Task.ts"
import { words } from "../domain/time.ts"
import { zero } from "../domain/Usdc.ts"
import { decidePayments, type DepositHistory, type Evidence, NO_HISTORY } from "../domain/PaymentDecision.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Clocks from "../ops/Clocks.ts"
import { eachAlone } from "../ops/eachAlone.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import * as Progress from "../ops/Progress.ts"
import type { BadTask, WalletOrders } from "../domain/WalletState.ts"
import { type Funding, type LedgerError, TaskRepo } from "../ledger/TaskRepo.ts"
import { Orders } from "./Orders.ts"
import { UsdcCode } from "./UsdcCode.ts"
import { Wallets } from "./Wallets.ts"
import { type DecidedOrder, logDeposits, makeSweepLog, makeUndoneWarning } from "./sweepLog.ts"
import { makeHoldBlacklisted, makeCheckWallets } from "./walletChecks.ts"
import { makeSyncDeposits } from "./syncDeposits.ts"
import { makeWatchChain } from "./reorganisation.ts"

/** Wallets read in one statement, and in one sweep; the next sweep goes on where this one stopped. */
const PAGE_WALLETS = 2_000
const SWEEP_WALLETS_MAX = 20_000

/** How many wallets without a waiting order are checked in a sweep, and how often each of them is. */
const IDLE_WALLETS = 500
const IDLE_EVERY_MS = 60_000

/** So many sweeps in a row without the deposits are no hiccup: orders are then paid by the balance alone. */
const SWEEPS_UNREAD_MAX = 3

/** A chain whose newest confirmed block is older than this makes no blocks: nothing is cancelled until it does. */
const CHAIN_STALE_MS = 120_000

export interface SweepResult {
  readonly checked: number
  readonly funded: ReadonlyArray<TaskId>
  readonly cancelled: ReadonlyArray<TaskId>
}

/**
 * The sweep: all pending tasks with their wallets' reservations, then all balances in one confirmed block and the
 * deposits that are new, then the verdicts, written in one transaction each. A wallet that just became funded is woken at
 * once. Wallets whose orders are closed are checked in turn: what arrives late is their credit.
 */
const makeTick = Effect.gen(function* () {
  const context = yield* Effect.context<ChainClient | KeyCustody | Settings | TaskRepo | Wallets>()
  const logSweep = yield* makeSweepLog
  const cursor = yield* Ref.make<WalletId | undefined>(undefined)
  const idle = yield* makeIdlePages
  const unread = yield* Ref.make<SweepsUnread>(new Map())
  const syncDeposits = yield* makeSyncDeposits
  const usdcCode = yield* UsdcCode
  const { holdTasks } = yield* Orders
  const holdBlacklisted = yield* makeHoldBlacklisted
  const watchChain = yield* makeWatchChain
  const warnOfUndone = yield* makeUndoneWarning
  const checkWallets = yield* makeCheckWallets
  const tick = Effect.gen(function* () {
    const ended = yield* startStages
    yield* endKeyHolds
    yield* notePauses
    yield* checkWallets
    const { orders, bad } = yield* readOrders(cursor)
    const checked = orders.reduce((count, { pending }) => count + pending.length, bad.length)
    yield* (checked > 0 ? Log.info : Log.debug)(`🔍 Found ${checked} task(s) to check...`)
    const { usable, unusable } = yield* checkKeys(orders)
    yield* holdTasks([...bad, ...unusable])
    const watched = onceEach([...usable, ...(yield* idle)])
    yield* ended("read")
    // Also where there is no wallet to look at: clocks, the code of USDC and whether it moves are looked at all the same,
    // and what is recorded may leave the chain while no order waits.
    const balances = yield* (yield* ChainClient).readBalances(watched.map(({ wallet }) => wallet.agentAddress))
    yield* ended("balances")
    yield* noteClocks(balances.block)
    yield* warnIfStale(balances.block)
    yield* Incidents.noteUsdcPause(balances)
    yield* usdcCode.lookIfPossible
    const nothing: SweepResult = { checked, funded: [], cancelled: [] }
    // While the chain is not the one that was seen, money that moved to another block would look stolen.
    if (!(yield* watchChain(balances.block))) return nothing
    if (watched.length === 0) return nothing
    const payable = yield* holdBlacklisted(usable)
    const { known, arrived } = yield* Effect.provideService(syncDeposits(watched, balances), AfterRpcCall, noteStep)
    yield* ended("deposits")
    const decided = yield* decide(payable, balances, known, unread)
    yield* ended("decide")
    const funded = yield* fundPaid(decided, balances.block)
    const cancelled = yield* cancelOverdue(decided, balances.block)
    const due = decided.filter(({ decision }) => decision._tag !== "Wait").map(({ task }) => task.id)
    yield* warnOfUndone(due, [...funded, ...cancelled])
    yield* ended("write")
    yield* logSweep(decided, balances.block, { funded, cancelled })
    yield* logDeposits(arrived, usable)
    return { checked, funded, cancelled } satisfies SweepResult
  })
  return tick.pipe(Effect.withSpan("CheckLoop.tick"), Effect.provideContext(context))
})

/** What is remembered between sweeps is the layer's. */
export class Sweep extends Context.Service<
  Sweep,
  { readonly tick: Effect.Effect<SweepResult, ChainError | LedgerError> }
>()("ai-mint-executor/executor/Sweep") {
  static readonly layer = Layer.effect(
    Sweep,
    Effect.map(makeTick, (tick) => Sweep.of({ tick }))
  )
}

/**
 * The sweep made a step: a page, a stage, or a query for deposits. After a long downtime those queries search a day of
 * logs, and such a sweep must not be reported as one that hangs.
 */
const noteStep = Progress.moved("check")

/** Measures the stages of a sweep: each begins when the one before it ends. */
const startStages = Effect.gen(function* () {
  const began = yield* Ref.make(yield* Clock.monotonicTimeNanos)
  return Effect.fnUntraced(function* (stage: Metrics.Stage) {
    const nowNanos = yield* Clock.monotonicTimeNanos
    const sinceNanos = yield* Ref.getAndSet(began, nowNanos)
    yield* Metrics.stageEnded(stage, Number(nowNanos - sinceNanos) / 1e6)
    yield* noteStep
  })
})

const readOrders = Effect.fnUntraced(function* (cursor: Ref.Ref<WalletId | undefined>) {
  const repo = yield* TaskRepo
  const orders: Array<WalletOrders> = []
  const bad: Array<BadTask> = []
  do {
    const page = yield* repo.pendingPage({ cursor: yield* Ref.get(cursor), walletsMax: PAGE_WALLETS })
    orders.push(...page.wallets)
    bad.push(...page.bad)
    yield* Ref.set(cursor, page.cursor)
    yield* noteStep
  } while ((yield* Ref.get(cursor)) !== undefined && orders.length < SWEEP_WALLETS_MAX)
  return { orders, bad }
})

/** The next wallets without an order that waits for money, one page a sweep, each round a minute after the last one. */
const makeIdlePages = Effect.gen(function* () {
  const next = yield* Ref.make<{ readonly cursor: WalletId | undefined; readonly roundMs: number }>({
    cursor: undefined,
    roundMs: 0
  })
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const { cursor, roundMs } = yield* Ref.get(next)
    if (cursor === undefined && nowMs < roundMs) return []
    const page = yield* (yield* TaskRepo).idlePage({ cursor, walletsMax: IDLE_WALLETS })
    yield* Ref.set(next, { cursor: page.cursor, roundMs: cursor === undefined ? nowMs + IDLE_EVERY_MS : roundMs })
    return page.wallets
  })
})

/** The last order of a wallet may end between the two reads: then both have it, and the first has what it owes. */
const onceEach = (orders: ReadonlyArray<WalletOrders>): ReadonlyArray<WalletOrders> =>
  [...new Map(orders.toReversed().map((one) => [one.wallet.id, one])).values()].toReversed()

/** A wallet whose key cannot be opened could be paid into and never pay out: its orders wait for a person. */
const checkKeys = Effect.fnUntraced(function* (orders: ReadonlyArray<WalletOrders>) {
  const custody = yield* KeyCustody
  const usable: Array<WalletOrders> = []
  const unusable: Array<BadTask> = []
  for (const ofWallet of orders) {
    yield* custody.check(ofWallet.wallet).pipe(
      Effect.match({
        onSuccess: () => void usable.push(ofWallet),
        onFailure: ({ message }) =>
          void unusable.push(...ofWallet.pending.map(({ id }) => ({ taskId: id, reason: messages.held(message) })))
      })
    )
  }
  return { usable, unusable }
})

/** How many orders that wait for a key are checked in a sweep. */
const KEY_HOLDS_MAX = 1_000

/** A hold for a key that does not open ends when it opens: under the right setting, or when its row is restored. */
const endKeyHolds = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const custody = yield* KeyCustody
  const held = yield* repo.heldForKeys(KEY_HOLDS_MAX)
  const opening = yield* Effect.filter(held, ({ wallet }) => Effect.isSuccess(custody.check(wallet)))
  if (opening.length === 0) return
  for (const taskId of yield* repo.endHolds(opening, yield* Clock.currentTimeMillis)) {
    yield* Log.info(`🔓 Task ${shortId(taskId)} is not held any more: the key of its wallet opens`, { task: taskId })
  }
})

/** So many orders begin or cease to say in a sweep that a pause keeps them waiting. */
const PAUSE_NOTES_MAX = 2_000

/** A pause is in force at once, also where a row cannot be written; the rows of the orders that it stops follow. */
const notePauses = Effect.gen(function* () {
  const repo = yield* TaskRepo
  yield* eachAlone(yield* repo.unnotedPauses(PAUSE_NOTES_MAX), (some) =>
    repo.notePauses(some.map(({ taskId }) => taskId))
  )
})

/** Measures by this block how far the clocks are apart. */
const noteClocks = Effect.fnUntraced(function* (block: Block) {
  const { confirmations, network } = yield* Settings
  const pace = { confirmations, blockSeconds: network.blockSeconds }
  yield* Clocks.noteHead({ number: block.number, timeMs: headTimeMs(block, pace) })
  yield* Clocks.reportDifferences
})

const warnIfStale = Effect.fnUntraced(function* (block: Block) {
  const behindMs = (yield* Clock.currentTimeMillis) - (yield* Clocks.oursAheadMs) - block.timeMs
  if (behindMs < CHAIN_STALE_MS) return
  const behind = words(Math.round(behindMs / 1000) * 1000)
  yield* Log.warnOnce(
    "stale",
    `⚠️ The newest confirmed block ${block.number} is ${behind} old: no task is cancelled by it`
  )
})

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

/** Decides about every waiting order of these wallets, by one block. */
const decide = Effect.fnUntraced(function* (
  orders: ReadonlyArray<WalletOrders>,
  { block, usdc, isPaused }: Balances,
  known: ReadonlyMap<WalletId, DepositHistory>,
  unread: Ref.Ref<SweepsUnread>
) {
  const { paymentTimeout } = yield* Settings
  const ledgerAheadMs = yield* Clocks.ledgerAheadMs
  const sweepsUnread = yield* Ref.updateAndGet(unread, (before) => countUnread(before, orders, known))
  return orders.flatMap((ofWallet): ReadonlyArray<DecidedOrder> => {
    const { wallet, pending } = ofWallet
    const history = known.get(wallet.id) ?? NO_HISTORY
    const evidence: Evidence = {
      ...history,
      orders: ofWallet,
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

const onEvidence = ({ task, evidence: { orders } }: DecidedOrder) => ({
  taskId: task.id,
  walletId: orders.wallet.id,
  version: orders.version
})

const fundPaid = Effect.fnUntraced(function* (decided: ReadonlyArray<DecidedOrder>, block: Block) {
  const fundings = decided.flatMap((one): ReadonlyArray<Funding> => {
    const { decision } = one
    if (decision._tag !== "Fund") return []
    const { uses, last } = decision
    const received = { fundingTx: last?.tx ?? "auto_funded", receivedAtMs: last?.block.timeMs ?? block.timeMs } as const
    return [{ ...onEvidence(one), ...received, uses }]
  })
  if (fundings.length === 0) return []
  const repo = yield* TaskRepo
  const wallets = yield* Wallets
  const nowMs = yield* Clock.currentTimeMillis
  const funded = yield* eachAlone(fundings, (some) => repo.fund(some, block, nowMs))
  const woken = new Set(fundings.filter(({ taskId }) => funded.includes(taskId)).map(({ walletId }) => walletId))
  yield* Effect.forEach(woken, wallets.wake, { discard: true })
  return funded
})

const cancelOverdue = Effect.fnUntraced(function* (decided: ReadonlyArray<DecidedOrder>, block: Block) {
  const overdue = decided.filter(({ decision }) => decision._tag === "Cancel")
  if (overdue.length === 0) return []
  const repo = yield* TaskRepo
  const { paymentTimeout } = yield* Settings
  const message = messages.timeout(words(Duration.toMillis(paymentTimeout)))
  const cancellations = overdue.map((one) => ({ ...onEvidence(one), message }))
  const nowMs = yield* Clock.currentTimeMillis
  return yield* eachAlone(cancellations, (some) => repo.cancel(some, block, nowMs))
})
