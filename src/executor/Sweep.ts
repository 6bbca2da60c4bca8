import { Clock, Context, Effect, Layer, Ref } from "effect"
import { ChainClient, type ChainError, AfterRpcCall } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import type { Block } from "../domain/Block.ts"
import { messages, shortId, type TaskId } from "../domain/Task.ts"
import { words } from "../domain/time.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Clocks from "../ops/Clocks.ts"
import { eachAlone } from "../ops/eachAlone.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import * as Progress from "../ops/Progress.ts"
import type { BadTask, WalletOrders } from "../domain/WalletState.ts"
import { type LedgerError, type PendingPage, TaskRepo } from "../ledger/TaskRepo.ts"
import { Ownership } from "../runners/Ownership.ts"
import { Orders } from "./Orders.ts"
import { headMs } from "./pace.ts"
import { makeSettlePayIns, readWallets } from "./payIns.ts"
import { makeMissingFunds } from "./missingFunds.ts"
import { UsdcCode } from "./UsdcCode.ts"
import { logDeposits, makeSweepLog, makeUndoneWarning } from "./sweepLog.ts"
import { makeHoldBlacklisted, makeCheckWallets } from "./walletChecks.ts"
import { makeSyncDeposits } from "./syncDeposits.ts"
import { makeWatchChain } from "./reorganisation.ts"
import { makeDecide, makeWrites } from "./verdicts.ts"

/** Wallets read in one statement. */
const PAGE_WALLETS = 2_000

/** How many wallets without a waiting order are checked in a sweep, and how often each of them is. */
const IDLE_WALLETS = 500
const IDLE_EVERY_MS = 60_000

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
  const { blockSeconds } = (yield* Settings).network
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const usdcCode = yield* UsdcCode
  const { holdTasks } = yield* Orders
  const { owns } = yield* Ownership
  // While the chain answered, a wallet may have got another owner: nothing is written for it any more.
  const isOwn = ({ wallet }: WalletOrders) => owns(wallet.id)
  const noteClocks = yield* makeNoteClocks
  const logSweep = yield* makeSweepLog
  const { readOrders, idle } = yield* makePages
  const { checkKeys, endKeyHolds } = yield* makeKeys
  const syncDeposits = yield* makeSyncDeposits(yield* makeMissingFunds)
  const holdBlacklisted = yield* makeHoldBlacklisted
  const watchChain = yield* makeWatchChain
  const settlePayIns = yield* makeSettlePayIns
  const warnOfUndone = yield* makeUndoneWarning
  const checkWallets = yield* makeCheckWallets
  const decide = yield* makeDecide
  const { fundPaid, cancelOverdue } = yield* makeWrites
  return Effect.gen(function* () {
    const ended = yield* startStages
    yield* endKeyHolds
    yield* notePauses(repo)
    yield* checkWallets
    const { orders, bad } = yield* readOrders
    const checked = orders.reduce((count, { pending }) => count + pending.length, bad.length)
    yield* (checked > 0 ? Log.info : Log.debug)(`🔍 Found ${checked} task(s) to check...`)
    const { usable, unusable } = yield* checkKeys(orders)
    yield* holdTasks([...bad, ...unusable])
    const watched = onceEach([...usable, ...(yield* idle)])
    yield* ended("read")
    // Also where no wallet is watched: clocks, the code of USDC and whether it moves are checked all the same, and what
    // is recorded may leave the chain while no order waits.
    const seen = yield* readWallets({ chain, blockSeconds }, watched)
    const { balances } = seen
    yield* ended("balances")
    yield* noteClocks(balances.block)
    yield* warnIfStale(balances.block)
    yield* Incidents.noteUsdcPause(balances)
    yield* usdcCode.lookIfPossible
    const nothing: SweepResult = { checked, funded: [], cancelled: [] }
    // While the chain is not the one that was seen, money that moved to another block would look stolen.
    if (!(yield* watchChain(balances.block))) return nothing
    if (watched.length === 0) return nothing
    const payIns = yield* settlePayIns(watched.filter(isOwn), seen)
    const payable = yield* holdBlacklisted(usable.filter(isOwn))
    const syncing = syncDeposits(watched.filter(isOwn), balances)
    const { known, arrived } = yield* Effect.provideService(syncing, AfterRpcCall, noteStep)
    yield* ended("deposits")
    const decided = (yield* decide(payable, balances, { known, payIns })).filter(({ evidence }) =>
      isOwn(evidence.orders)
    )
    yield* ended("decide")
    const funded = yield* fundPaid(decided, balances.block)
    const cancelled = yield* cancelOverdue(decided, balances.block)
    const due = decided.filter(({ decision }) => decision._tag !== "Wait").map(({ task }) => task.id)
    yield* warnOfUndone(due, [...funded, ...cancelled])
    yield* ended("write")
    yield* logSweep(decided, balances.block, { funded, cancelled })
    yield* logDeposits(arrived, usable)
    return { checked, funded, cancelled } satisfies SweepResult
  }).pipe(Effect.withSpan("CheckLoop.tick"))
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

/** Reads the wallets that a sweep checks, page by page. */
const makePages = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const { ranges } = yield* Ownership
  const next = yield* Ref.make<{ readonly cursor: WalletId | undefined; readonly roundMs: number }>({
    cursor: undefined,
    roundMs: 0
  })

  const readOrders = Effect.gen(function* () {
    const orders: Array<WalletOrders> = []
    const bad: Array<BadTask> = []
    let cursor: WalletId | undefined
    do {
      const asked = { cursor, walletsMax: PAGE_WALLETS, ranges: yield* ranges }
      const page: PendingPage = yield* repo.pendingPage(asked)
      orders.push(...page.wallets)
      bad.push(...page.bad)
      cursor = page.cursor
      yield* noteStep
    } while (cursor !== undefined)
    return { orders, bad }
  })

  /** The next wallets without an order that waits for money, one page a sweep, each round a minute after the last one. */
  const idle = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const { cursor, roundMs } = yield* Ref.get(next)
    if (cursor === undefined && nowMs < roundMs) return []
    const page = yield* repo.idlePage({ cursor, walletsMax: IDLE_WALLETS, ranges: yield* ranges })
    yield* Ref.set(next, { cursor: page.cursor, roundMs: cursor === undefined ? nowMs + IDLE_EVERY_MS : roundMs })
    return page.wallets
  })

  return { readOrders, idle }
})

/** The last order of a wallet may end between the two reads: then both have it, and the first has what it owes. */
const onceEach = (orders: ReadonlyArray<WalletOrders>): ReadonlyArray<WalletOrders> =>
  [...new Map(orders.toReversed().map((one) => [one.wallet.id, one])).values()].toReversed()

/** How many orders that wait for a key are checked in a sweep. */
const KEY_HOLDS_MAX = 1_000

const makeKeys = Effect.gen(function* () {
  const custody = yield* KeyCustody
  const repo = yield* TaskRepo

  /** A wallet whose key cannot be opened could be paid into and never pay out: its orders wait for a person. */
  const checkKeys = Effect.fnUntraced(function* (orders: ReadonlyArray<WalletOrders>) {
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

  /** A hold for a key that does not open ends when it opens: under the right setting, or when its row is restored. */
  const endKeyHolds = Effect.gen(function* () {
    const held = yield* repo.heldForKeys(KEY_HOLDS_MAX)
    const opening = yield* Effect.filter(held, ({ wallet }) => Effect.isSuccess(custody.check(wallet)))
    if (opening.length === 0) return
    for (const taskId of yield* repo.endHolds(opening, yield* Clock.currentTimeMillis)) {
      yield* Log.info(`🔓 Task ${shortId(taskId)} is not held any more: the key of its wallet opens`, { task: taskId })
    }
  })

  return { checkKeys, endKeyHolds }
})

/** So many orders begin or cease to say in a sweep that a pause keeps them waiting. */
const PAUSE_NOTES_MAX = 2_000

/** A pause is in force at once, also where a row cannot be written; the rows of the orders that it stops follow. */
const notePauses = (repo: TaskRepo["Service"]) =>
  Effect.flatMap(repo.unnotedPauses(PAUSE_NOTES_MAX), (unnoted) =>
    eachAlone(unnoted, (some) => repo.notePauses(some.map(({ taskId }) => taskId)))
  )

/** Measures by a block how far the clocks are apart. */
const makeNoteClocks = Effect.map(Settings, (settings) =>
  Effect.fnUntraced(function* (block: Block) {
    yield* Clocks.noteHead({ number: block.number, timeMs: headMs(block, settings) })
    yield* Clocks.reportDifferences
  })
)

const warnIfStale = Effect.fnUntraced(function* (block: Block) {
  const behindMs = (yield* Clock.currentTimeMillis) - (yield* Clocks.oursAheadMs) - block.timeMs
  if (behindMs < CHAIN_STALE_MS) return
  const behind = words(Math.round(behindMs / 1000) * 1000)
  yield* Log.warnOnce(
    "stale",
    `⚠️ The newest confirmed block ${block.number} is ${behind} old: no task is cancelled by it`
  )
})
