/**
 * A block that counts as final here: it has `CONFIRMATIONS` blocks under and on it, its own included.
 * The time is the block's own `timestamp`, as milliseconds since 1970 (the chain counts seconds).
 */
export interface Block {
  readonly number: bigint
  readonly timeMs: number
}
