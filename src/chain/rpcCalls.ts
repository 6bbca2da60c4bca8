import { Schema, SchemaTransformation } from "effect"
import { BlockNotFoundError, type Hex, numberToHex, TransactionReceiptNotFoundError } from "viem"
import { Address, address, type Bytes32 } from "../domain/Address.ts"
import type { Block } from "../domain/Block.ts"
import {
  DoubtfulAnswer,
  type Log,
  type LogFilter,
  logsFor,
  type Receipt,
  receiptFor,
  type SentLog,
  type Topics
} from "./answers.ts"
import type { RpcCall } from "./endpoint.ts"

// The calls to a node, one JSON-RPC method each (`eth_call` is in `multicall.ts`). Every answer is decoded and compared
// with the call before it counts. Source of the shapes: github.com/ethereum/execution-apis, `src/schemas/base-types.yaml`.

const Bytes = Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x([0-9a-f]{2})*$/))

const Hash = Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x[0-9a-f]{64}$/))

const Quantity = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{1,64}$/)).pipe(
  Schema.decodeTo(
    Schema.BigInt,
    SchemaTransformation.transform<bigint, string>({ decode: BigInt, encode: (quantity) => numberToHex(quantity) })
  )
)

/** The only type whose case nodes may choose. */
const Account = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{40}$/i)).pipe(
  Schema.decodeTo(
    Address,
    SchemaTransformation.transform<Hex, string>({ decode: address, encode: (account) => account })
  )
)

const RpcBlock = Schema.Struct({ number: Quantity, hash: Hash, timestamp: Quantity })

/** With the hashes of its transactions instead of these themselves. */
const RpcBlockContent = Schema.Struct({ ...RpcBlock.fields, transactions: Schema.Array(Hash) })

const RpcLog = Schema.Struct({
  address: Account,
  topics: Schema.Array(Hash),
  data: Bytes,
  transactionHash: Hash,
  logIndex: Quantity,
  blockNumber: Quantity,
  // Not every node sends it.
  blockHash: Schema.optionalKey(Schema.NullOr(Hash)),
  removed: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  // Seconds. Newer nodes send it (execution-apis, `Log`), others leave it out.
  blockTimestamp: Schema.optionalKey(Schema.NullOr(Quantity))
})

const RpcReceipt = Schema.Struct({
  transactionHash: Hash,
  blockNumber: Quantity,
  status: Quantity,
  logs: Schema.Array(RpcLog)
})

/** A block's hash, besides what counts about every block. */
export interface HashedBlock extends Block {
  readonly hash: Bytes32
}

const decodeBytes = Schema.decodeUnknownSync(Bytes)
const decodeQuantity = Schema.decodeUnknownSync(Quantity)
const decodeBlock = Schema.decodeUnknownSync(Schema.NullOr(RpcBlock))
const decodeBlockContent = Schema.decodeUnknownSync(Schema.NullOr(RpcBlockContent))
const decodeLogs = Schema.decodeUnknownSync(Schema.Array(RpcLog))
const decodeReceipt = Schema.decodeUnknownSync(Schema.NullOr(RpcReceipt))

export const secondsToMs = (seconds: bigint): number => Number(seconds) * 1000

export const chainId: RpcCall<number> = async (node) =>
  Number(decodeQuantity(await node.request({ method: "eth_chainId" })))

/** Number of the newest block that the node has. */
export const headNumber: RpcCall<bigint> = async (node) =>
  decodeQuantity(await node.request({ method: "eth_blockNumber" }))

export const blockAt =
  (number: bigint): RpcCall<HashedBlock> =>
  async (node) => {
    const answer = await node.request({ method: "eth_getBlockByNumber", params: [numberToHex(number), false] })
    const block = decodeBlock(answer)
    if (block === null) throw new BlockNotFoundError({ blockNumber: number })
    if (block.number !== number) throw new DoubtfulAnswer(`asked for block ${number} and given block ${block.number}`)
    return { number: block.number, timeMs: secondsToMs(block.timestamp), hash: block.hash }
  }

/** A block's hash and its transactions; `undefined` where the node has no such block. */
export const blockContent =
  (number: bigint): RpcCall<{ readonly hash: Bytes32; readonly transactions: ReadonlyArray<Bytes32> } | undefined> =>
  async (node) => {
    const params: [Hex, false] = [numberToHex(number), false]
    const block = decodeBlockContent(await node.request({ method: "eth_getBlockByNumber", params }))
    if (block === null) return undefined
    if (block.number !== number) throw new DoubtfulAnswer(`asked for block ${number} and given block ${block.number}`)
    return block
  }

export const logsOf =
  (filter: LogFilter): RpcCall<ReadonlyArray<Log>> =>
  async (node) => {
    const { address, topics, fromBlock, toBlock } = filter
    const range = { fromBlock: numberToHex(fromBlock), toBlock: numberToHex(toBlock) }
    const answer = await node.request({
      method: "eth_getLogs",
      params: [{ address, topics: mutable(topics), ...range }]
    })
    return logsFor(filter, decodeLogs(answer).map(toLog))
  }

/** What is deployed at an address now, or delegated to by it (EIP-7702). */
export const codeOf =
  (account: Address): RpcCall<Hex | undefined> =>
  async (node) => {
    const code = decodeBytes(await node.request({ method: "eth_getCode", params: [account, "latest"] }))
    return code === "0x" ? undefined : code
  }

/** `undefined` where the node knows of no block with it: it may be in none, or in one that this node has not seen. */
export const findReceipt =
  (tx: Bytes32): RpcCall<Receipt | undefined> =>
  async (node) => {
    const receipt = decodeReceipt(await node.request({ method: "eth_getTransactionReceipt", params: [tx] }))
    if (receipt === null) return undefined
    const { transactionHash, blockNumber, status, logs } = receipt
    return receiptFor(tx, { tx: transactionHash, block: blockNumber, succeeded: status === 1n, logs: logs.map(toLog) })
  }

export const receiptOf =
  (tx: Bytes32): RpcCall<Receipt> =>
  async (node) => {
    const receipt = await findReceipt(tx)(node)
    if (receipt === undefined) throw new TransactionReceiptNotFoundError({ hash: tx })
    return receipt
  }

const toLog = (log: typeof RpcLog.Type): SentLog => ({
  address: log.address,
  topics: log.topics,
  data: log.data,
  tx: log.transactionHash,
  logIndex: Number(log.logIndex),
  block: log.blockNumber,
  blockHash: log.blockHash ?? undefined,
  removed: log.removed === true,
  // A node that has the field and not the time sends zero.
  timeMs: log.blockTimestamp ? secondsToMs(log.blockTimestamp) : undefined
})

const mutable = (topics: Topics): Array<Hex | Array<Hex> | null> =>
  topics.map((topic) => (typeof topic === "string" || topic === null ? topic : [...topic]))
