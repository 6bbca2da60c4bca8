import type { Balances, Mint, Spending } from "../chain/ChainClient.ts"
import type { Address } from "../domain/Address.ts"
import type { Block } from "../domain/Block.ts"
import type { Deposit } from "../domain/Deposit.ts"
import type { Account } from "../ledger/DecisionRepo.ts"
import type { Reconciled } from "./reports/decisions.ts"

/** What the chain shows of some wallets, from a first block to the block of their balances. */
export interface ChainView {
  readonly fromBlock: bigint
  /** The first block that the ledger has seen. */
  readonly firstBlock: bigint
  readonly block: Block
  readonly balances: Balances["usdc"]
  /** By wallet. */
  readonly spending: ReadonlyMap<Address, ReadonlyArray<Spending>>
  readonly deposits: ReadonlyMap<Address, ReadonlyArray<Deposit>>
}

/** Where ledger and chain disagree, and what a person can do about it. */
export type Difference = Reconciled["differences"][number]

type Totals = Reconciled["totals"]

export const NOTHING: Totals = {
  wallets: 0,
  payments: 0,
  unproven: 0,
  beforeBooks: 0,
  deposits: 0,
  uncounted: 0,
  earlierDeposits: 0,
  newer: 0,
  mints: 0,
  unseenMints: 0,
  held: 0
}

/** What one look at an account found. */
export interface AuditFinding {
  readonly totals: Partial<Totals>
  readonly differences: ReadonlyArray<Difference>
}

export const add = (totals: Totals, more: Partial<Totals>): Totals => {
  const sums = Object.entries(totals).map(([key, count]) => [key, count + (more[key as keyof Totals] ?? 0)])
  return Object.fromEntries(sums) as Totals
}

/** Moved after the books of the account were opened: it must be in them. */
export const isInBooks = ({ openedBlock }: Account, block: bigint): boolean =>
  openedBlock !== undefined && block > openedBlock

/** Moved when this program already answered for the wallet: by its books or, until they are open, since its first block. */
export const isAnsweredFor = (account: Account, { firstBlock }: ChainView, block: bigint): boolean =>
  account.openedBlock === undefined ? !account.isShared && block > firstBlock : isInBooks(account, block)

/** Mints of one token to one person, by `mintKey`. */
export type MintsOnChain = ReadonlyMap<string, Mint>
