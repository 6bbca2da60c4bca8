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
import type { RpcCall } from "./endpoint.ts"
import { secondsToMs } from "./rpcCalls.ts"
import type { Validate, Rpc } from "./rpc.ts"

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

/** Any number of reads, all in the block `number`, in as few calls as will carry them. */
export const readAt = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  reads: ReadonlyArray<Read<A>>,
  number: bigint,
  validate?: Validate<Answers<A>>
): Effect.fn.Return<Answers<A>, ChainError> {
  const isTooLate = yield* validateBlockTime
  const validateAll: Validate<Answers<A>> = (answer) => isTooLate(answer) ?? validate?.(answer)
  // Nothing to read still asks for the block.
  const chunks = Arr.isReadonlyArrayNonEmpty(reads) ? Arr.chunksOf(reads, READS_PER_CALL) : Arr.of(reads)
  const parts = yield* Effect.forEach(chunks, (chunk) => rpc.ask(operation, aggregate(chunk, number), validateAll), {
    concurrency: CONCURRENT_CALLS
  })
  const { block } = Arr.headNonEmpty(parts)
  if (parts.some((part) => part.block.timeMs !== block.timeMs)) {
    const detail = `block ${number} has two different times: the nodes are on different forks`
    return yield* new ChainError({ reason: "Unreadable", operation, detail })
  }
  return { block, answers: parts.flatMap(({ answers }) => answers) }
})

/** The same for reads that the contract must answer all of. */
export const readAllAt = Effect.fnUntraced(function* <A, B = never>(
  rpc: Rpc,
  operation: string,
  reads: ReadonlyArray<Read<A>>,
  number: bigint,
  /** Reads of another kind in the same call. */
  beside: ReadonlyArray<Read<B>> = []
): Effect.fn.Return<
  { readonly block: Block; readonly answers: ReadonlyArray<A>; readonly beside: ReadonlyArray<B> },
  ChainError
> {
  const all = yield* readAt<A | B>(rpc, operation, [...reads, ...beside], number, isIncomplete)
  const answers = all.answers.filter((answer) => answer !== undefined)
  return {
    block: all.block,
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
 * A few reads of an unknown contract, all in the block `number`. Each is a call of its own, in one HTTP
 * request: a contract may burn all the gas that it is given, and the reads after it would fail with it.
 */
export const readApartAt = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  reads: ReadonlyArray<Read<A>>,
  number: bigint
): Effect.fn.Return<ReadonlyArray<A | undefined>, ChainError> {
  const parts = yield* rpc.ask(operation, (node) => Promise.all(reads.map((read) => aggregate([read], number)(node))))
  return parts.flatMap(({ answers }) => answers)
})
