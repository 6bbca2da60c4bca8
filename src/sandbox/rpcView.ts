/** One call of a JSON-RPC request. */
export interface RpcCall {
  readonly jsonrpc: string
  readonly id: unknown
  readonly method: string
  readonly params?: ReadonlyArray<unknown>
}

/** What a node tells: the result or the error of a call. */
export type RpcAnswer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } }

/** How the node that is seen differs from the one that is there. What is `undefined` is as it is. */
export interface View {
  /** The newest block that it knows. */
  readonly head: bigint | undefined
  /** What is wrong with the logs that it gives. */
  readonly logs: ReadonlyArray<LogFault>
  /** Blocks in one `eth_getLogs`, and the node's newest block, up to which a range without an end goes. */
  readonly range: { readonly max: number; readonly newest: bigint } | undefined
  readonly isOtherChain: boolean
}

/** What becomes of a call: it is answered here, or the node is asked `call`, and what it says is seen through `see`. */
export type Plan =
  | { readonly answer: RpcAnswer; readonly isTooLarge?: boolean }
  | { readonly call: RpcCall; readonly see: (answer: RpcAnswer) => RpcAnswer }

export const isCall = (value: unknown): value is RpcCall =>
  typeof value === "object" && value !== null && "method" in value && typeof value.method === "string"

/** Which parameter names a block. Source: github.com/ethereum/execution-apis. */
const BLOCK_PARAMETER: Readonly<Record<string, number>> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_getBalance: 1,
  eth_getBlockByNumber: 0,
  eth_getCode: 1,
  eth_getStorageAt: 2,
  eth_getTransactionCount: 1
}

/** What is looked up by a hash, and is in a block. */
const BY_HASH = new Set(["eth_getBlockByHash", "eth_getTransactionByHash", "eth_getTransactionReceipt"])

const asIs = (call: RpcCall): Plan => ({ call, see: (answer) => answer })

const answerWith = (result: unknown): Plan => ({ answer: { result } })

/** What a node through this view makes of a call. */
export const planFor = (call: RpcCall, view: View): Plan => {
  if (call.method === "eth_getLogs") return spoilt(planLogs(call, view), view.logs)
  if (call.method === "eth_chainId" && view.isOtherChain) return { call, see: withResult(nextNumber) }
  return view.head === undefined ? asIs(call) : planBehind(call, view.head)
}

const planBehind = (call: RpcCall, head: bigint): Plan => {
  if (call.method === "eth_blockNumber") return answerWith(hex(head))
  if (BY_HASH.has(call.method)) return { call, see: withResult((found) => (blockOf(found) > head ? null : found)) }
  const index = BLOCK_PARAMETER[call.method]
  if (index === undefined) return asIs(call)
  const block = numberOf(call.params?.[index], head)
  if (block > head) {
    // As geth says it.
    const unknown = { error: { code: -32_000, message: "header not found" } }
    return call.method === "eth_getBlockByNumber" ? answerWith(null) : { answer: unknown }
  }
  const params = [...(call.params ?? [])]
  params[index] = hex(block)
  return asIs({ ...call, params })
}

/** A node gives the logs that it has of a range, and says nothing of the blocks that it lacks. */
const planLogs = (call: RpcCall, view: View): Plan => {
  const [filter] = call.params ?? []
  if (typeof filter !== "object" || filter === null || "blockHash" in filter) return asIs(call)
  const { fromBlock, toBlock } = filter as { readonly fromBlock?: unknown; readonly toBlock?: unknown }
  const { head, range } = view
  const newest = head ?? range?.newest
  const to = numberOf(toBlock, newest)
  const from = numberOf(fromBlock, newest)
  if (range !== undefined && to - from >= BigInt(range.max)) {
    const message = `query exceeds max block range ${range.max}`
    return { answer: { error: { code: -32_602, message } }, isTooLarge: true }
  }
  if (head === undefined) return asIs(call)
  if (from > head) return answerWith([])
  return asIs({ ...call, params: [{ ...filter, fromBlock: hex(from), toBlock: hex(to > head ? head : to) }] })
}

/** The logs of an answer, with these faults. */
const spoilt = (plan: Plan, faults: ReadonlyArray<LogFault>): Plan => {
  if ("answer" in plan || faults.length === 0) return plan
  const spoil = withResult((logs) =>
    faults.reduce<Logs>((seen, fault) => SPOILING[fault](seen), isLogs(logs) ? logs : [])
  )
  return { call: plan.call, see: (answer) => spoil(plan.see(answer)) }
}

type Logs = ReadonlyArray<{ readonly logIndex: string }>

const isLogs = (value: unknown): value is Logs => Array.isArray(value)

const SPOILING = {
  "rpc-logs-twice": (logs: Logs) => [...logs, ...logs],
  "rpc-logs-foreign": (logs: Logs) => [...logs, STRAY],
  "rpc-logs-removed": (logs: Logs) => logs.map((log) => ({ ...log, removed: true })),
  "rpc-logs-index": (logs: Logs) => logs.map((log) => ({ ...log, logIndex: hex(numberOf(log.logIndex) + 1_000n) })),
  "rpc-no-logs": () => []
}
type LogFault = keyof typeof SPOILING
export const LOG_FAULTS = Object.keys(SPOILING) as ReadonlyArray<LogFault>

/** Of a contract that the executor does not ask for. */
const STRAY = {
  address: `0x${"de".repeat(20)}`,
  topics: [],
  data: "0x",
  blockNumber: "0x1",
  blockHash: `0x${"0b".repeat(32)}`,
  transactionHash: `0x${"de".repeat(32)}`,
  transactionIndex: "0x0",
  logIndex: "0x0",
  removed: false
}

const hex = (number: bigint): string => `0x${number.toString(16)}`

/** A tag (`latest`, `pending`, …, or none) is the head; the one old block that has a name is `earliest`. */
const numberOf = (block: unknown, head = 0n): bigint => {
  if (block === "earliest") return 0n
  return typeof block === "string" && /^0x[0-9a-f]+$/i.test(block) ? BigInt(block) : head
}

const withResult =
  (change: (result: unknown) => unknown) =>
  (answer: RpcAnswer): RpcAnswer =>
    "result" in answer ? { ...answer, result: change(answer.result) } : answer

const nextNumber = (result: unknown): string => hex(numberOf(result) + 1n)

/** The block that something is in; -1 where it is in none yet. */
const blockOf = (found: unknown): bigint => {
  if (typeof found !== "object" || found === null) return -1n
  const number = "blockNumber" in found ? found.blockNumber : "number" in found ? found.number : undefined
  return numberOf(number, -1n)
}
