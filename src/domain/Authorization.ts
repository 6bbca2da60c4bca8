import type { Address, Bytes32 } from "./Address.ts"
import type { Usdc } from "./Usdc.ts"

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
