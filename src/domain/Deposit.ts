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

/**
 * The transfer that a task was paid with: the newest of exactly its cost, else the newest of all, which made the sum
 * enough. Only for the record; the balance decides whether it is paid.
 */
export const depositFor = (cost: Usdc, deposits: ReadonlyArray<Deposit>): Deposit | undefined =>
  deposits.findLast((deposit) => deposit.amount === cost) ?? deposits.at(-1)
