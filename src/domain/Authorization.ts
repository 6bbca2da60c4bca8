import type { Address, Bytes32 } from "./Address.ts"
import type { Usdc } from "./Usdc.ts"
import type { WalletId } from "./Wallet.ts"

/**
 * An EIP-3009 `TransferWithAuthorization`: the payer's permission to move `value` to `to`, once, in a window of chain
 * time. Valid in a block iff `validAfter < block.timestamp < validBefore` (both strict) and the nonce is unused.
 * Signatures of an ordinary account are deterministic (RFC 6979), so the same fields give the same bytes again.
 */
export interface Authorization {
  readonly from: Address
  readonly to: Address
  readonly value: Usdc
  /** Seconds since 1970, exclusive. */
  readonly validAfter: number
  /** Seconds since 1970, exclusive. */
  readonly validBefore: number
  /** Any 32 bytes; unique per payer for ever. */
  readonly nonce: Bytes32
}

export interface SignedAuthorization extends Authorization {
  /** 65 bytes, r ‖ s ‖ v, as the USDC contract and x402 take it. */
  readonly signature: `0x${string}`
}

/** What the chain says about a nonce of a payer, in a confirmed block. */
export type AuthorizationOutcome =
  | { readonly _tag: "Unused" }
  | {
      readonly _tag: "Used"
      readonly tx: Bytes32
      readonly block: bigint
      /** `undefined` where the node left it out. */
      readonly blockHash?: Bytes32 | undefined
      readonly to: Address
      readonly value: Usdc
    }
  | { readonly _tag: "Canceled"; readonly tx: Bytes32; readonly block: bigint }
  /** The state says spent and no log says how: the node has not the logs. Proves nothing. */
  | { readonly _tag: "Unexplained" }

/** A nonce that was used, and the transfer that used it. */
export type UsedNonce = Extract<AuthorizationOutcome, { readonly _tag: "Used" }>

/** The signed fields, written before the first byte leaves: with them the same signature can be made again. */
export interface SignedWindow {
  readonly amount: Usdc
  readonly payTo: Address
  /** Seconds since 1970, both exclusive. */
  readonly validAfter: number
  readonly validBefore: number
  /** The confirmed block at the time of signing: no trace of this transfer is older. */
  readonly block: bigint
}

/** What every transfer out of an agent wallet has, a batch or a refund: one nonce, a window while it is live, an outcome. */
export interface TransferState<Status extends string = string> {
  readonly walletId: WalletId
  readonly payer: Address
  /** Of a batch, who is paid unless the server names another that `MINT_PAY_TO` allows. Of a refund, the wallet's user. */
  readonly payTo: Address
  /** The most that it may move. */
  readonly amount: Usdc
  readonly nonce: Bytes32
  readonly status: Status
  /** Goes up with every change: the expected value of every update. */
  readonly version: number
  readonly window: SignedWindow | undefined
  /** How often the present authorization was sent. */
  readonly sends: number
  /** How often the chain was asked since the last change: sets the pace of the next look. */
  readonly looks: number
  readonly paymentTx: Bytes32 | undefined
  readonly paymentBlock: bigint | undefined
  /** `undefined` for a refund whose nonce paid another: the ledger keeps that transaction and not its amount. */
  readonly paidAmount: Usdc | undefined
  readonly nextActionAtMs: number | undefined
  /** What is being waited for, or what went wrong, for a person. */
  readonly reason: string | undefined
}

/** Signed and not proven: its money may be gone, and its nonce may be used at any moment. */
export const isLive = ({ status }: Pick<TransferState, "status">): boolean =>
  status === "signed" || status === "accepted" || status === "unknown"

/** What is signed for a transfer that has a window. */
export const authorizationOf = ({ payer, nonce }: TransferState, window: SignedWindow): Authorization => ({
  from: payer,
  to: window.payTo,
  value: window.amount,
  validAfter: window.validAfter,
  validBefore: window.validBefore,
  nonce
})
