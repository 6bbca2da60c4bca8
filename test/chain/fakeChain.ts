import {
  decodeFunctionData,
  encodeAbiParameters,
  encodeFunctionResult,
  type Hex,
  numberToHex,
  pad,
  parseAbi
} from "viem"
import { base, type NetworkShape } from "../../src/config/Network.ts"
import { type Address, address, type Bytes32 } from "../../src/domain/Address.ts"
import type { UsdcState } from "../../src/domain/UsdcState.ts"
import { MULTICALL3 } from "../../src/chain/multicall.ts"
import { separatorOf, topicOf, TRANSFER } from "../../src/chain/usdc.ts"

/** What a fake chain holds. Tests change it in place. */
export interface FakeChain {
  chainId: number
  genesis: Bytes32
  head: bigint
  /** Seconds since 1970 of block 0; a block every two seconds. */
  genesisTime: number
  name: string
  version: string
  separator: Hex
  multicall: boolean
  /** A function that no contract answers. */
  mute?: string
  readonly balances: Map<Address, bigint>
  /** Payer and nonce of every spent authorization. */
  readonly spent: Set<string>
  /** What a token answers: `mintCount` and its like. */
  readonly supply: Map<string, bigint>
  readonly logs: Array<FakeLog>
  readonly reverted: Set<Bytes32>
  /** `undefined`: a USDC that has no such functions. */
  usdcState?: UsdcState
  /** The code behind USDC, and the slot in which its proxy keeps it. */
  usdcCode: Hex
  codeSlot: Hex
}

export interface FakeLog {
  readonly address: Address
  readonly topics: ReadonlyArray<Hex>
  readonly data?: Hex
  readonly block: bigint
  readonly tx: Bytes32
  readonly index?: number
}

export const fakeChain = (network: NetworkShape = base): FakeChain => ({
  chainId: network.chainId,
  genesis: bytes32(0xbace),
  head: 1_000n,
  genesisTime: 1_760_000_000,
  name: network.usdc.name,
  version: network.usdc.version,
  separator: separatorOf(network),
  multicall: true,
  balances: new Map(),
  spent: new Set(),
  supply: new Map(),
  usdcCode: "0x2ce6311ddae708829bc0784c967b7d77d19fd779",
  codeSlot: "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3",
  logs: [],
  reverted: new Set()
})

export const bytes32 = (number: number | bigint): Bytes32 => pad(numberToHex(number))

export const account = (number: number): Address => address(pad(numberToHex(number), { size: 20 }))

export const timeMs = (chain: FakeChain, block: bigint): number => (chain.genesisTime + Number(block) * 2) * 1000

/** The log of a USDC transfer. */
export const transfer = (log: {
  readonly from: Address
  readonly to: Address
  readonly value: bigint
  readonly block: bigint
  readonly tx?: number
  readonly index?: number
}): FakeLog => ({
  address: base.usdc.address,
  topics: [TRANSFER, topicOf(log.from), topicOf(log.to)],
  data: bytes32(log.value),
  block: log.block,
  tx: bytes32(log.tx ?? Number(log.block)),
  index: log.index ?? 0
})

const abi = parseAbi([
  "struct Call { address target; bool allowFailure; bytes callData; }",
  "struct Result { bool success; bytes returnData; }",
  "function aggregate3(Call[] calls) view returns (Result[] returnData)",
  "function getBlockNumber() view returns (uint256)",
  "function getCurrentBlockTimestamp() view returns (uint256)",
  "function name() view returns (string)",
  "function version() view returns (string)",
  "function DOMAIN_SEPARATOR() view returns (bytes32)",
  "function balanceOf(address account) view returns (uint256)",
  "function paused() view returns (bool)",
  "function isBlacklisted(address account) view returns (bool)",
  "function authorizationState(address authorizer, bytes32 nonce) view returns (bool)",
  "function remainingSupply() view returns (uint256)",
  "function maxMintCount() view returns (uint256)",
  "function mintCount() view returns (uint256)",
  "function MINT_AMOUNT() view returns (uint256)",
  "function mintAmount() view returns (uint256)",
  "function supportsInterface(bytes4 interfaceId) view returns (bool)"
])

export interface Request {
  readonly id: number
  readonly method: string
  readonly params: ReadonlyArray<unknown>
}

/** A JSON-RPC error, as a node says it. */
export class Refusal {
  readonly code: number
  readonly message: string
  constructor(code: number, message: string) {
    this.code = code
    this.message = message
  }
}

/** What a healthy node of `chain` answers: the result, or a `Refusal`. */
export const answer = (chain: FakeChain, { method, params }: Request): unknown => {
  switch (method) {
    case "eth_chainId":
      return numberToHex(chain.chainId)
    case "eth_blockNumber":
      return numberToHex(chain.head)
    case "eth_getBlockByNumber":
      return blockOf(chain, params[0] === "latest" ? chain.head : BigInt(String(params[0])))
    case "eth_call":
      return call(
        chain,
        (params[0] as { readonly data: Hex }).data,
        params[1] === "latest" ? chain.head : BigInt(String(params[1]))
      )
    case "eth_getStorageAt":
      return params[1] === chain.codeSlot ? pad(chain.usdcCode) : bytes32(0)
    case "eth_getLogs":
      return logsOf(chain, params[0] as Parameters<typeof logsOf>[1])
    case "eth_getTransactionReceipt":
      return receiptOf(chain, params[0] as Bytes32)
    default:
      return new Refusal(-32601, `the method ${method} does not exist`)
  }
}

const blockOf = (chain: FakeChain, number: bigint) =>
  number > chain.head
    ? null
    : {
        number: numberToHex(number),
        hash: number === 0n ? chain.genesis : bytes32(number),
        timestamp: numberToHex(timeMs(chain, number) / 1000),
        transactions: [...new Set(chain.logs.filter(({ block }) => block === number).map(({ tx }) => tx))]
      }

const call = (chain: FakeChain, data: Hex, block: bigint): unknown => {
  if (block > chain.head) return new Refusal(-32000, "header not found")
  if (!chain.multicall) return "0x"
  const { args } = decodeFunctionData({ abi, data })
  const calls = args?.[0] as unknown as ReadonlyArray<{ readonly target: Address; readonly callData: Hex }>
  const results = calls.map(({ target, callData }) => view(chain, block, target, callData))
  return encodeFunctionResult({ abi, functionName: "aggregate3", result: results })
}

const view = (chain: FakeChain, block: bigint, target: Address, data: Hex) => {
  const { functionName, args } = decodeFunctionData({ abi, data })
  const returns = (type: string, value: unknown) => ({
    success: value !== undefined,
    returnData: value === undefined ? ("0x" as const) : encodeAbiParameters([{ type }], [value])
  })
  if (functionName === chain.mute) return returns("bytes", undefined)
  switch (functionName) {
    case "getBlockNumber":
      return returns("uint256", target.toLowerCase() === MULTICALL3 ? block : undefined)
    case "getCurrentBlockTimestamp":
      return returns("uint256", BigInt(timeMs(chain, block) / 1000))
    case "name":
      return returns("string", chain.name)
    case "version":
      return returns("string", chain.version)
    case "DOMAIN_SEPARATOR":
      return returns("bytes32", chain.separator)
    case "balanceOf":
      return returns("uint256", chain.balances.get(address(args![0] as string)) ?? 0n)
    case "paused":
      return returns("bool", chain.usdcState?.isPaused)
    case "isBlacklisted":
      return returns("bool", chain.usdcState?.blacklisted.has(address(args![0] as string)))
    case "authorizationState":
      return returns("bool", chain.spent.has(`${(args![0] as string).toLowerCase()}${args![1]}`))
    default:
      return returns("uint256", chain.supply.get(functionName))
  }
}

const logsOf = (
  chain: FakeChain,
  filter: { address: Address; topics: ReadonlyArray<Hex | ReadonlyArray<Hex> | null>; fromBlock: Hex; toBlock: Hex }
) => {
  const matches = (log: FakeLog) =>
    log.address === filter.address &&
    log.block >= BigInt(filter.fromBlock) &&
    log.block <= BigInt(filter.toBlock) &&
    log.block <= chain.head &&
    filter.topics.every((topic, position) => {
      const own = log.topics[position]
      return own !== undefined && (topic === null || (typeof topic === "string" ? [topic] : topic).includes(own))
    })
  return chain.logs.filter(matches).map(toRpcLog)
}

const receiptOf = (chain: FakeChain, tx: Bytes32) => {
  const logs = chain.logs.filter((log) => log.tx === tx)
  if (logs[0] === undefined) return null
  const status = chain.reverted.has(tx) ? "0x0" : "0x1"
  return { transactionHash: tx, blockNumber: numberToHex(logs[0].block), status, logs: logs.map(toRpcLog) }
}

/** Without the block's time, which not every node sends with a log. */
const toRpcLog = ({ address, topics, data, block, tx, index }: FakeLog) => ({
  address,
  topics,
  data: data ?? "0x",
  blockNumber: numberToHex(block),
  transactionHash: tx,
  logIndex: numberToHex(index ?? 0)
})
