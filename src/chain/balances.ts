import { Array as Arr, Effect } from "effect"
import type { UsdcContract } from "../config/Network.ts"
import { usdc } from "../domain/Usdc.ts"
import type { ChainClient } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { read, readAllAt } from "./multicall.ts"
import type { Rpc } from "./rpc.ts"
import { usdcAbi } from "./usdc.ts"
import { stateOf, stateReads } from "./usdcState.ts"

/** 1,000 wallets are one question for the head and three calls of 400 reads. */
export const makeReadBalances = (
  rpc: Rpc,
  confirmed: Confirmed,
  contract: UsdcContract
): ChainClient["Service"]["readBalances"] => {
  const operation = "read balances"
  return Effect.fn("ChainClient.readBalances")((wallets) => {
    const distinct = Arr.dedupe(wallets)
    const reads = distinct.map((wallet) => read(contract.address, usdcAbi, "balanceOf", [wallet]))
    return confirmed
      .at(operation, (number) => readAllAt(rpc, operation, reads, number, stateReads(contract, [])))
      .pipe(
        Effect.map(({ block, answers, beside }) => ({
          block,
          usdc: new Map(Arr.zip(distinct, answers.map(usdc))),
          isPaused: stateOf([], beside).isPaused
        }))
      )
  })
}
