import { Array as Arr, Effect, Schema } from "effect"
import { numberToHex, type Hex } from "viem"
import type { UsdcContract } from "../config/Network.ts"
import type { ChainClient } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import type { RpcCall } from "./endpoint.ts"
import type { Rpc } from "./rpc.ts"

/**
 * Where a proxy keeps the address of the code that it runs: FiatTokenProxy in the older slot
 * (`keccak256("org.zeppelinos.proxy.implementation")`; source: Circle's `UpgradeabilityProxy.sol`), others in that of
 * EIP-1967 (`keccak256("eip1967.proxy.implementation") - 1`).
 */
const SLOTS = [
  "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3",
  "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
] as const satisfies ReadonlyArray<Hex>

const decodeWord = Schema.decodeUnknownSync(Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{1,64}$/i)))

const slotOf =
  ({ address }: UsdcContract, slot: Hex, block: bigint | undefined): RpcCall<bigint> =>
  async (node) => {
    const at = block === undefined ? "latest" : numberToHex(block)
    return BigInt(decodeWord(await node.request({ method: "eth_getStorageAt", params: [address, slot, at] })))
  }

/** The address of the code behind USDC, in lower case; `none` where USDC is no proxy. One HTTP request. */
export const codeBehind =
  (usdc: UsdcContract, block?: bigint): RpcCall<string> =>
  async (node) => {
    const words = await Promise.all(SLOTS.map((slot) => slotOf(usdc, slot, block)(node)))
    const word = words.find((one) => one !== 0n)
    return word === undefined ? "none" : numberToHex(word & ADDRESS_MASK, { size: 20 })
  }

/** An address is the lower 20 bytes of the word that holds it. */
const ADDRESS_MASK = (1n << 160n) - 1n

const operation = "read the code of USDC"

export const makeUsdcCode = (
  rpc: Rpc,
  confirmed: Confirmed,
  usdc: UsdcContract
): ChainClient["Service"]["usdcCode"] => {
  return confirmed
    .at(operation, (number) => rpc.ask(operation, codeBehind(usdc, number)))
    .pipe(Effect.withSpan("ChainClient.usdcCode"))
}

/** By each node that answers, all in the same block. */
export const makeUsdcCodes = (
  rpc: Rpc,
  confirmed: Confirmed,
  usdc: UsdcContract
): ChainClient["Service"]["usdcCodes"] =>
  confirmed
    .at(operation, (number) =>
      Effect.flatMap(rpc.apart, (nodes) =>
        Effect.forEach(nodes, (node) => Effect.option(node.rpc.ask(operation, codeBehind(usdc, number))))
      )
    )
    .pipe(Effect.map(Arr.getSomes), Effect.withSpan("ChainClient.usdcCodes"))
