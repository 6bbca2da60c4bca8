import { Effect } from "effect"
import { baseSepolia, local } from "../../src/config/Network.ts"
import * as DevChain from "../../src/sandbox/DevChain.ts"
import type { BaseSepolia } from "../e2e/baseSepolia.ts"
import { messageOf, startProgram } from "./children.ts"

/**
 * The sandbox's tools are made for `local`, and the built executor is to run as in production, without a sandbox: from
 * now on these tools make a chain that it takes for Base Sepolia, with a block every second.
 */
export const localIsBaseSepolia = (): void => void Object.assign(local, { ...baseSepolia, blockSeconds: 1 })

/** anvil's 30 million are about 60 batches of ten mints a block: blocks are not to be what limits a rate. */
const BLOCK_GAS = 500_000_000n

/** The sandbox's, with official x402, or one that costs almost nothing (`lightServer.ts`). */
export type MintServerKind = "sandbox" | "light"

/**
 * A new chain with Circle's USDC, and a mint server, in a process of their own until the scope closes. anvil
 * gets slower as its history grows, so that each run is to have a chain of its own.
 */
export const openNetworkWith = Effect.fnUntraced(function* (server: MintServerKind) {
  localIsBaseSepolia()
  const child = yield* startProgram("network", server)
  const { rpcUrl, serverUrl } = yield* messageOf<{ readonly rpcUrl: string; readonly serverUrl: string }>(child)
  const chain = DevChain.connect(rpcUrl)
  yield* chain.ask("make blocks larger", (client) => client.setBlockGasLimit({ gasLimit: BLOCK_GAS }))
  return { chain, serverUrl, tokens: [] } satisfies BaseSepolia as BaseSepolia
})

export const openNetwork = openNetworkWith("sandbox")
