/**
 * A block that counts as final here: it has `CONFIRMATIONS` blocks under and on it, its own included.
 * The time is the block's own `timestamp`, as milliseconds since 1970 (the chain counts seconds).
 */
export interface Block {
  readonly number: bigint
  readonly timeMs: number
}

/** How far back a search starts, beyond the estimate: chains pause, and clocks differ. */
const MARGIN_BLOCKS = 150

/**
 * A block that is surely not newer than `timeMs`, by the pace of the network. Only for where a search of logs starts.
 */
export const blockBefore = (block: Block, timeMs: number, blockSeconds: number): bigint => {
  const back = Math.ceil(Math.max(0, block.timeMs - timeMs) / (blockSeconds * 1000)) + MARGIN_BLOCKS
  const number = block.number - BigInt(back)
  return number > 0n ? number : 0n
}

/**
 * The time of the chain's newest block, by the pace of the network: the one that counts is `confirmations` blocks deep.
 * Only for how long a payment is to be valid, never for a proof.
 */
export const headTimeMs = (
  block: Block,
  pace: { readonly confirmations: number; readonly blockSeconds: number }
): number => block.timeMs + (pace.confirmations - 1) * pace.blockSeconds * 1000

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
