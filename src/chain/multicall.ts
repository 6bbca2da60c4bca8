import { Array as Arr, Effect, Option } from "effect"
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
import { blockTimeDoubt } from "./believable.ts"
import { ChainError } from "./ChainClient.ts"
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
  /** What counts where the contract has no such function. Without it that is no answer. */
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

/** What a block said to some reads. */
export interface Answers<A> {
  readonly block: Block
  /** In the order asked; none where the call reverted or returned something else. */
  readonly answers: ReadonlyArray<Option.Option<A>>
}

const BLOCK_NUMBER = read(MULTICALL3, multicallAbi, "getBlockNumber")
const BLOCK_TIMESTAMP = read(MULTICALL3, multicallAbi, "getCurrentBlockTimestamp")

/**
 * One `eth_call`, which tells itself which block it saw: an answer from another block than `blockNumber` is `Doubtful`.
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
): Option.Option<A> => {
  const answer = result?.success === true ? Option.liftThrowable(decode)(result.returnData) : Option.none()
  return Option.isNone(answer) && orElse !== undefined ? Option.some(orElse) : answer
}

/** Any number of reads, all in the block `number`, in as few calls as will carry them. */
export const readAt = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  reads: ReadonlyArray<Read<A>>,
  number: bigint,
  doubt?: Validate<Answers<A>>
): Effect.fn.Return<Answers<A>, ChainError> {
  const isTooLate = yield* blockTimeDoubt
  const isDoubtful: Validate<Answers<A>> = (answer) => isTooLate(answer) ?? doubt?.(answer)
  // Nothing to read still asks for the block.
  const chunks = Arr.isReadonlyArrayNonEmpty(reads) ? Arr.chunksOf(reads, READS_PER_CALL) : Arr.of(reads)
  const parts = yield* Effect.forEach(chunks, (chunk) => rpc.ask(operation, aggregate(chunk, number), isDoubtful), {
    concurrency: CONCURRENT_CALLS
  })
  const { block } = Arr.headNonEmpty(parts)
  if (parts.some((part) => part.block.timeMs !== block.timeMs)) {
    const detail = `block ${number} has two different times: the nodes are on different forks`
    return yield* new ChainError({ reason: "Unreadable", operation, detail })
  }
  return { block, answers: parts.flatMap(({ answers }) => answers) }
})

/** The same where a contract that answers only some of the reads is not the contract that it should be. */
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
  const answers = Arr.getSomes(all.answers)
  return {
    block: all.block,
    answers: answers.slice(0, reads.length) as ReadonlyArray<A>,
    beside: answers.slice(reads.length) as ReadonlyArray<B>
  }
})

const isIncomplete: Validate<Answers<unknown>> = ({ block, answers }) => {
  const missing = answers.filter(Option.isNone).length
  if (missing === 0) return undefined
  const detail = `no readable answer to ${missing} of ${answers.length} reads in block ${block.number}`
  return { reason: "Unreadable", detail }
}

/**
 * A few reads of a contract that we do not know, all in the block `number`. Each is a call of its own, in one HTTP
 * request: a contract may burn all the gas that it is given, and the reads after it would fail with it.
 */
export const readApartAt = Effect.fnUntraced(function* <A>(
  rpc: Rpc,
  operation: string,
  reads: ReadonlyArray<Read<A>>,
  number: bigint
): Effect.fn.Return<ReadonlyArray<Option.Option<A>>, ChainError> {
  const parts = yield* rpc.ask(operation, (node) => Promise.all(reads.map((read) => aggregate([read], number)(node))))
  return parts.flatMap(({ answers }) => answers)
})
