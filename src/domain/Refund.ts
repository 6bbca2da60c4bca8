import { encodeAbiParameters, keccak256 } from "viem"
import type { Address, Bytes32 } from "./Address.ts"
import type { Authorization, AuthorizationOutcome } from "./Authorization.ts"
import type { SignedWindow } from "./Batch.ts"
import { lookPauseMs } from "./transferTransitions.ts"
import type { Usdc } from "./Usdc.ts"
import type { Wallet, WalletId } from "./Wallet.ts"

/** `ai_agent_refunds.id`, a UUID. */
export type RefundId = string

/**
 * - `planned`: asked for by an operator, and no live authorization exists.
 * - `signed`: an authorization is committed and may be on its way to the chain.
 * - `paid`: the chain shows it. Final, unless the chain is reorganised.
 * - `held`: its nonce was used or cancelled by somebody else: it will never be paid, and reserves nothing. Or it gets nowhere
 *   (`keepsMoney`: lapsed unused several times, or on USDC's blacklist): its money stays reserved until a person withdraws it.
 * - `withdrawn`: a person gave it up; its money is credit again. Final.
 */
export type RefundStatus = "planned" | "signed" | "paid" | "held" | "withdrawn"

/**
 * Free credit of a wallet on its way back to the wallet's own user. Reserved from the row's first moment until the chain
 * shows it; signed and proven as a batch is, with the transaction sent by the AI Agent Account.
 */
export interface Refund {
  readonly id: RefundId
  readonly walletId: WalletId
  readonly payer: Address
  /** The wallet's user, and nobody else. */
  readonly payTo: Address
  readonly amount: Usdc
  readonly nonce: Bytes32
  readonly status: RefundStatus
  /** Goes up with every change: the expected value of every update. */
  readonly version: number
  readonly window: SignedWindow | undefined
  /** How often the present authorization was sent. */
  readonly sends: number
  /** How often the chain was asked since the last change. */
  readonly looks: number
  /** How many authorizations of it have lapsed unused. */
  readonly voids: number
  /** Held, with its nonce unspent: what it reserves stays reserved. */
  readonly keepsMoney: boolean
  readonly tx: Bytes32 | undefined
  readonly block: bigint | undefined
  readonly nextActionAtMs: number | undefined
  /** What is being waited for, or what went wrong, for a person. */
  readonly reason: string | undefined
  readonly createdAtMs: number
}

export const REFUND_ARROWS: Record<RefundStatus, ReadonlyArray<RefundStatus>> = {
  planned: ["planned", "signed", "paid", "held", "withdrawn"],
  signed: ["signed", "planned", "paid", "held"],
  paid: [],
  held: ["withdrawn"],
  withdrawn: []
}

/**
 * So many authorizations may lapse unused: one is a node that was away or gas that was dear, three in a row are a person on
 * USDC's blacklist or an account without gas, and no further one would fare better.
 */
export const VOIDS_MAX = 3

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
  tx: undefined,
  block: undefined,
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

/** The EIP-3009 nonce of a refund follows from its row: signed again, by whoever and whenever, it pays once. */
export const refundNonce = ({ chainId, usdc, payer, id }: NonceSeed): Bytes32 =>
  keccak256(
    encodeAbiParameters(
      [{ type: "string" }, { type: "uint256" }, { type: "address" }, { type: "address" }, { type: "string" }],
      ["ai-mint/refund/1", BigInt(chainId), usdc, payer, id.toLowerCase()]
    )
  )

export const refundAuthorization = (refund: Refund, window: SignedWindow): Authorization => ({
  from: refund.payer,
  to: window.payTo,
  value: window.amount,
  validAfter: window.validAfter,
  validBefore: window.validBefore,
  nonce: refund.nonce
})

/** Write-ahead: from here on the transfer may exist. */
export const signRefund = (refund: Refund, window: SignedWindow, nowMs: number): Refund => ({
  ...refund,
  status: "signed",
  window,
  sends: 1,
  looks: 0,
  nextActionAtMs: nowMs + lookPauseMs(0),
  reason: "sent, waiting for the chain"
})

/** The identical bytes go to the chain once more. */
export const resendRefund = (refund: Refund, nowMs: number): Refund => ({
  ...refund,
  sends: refund.sends + 1,
  looks: refund.looks + 1,
  nextActionAtMs: nowMs + lookPauseMs(refund.looks + 1)
})

/** Nothing can be done or said yet. */
export const delayRefund = (refund: Refund, reason: string, nextActionAtMs: number): Refund => ({
  ...refund,
  looks: refund.looks + 1,
  nextActionAtMs,
  reason
})

type Spent = Extract<AuthorizationOutcome, { _tag: "Used" }>

export const proveRefund = (refund: Refund, { tx, block }: Spent): Refund => ({
  ...refund,
  status: "paid",
  tx,
  block,
  nextActionAtMs: undefined,
  reason: undefined
})

/**
 * It was on chain and is not any more: its authorization may be mined again. Where that is not known, after a restored
 * backup, a person has to look, and its money waits for that.
 */
export const retractRefund = (refund: Refund, nowMs: number, reason: string): Refund => ({
  ...refund,
  status: refund.window === undefined ? "held" : "signed",
  keepsMoney: refund.window === undefined,
  tx: undefined,
  block: undefined,
  looks: 0,
  nextActionAtMs: refund.window === undefined ? undefined : nowMs,
  reason
})

/** It was sent, or could not be, and why. */
export const noteSend = (refund: Refund, reason: string): Refund => ({ ...refund, reason })

/**
 * The authorization can never be used any more: the same nonce may be signed again. A refund that gets nowhere is held with
 * its money, for a person.
 */
export const releaseRefund = (refund: Refund, nowMs: number): Refund => {
  const lapsed = { ...refund, window: undefined, sends: 0, looks: 0, voids: refund.voids + 1 }
  const last = refund.reason ?? "no reason is known"
  return lapsed.voids < VOIDS_MAX
    ? { ...lapsed, status: "planned", nextActionAtMs: nowMs, reason: `not on chain in time, signed again: ${last}` }
    : keepRefund(lapsed, `refund ${refund.id.slice(0, 8)} was not on chain in time ${lapsed.voids} times: ${last}`)
}

/**
 * A person has to decide about a refund that gets nowhere, with its nonce unspent. What it reserves stays reserved: a newer
 * order would take it else, and the credit that a person asked back would be gone.
 */
export const keepRefund = (refund: Refund, reason: string): Refund => ({
  ...refund,
  status: "held",
  keepsMoney: true,
  nextActionAtMs: undefined,
  reason
})

/** Given up: what it reserved is free. Only where no authorization of it is live. */
export const withdrawRefund = (refund: Refund, why: string): Refund => ({
  ...refund,
  status: "withdrawn",
  keepsMoney: false,
  nextActionAtMs: undefined,
  reason: `withdrawn: ${why}`
})

/** Its nonce is spent or cancelled, and it can never be paid. Where it was spent on another transfer, that money is gone. */
export const holdRefund = (refund: Refund, reason: string, spent?: Spent): Refund => ({
  ...refund,
  status: "held",
  ...(spent && { tx: spent.tx, block: spent.block }),
  nextActionAtMs: undefined,
  reason
})
