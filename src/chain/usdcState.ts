import { Effect } from "effect"
import type { UsdcContract } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import type { UsdcState } from "../domain/UsdcState.ts"
import type { ChainClient } from "./ChainClient.ts"
import { aggregate, type Read, read } from "./multicall.ts"
import type { Rpc } from "./rpc.ts"
import { usdcAbi } from "./usdc.ts"

/**
 * Whether USDC moves, and whether these accounts may move it: reads to add to a call that is made anyway. A contract
 * without these functions stops no transfer.
 */
export const stateReads = ({ address }: UsdcContract, accounts: ReadonlyArray<Address>): ReadonlyArray<Read<boolean>> =>
  [
    read(address, usdcAbi, "paused"),
    ...accounts.map((account) => read(address, usdcAbi, "isBlacklisted", [account]))
  ].map((one) => ({ ...one, orElse: false }))

export const stateOf = (accounts: ReadonlyArray<Address>, answers: ReadonlyArray<boolean>): UsdcState => ({
  isPaused: answers[0] === true,
  blacklisted: new Set(accounts.filter((_, index) => answers[index + 1] === true))
})

/** In the newest block of the node, which the mint server sees as well: it can only make work wait. */
export const makeUsdcState = (rpc: Rpc, contract: UsdcContract): ChainClient["Service"]["usdcState"] =>
  Effect.fn("ChainClient.usdcState")(function* (accounts) {
    const { answers } = yield* rpc.ask("ask whether USDC moves", aggregate(stateReads(contract, accounts)))
    return stateOf(
      accounts,
      answers.map((answer) => answer === true)
    )
  })
