import { type Address, address } from "../domain/Address.ts"

/** What never changes about a network that the executor can run on. */
export interface Network {
  readonly name: "local" | "base-sepolia" | "base"
  readonly chainId: number
  /** The `NETWORK`-dependent key that holds the RPC URLs. */
  readonly rpcKey: "LOCAL_RPC_URL" | "BASE_SEPOLIA_RPC_URL" | "BASE_RPC_URL"
  /** Used where that key is not set; on `local` the sandbox supplies one instead. */
  readonly publicRpcUrl: string | undefined
  /** Seconds between blocks: only for estimates of how far back to look, never for a decision about money. */
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

/** Chain id and USDC: Circle, "USDC contract addresses"; domain name and version as the contract answers them. */
export const base: Network = {
  name: "base",
  chainId: 8453,
  rpcKey: "BASE_RPC_URL",
  publicRpcUrl: "https://mainnet.base.org",
  blockSeconds: 2,
  usdc: { address: address("0x833589fCD6eDb6E08f4c7C32D4f71b54bDA02913"), name: "USD Coin", version: "2" },
  explorerUrl: "https://basescan.org"
}

/** The same contract under another domain name: a signature for "USD Coin" is invalid here. */
export const baseSepolia: Network = {
  name: "base-sepolia",
  chainId: 84532,
  rpcKey: "BASE_SEPOLIA_RPC_URL",
  publicRpcUrl: "https://sepolia.base.org",
  blockSeconds: 2,
  usdc: { address: address("0x036CbD53842c5426634e7929541eC2318f3dCF7e"), name: "USDC", version: "2" },
  explorerUrl: "https://sepolia.basescan.org"
}

/** The sandbox's chain (anvil). USDC is Circle's code, put at an address that is the same on every fresh chain. */
export const local: Network = {
  name: "local",
  chainId: 31337,
  rpcKey: "LOCAL_RPC_URL",
  publicRpcUrl: undefined,
  blockSeconds: 1,
  usdc: { address: address("0xFe61d4f698F24537e88919787ff53081d6bC60C2"), name: "USDC", version: "2" },
  explorerUrl: undefined
}

export const networks = { local, "base-sepolia": baseSepolia, base } as const
