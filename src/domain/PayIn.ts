import { encodeAbiParameters, keccak256 } from "viem"
import type { Address, Bytes32 } from "./Address.ts"
import type { Authorization, AuthorizationOutcome } from "./Authorization.ts"
import { type Block, blockBefore } from "./Block.ts"
import { TaskId } from "./Task.ts"
import type { Usdc } from "./Usdc.ts"
import type { Wallet, WalletId } from "./Wallet.ts"

/**
 * - `live`: its nonce may still be used, or it is not known how it was used: its order waits for it and for nothing else.
 * - `settled`: the chain shows its transfer into the agent wallet. That deposit is for its order.
 * - `void`: unused and its window passed in a confirmed block, or cancelled by the payer: it will never pay.
 * - `elsewhere`: its nonce was used for another transfer.
 *
 * Only the first two say anything about the order; with the others it is one like any other. None is final: a
 * reorganisation that takes back what proved it makes it `live` again.
 */
export const PAY_IN_STATUSES = ["live", "settled", "void", "elsewhere"] as const
export type PayInStatus = (typeof PAY_IN_STATUSES)[number]

/**
 * A payment for one order that a client signed for (EIP-3009) from its own account to the person's agent wallet. It is
 * written down with its order before anything is submitted; only the chain says what became of it.
 */
export interface PayIn {
  /** The client's own account. With the nonce it names the pay-in for ever. */
  readonly payer: Address
  readonly nonce: Bytes32
  readonly amount: Usdc
  /** The agent wallet. */
  readonly payTo: Address
  /** Seconds since 1970, both exclusive, on the chain's clock. */
  readonly validAfter: number
  readonly validBefore: number
  readonly walletId: WalletId
  readonly taskId: TaskId
  readonly status: PayInStatus
  /** The transaction that used or cancelled the nonce. */
  readonly tx: Bytes32 | undefined
  /** The confirmed block that proves the status; `undefined` while it is live. */
  readonly block: bigint | undefined
  /** What became of it, in words; `undefined` while it is live. */
  readonly reason: string | undefined
  readonly createdAtMs: number
}

/** What names a pay-in: USDC accepts a nonce of a payer once. */
export type PayInName = Pick<PayIn, "payer" | "nonce">

/** As USDC's events spell it: a nonce has one spelling here, and clients may choose another. */
export const payInKey = ({ payer, nonce }: PayInName): string => `${payer}/${nonce.toLowerCase()}`

/** A pay-in as it is written down with its order. `authorization` must pay the wallet what the order costs. */
export const placePayIn = (placed: {
  readonly authorization: Authorization
  readonly wallet: Pick<Wallet, "id" | "agentAddress">
  readonly taskId: TaskId
  readonly nowMs: number
}): PayIn => {
  const { authorization, wallet, taskId, nowMs } = placed
  const { from, value, validAfter, validBefore } = authorization
  return {
    payer: from,
    nonce: authorization.nonce.toLowerCase() as Bytes32,
    amount: value,
    payTo: wallet.agentAddress,
    validAfter,
    validBefore,
    walletId: wallet.id,
    taskId,
    status: "live",
    tx: undefined,
    block: undefined,
    reason: undefined,
    createdAtMs: nowMs
  }
}

/**
 * What a confirmed block says of a live pay-in, or `undefined` where it stays live: unused in an open window, or spent
 * with no log that says how.
 */
export const judgePayIn = (payIn: PayIn, outcome: AuthorizationOutcome, block: Block): PayIn | undefined => {
  switch (outcome._tag) {
    case "Unexplained":
      return undefined
    case "Unused":
      if (!isOver(payIn, block)) return undefined
      return { ...payIn, status: "void", block: block.number, reason: "its window passed, and it was not submitted" }
    case "Canceled": {
      const { tx, block: inBlock } = outcome
      return { ...payIn, status: "void", tx, block: inBlock, reason: "the payer cancelled its nonce" }
    }
    case "Used": {
      const { tx, block: inBlock, to, value } = outcome
      const at = { ...payIn, tx, block: inBlock }
      return to === payIn.payTo && value === payIn.amount
        ? { ...at, status: "settled", reason: "the chain shows it" }
        : { ...at, status: "elsewhere", reason: "its nonce was used for another transfer" }
    }
  }
}

/** USDC accepts it in blocks before `validBefore` only: one at or after it is proof that none can. */
const isOver = ({ validBefore }: PayIn, block: Block): boolean => block.timeMs >= validBefore * 1000

/** A pay-in as a look at the chain shows it. */
export interface SeenPayIn extends PayIn {
  /** Live, and certainly unused in the block of the look: no balance of that block holds its money. */
  readonly isUnused: boolean
}

/**
 * What a look at the chain shows of a pay-in. One that was settled in a later block than that of the look is still unused
 * in it: a node that lags shows no deposit of it.
 */
export const lookAtPayIn = (payIn: PayIn, outcome: AuthorizationOutcome | undefined, block: Block): SeenPayIn => {
  if (payIn.status === "live") {
    const judged = outcome && judgePayIn(payIn, outcome, block)
    return judged === undefined ? { ...payIn, isUnused: outcome?._tag === "Unused" } : { ...judged, isUnused: false }
  }
  const isAhead = payIn.block !== undefined && payIn.block > block.number
  return isAhead ? { ...revivePayIn(payIn), isUnused: payIn.status === "settled" } : { ...payIn, isUnused: false }
}

/** The order is there before its payment is submitted: only another use of its nonce is older, by so much at most. */
const USED_BEFORE_MAX_MS = 24 * 60 * 60_000

/** What the chain is asked about it. `at`: the newest block that counts. */
export const payInQuery = (payIn: PayIn, at: Block, blockSeconds: number) => {
  const { payer, nonce, payTo, amount, validAfter, createdAtMs } = payIn
  // USDC takes it in no block that is older than its window.
  const sinceMs = Math.max(validAfter * 1000, createdAtMs - USED_BEFORE_MAX_MS)
  return { payer, nonce, fromBlock: blockBefore(at, sinceMs, blockSeconds), expected: { to: payTo, value: amount } }
}

/** What proved it is not on the chain any more: it may be used as before. */
export const revivePayIn = (payIn: PayIn): PayIn => ({
  ...payIn,
  status: "live",
  tx: undefined,
  block: undefined,
  reason: undefined
})

/**
 * The id of the order that a pay-in is for follows from it, so that a repeated request finds the same order. A UUID of
 * version 8 (RFC 9562): its bits are this program's own.
 */
export const payInTaskId = ({
  chainId,
  usdc,
  payer,
  nonce
}: PayInName & { readonly chainId: number; readonly usdc: Address }): TaskId => {
  const digest = keccak256(
    encodeAbiParameters(
      [{ type: "string" }, { type: "uint256" }, { type: "address" }, { type: "address" }, { type: "bytes32" }],
      ["ai-mint/pay-in/1", BigInt(chainId), usdc, payer, nonce]
    )
  ).slice(2)
  // The two highest bits of the ninth byte are the variant, 10.
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 3) | 8).toString(16)
  return TaskId.make(
    `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
  )
}
