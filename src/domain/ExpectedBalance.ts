import type { WalletMoney } from "./Allocation.ts"
import type { Usdc } from "./Usdc.ts"

/**
 * What the ledger says that a wallet holds: what it held when its books were opened, and every deposit, payment and
 * refund since. Held against what the chain shows.
 */
export interface ExpectedBalance {
  /** Deposits are recorded up to this block, inclusive. */
  readonly countedBlock: bigint
  /**
   * What the chain shows where no payment is unproven and no deposit unrecorded. Below zero where payments were proven
   * whose money no recorded deposit brought: then a deposit is missing, and a person must hear of it.
   */
  readonly balance: bigint
}

/**
 * - `even`: the chain shows what the books say, payments aside that may have been made: those that are signed and, after
 *   a restored backup, those that the ledger takes for still to be made.
 * - `more`: deposits that are not recorded.
 * - `less`: money left the wallet, and by nothing that the ledger knows.
 */
export type Standing = "even" | "more" | "less"

/** How the chain's balance stands to what the books say with `found` deposits beside those that are recorded. */
export const standingOf = (
  books: ExpectedBalance,
  money: Pick<WalletMoney, "balance" | "reserved">,
  found: Usdc
): Standing => {
  const due = books.balance + found
  if (money.balance > due) return "more"
  return money.balance + money.reserved < due ? "less" : "even"
}
