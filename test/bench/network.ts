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

/**
 * A new chain with Circle's USDC, and the sandbox's mint server, in a process of their own until the scope closes. anvil
 * gets slower as its history grows, so that each run is to have a chain of its own.
 */
export const openNetwork = Effect.gen(function* () {
  localIsBaseSepolia()
  const child = yield* startProgram("network")
  const { rpcUrl, serverUrl } = yield* messageOf<{ readonly rpcUrl: string; readonly serverUrl: string }>(child)
  return { chain: DevChain.connect(rpcUrl), serverUrl, tokens: [] } satisfies BaseSepolia as BaseSepolia
})
