/** Blocks in one `eth_getLogs`. Source: docs.base.org, `eth_getLogs`: "under 2,000 blocks for reliable results". */
export const BLOCKS_PER_PAGE_MAX = 2_000n

/** From the largest page down to a single block. */
export const HALVINGS_MAX = 11

/** A page that timed out may have been too large, or the node was slow: it is not made smaller than this for it. */
export const BLOCKS_PER_SLOW_PAGE_MIN = 60n

/** After so many full pages in a row the next one is larger: a limit that shows only as a failure should be met rarely. */
const PAGES_BEFORE_GROWTH = 16

/**
 * How many blocks of logs an endpoint gives at once, as far as is known. Limits range from 10 blocks to 10,000,
 * some count results or seconds instead, and few are documented.
 */
export interface PageSize {
  readonly blocks: bigint
  /** Since it was changed last. */
  readonly fullPages: number
}

export const largest: PageSize = { blocks: BLOCKS_PER_PAGE_MAX, fullPages: 0 }

/** After a page of `asked` blocks that was too large. */
export const afterRefusal =
  (asked: bigint, least = 1n) =>
  (size: PageSize): PageSize => {
    const half = asked / 2n < least ? least : asked / 2n
    return half < size.blocks ? { blocks: half, fullPages: 0 } : size
  }

/** After a page of `asked` blocks that was answered. Grows by half. */
export const afterPage =
  (asked: bigint) =>
  (size: PageSize): PageSize => {
    if (asked !== size.blocks) return size
    if (size.fullPages + 1 < PAGES_BEFORE_GROWTH) return { ...size, fullPages: size.fullPages + 1 }
    const larger = size.blocks + (size.blocks + 1n) / 2n
    return { blocks: larger < BLOCKS_PER_PAGE_MAX ? larger : BLOCKS_PER_PAGE_MAX, fullPages: 0 }
  }
