import { x402Facilitator } from "@x402/core/facilitator"
import type { FacilitatorClient } from "@x402/core/server"
import type { Network, SettleResponse, VerifyResponse } from "@x402/core/types"
import { ExactEvmScheme } from "@x402/evm/exact/facilitator"
import { type Effect, Result } from "effect"
import { type Abi, type Account, encodeFunctionData, type VerifyTypedDataActionParameters } from "viem"
import { address } from "../domain/Address.ts"
import type { MintOrder } from "../mint/Minter.ts"
import type { DevChain } from "./DevChain.ts"
import { isPaidBy, type MintChain } from "./mintChain.ts"
import { type ReceivedPayment, readPayment } from "./mintOrder.ts"
import { type MintRecords, recordOf } from "./mintRecords.ts"

/** Runs as a promise, which is what the official packages work with. What runs ends with the server. */
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

export interface FacilitatorOptions {
  readonly chain: DevChain
  readonly network: Network
  /** Pays the gas of settlements. */
  readonly account: Account
  readonly run: Run
}

/** How long a settlement may take to be in a block. Blocks come every second; after this it is said to be pending. */
const RECEIPT_TIMEOUT_MS = 30_000

/**
 * The official facilitator, in this process: checks payments and submits them to USDC. Its transactions go through
 * `DevChain.send` as the mints do, so that all of the account's take their nonces in turn.
 */
export const make = ({ chain, network, account, run }: FacilitatorOptions): FacilitatorClient => {
  const { client } = chain
  const scheme = new ExactEvmScheme({
    getAddresses: () => [account.address],
    readContract: (read) => client.readContract({ ...read, abi: read.abi as Abi }),
    verifyTypedData: (typed) => client.verifyTypedData(typed as VerifyTypedDataActionParameters),
    getCode: (where) => client.getCode(where),
    writeContract: ({ address: to, abi, functionName, args }) => {
      const data = encodeFunctionData({ abi: abi as Abi, functionName, args })
      return run(chain.send("settle", account, { to: address(to), data }))
    },
    sendTransaction: ({ to, data }) => run(chain.send("settle", account, { to: address(to), data })),
    // Not `chain.receipt`: what a settlement that reverted means is the facilitator's to say.
    waitForTransactionReceipt: ({ hash }) =>
      run(chain.ask("settle", () => client.waitForTransactionReceipt({ hash, timeout: RECEIPT_TIMEOUT_MS })))
  })
  const facilitator = new x402Facilitator().register(network, scheme)
  return {
    getSupported: async () => facilitator.getSupported() as Awaited<ReturnType<FacilitatorClient["getSupported"]>>,
    verify: (payload, requirements) => facilitator.verify(payload, requirements),
    settle: (payload, requirements) => facilitator.settle(payload, requirements)
  }
}

export interface OnRecordOptions {
  readonly chain: MintChain
  readonly records: MintRecords
  readonly facilitator: FacilitatorClient
  readonly run: Run
}

/**
 * The facilitator, where a payment is checked and written down before it is settled: whenever a payment is on the chain
 * it is known what it is for. What is not for sale, or would not be taken, is not written down.
 *
 * Whether it is settled the chain decides: settling may fail because another transaction with the same payment was
 * first, one of this server before it was killed or of another program.
 */
export const onRecord = (
  { chain, records, facilitator, run }: OnRecordOptions,
  orderOf: (payment: ReceivedPayment) => MintOrder | undefined
): FacilitatorClient => ({
  ...facilitator,
  settle: async (payload, requirements) => {
    const { network } = requirements
    const payment = Result.getOrThrow(readPayment(payload.payload))
    const order = orderOf(payment)
    if (order === undefined) throw new Error("no order is under way for this payment")
    const known = await run(records.find(payment))
    const record = known ?? recordOf(order, payment, await run(chain.head))
    if (known === undefined) {
      const verdict = await facilitator.verify(payload, requirements)
      if (!verdict.isValid) return refuseSettlement(network, payment, verdict)
      await run(records.add(record))
    }
    const answer = await facilitator.settle(payload, requirements)
    if (answer.success) return answer
    const settled = await run(chain.findSettled(payment, record.fromBlock))
    return isPaidBy(settled, record)
      ? { success: true, transaction: settled.tx, network, payer: payment.payer }
      : answer
  }
})

/** Without the verdict's message, which repeats the whole call, signature and all. */
const refuseSettlement = (
  network: Network,
  { payer }: ReceivedPayment,
  { invalidReason: errorReason = "invalid_payload" }: VerifyResponse
): SettleResponse => ({ success: false, errorReason, transaction: "", network, payer })
