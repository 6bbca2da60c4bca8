import type { Address, Bytes32 } from "./Address.ts"
import type { Block } from "./Block.ts"
import type { Usdc } from "./Usdc.ts"

/** A USDC `Transfer` into a wallet. */
export interface Deposit {
  readonly wallet: Address
  readonly from: Address
  readonly amount: Usdc
  readonly tx: Bytes32
  readonly logIndex: number
  readonly block: Block
}

/** A deposit of which no order and no refund has taken everything yet. */
export interface UnspentDeposit extends Deposit {
  /** What is left of it, at most `amount`. */
  readonly left: Usdc
}

/** A part of a deposit that pays for an order or goes back in a refund. */
export interface DepositUse {
  readonly tx: Bytes32
  readonly logIndex: number
  /** More than zero. */
  readonly amount: Usdc
}
