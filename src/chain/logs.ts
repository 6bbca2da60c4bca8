import { Array as Arr, Effect, HashMap, Order } from "effect"
import { ChainError } from "./ChainClient.ts"
import { isBehind } from "./confirmed.ts"
import { type Question, REQUESTS_PER_BATCH } from "./endpoint.ts"
import { CONCURRENT_CALLS } from "./multicall.ts"
import type { Log, LogFilter } from "./answers.ts"
import { blockAt, headNumber, logsOf } from "./questions.ts"
import type { Rpc } from "./rpc.ts"

/** Blocks in one `eth_getLogs`. Source: docs.base.org, `eth_getLogs`: "under 2,000 blocks for reliable results". */
const BLOCKS_PER_PAGE = 2_000n

/** How often a page that a provider finds too large is cut in two: down to 63 blocks. */
const HALVINGS_MAX = 5

/** Three months of Base, or 2,000 pages. What is older needs an archive and a person. */
export const BLOCKS_SEARCHED_MAX = 4_000_000n

/** Entries of a list in a topic. Public providers cap lists; 20,000 were fine on anvil. */
export const TOPICS_PER_FILTER = 1_000

/** Oldest first. */
export const byPosition: Order.Order<{ readonly block: bigint; readonly logIndex: number }> = Order.combine(
  Order.mapInput(Order.BigInt, ({ block }) => block),
  Order.mapInput(Order.Number, ({ logIndex }) => logIndex)
)

/**
 * Logs of any range of blocks, page by page, oldest first. `decode` may throw: the node's answer is `Unreadable` then.
 */
export const findLogs = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  filter: LogFilter,
  decode: (log: Log) => A
): Effect.fn.Return<ReadonlyArray<A>, ChainError> {
  const blocks = filter.toBlock - filter.fromBlock + 1n
  if (blocks > BLOCKS_SEARCHED_MAX) {
    const detail = `the logs of ${blocks} blocks are more than will be searched (${BLOCKS_SEARCHED_MAX})`
    return yield* new ChainError({ reason: "Rejected", operation, detail })
  }
  const found = yield* Effect.forEach(pagesOf(filter), (page) => findPage(rpc, operation, page, decode, HALVINGS_MAX), {
    concurrency: CONCURRENT_CALLS
  })
  return found.flat()
})

const pagesOf = (filter: LogFilter): ReadonlyArray<LogFilter> => {
  const pages: Array<LogFilter> = []
  for (let fromBlock = filter.fromBlock; fromBlock <= filter.toBlock; fromBlock += BLOCKS_PER_PAGE) {
    const last = fromBlock + BLOCKS_PER_PAGE - 1n
    pages.push({ ...filter, fromBlock, toBlock: last < filter.toBlock ? last : filter.toBlock })
  }
  return pages
}

/** Providers differ in how many blocks or logs they give at once, and only say so when asked for too many. */
const findPage = <A>(
  rpc: Rpc,
  operation: string,
  page: LogFilter,
  decode: (log: Log) => A,
  halvings: number
): Effect.Effect<ReadonlyArray<A>, ChainError> =>
  rpc
    .ask(operation, logsAndHead(page, decode), ({ head }) => isBehind(page.toBlock)(head))
    .pipe(
      Effect.map(({ logs }) => logs),
      Effect.catchIf(
        (error) => error.reason === "TooLarge" && halvings > 0 && page.fromBlock < page.toBlock,
        () =>
          Effect.forEach(halvesOf(page), (half) => findPage(rpc, operation, half, decode, halvings - 1)).pipe(
            Effect.map((halves) => halves.flat())
          )
      )
    )

/** A node gives what it has of a range and says nothing of the blocks that it lacks, so its head is asked with it. */
const logsAndHead =
  <A>(page: LogFilter, decode: (log: Log) => A): Question<{ readonly logs: ReadonlyArray<A>; readonly head: bigint }> =>
  async (node) => {
    const [logs, head] = await Promise.all([logsOf(page)(node), headNumber(node)])
    return { logs: logs.map(decode), head }
  }

const halvesOf = (page: LogFilter): ReadonlyArray<LogFilter> => {
  const middle = (page.fromBlock + page.toBlock) / 2n
  return [
    { ...page, toBlock: middle },
    { ...page, fromBlock: middle + 1n }
  ]
}

/** The same logs, each with the time of its block: the node's own word with the log, else asked for. */
export const withTimes = Effect.fnUntraced(function* <L extends Pick<Log, "block" | "timeMs">>(
  rpc: Rpc,
  operation: string,
  logs: ReadonlyArray<L>
): Effect.fn.Return<ReadonlyArray<L & { readonly timeMs: number }>, ChainError> {
  const untimed = Arr.dedupe(logs.filter(({ timeMs }) => timeMs === undefined).map(({ block }) => block))
  const blocks = yield* Effect.forEach(
    Arr.chunksOf(untimed, REQUESTS_PER_BATCH),
    (numbers) => rpc.ask(operation, (node) => Promise.all(numbers.map((number) => blockAt(number)(node)))),
    { concurrency: CONCURRENT_CALLS }
  )
  const blockOf = HashMap.fromIterable(Arr.zip(untimed, blocks.flat()))
  // Every block that the logs left untimed has been asked for.
  return logs.map((log) => ({ ...log, timeMs: log.timeMs ?? HashMap.getUnsafe(blockOf, log.block).timeMs }))
})
