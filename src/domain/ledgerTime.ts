import type { Block } from "./Block.ts"

// Orders get their time from the database's clock, and deposits theirs from the chain's. Both may be right by
// themselves and minutes apart: to tell which came first, one has to be put on the other's time line.

/** A deposit with its time as the database would have written it. */
export const onLedgerTime = <A extends { readonly block: Block }>(deposit: A, ledgerAheadMs: number): A => ({
  ...deposit,
  block: { ...deposit.block, timeMs: deposit.block.timeMs + ledgerAheadMs }
})

/**
 * The block by which deadlines are judged. Where the chain's clock is ahead of the one that an order got its time from,
 * the deadline is later by the difference; it is never earlier than the chain says.
 */
export const notAheadOf = (block: Block, ledgerAheadMs: number): Block => ({
  ...block,
  timeMs: block.timeMs + Math.min(0, ledgerAheadMs)
})
