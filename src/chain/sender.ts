import { Effect, Redacted, Semaphore } from "effect"
import { encodeFunctionData, type Hex, keccak256, parseAbi, parseSignature } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { estimateFeesPerGas, estimateGas, getBalance, getTransactionCount, sendRawTransaction } from "viem/actions"
import type { NetworkShape } from "../config/Network.ts"
import { type Address, address, type Bytes32 } from "../domain/Address.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import { type ChainClient, ChainError } from "./ChainClient.ts"
import type { Rpc } from "./rpc.ts"

interface Sender extends Pick<ChainClient["Service"], "gasAccount" | "gasBalance" | "sendTransfer"> {
  /** `undefined` without `AI_AGENT_PRIVATE_KEY`. */
  readonly sendCall: SendCall | undefined
}

/**
 * Signs a call with the AI Agent Account and sends it. Gives the transaction and does not wait for it. A call that would
 * revert now, or needs more gas than `gasMax`, is not sent.
 */
export type SendCall = (
  operation: string,
  call: { readonly to: Address; readonly data: Hex },
  limit?: { readonly gasMax: bigint }
) => Effect.Effect<Bytes32, ChainError>

/** Source: FiatTokenV2_2, the form with v, r, s: every version of USDC that knows EIP-3009 has it. */
const transferAbi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)"
])

/**
 * The AI Agent Account, which pays the gas of refunds and of the payments that it settles. One transaction at a time: two
 * that are prepared at once would take the same account nonce.
 */
export const makeSender = (rpc: Rpc, network: NetworkShape, key: Redacted.Redacted<Hex> | undefined): Sender => {
  if (key === undefined)
    return { gasAccount: undefined, gasBalance: Effect.succeed(0n), sendTransfer: noAccount, sendCall: undefined }
  const account = privateKeyToAccount(Redacted.value(key))
  const turn = Semaphore.makeUnsafe(1)
  const sendCall: SendCall = Effect.fnUntraced(function* (operation, call, limit) {
    const needs = yield* rpc.ask(`prepare to ${operation}`, async (node) => {
      const [nonce, fees, gas] = await Promise.all([
        getTransactionCount(node, { address: account.address, blockTag: "pending" }),
        estimateFeesPerGas(node),
        estimateGas(node, { ...call, account: account.address })
      ])
      return { nonce, gas, maxFeePerGas: fees.maxFeePerGas, maxPriorityFeePerGas: fees.maxPriorityFeePerGas }
    })
    if (limit !== undefined && needs.gas > limit.gasMax) return yield* tooDear(operation, needs.gas, limit.gasMax)
    const unsigned = {
      ...call,
      ...needs,
      gas: needs.gas + GAS_MARGIN,
      chainId: network.chainId,
      type: "eip1559" as const
    }
    const raw = yield* Effect.promise(() => account.signTransaction(unsigned))
    yield* rpc.ask(operation, (node) => sendRawTransaction(node, { serializedTransaction: raw }))
    return keccak256(raw)
  }, turn.withPermit)
  return {
    gasAccount: address(account.address),
    gasBalance: rpc.ask("read the gas money", (node) => getBalance(node, { address: account.address })),
    sendTransfer: Effect.fn("ChainClient.sendTransfer")((payment) =>
      sendCall("send a refund", { to: network.usdc.address, data: transferCall(payment) })
    ),
    sendCall
  }
}

/**
 * A transfer to an account that has just spent its last USDC costs 17,100 more than it was estimated at: a slot of storage
 * that is zero is written anew (EIP-2200). What is not needed is not paid.
 */
const GAS_MARGIN = 30_000n

const tooDear = (operation: string, gas: bigint, gasMax: bigint) =>
  new ChainError({ reason: "Rejected", operation, detail: `it needs ${gas} gas, and ${gasMax} are allowed` })

const noAccount = () =>
  new ChainError({ reason: "Rejected", operation: "send a refund", detail: "AI_AGENT_PRIVATE_KEY is not set" })

const transferCall = ({ signature, from, to, value, validAfter, validBefore, nonce }: SignedAuthorization): Hex => {
  const { r, s, yParity } = parseSignature(signature)
  const args = [from, to, value, BigInt(validAfter), BigInt(validBefore), nonce, 27 + yParity, r, s] as const
  return encodeFunctionData({ abi: transferAbi, functionName: "transferWithAuthorization", args })
}
