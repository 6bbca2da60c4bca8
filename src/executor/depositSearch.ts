import { Effect, Ref } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import type { Deposit } from "../domain/Deposit.ts"
import { type Usdc, usdc } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import type { WalletOrders } from "../domain/WalletState.ts"

/** How far back the history of a wallet begins at the most, and how much one sweep searches: about a day on Base. */
const SEARCH_BLOCKS_MAX = 43_200n

/** What a search of the transfers found. */
export interface Search {
  readonly deposits: ReadonlyArray<Deposit>
  /** Wallets whose transfers are known up to the block of the search, with no gap since they were last counted. */
  readonly whole: ReadonlySet<WalletId>
}

interface Start {
  readonly orders: WalletOrders
  readonly fromBlock: bigint
}

/**
 * Searches the transfers into wallets since each was last counted. After a long downtime that takes several sweeps, each
 * a day of blocks; wallets that are nearly up to date do not wait for it. How far such a search has come is only
 * remembered here: in the ledger the cursor moves when all of it is searched and the sums are even, so that a log that
 * was missing from one answer is looked for again.
 */
export const makeSearch = Effect.gen(function* () {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const reached = yield* Ref.make<ReadonlyMap<WalletId, Reached>>(new Map())
  return Effect.fn("CheckLoop.searchDeposits")(function* (
    wanted: ReadonlyArray<WalletOrders>,
    block: Block,
    balanceOf: (orders: WalletOrders) => Usdc
  ) {
    const before = yield* Ref.get(reached)
    const starts = wanted.map((orders) => startOf(orders, before.get(orders.wallet.id), block, network.blockSeconds))
    const isNear = ({ fromBlock }: Start) => block.number - fromBlock <= SEARCH_BLOCKS_MAX
    const near = starts.filter(isNear)
    const nearby = yield* searchRange(chain, near, block.number, expectedOf(near, balanceOf))
    const far = starts.filter((start) => !isNear(start))
    const toBlock = earliest(far) + SEARCH_BLOCKS_MAX
    const page = far.filter(({ fromBlock }) => fromBlock <= toBlock)
    const distant = yield* searchRange(chain, page, toBlock)
    const now = new Map(before)
    for (const { orders } of near) now.delete(orders.wallet.id)
    for (const { orders } of distant === undefined ? [] : page) {
      now.set(orders.wallet.id, { countedBlock: orders.books?.countedBlock ?? 0n, toBlock })
    }
    yield* Ref.set(reached, now)
    const whole = nearby === undefined ? [] : near.map(({ orders }) => orders.wallet.id)
    return { deposits: [...(nearby ?? []), ...(distant ?? [])], whole: new Set(whole) } satisfies Search as Search
  })
})

/** How far a search of several sweeps has come, and the cursor of the ledger from which it began. */
interface Reached {
  readonly countedBlock: bigint
  readonly toBlock: bigint
}

const startOf = (orders: WalletOrders, reached: Reached | undefined, block: Block, blockSeconds: number): Start => {
  const { books, pending } = orders
  if (books !== undefined) {
    const searched = reached?.countedBlock === books.countedBlock ? reached.toBlock : books.countedBlock
    return { orders, fromBlock: searched + 1n }
  }
  const since = blockBefore(block, Math.min(block.timeMs, ...pending.map((t) => t.createdAtMs)), blockSeconds)
  const floor = block.number - SEARCH_BLOCKS_MAX
  return { orders, fromBlock: since > floor ? since : floor }
}

const earliest = (starts: ReadonlyArray<Start>): bigint =>
  starts.reduce((first, { fromBlock }) => (fromBlock < first ? fromBlock : first), starts[0]?.fromBlock ?? 0n)

/** What is there beyond the books came by transfers: a node that gives no logs of so much is not taken at its word. */
const expectedOf = (
  starts: ReadonlyArray<Start>,
  balanceOf: (orders: WalletOrders) => Usdc
): ReadonlyMap<Address, Usdc> =>
  new Map(
    starts.flatMap(({ orders }): ReadonlyArray<[Address, Usdc]> => {
      const { books, wallet } = orders
      if (books === undefined) return []
      const beyond = balanceOf(orders) - books.balance
      return beyond > 0n ? [[wallet.agentAddress, usdc(beyond)]] : []
    })
  )

/** `undefined` where the transfers cannot be read. */
const searchRange = Effect.fnUntraced(function* (
  chain: ChainClient["Service"],
  starts: ReadonlyArray<Start>,
  toBlock: bigint,
  atLeast?: ReadonlyMap<Address, Usdc>
) {
  if (starts.length === 0) return []
  const wallets = starts.map(({ orders }) => orders.wallet.agentAddress)
  const search = chain.findDeposits({ wallets, fromBlock: earliest(starts), toBlock, atLeast })
  return yield* Effect.catch(search, (error) =>
    Effect.as(Log.warnOnce("deposits", `⚠️ The transfers that paid are not known: ${error.message}`), undefined)
  )
})
