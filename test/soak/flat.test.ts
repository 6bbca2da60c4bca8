import { assert, describe, it } from "@effect/vitest"
import { compare, grown, type Held } from "./flat.ts"

/** Nine moments: three to warm up, three of the middle third, three of the last. */
const moments = (warm: number, middle: number, last: number): ReadonlyArray<Held> =>
  [warm, warm, warm, middle, middle, middle, last, last, last].map((mb) => ({ "memory, MB": mb, "open handles": 30 }))

describe("the soak", () => {
  it("names what grew from the middle third to the last, and by how much it may", () => {
    assert.deepStrictEqual(grown(compare(moments(100, 200, 221))), [
      "memory, MB grew from 200 in the middle third to 221 in the last third; at most 220 is flat"
    ])
  })

  it("takes no notice of the first third, nor of what stays within the tolerance", () => {
    assert.deepStrictEqual(grown(compare(moments(10, 200, 220))), [])
    // Little may grow by a fixed amount, which is more than its tenth.
    assert.deepStrictEqual(grown(compare(moments(10, 20, 36))), [])
  })

  it("has nothing to say about fewer moments than thirds", () => {
    assert.deepStrictEqual(compare(moments(1, 2, 3).slice(0, 2)), [])
  })
})
