import { Array as Arr, Effect, Result } from "effect"
import {
  type Abi,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type ContractFunctionReturnType,
  decodeFunctionResult,
  type DecodeFunctionResultParameters,
  encodeFunctionData,
  type EncodeFunctionDataParameters,
  type Hex,
  parseAbi
} from "viem"
import { readContract } from "viem/actions"
import { type Address, address } from "../domain/Address.ts"
import type { Block } from "../domain/Block.ts"
import { DoubtfulAnswer } from "./answers.ts"
import { validateBlockTime } from "./believable.ts"
import { ChainError } from "./ChainClient.ts"
import { NodeFault } from "./classify.ts"
import { type Ask, REQUESTS_PER_BATCH, type RpcCall, type Validate } from "./endpoint.ts"
import { secondsToMs } from "./rpcCalls.ts"
import { gather } from "./gather.ts"

/** At the same address on Base, Base Sepolia and the sandbox's chain. Source: github.com/mds1/multicall3. */
export const MULTICALL3 = address("0xcA11bde05977b3631167028862bE2a173976CA11")

const multicallAbi = parseAbi([
  "struct Call { address target; bool allowFailure; bytes callData; }",
  "struct Result { bool success; bytes returnData; }",
  "function aggregate3(Call[] calls) view returns (Result[] returnData)",
  "function getBlockNumber() view returns (uint256 blockNumber)",
  "function getCurrentBlockTimestamp() view returns (uint256 timestamp)"
])

/**
 * Reads in one `eth_call`. Measured on 10,000 balances: 227 to 455 reads a call (8 to 16 kB of calldata) were fastest,
 * and everything in one call killed Node.
 */
const READS_PER_CALL = 400

/** Calls under way at once for one question: quick, and below the burst that public endpoints limit. */
export const CONCURRENT_CALLS = 4

/** One view function of one contract, and how to read what it returns. */
export interface Read<A> {
  readonly target: Address
  readonly data: Hex
  readonly decode: (returned: Hex) => A
  /** Counts where the contract has no such function. Without it there is no answer then. */
  readonly orElse?: A
}

export const read = <const abi extends Abi, name extends ContractFunctionName<abi, "view">>(
  target: Address,
  abi: abi,
  functionName: name,
  args?: ContractFunctionArgs<abi, "view", name>
): Read<ContractFunctionReturnType<abi, "view", name>> => ({
  target,
  data: encodeFunctionData({ abi, functionName, args } as EncodeFunctionDataParameters),
  decode: (data) =>
    decodeFunctionResult({ abi, functionName, data } as DecodeFunctionResultParameters) as ContractFunctionReturnType<
      abi,
      "view",
      name
    >
})

/** The answers to some reads, all in one block. */
export interface Answers<A> {
  readonly block: Block
  /** In the order asked; undefined where the call reverted or returned something else. */
  readonly answers: ReadonlyArray<A | undefined>
}

const BLOCK_NUMBER = read(MULTICALL3, multicallAbi, "getBlockNumber")
const BLOCK_TIMESTAMP = read(MULTICALL3, multicallAbi, "getCurrentBlockTimestamp")

/**
 * One `eth_call`, whose answer holds its own block number: one from another block than `blockNumber` is `Doubtful`.
 * Without `blockNumber`: the node's newest block.
 */
export const aggregate =
  <A>(reads: ReadonlyArray<Read<A>>, blockNumber?: bigint): RpcCall<Answers<A>> =>
  async (node) => {
    const calls = [BLOCK_NUMBER, BLOCK_TIMESTAMP, ...reads].map(({ target, data }) => ({
      target,
      callData: data,
      allowFailure: true
    }))
    const [number, timestamp, ...results] = await readContract(node, {
      address: MULTICALL3,
      abi: multicallAbi,
      functionName: "aggregate3",
      args: [calls],
      ...(blockNumber === undefined ? {} : { blockNumber })
    })
    const block = {
      number: BLOCK_NUMBER.decode(number?.returnData ?? "0x"),
      timeMs: secondsToMs(BLOCK_TIMESTAMP.decode(timestamp?.returnData ?? "0x"))
    }
    if (blockNumber !== undefined && block.number !== blockNumber)
      throw new DoubtfulAnswer(`asked for block ${blockNumber} and answered from block ${block.number}`)
    return { block, answers: reads.map((read, index) => answerOf(results[index], read)) }
  }

const answerOf = <A>(
  result: { readonly success: boolean; readonly returnData: Hex } | undefined,
  { decode, orElse }: Read<A>
): A | undefined => {
  if (result?.success !== true) return orElse
  return Result.getOrElse(
    Result.try(() => decode(result.returnData)),
    () => orElse
  )
}

/** Reads in one block. */
export interface BlockReads {
  readonly number: bigint
  readonly reads: ReadonlyArray<Read<unknown>>
}

/** Reads contracts, gathered over all fibers that ask in the same moment. */
export interface BlockReader {
  readonly readAt: (operation: string, reads: BlockReads) => Effect.Effect<Answers<unknown>, ChainError>
  /** The same of contracts that need not answer. */
  readonly readApartAt: (operation: string, reads: BlockReads) => Effect.Effect<ReadonlyArray<unknown>, ChainError>
}

export const makeBlockReader = (ask: Ask): BlockReader => ({
  readAt: makeReadAt(ask),
  readApartAt: makeReadApartAt(ask)
})

/** What fibers read in the same moment in one block, in as few calls as will carry it; the same read once. */
const makeReadAt = (ask: Ask) =>
  gather<BlockReads, Answers<unknown>>({
    keyOf: ({ number }) => String(number),
    askAll: Effect.fnUntraced(function* (operation, questions) {
      const [{ number }] = questions
      const distinct = distinctReads(questions)
      const { block, answers } = yield* readDistinct(ask, operation, [...distinct.values()], number)
      return answersFor(questions, distinct, answers).map((own) => ({ block, answers: own }))
    })
  })

/** The same read of several questions is made once. */
const distinctReads = (questions: ReadonlyArray<BlockReads>): ReadonlyMap<string, Read<unknown>> =>
  new Map(questions.flatMap(({ reads }) => reads.map((one) => [readKey(one), one] as const)))

const answersFor = (
  questions: ReadonlyArray<BlockReads>,
  distinct: ReadonlyMap<string, Read<unknown>>,
  answers: ReadonlyArray<unknown>
): ReadonlyArray<ReadonlyArray<unknown>> => {
  const answerTo = new Map(Arr.zip([...distinct.keys()], answers))
  return questions.map(({ reads }) => reads.map((one) => answerTo.get(readKey(one))))
}

const readKey = ({ target, data }: Read<unknown>): string => `${target} ${data}`

const readDistinct = Effect.fnUntraced(function* (
  ask: Ask,
  operation: string,
  reads: ReadonlyArray<Read<unknown>>,
  number: bigint
): Effect.fn.Return<Answers<unknown>, ChainError> {
  const isTooLate = yield* validateBlockTime
  // Nothing to read still asks for the block.
  const chunks = Arr.isReadonlyArrayNonEmpty(reads) ? Arr.chunksOf(reads, READS_PER_CALL) : Arr.of(reads)
  const parts = yield* Effect.forEach(
    chunks,
    (chunk) => ask(operation, aggregate(chunk, number), (answer) => isTooLate(answer) ?? isIncomplete(answer)),
    { concurrency: CONCURRENT_CALLS }
  )
  const { block } = Arr.headNonEmpty(parts)
  if (parts.some((part) => part.block.timeMs !== block.timeMs)) {
    const detail = `block ${number} has two different times: the nodes are on different forks`
    return yield* new ChainError({ reason: "Unreadable", operation, detail })
  }
  return { block, answers: parts.flatMap(({ answers }) => answers) }
})

/** Any number of reads, all in the block `number`, which the contract must answer all of. */
export const readAllAt = Effect.fnUntraced(function* <A, B = never>(
  reader: BlockReader,
  operation: string,
  reads: ReadonlyArray<Read<A>>,
  number: bigint,
  /** Reads of another kind in the same call. */
  beside: ReadonlyArray<Read<B>> = []
): Effect.fn.Return<
  { readonly block: Block; readonly answers: ReadonlyArray<A>; readonly beside: ReadonlyArray<B> },
  ChainError
> {
  const { block, answers } = yield* reader.readAt(operation, { number, reads: [...reads, ...beside] })
  return {
    block,
    answers: answers.slice(0, reads.length) as ReadonlyArray<A>,
    beside: answers.slice(reads.length) as ReadonlyArray<B>
  }
})

const isIncomplete: Validate<Answers<unknown>> = ({ block, answers }) => {
  const missing = answers.filter((answer) => answer === undefined).length
  if (missing === 0) return undefined
  const detail = `no readable answer to ${missing} of ${answers.length} reads in block ${block.number}`
  return new NodeFault({ reason: "Unreadable", detail })
}

/**
 * A few reads of unknown contracts, all in the block `number`. Those of one contract are one call, three of them in one
 * HTTP request: a contract may burn all the gas that it is given, and only its own reads may fail with it. What has no
 * answer is asked once more in a call of its own.
 */
const makeReadApartAt = (ask: Ask) =>
  gather<BlockReads, ReadonlyArray<unknown>>({
    keyOf: ({ number }) => String(number),
    askAll: Effect.fnUntraced(function* (operation, questions) {
      const [{ number }] = questions
      const distinct = distinctReads(questions)
      const contracts = Map.groupBy(distinct.values(), ({ target }) => target)
      const read = (chunk: ReadonlyArray<ReadonlyArray<Read<unknown>>>) =>
        ask(operation, (node) => Promise.all(chunk.map((reads) => aggregate(reads, number)(node))))
      const readAll = Effect.fnUntraced(function* (calls: ReadonlyArray<ReadonlyArray<Read<unknown>>>) {
        const chunks = Arr.chunksOf(calls, REQUESTS_PER_BATCH)
        const parts = yield* Effect.forEach(chunks, read, { concurrency: CONCURRENT_CALLS })
        const answers = parts.flat().flatMap((part) => part.answers)
        return new Map(Arr.zip(calls.flat().map(readKey), answers))
      })
      const together = yield* Effect.catchIf(readAll([...contracts.values()]), isAboutTheCall, () => NO_ANSWERS)
      const isAsked = (key: string, { target }: Read<unknown>) =>
        together.has(key) && (together.get(key) !== undefined || contracts.get(target)?.length === 1)
      const missing = [...distinct].filter(([key, one]) => !isAsked(key, one))
      const apart = yield* readAll(missing.map(([, one]) => [one]))
      const answers = [...distinct.keys()].map((key) => apart.get(key) ?? together.get(key))
      return answersFor(questions, distinct, answers)
    })
  })

const NO_ANSWERS = Effect.succeed<ReadonlyMap<string, unknown>>(new Map())

/** A contract has made the whole call fail, and not the node or the way to it. */
const isAboutTheCall = ({ reason }: ChainError): boolean => reason === "Reverted" || reason === "Rejected"

/** A few reads of an unknown contract, in the order asked: `undefined` where there is no answer. */
export const readApartAt = <A>(reader: BlockReader, operation: string, reads: ReadonlyArray<Read<A>>, number: bigint) =>
  reader.readApartAt(operation, { number, reads }) as Effect.Effect<ReadonlyArray<A | undefined>, ChainError>
