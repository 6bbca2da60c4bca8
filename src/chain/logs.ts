import { Array as Arr, Effect, HashMap, Order, Ref } from "effect"
import type { Log, LogFilter, Topics } from "./answers.ts"
import type { Block } from "../domain/Block.ts"
import { validateBlockTime } from "./believable.ts"
import { ChainError } from "./ChainClient.ts"
import type { NodeFault } from "./classify.ts"
import { isBehind } from "./head.ts"
import { type Endpoint, type RpcCall, REQUESTS_PER_BATCH, type Validate } from "./endpoint.ts"
import { CONCURRENT_CALLS } from "./multicall.ts"
import { afterPage, afterRefusal, BLOCKS_PER_PAGE_MAX, BLOCKS_PER_SLOW_PAGE_MIN, HALVINGS_MAX } from "./pageSize.ts"
import { blockAt, headNumber, logsOf } from "./rpcCalls.ts"
import { failIf, type Rpc } from "./rpc.ts"

/** Three months of Base. Older blocks need an archive node and a person. */
export const BLOCKS_SEARCHED_MAX = 4_000_000n

/** Entries of a list in a topic. Public providers cap lists; 20,000 were fine on anvil. */
export const TOPICS_PER_FILTER = 1_000

/** Within so many blocks a search is short: half an hour of Base, one page of every provider. */
const SHORT_SEARCH_BLOCKS = 1_000n

export const isShortSearch = (fromBlock: bigint, toBlock: bigint): boolean => toBlock - fromBlock < SHORT_SEARCH_BLOCKS

/** Searches that may travel as one: short ones up to the same block. A long one is made by itself. */
export const searchKey = (fromBlock: bigint, toBlock: bigint): string =>
  isShortSearch(fromBlock, toBlock) ? `up to ${toBlock}` : `${fromBlock} to ${toBlock}`

/** Oldest first. */
export const byPosition: Order.Order<{ readonly block: bigint; readonly logIndex: number }> = Order.combine(
  Order.mapInput(Order.BigInt, ({ block }) => block),
  Order.mapInput(Order.Number, ({ logIndex }) => logIndex)
)

/** Logs of one contract that one of these filters asks for; no log is to be asked for by two of them. */
interface LogSearch extends Omit<LogFilter, "topics"> {
  readonly anyOf: ReadonlyArray<Topics>
}

/** Filters that are read in one HTTP request, with the head of the node. */
const FILTERS_PER_REQUEST = REQUESTS_PER_BATCH - 1

/**
 * Logs of any range of blocks, page by page; of each filter oldest first. `decode` may throw: the node's answer is
 * `Unreadable` then.
 */
export const findLogs = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  { anyOf, ...range }: LogSearch,
  decode: (log: Log) => A
): Effect.fn.Return<ReadonlyArray<A>, ChainError> {
  const blocks = range.toBlock - range.fromBlock + 1n
  if (blocks > BLOCKS_SEARCHED_MAX) {
    const detail = `the logs of ${blocks} blocks are more than will be searched (${BLOCKS_SEARCHED_MAX})`
    return yield* new ChainError({ reason: "Rejected", operation, detail })
  }
  const parts = Arr.chunksOf(anyOf, FILTERS_PER_REQUEST).flatMap((filters) => partsOf({ ...range, anyOf: filters }))
  const found = yield* Effect.forEach(parts, (part) => findPart(rpc, operation, part, decode), {
    concurrency: CONCURRENT_CALLS
  })
  return found.flat()
})

const partsOf = (search: LogSearch): ReadonlyArray<LogSearch> => {
  const parts: Array<LogSearch> = []
  for (let fromBlock = search.fromBlock; fromBlock <= search.toBlock; fromBlock += BLOCKS_PER_PAGE_MAX) {
    parts.push(firstBlocks({ ...search, fromBlock }, BLOCKS_PER_PAGE_MAX))
  }
  return parts
}

/** The same search in no more than so many blocks. */
const firstBlocks = (search: LogSearch, blocks: bigint): LogSearch => {
  const last = search.fromBlock + blocks - 1n
  return { ...search, toBlock: last < search.toBlock ? last : search.toBlock }
}

/** One page in the best case; as many as there are blocks where a provider gives one at a time. */
const findPart = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  part: LogSearch,
  decode: (log: Log) => A
): Effect.fn.Return<ReadonlyArray<A>, ChainError> {
  const found: Array<A> = []
  let fromBlock = part.fromBlock
  while (fromBlock <= part.toBlock) {
    const rest = { ...part, fromBlock }
    // Each try asks every endpoint for the page size that it was last found to accept; a page that was too large is halved.
    const page = yield* Effect.retry(
      rpc.askBy(operation, (endpoint) => readPage(endpoint, rest, decode)),
      { times: HALVINGS_MAX, while: ({ reason }) => reason === "TooLarge" }
    )
    found.push(...page.logs)
    fromBlock = page.toBlock + 1n
  }
  return found
})

/** The logs up to `toBlock`: as much of what was asked for as the endpoint gives at once. */
interface Page<A> {
  readonly logs: ReadonlyArray<A>
  readonly toBlock: bigint
}

const readPage = Effect.fnUntraced(function* <A>(
  { ask, pageSize }: Endpoint,
  rest: LogSearch,
  decode: (log: Log) => A
): Effect.fn.Return<Page<A>, NodeFault> {
  const page = firstBlocks(rest, (yield* Ref.get(pageSize)).blocks)
  const asked = page.toBlock - page.fromBlock + 1n
  const shrink = Ref.update(pageSize, afterRefusal(asked))
  const isTooLate = yield* validateBlockTime
  const read = (page: LogSearch) =>
    ask(logsAndHead(page, decode)).pipe(
      Effect.tap(failIf(isShort(page))),
      Effect.tap(({ newest }) => (newest === undefined ? Effect.void : failIf(isTooLate)({ block: newest }))),
      Effect.map(({ logs }) => ({ logs, toBlock: page.toBlock }))
    )
  return yield* read(page).pipe(
    Effect.tap(Ref.update(pageSize, afterPage(asked))),
    Effect.onInterrupt(() => Ref.update(pageSize, afterRefusal(asked, BLOCKS_PER_SLOW_PAGE_MIN))),
    Effect.tapError(({ reason }) => (reason === "TooLarge" ? shrink : Effect.void)),
    // Providers have many words for "too large": what is refused as a page and given as a block was too large.
    Effect.catchIf(
      ({ reason }) => reason === "Rejected" && asked > 1n,
      (refused) =>
        read(firstBlocks(rest, 1n)).pipe(
          Effect.tap(shrink),
          Effect.mapError(() => refused)
        )
    )
  )
})

interface LogsAndHead<A> {
  readonly logs: ReadonlyArray<A>
  readonly head: bigint
  /** The latest of the blocks whose time the node gave with its logs. */
  readonly newest: Block | undefined
}

/** A node gives the logs that it has and does not report missing blocks, so its head is read with them. */
const logsAndHead =
  <A>({ anyOf, ...range }: LogSearch, decode: (log: Log) => A): RpcCall<LogsAndHead<A>> =>
  async (node) => {
    const [found, head] = await Promise.all([
      Promise.all(anyOf.map((topics) => logsOf({ ...range, topics })(node))),
      headNumber(node)
    ])
    const logs = found.flat()
    return { logs: logs.map(decode), head, newest: newestOf(logs) }
  }

const newestOf = (logs: ReadonlyArray<Log>): Block | undefined =>
  logs
    .flatMap(({ block, timeMs }) => (timeMs === undefined ? [] : [{ number: block, timeMs }]))
    .reduce<Block | undefined>(
      (newest, one) => (newest !== undefined && newest.timeMs >= one.timeMs ? newest : one),
      undefined
    )

const isShort =
  ({ toBlock }: LogSearch): Validate<LogsAndHead<unknown>> =>
  ({ head }) =>
    isBehind(toBlock)(head)

/** The same logs, each with the time of its block, which is read where the node left it out. */
export const withTimes = Effect.fnUntraced(function* <L extends Pick<Log, "block" | "timeMs">>(
  rpc: Rpc,
  operation: string,
  logs: ReadonlyArray<L>
): Effect.fn.Return<ReadonlyArray<L & { readonly timeMs: number }>, ChainError> {
  const untimed = Arr.dedupe(logs.filter(({ timeMs }) => timeMs === undefined).map(({ block }) => block))
  const isTooLate = yield* validateBlockTime
  const validateTimes: Validate<ReadonlyArray<Block>> = (blocks) =>
    blocks.map((block) => isTooLate({ block })).find((fault) => fault !== undefined)
  const blocks = yield* Effect.forEach(
    Arr.chunksOf(untimed, REQUESTS_PER_BATCH),
    (numbers) =>
      rpc.ask(operation, (node) => Promise.all(numbers.map((number) => blockAt(number)(node))), validateTimes),
    { concurrency: CONCURRENT_CALLS }
  )
  const blockOf = HashMap.fromIterable(Arr.zip(untimed, blocks.flat()))
  // Every block that the logs left untimed has been asked for.
  return logs.map((log) => ({ ...log, timeMs: log.timeMs ?? HashMap.getUnsafe(blockOf, log.block).timeMs }))
})
