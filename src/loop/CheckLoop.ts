import { Clock, Duration, Effect, Ref } from "effect"
import { type Balances, ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import { freeAtLeast } from "../domain/Allocation.ts"
import { blockBefore, type Block } from "../domain/Block.ts"
import { type Deposit, depositsFor } from "../domain/Deposit.ts"
import { messages, shortId, type TaskId } from "../domain/Task.ts"
import { words } from "../domain/time.ts"
import { zero } from "../domain/Usdc.ts"
import { judge } from "../domain/Verdict.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import { type BadTask, TaskRepo, type WalletOrders } from "../task/TaskRepo.ts"
import { Wallets } from "../wallet/Wallets.ts"
import { type Looked, makeReport } from "./checkReport.ts"
import { every } from "./every.ts"

/** Wallets read in one statement, and in one sweep; the next sweep goes on where this one stopped. */
const PAGE_WALLETS = 2_000
const SWEEP_WALLETS_MAX = 20_000

/** How far back transfers into the wallets are searched for: about a day on Base. */
const DEPOSIT_BLOCKS_MAX = 43_200n

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
 * The sweep: all pending tasks with their wallets' reservations, then all balances in one confirmed block, then the
 * verdicts, written in one statement each. A wallet that just became funded is woken at once.
 */
export const makeCheckTick = Effect.gen(function* () {
  const report = makeReport()
  const cursor = yield* Ref.make<WalletId | undefined>(undefined)
  const sweepsUnread = yield* Ref.make(0)
  return Effect.fn("CheckLoop.tick")(function* () {
    const { orders, bad } = yield* readOrders(cursor)
    const checked = orders.reduce((count, { pending }) => count + pending.length, bad.length)
    yield* (checked > 0 ? Log.info : Log.debug)(`🔍 Found ${checked} task(s) to check...`)
    const { usable, unusable } = yield* checkKeys(orders)
    yield* holdBad([...bad, ...unusable])
    if (usable.length === 0) return { checked, funded: [], cancelled: [] } satisfies SweepResult
    const balances = yield* (yield* ChainClient).readBalances(usable.map(({ wallet }) => wallet.agentAddress))
    yield* warnIfStale(balances.block)
    const deposits = yield* findDeposits(usable, balances)
    const unread = yield* Ref.updateAndGet(sweepsUnread, (sweeps) => (deposits === undefined ? sweeps + 1 : 0))
    const looked = yield* look(usable, balances, { deposits, mayGuess: unread > SWEEPS_UNREAD_MAX })
    const funded = yield* fundPaid(looked, balances.block, deposits)
    const cancelled = yield* cancelOverdue(looked, balances.block)
    yield* report(looked, balances.block, { funded, cancelled })
    return { checked, funded, cancelled } satisfies SweepResult
  })
})

export const checkLoop = Effect.gen(function* () {
  const { checkInterval } = yield* Settings
  const tick = yield* makeCheckTick
  return yield* every("Check", checkInterval, tick())
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
  } while ((yield* Ref.get(cursor)) !== undefined && orders.length < SWEEP_WALLETS_MAX)
  return { orders, bad }
})

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

const holdBad = Effect.fnUntraced(function* (bad: ReadonlyArray<BadTask>) {
  if (bad.length === 0) return
  const repo = yield* TaskRepo
  const held = new Set(yield* repo.hold(bad, yield* Clock.currentTimeMillis))
  for (const { taskId, reason } of bad) {
    if (held.has(taskId)) yield* Log.warn(`⚠️ Task ${shortId(taskId)} is held: ${reason}`, { task: taskId })
  }
})

const warnIfStale = Effect.fnUntraced(function* (block: Block) {
  const behindMs = (yield* Clock.currentTimeMillis) - block.timeMs
  if (behindMs < CHAIN_STALE_MS) return
  const behind = words(Math.round(behindMs / 1000) * 1000)
  yield* Log.warnOnce(
    "stale",
    `⚠️ The newest confirmed block ${block.number} is ${behind} old: no task is cancelled by it`
  )
})

/** Transfers by wallet, oldest first; `undefined` where they could not be read. */
type Deposits = ReadonlyMap<Address, ReadonlyArray<Deposit>> | undefined

const look = Effect.fnUntraced(function* (
  orders: ReadonlyArray<WalletOrders>,
  { block, usdc }: Balances,
  { deposits, mayGuess }: { readonly deposits: Deposits; readonly mayGuess: boolean }
) {
  const { paymentTimeout } = yield* Settings
  const timeoutMs = Duration.toMillis(paymentTimeout)
  return orders.flatMap((ofWallet): ReadonlyArray<Looked> => {
    const balance = usdc.get(ofWallet.wallet.agentAddress) ?? zero
    // A balance from before the wallet's last proven payment is not its balance.
    const isOutdated = block.number < ofWallet.provenBlock
    // Which of several orders the money was meant for is worth waiting for.
    const isUnread = deposits === undefined && !mayGuess && ofWallet.pending.length > 1
    const arrived = deposits && (deposits.get(ofWallet.wallet.agentAddress) ?? [])
    const verdicts = judge({ ...ofWallet, balance }, ofWallet.pending, block, timeoutMs, arrived)
    return ofWallet.pending.map((task) => {
      const verdict = isOutdated || isUnread ? "wait" : (verdicts.get(task) ?? "wait")
      return { task, orders: ofWallet, balance, verdict }
    })
  })
})

const evidence = ({ task, orders }: Looked) => ({
  taskId: task.id,
  walletId: orders.wallet.id,
  version: orders.version
})

const fundPaid = Effect.fnUntraced(function* (looked: ReadonlyArray<Looked>, block: Block, deposits: Deposits) {
  const paid = looked.filter(({ verdict }) => verdict === "fund")
  if (paid.length === 0) return []
  const repo = yield* TaskRepo
  const wallets = yield* Wallets
  const byWallet = Map.groupBy(paid, ({ orders }) => orders)
  const fundings = [...byWallet].flatMap(([{ wallet }, ofWallet]) => {
    const newestFirst = ofWallet.toReversed()
    const costs = newestFirst.map(({ task }) => task.totalCost)
    const paidWith = depositsFor(costs, deposits?.get(wallet.agentAddress) ?? [])
    return newestFirst.map((one, index) => ({
      ...evidence(one),
      fundingTx: paidWith[index]?.tx ?? ("auto_funded" as const),
      receivedAtMs: paidWith[index]?.block.timeMs ?? block.timeMs
    }))
  })
  const funded = yield* repo.fund(fundings, block, yield* Clock.currentTimeMillis)
  const woken = new Set(paid.filter(({ task }) => funded.includes(task.id)).map(({ orders }) => orders.wallet.id))
  yield* Effect.forEach(woken, wallets.wake, { discard: true })
  return funded
})

/**
 * The transfers into the wallets that can pay for anything: they tell which order money was meant for, and are kept for
 * the record. Worth having and never needed: without logs the balance rule stands.
 */
const findDeposits = Effect.fnUntraced(function* (orders: ReadonlyArray<WalletOrders>, { block, usdc }: Balances) {
  const { network } = yield* Settings
  const inFunds = orders.filter((ofWallet) => {
    const free = freeAtLeast({ ...ofWallet, balance: usdc.get(ofWallet.wallet.agentAddress) ?? zero })
    return ofWallet.pending.some(({ totalCost }) => totalCost <= free)
  })
  if (inFunds.length === 0) return new Map<Address, ReadonlyArray<Deposit>>()
  const oldestMs = Math.min(...inFunds.flatMap(({ pending }) => pending.map((task) => task.createdAtMs)))
  const since = blockBefore(block, oldestMs, network.blockSeconds)
  const floor = block.number > DEPOSIT_BLOCKS_MAX ? block.number - DEPOSIT_BLOCKS_MAX : 0n
  const wallets = inFunds.map(({ wallet }) => wallet.agentAddress)
  const query = { wallets, fromBlock: since > floor ? since : floor, toBlock: block.number }
  return yield* (yield* ChainClient).findDeposits(query).pipe(
    Effect.map((found): Deposits => Map.groupBy(found, ({ wallet }) => wallet)),
    Effect.catch((error) =>
      Effect.as(Log.warnOnce("deposits", `⚠️ The transfers that paid are not known: ${error.message}`), undefined)
    )
  )
})

const cancelOverdue = Effect.fnUntraced(function* (looked: ReadonlyArray<Looked>, block: Block) {
  const overdue = looked.filter(({ verdict }) => verdict === "cancel")
  if (overdue.length === 0) return []
  const repo = yield* TaskRepo
  const { paymentTimeout } = yield* Settings
  const message = messages.timeout(words(Duration.toMillis(paymentTimeout)))
  const cancellations = overdue.map((one) => ({ ...evidence(one), message }))
  return yield* repo.cancel(cancellations, block, yield* Clock.currentTimeMillis)
})
