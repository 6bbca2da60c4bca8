import { Effect } from "effect"
import type { ChainClient, ChainError } from "../chain/ChainClient.ts"
import type { Account } from "../ledger/DecisionRepo.ts"
import type { ChainView } from "./audit.ts"
import type { Services } from "./services.ts"

/** Blocks of one search of logs: what the chain client takes is four times as many. */
const BLOCKS_PER_SEARCH = 1_000_000n

/** What the chain shows of these wallets, since the ledger's first block or the first trace of a payment or deposit before it. */
export const viewChain = Effect.fnUntraced(function* (
  { chain }: Services,
  accounts: ReadonlyArray<Account>,
  firstBlock: bigint
) {
  const wallets = accounts.map(({ wallet }) => wallet.agentAddress)
  const { block, usdc } = yield* chain.readBalances(wallets)
  const fromBlock = accounts.flatMap(tracesOf).reduce((lowest, trace) => (trace < lowest ? trace : lowest), firstBlock)
  const range = { wallets, fromBlock, toBlock: block.number }
  const spending = yield* search(range, chain.findSpending)
  const deposits = yield* search(range, chain.findDeposits)
  return {
    fromBlock,
    firstBlock,
    block,
    balances: usdc,
    spending: Map.groupBy(spending, ({ wallet }) => wallet),
    deposits: Map.groupBy(deposits, ({ wallet }) => wallet)
  } satisfies ChainView as ChainView
})

/** Blocks in which something of the account may have begun. */
const tracesOf = ({ openedBlock, batches, refunds, deposits }: Account): ReadonlyArray<bigint> =>
  [
    openedBlock,
    ...deposits.map(({ block }) => block.number),
    ...[...batches, ...refunds].flatMap(({ window, paymentBlock }) => [window?.block, paymentBlock])
  ].filter((block) => block !== undefined)

type Range = Parameters<ChainClient["Service"]["findSpending"]>[0]

/** A range of any length, a part after the other. */
const search = <A>(
  { wallets, fromBlock, toBlock }: Range,
  find: (range: Range) => Effect.Effect<ReadonlyArray<A>, ChainError>
): Effect.Effect<ReadonlyArray<A>, ChainError> => {
  const parts: Array<Range> = []
  for (let start = fromBlock; start <= toBlock; start += BLOCKS_PER_SEARCH) {
    const end = start + BLOCKS_PER_SEARCH - 1n
    parts.push({ wallets, fromBlock: start, toBlock: end < toBlock ? end : toBlock })
  }
  return Effect.map(Effect.forEach(parts, find), (found) => found.flat())
}
