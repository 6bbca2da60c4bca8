import type { Bytes32 } from "./Address.ts"

/** A confirmed block that was seen, by its hash: where the chain shows another one at this height, it was reorganised. */
export interface Anchor {
  readonly block: bigint
  readonly hash: Bytes32
}

/** An anchor as it is kept. */
export interface KeptAnchor extends Anchor {
  /** Something was proven in it, and no sweep has held it against the chain since. */
  readonly isProof: boolean
}

/** The newest ones are all kept: some ten minutes of sweeps. */
const ANCHORS_DENSE = 60

/** Of older ones, one of so many blocks is kept. */
const BLOCKS_APART = 100n

/** With those, about eight hours of Base. A reorganisation that is deeper is a person's to look into. */
const ANCHORS_MAX = 200

/** Which of the anchors, newest first, are not needed any more. */
export const superfluous = (anchors: ReadonlyArray<Anchor>): ReadonlyArray<bigint> => {
  const dropped: Array<bigint> = []
  let kept = 0
  let last: bigint | undefined
  for (const { block } of anchors) {
    const isApart = last === undefined || block / BLOCKS_APART !== last / BLOCKS_APART
    if (kept < ANCHORS_DENSE || (isApart && kept < ANCHORS_MAX)) {
      kept++
      last = block
    } else {
      dropped.push(block)
    }
  }
  return dropped
}
