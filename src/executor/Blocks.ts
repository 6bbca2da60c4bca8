import { Context, Effect, Exit, Layer, Ref } from "effect"
import { AfterRpcCall, ChainClient, type ChainError } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import { type LedgerError, TaskRepo } from "../ledger/TaskRepo.ts"
import * as Progress from "../ops/Progress.ts"
import { Ownership } from "../runners/Ownership.ts"
import { makeSettlePayIns, readWallets } from "./payIns.ts"
import { missingIsTheSweeps } from "./missingFunds.ts"
import { makeIsChainSeen } from "./reorganisation.ts"
import { logDeposits, makeSweepLog } from "./sweepLog.ts"
import { makeSyncDeposits } from "./syncDeposits.ts"
import { makeDecide, makeWrites } from "./verdicts.ts"
import { Wallets } from "./Wallets.ts"

/** So many pending tasks are looked for by the addresses of their wallets; of more, by all transfers of a block. */
const TASKS_MAX = 1_000

/** How metrics and probes call the loop that follows the blocks. */
const BLOCK_LOOP = "block"

/** So many blocks are looked at again at the most: what is older is the sweep's. */
const BLOCKS_MAX = 50n

/**
 * Follows the blocks of the chain: each wakes the wallets that wait for one, and orders that are paid in it are funded.
 * It only makes things happen sooner. That nothing is found here proves nothing: the sweep looks at every order, and
 * nothing but the sweep cancels. While no order waits for money and no payment for the chain, the chain is not asked.
 */
const makeBlocks = Effect.gen(function* () {
  const { confirmations, network } = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const { ranges } = yield* Ownership
  const { newBlock, awaitsBlock } = yield* Wallets
  const fundPaidAt = yield* makeFundPaidAt
  const state = yield* Ref.make({ isOpen: false, head: 0n, lookedAt: undefined as bigint | undefined })
  const hasFailed = yield* Ref.make(false)

  const pause = Effect.gen(function* () {
    const { isOpen } = yield* Ref.get(state)
    // A failure must not come again at once.
    yield* isOpen && !(yield* Ref.get(hasFailed)) ? chain.nextHead : Effect.sleep(network.blockSeconds * 1000)
  })

  /** Gives the last block that is looked at by then. */
  const look = Effect.fnUntraced(function* (
    pending: ReadonlyArray<Address>,
    confirmed: bigint,
    before = confirmed - 2n
  ) {
    const fromBlock = confirmed - before > BLOCKS_MAX ? confirmed - BLOCKS_MAX + 1n : before + 1n
    if (fromBlock > confirmed) return before
    const wallets = pending.length > TASKS_MAX ? undefined : [...new Set(pending)]
    const paid = yield* chain.findPaid({ wallets, fromBlock, toBlock: confirmed })
    // What changed meanwhile is looked at again with the next block.
    return paid.size === 0 || (yield* fundPaidAt([...paid], confirmed)) ? confirmed : before
  })

  const tick = Effect.gen(function* () {
    const { isOpen, head: seen, lookedAt } = yield* Ref.get(state)
    const head = isOpen ? yield* chain.newHead : seen
    const isNew = head > seen
    if (isNew) yield* newBlock(head)
    const pending = yield* repo.pendingAddresses(TASKS_MAX + 1, yield* ranges)
    const next = { isOpen: pending.length > 0 || (yield* awaitsBlock), head, lookedAt }
    yield* Ref.set(state, next)
    if (pending.length === 0) return yield* Ref.set(state, { ...next, lookedAt: undefined })
    if (!isNew) return
    yield* Ref.set(state, { ...next, lookedAt: yield* look(pending, head - BigInt(confirmations - 1), lookedAt) })
  })

  const noted = Effect.onExit(tick, (exit) => Ref.set(hasFailed, Exit.isFailure(exit)))
  // A long look makes its questions one by one: each shows that it gets on.
  return { pause, tick: Effect.provideService(noted, AfterRpcCall, Progress.moved(BLOCK_LOOP)) }
})

/** What is remembered between blocks is the layer's. */
export class Blocks extends Context.Service<
  Blocks,
  {
    readonly tick: Effect.Effect<void, ChainError | LedgerError>
    /** Waits until a tick may find something. */
    readonly pause: Effect.Effect<void>
  }
>()("ai-mint-executor/executor/Blocks") {
  static readonly layer = Layer.effect(Blocks, Effect.map(makeBlocks, Blocks.of))
}

/**
 * A sweep of these wallets alone: by the same evidence and the same rules. It cancels nothing, holds nothing, stops no
 * wallet, and says only what it changed. What is counted from sweep to sweep is left to them, as these looks
 * are no interval apart: orders whose deposits cannot be read, money that is missing, and a chain that was reorganised.
 */
const makeFundPaidAt = Effect.gen(function* () {
  const { blockSeconds } = (yield* Settings).network
  const chain = yield* ChainClient
  const custody = yield* KeyCustody
  const repo = yield* TaskRepo
  const { owns, ranges } = yield* Ownership
  const decide = yield* makeDecide
  const logSweep = yield* makeSweepLog
  const syncDeposits = yield* makeSyncDeposits(missingIsTheSweeps)
  const isChainSeen = yield* makeIsChainSeen
  const settlePayIns = yield* makeSettlePayIns
  const { fundPaid } = yield* makeWrites

  /** Several questions one after another are what makes a distant node late: those that can are asked at once. */
  const readPaid = Effect.fnUntraced(function* (orders: ReadonlyArray<WalletOrders>, confirmed: bigint) {
    const questions = [readWallets({ chain, blockSeconds }, orders), isChainSeen(confirmed)] as const
    const [seen, isSeen] = yield* Effect.all(questions, { concurrency: "unbounded" })
    const { number } = seen.balances.block
    return isSeen && (number === confirmed || (yield* isChainSeen(number))) ? seen : undefined
  })

  /** Says whether all orders that it would fund are funded. */
  return Effect.fn("BlockLoop.fundPaidAt")(function* (paid: ReadonlyArray<Address>, confirmed: bigint) {
    const orders = yield* repo.pendingAt(paid, yield* ranges)
    const opening = yield* Effect.filter(orders, ({ wallet }) => Effect.isSuccess(custody.check(wallet)))
    if (opening.length === 0) return true
    const seen = yield* readPaid(opening, confirmed)
    if (seen === undefined) return true
    const { balances } = seen
    // While the chain answered, a wallet may have got another owner: nothing is written for it any more.
    const usable = opening.filter(({ wallet }) => owns(wallet.id))
    const payIns = yield* settlePayIns(usable, seen)
    const { known, arrived } = yield* syncDeposits(usable, balances)
    const decided = (yield* decide(usable, balances, { known, payIns })).filter(({ decision, evidence }) => {
      return decision._tag === "Fund" && evidence.deposits !== undefined && owns(evidence.orders.wallet.id)
    })
    const funded = yield* fundPaid(decided, balances.block)
    const changed = decided.filter(({ task }) => funded.includes(task.id))
    yield* logSweep(changed, balances.block, { funded, cancelled: [] })
    yield* logDeposits(arrived, usable)
    return funded.length === decided.length
  })
})
