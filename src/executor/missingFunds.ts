import { Clock, Effect, Ref, Result } from "effect"
import { ChainClient, type Spending } from "../chain/ChainClient.ts"
import type { NetworkShape } from "../config/Network.ts"
import { Settings } from "../config/Settings.ts"
import { nonceOf, possibleNumbers } from "../domain/Batch.ts"
import type { Block } from "../domain/Block.ts"
import type { Task, TaskId } from "../domain/Task.ts"
import { format, sum, type Usdc, usdc } from "../domain/Usdc.ts"
import type { Wallet, WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import { type FoundDeposit, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"

/** So many checks in a row that explain nothing, at every URL and over so long, are no lagging node: the wallet stops. */
const CHECKS_MAX = 3
const UNEXPLAINED_MS = 2 * 60_000

/** What is known of money that left a wallet and that the ledger has no row for. */
export interface MissingFunds {
  /** Why nothing may be decided about the wallet's orders. */
  readonly unclear: string | undefined
  readonly spentOn: ReadonlySet<TaskId>
}

/** A wallet that holds less than it should. */
interface Lacking {
  readonly orders: WalletOrders
  readonly balance: Usdc
  /** Deposits that the books do not hold yet. */
  readonly fresh: ReadonlyArray<FoundDeposit>
}

/** Checks in a row that explained nothing. */
interface Checks {
  readonly count: number
  readonly sinceMs: number
}

/**
 * Finds out where money of a wallet went that the books do not know of. A payment of an order that still waits for its
 * money was made by this program before the ledger was restored from a backup: that order was paid. One of an order that
 * is funded, and has no plan in that backup, comes into the books when it is planned. What no row explains stops the
 * wallet: another person has its key, or its sums do not add up. Nodes whose logs come to less than what is missing are
 * passed over: what stays unexplained is so by the logs of every URL.
 */
export const makeMissingFunds = Effect.gen(function* () {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const checks = yield* Ref.make<ReadonlyMap<WalletId, Checks>>(new Map())
  /** The sums of these wallets add up again: what comes later is not in a row with what was. */
  const forget = (walletIds: ReadonlyArray<WalletId>) =>
    Ref.update(checks, (before) => {
      if (before.size === 0) return before
      const over = new Set(walletIds)
      return new Map([...before].filter(([id]) => !over.has(id)))
    })
  const explain = Effect.fn("CheckLoop.explainMissing")(function* ({ orders, balance, fresh }: Lacking, block: Block) {
    const { wallet, books } = orders
    const due = (books?.balance ?? 0n) + sum(fresh.map(({ amount }) => amount))
    const missing = due - balance - orders.reserved
    const query = {
      wallets: [wallet.agentAddress],
      fromBlock: (books?.countedBlock ?? block.number) + 1n,
      atLeast: new Map([[wallet.agentAddress, usdc(missing > 0n ? missing : 0n)]])
    }
    const read = yield* Effect.result(chain.findSpending({ ...query, toBlock: block.number }))
    if (Result.isFailure(read)) return unclear(`money is missing: ${read.failure.message}`)
    const known = yield* repo.knownNonces(read.success.flatMap(({ nonce }) => nonce ?? []))
    const unknown = read.success.filter(({ nonce }) => nonce === undefined || !known.has(nonce))
    const ours = noncesOf(network, wallet, orders.pending)
    const others = unknown.filter(({ nonce }) => nonce === undefined || !ours.has(nonce))
    const open = others.length === 0 ? [] : (yield* repo.walletWork(wallet.id)).tasks
    const reserved = noncesOf(network, wallet, open)
    const stray = others.find(({ nonce }) => nonce === undefined || !reserved.has(nonce))
    if (stray !== undefined) return yield* stop(repo, orders, strayWords(stray))
    const spentOn = new Set(unknown.flatMap(({ nonce }) => (nonce && ours.get(nonce)) ?? []))
    if (spentOn.size > 0) {
      yield* forget([wallet.id])
      return { unclear: undefined, spentOn } satisfies MissingFunds as MissingFunds
    }
    const nowMs = yield* Clock.currentTimeMillis
    const before = (yield* Ref.get(checks)).get(wallet.id) ?? { count: 0, sinceMs: nowMs }
    const done = { ...before, count: before.count + 1 }
    yield* Ref.update(checks, (all) => new Map(all).set(wallet.id, done))
    const words = `it should hold ${format(due)} USDC and holds ${format(balance)}, and no transfer explains it`
    const isLasting = done.count >= CHECKS_MAX && nowMs - done.sinceMs >= UNEXPLAINED_MS
    return isLasting ? yield* stop(repo, orders, words) : unclear(words)
  })
  return { explain, forget }
})

/** How it is found out where money of a wallet went. */
export type MissingFundsSearch = Effect.Success<typeof makeMissingFunds>

/** What is missing is the sweep's: only its checks are in a row, and count towards the stop of a wallet. */
export const missingIsTheSweeps: MissingFundsSearch = {
  explain: () => Effect.succeed(unclear("money is missing, and the next sweep looks for it")),
  forget: () => Effect.void
}

const unclear = (words: string): MissingFunds => ({ unclear: words, spentOn: new Set() })

const strayWords = ({ amount, to, tx }: Spending): string =>
  `${format(amount)} USDC went to ${to} in ${tx}, and no order or refund of this ledger explains it`

/** Every nonce that a batch of these orders could have. */
const noncesOf = (network: NetworkShape, wallet: Wallet, tasks: ReadonlyArray<Task>) => {
  const seed = { chainId: network.chainId, usdc: network.usdc.address, payer: wallet.agentAddress }
  const numbered = tasks.flatMap(({ id, quantity }) =>
    possibleNumbers(quantity).map((number) => ({ taskId: id, number }))
  )
  return new Map(numbered.map((batch) => [nonceOf({ ...seed, ...batch }), batch.taskId]))
}

const stop = Effect.fnUntraced(function* (
  repo: TaskRepo["Service"],
  { wallet, version }: WalletOrders,
  reason: string
) {
  const stop = { walletId: wallet.id, version, reason }
  const stopped = yield* wasFirst(repo.stopWallet(stop, yield* Clock.currentTimeMillis))
  if (stopped) {
    yield* Log.error(`🚨 Wallet ${wallet.agentAddress} is stopped: ${reason}`, { wallet: wallet.agentAddress })
  }
  return unclear(reason)
})
