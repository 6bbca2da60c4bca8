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
 * The transfers that tasks were paid with, for the record: for each cost the newest transfer of exactly that much which
 * none before it in the list was paid with, else the newest of all, which made the sum enough.
 */
export const depositsFor = (
  costs: ReadonlyArray<Usdc>,
  deposits: ReadonlyArray<Deposit>
): ReadonlyArray<Deposit | undefined> => {
  const left = new Set(deposits)
  return costs.map((cost) => {
    const exact = [...left].findLast((deposit) => deposit.amount === cost)
    if (exact !== undefined) left.delete(exact)
    return exact ?? [...left].at(-1)
  })
}
