import { Context, Layer } from "effect"
import { type Address, address } from "../domain/Address.ts"

/** What `NETWORK` can be. */
export type NetworkName = "local" | "base-sepolia" | "base"

/** Everything in which one network differs from another: no other file asks for its name. */
export interface NetworkShape {
  readonly name: NetworkName
  readonly chainId: number
  /** The setting that holds the RPC URLs. */
  readonly rpcKey: "LOCAL_RPC_URL" | "BASE_SEPOLIA_RPC_URL" | "BASE_RPC_URL"
  /** Used where that setting is missing. */
  readonly publicRpcUrl: string | undefined
  /** The mint server, used where `SERVER_URL` is missing. */
  readonly defaultServerUrl: string | undefined
  /**
   * A sandbox brings the database, chain, mint server and key that the settings do not name, so that none of them is
   * mandatory. Its money is worth nothing: the API needs no token on this machine, and one node is enough.
   */
  readonly hasSandbox: boolean
  /** Seconds between blocks: only for estimates of how far back to search, never for a decision about money. */
  readonly blockSeconds: number
  readonly usdc: UsdcContract
  /** Where people look at transactions: `<explorerUrl>/tx/<hash>`. A local chain has none. */
  readonly explorerUrl: string | undefined
}

/** The EIP-712 domain that USDC signatures are made for (with the chain id of the network). */
export interface UsdcContract {
  readonly address: Address
  readonly name: string
  readonly version: string
}

/** Where a mint server is expected on a public chain, as in v1.1. */
const SERVER_URL = "http://localhost:4021"

/** Chain id and USDC: Circle, "USDC contract addresses"; domain name and version as the contract answers them. */
export const base: NetworkShape = {
  name: "base",
  chainId: 8453,
  rpcKey: "BASE_RPC_URL",
  publicRpcUrl: "https://mainnet.base.org",
  defaultServerUrl: SERVER_URL,
  hasSandbox: false,
  blockSeconds: 2,
  usdc: { address: address("0x833589fCD6eDb6E08f4c7C32D4f71b54bDA02913"), name: "USD Coin", version: "2" },
  explorerUrl: "https://basescan.org"
}

/** The same contract under another domain name: a signature for "USD Coin" is invalid here. */
export const baseSepolia: NetworkShape = {
  name: "base-sepolia",
  chainId: 84532,
  rpcKey: "BASE_SEPOLIA_RPC_URL",
  publicRpcUrl: "https://sepolia.base.org",
  defaultServerUrl: SERVER_URL,
  hasSandbox: false,
  blockSeconds: 2,
  usdc: { address: address("0x036CbD53842c5426634e7929541eC2318f3dCF7e"), name: "USDC", version: "2" },
  explorerUrl: "https://sepolia.basescan.org"
}

/** The sandbox's chain (anvil). USDC is Circle's code, put at an address that is the same on every fresh chain. */
export const local: NetworkShape = {
  name: "local",
  chainId: 31337,
  rpcKey: "LOCAL_RPC_URL",
  publicRpcUrl: undefined,
  defaultServerUrl: undefined,
  hasSandbox: true,
  blockSeconds: 1,
  usdc: { address: address("0xFe61d4f698F24537e88919787ff53081d6bC60C2"), name: "USDC", version: "2" },
  explorerUrl: undefined
}

/** The network that the executor runs on. */
export class Network extends Context.Service<Network, NetworkShape>()("ai-mint-executor/config/Network") {
  static readonly layerLocal = Layer.succeed(Network, local)
  static readonly layerBaseSepolia = Layer.succeed(Network, baseSepolia)
  static readonly layerBase = Layer.succeed(Network, base)
}

/** By what `NETWORK` holds. Here and not in `App.ts`, as `ai-mint` reads its settings without loading the chain. */
export const networks: Readonly<Record<NetworkName, Layer.Layer<Network>>> = {
  local: Network.layerLocal,
  "base-sepolia": Network.layerBaseSepolia,
  base: Network.layerBase
}
