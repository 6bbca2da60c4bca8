import type { FacilitatorClient } from "@x402/core/server"
import { Effect, Result } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import { DevChainError } from "./DevChain.ts"
import type { Faults } from "./faults.ts"
import type { MintChain } from "./mintChain.ts"
import type { Run } from "./mintFacilitator.ts"
import { mintIds, readPayment } from "./mintOrder.ts"
import type { MintRecords } from "./mintRecords.ts"

// What goes wrong between the mint server and the chain. What goes wrong between it and its customers is in
// `mintAnswerFaults.ts`.

/** A chain that may not mint. `withheld` gets the ids of mints that were said to be made and were not. */
export const faultyChain = (chain: MintChain, faults: Faults, withheld: Set<Bytes32>): MintChain => ({
  ...chain,
  mint: (order, ids) =>
    Effect.suspend(() => {
      switch (faults.take(["mint-fails", "mint-nothing"], order.token)?.kind) {
        case "mint-fails":
          return Effect.fail(new DevChainError({ operation: "mint", cause: new Error("a fault was asked for") }))
        case "mint-nothing":
          return Effect.sync(() => ids.forEach((id) => withheld.add(id)))
        default:
          return chain.mint(order, ids)
      }
    })
})

export interface FaultyFacilitatorOptions {
  readonly facilitator: FacilitatorClient
  readonly faults: Faults
  readonly chain: MintChain
  /** What a payment is for is written down before it is settled. */
  readonly records: MintRecords
  readonly run: Run
}

/** A facilitator that may refuse to settle, when the mints are made already. */
export const faultyFacilitator = (options: FaultyFacilitatorOptions): FacilitatorClient => {
  const { facilitator, faults, chain, records, run } = options
  return {
    ...facilitator,
    settle: async (payload, requirements) => {
      const payment = Result.getOrThrow(readPayment(payload.payload))
      const order = await run(records.find(payment))
      const isOn = order !== undefined && faults.take(["mint-before-settlement"], order.token) !== undefined
      if (!isOn) return facilitator.settle(payload, requirements)
      await run(chain.mint(order, mintIds(payment, order.quantity)))
      const { network } = requirements
      return { success: false, errorReason: "settlement_refused", transaction: "", network, payer: payment.payer }
    }
  }
}
