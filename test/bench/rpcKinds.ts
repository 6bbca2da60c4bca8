import { toEventSelector, toFunctionSelector } from "viem"

/** A JSON-RPC call, as far as its kind goes by it. */
export interface RpcCall {
  readonly method: string
  readonly params?: ReadonlyArray<{
    readonly data?: string
    readonly topics?: ReadonlyArray<string | ReadonlyArray<string> | null>
  }>
}

const nameOf = (signature: string): string => signature.slice(0, signature.indexOf("("))

const EVENTS = new Map<string, string>(
  [
    "AuthorizationUsed(address,bytes32)",
    "AuthorizationCanceled(address,bytes32)",
    "Transfer(address,address,uint256)",
    "TokensMinted(address,uint256,bytes32)"
  ].map((event) => [toEventSelector(event), nameOf(event)])
)

/** Selectors without `0x`, as they stand in the calldata of Multicall3. */
const FUNCTIONS = [
  "balanceOf(address)",
  "authorizationState(address,bytes32)",
  "paused()",
  "isBlacklisted(address)",
  "remainingSupply()",
  "mintCount()",
  "maxMintCount()",
  "mintAmount()",
  "MINT_AMOUNT()"
].map((signature) => [toFunctionSelector(signature).slice(2), nameOf(signature)] as const)

/** The method; of `eth_getLogs` also the events that are asked for, of `eth_call` the functions that are known here. */
export const kindOf = ({ method, params = [] }: RpcCall): string => {
  const [first] = params
  if (method === "eth_getLogs") {
    const events = [first?.topics?.[0] ?? []].flat().map((topic) => EVENTS.get(topic) ?? "others")
    return `${method} ${[...new Set(events)].join(", ")}`
  }
  if (method !== "eth_call") return method
  const called = FUNCTIONS.filter(([selector]) => first?.data?.includes(selector)).map(([, name]) => name)
  return `${method} ${called.length === 0 ? "others" : called.join(", ")}`
}
