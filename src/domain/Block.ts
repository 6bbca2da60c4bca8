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
