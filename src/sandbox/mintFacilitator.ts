import { x402Facilitator } from "@x402/core/facilitator"
import type { FacilitatorClient } from "@x402/core/server"
import type { Network } from "@x402/core/types"
import { ExactEvmScheme } from "@x402/evm/exact/facilitator"
import type { Effect } from "effect"
import { type Abi, type Account, encodeFunctionData } from "viem"
import { address } from "../domain/Address.ts"
import type { DevChain, DevChainError } from "./DevChain.ts"

/** Runs what the official packages want as a promise; it ends with the server. */
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

export interface FacilitatorOptions {
  readonly chain: DevChain
  readonly network: Network
  /** Pays the gas of settlements. */
  readonly account: Account
  readonly run: Run
}

/**
 * The official facilitator, in this process: checks payments and submits them to USDC. Its transactions go through
 * `DevChain.send` as the mints do, so that all of the account's take their nonces in turn.
 */
export const make = ({ chain, network, account, run }: FacilitatorOptions): FacilitatorClient => {
  const { client } = chain
  const scheme = new ExactEvmScheme({
    getAddresses: () => [account.address],
    readContract: (read) => client.readContract({ ...read, abi: read.abi as Abi }),
    verifyTypedData: (typed) => client.verifyTypedData(typed),
    getCode: (where) => client.getCode(where),
    writeContract: ({ address: to, abi, functionName, args }) => {
      const data = encodeFunctionData({ abi: abi as Abi, functionName, args })
      return run(chain.send("settle", account, { to: address(to), data }))
    },
    sendTransaction: ({ to, data }) => run(chain.send("settle", account, { to: address(to), data })),
    // Not `chain.receipt`: a settlement that reverted is an answer here, and the facilitator's to give.
    waitForTransactionReceipt: ({ hash }) => client.waitForTransactionReceipt({ hash, timeout: 30_000 })
  })
  const facilitator = new x402Facilitator().register(network, scheme)
  return {
    getSupported: async () => facilitator.getSupported() as Awaited<ReturnType<FacilitatorClient["getSupported"]>>,
    verify: (payload, requirements) => facilitator.verify(payload, requirements),
    settle: (payload, requirements) => facilitator.settle(payload, requirements)
  }
}
