import { Schema } from "effect"
import { encodeAbiParameters, keccak256 } from "viem"
import { type Address, type Bytes32, Uuid } from "./Address.ts"
import type { TransferState } from "./Authorization.ts"
import type { Usdc } from "./Usdc.ts"
import type { Wallet } from "./Wallet.ts"

/** `ai_agent_refunds.id`. */
export const RefundId = Uuid.pipe(Schema.brand("RefundId"))
export type RefundId = typeof RefundId.Type

/**
 * - `planned`: asked for by an operator, and no live authorization exists.
 * - `signed`: an authorization is committed and may be on its way to the chain.
 * - `paid`: the chain shows it. Final, unless the chain is reorganised.
 * - `held`: its nonce was used or cancelled outside this program: it will never be paid, and reserves nothing. Or it gets nowhere
 *   (`keepsMoney`: lapsed unused several times, or on USDC's blacklist): its money stays reserved until a person withdraws it.
 * - `withdrawn`: a person gave it up; its money is credit again. Final.
 */
export type RefundStatus = "planned" | "signed" | "paid" | "held" | "withdrawn"

/**
 * Free credit of a wallet on its way back to the wallet's own user. Reserved from the row's first moment until the chain
 * shows it; signed and proven as a batch is, with the transaction sent by the AI Agent Account.
 */
export interface Refund extends TransferState<RefundStatus> {
  readonly id: RefundId
  /** How many authorizations of it have lapsed unused. */
  readonly voids: number
  /** Held, with its nonce unspent: what it reserves stays reserved. */
  readonly keepsMoney: boolean
  readonly createdAtMs: number
}

interface RefundRequest {
  readonly id: RefundId
  readonly wallet: Wallet
  readonly amount: Usdc
  readonly chainId: number
  readonly usdc: Address
  readonly nowMs: number
}

export const planRefund = ({ id, wallet, amount, chainId, usdc, nowMs }: RefundRequest): Refund => ({
  id,
  walletId: wallet.id,
  payer: wallet.agentAddress,
  payTo: wallet.userAddress,
  amount,
  nonce: refundNonce({ chainId, usdc, payer: wallet.agentAddress, id }),
  status: "planned",
  version: 0,
  window: undefined,
  sends: 0,
  looks: 0,
  voids: 0,
  keepsMoney: false,
  paymentTx: undefined,
  paymentBlock: undefined,
  paidAmount: undefined,
  nextActionAtMs: nowMs,
  reason: "waiting to be sent",
  createdAtMs: nowMs
})

interface NonceSeed {
  readonly chainId: number
  readonly usdc: Address
  readonly payer: Address
  readonly id: RefundId
}

/** The EIP-3009 nonce of a refund follows from its row: however often it is signed, it pays once. */
export const refundNonce = ({ chainId, usdc, payer, id }: NonceSeed): Bytes32 =>
  keccak256(
    encodeAbiParameters(
      [{ type: "string" }, { type: "uint256" }, { type: "address" }, { type: "address" }, { type: "string" }],
      ["ai-mint/refund/1", BigInt(chainId), usdc, payer, id.toLowerCase()]
    )
  )
