import { assert, describe, it } from "@effect/vitest"
import { afterPage, afterRefusal, HALVINGS_MAX, largest, type PageSize } from "../../src/chain/pageSize.ts"

const blocks = (size: PageSize): number => Number(size.blocks)

/** After so many full pages. */
const answered = (size: PageSize, pages: number): PageSize =>
  Array.from({ length: pages }).reduce((now: PageSize) => afterPage(now.blocks)(now), size)

describe("the size of a page", () => {
  it("halves down to one block, and no further", () => {
    let size = largest
    for (let halving = 0; halving < HALVINGS_MAX; halving++) size = afterRefusal(size.blocks)(size)
    assert.strictEqual(blocks(size), 1)
    assert.strictEqual(blocks(afterRefusal(1n)(size)), 1)
  })

  it("is halved once by several pages that were asked for at once", () => {
    const size = [1, 2, 3, 4].reduce((now: PageSize) => afterRefusal(2_000n)(now), largest)
    assert.strictEqual(blocks(size), 1_000)
  })

  it("grows by half after 16 full pages, and not by short ones", () => {
    const ten = { blocks: 10n, fullPages: 0 }
    assert.strictEqual(blocks(answered(ten, 15)), 10)
    assert.strictEqual(blocks(answered(ten, 16)), 15)
    assert.deepStrictEqual(afterPage(3n)(ten), ten)
    assert.strictEqual(blocks(answered({ blocks: 1n, fullPages: 0 }, 16)), 2)
  })

  it("grows back to the largest", () => {
    assert.deepStrictEqual(answered({ blocks: 1n, fullPages: 0 }, 16 * 30).blocks, largest.blocks)
  })

  it("is not made very small by a node that is slow", () => {
    assert.strictEqual(blocks(afterRefusal(100n, 60n)(largest)), 60)
    assert.strictEqual(blocks(afterRefusal(10n, 60n)({ blocks: 10n, fullPages: 0 })), 10)
  })
})
