import { assert, describe, it } from "@effect/vitest"
import { ALL_PARTS, EVERY_WALLET, PARTS, partOf, partsInWords, rangesOf } from "../../src/domain/Part.ts"
import { anyId } from "../support/anyId.ts"

const idWith = (byte: number) => anyId(`${byte.toString(16).padStart(2, "0")}abcdef-0123-4567-89ab-cdef01234567`)
const BYTES = Array.from({ length: 256 }, (_, byte) => byte)

describe("the parts of the wallets", () => {
  it("are as many as the contract says, each with the same number of first bytes", () => {
    const counts = Map.groupBy(BYTES, (byte) => partOf(idWith(byte)))
    assert.deepStrictEqual([...counts.keys()], ALL_PARTS)
    for (const bytes of counts.values()) assert.lengthOf(bytes, 256 / PARTS)
  })

  it("are ranges of ids that hold exactly their wallets", () => {
    for (const parts of [[], [0], [31], [5, 6, 7], [0, 2, 3, 31], ALL_PARTS]) {
      const ranges = rangesOf(parts)
      for (const byte of BYTES) {
        const id = idWith(byte)
        const isIn = ranges.filter(({ first, last }) => id >= first && id <= last).length
        assert.strictEqual(isIn, parts.includes(partOf(id)) ? 1 : 0)
      }
    }
  })

  it("that follow each other are one range, from the first id that there is to the last", () => {
    assert.deepStrictEqual(EVERY_WALLET, [
      { first: anyId("00000000-0000-0000-0000-000000000000"), last: anyId("ffffffff-ffff-ffff-ffff-ffffffffffff") }
    ])
    assert.lengthOf(rangesOf(ALL_PARTS.filter((part) => part % 2 === 0)), 16)
  })

  it("are told in few words", () => {
    assert.deepStrictEqual(
      [ALL_PARTS, [4, 2, 3, 9], [7], []].map((parts) => partsInWords(parts)),
      ["0-31", "2-4, 9", "7", ""]
    )
  })
})
