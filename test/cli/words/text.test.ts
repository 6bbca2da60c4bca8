import { assert, describe, it } from "@effect/vitest"
import { coloured, plain } from "../../../src/cli/words/paint.ts"
import { table } from "../../../src/cli/words/table.ts"
import { clip, clock, columnsOf, hang, shortAddress, utc, wrap } from "../../../src/cli/words/text.ts"
import { ADDRESS, assertFits, LONG, NOW } from "./given.ts"

describe("texts for a terminal", () => {
  it("are measured in columns: an icon takes two", () => {
    assert.deepStrictEqual(["abc", "✅ a", "⚠️ a", "a…→"].map(columnsOf), [3, 4, 4, 3])
  })

  it("are cut with a mark where something is missing, and are one line", () => {
    assert.strictEqual(clip("abcdef", 6), "abcdef")
    assert.strictEqual(clip("abcdefg", 6), "abcde…")
    assert.strictEqual(clip("a\nb\u001b[2Jc", 20), "a b [2Jc")
  })

  it("are broken at spaces, and inside a word only where the word alone is too long", () => {
    assert.deepStrictEqual(wrap("one two three", 8), ["one two", "three"])
    assert.deepStrictEqual(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"])
    assert.deepStrictEqual(wrap("", 4), [""])
  })

  it("hang behind what stands before them", () => {
    assert.deepStrictEqual(hang("⚠️ ", "one two", 7), ["⚠️ one", "   two"])
  })

  it("tell moments in UTC, to the second", () => {
    assert.strictEqual(utc(NOW), "2026-11-28 12:00:00 UTC")
    assert.strictEqual(clock(NOW + 61_999), "12:01:01 UTC")
  })

  it("shorten an address so that it is recognised", () => {
    assert.strictEqual(shortAddress(ADDRESS), "0xabab…abab")
    assert.strictEqual(shortAddress("nobody"), "nobody")
  })
})

describe("a table", () => {
  const columns = [{ title: "id" }, { title: "n", right: true }, { title: "note" }]

  it("has its columns under each other, and no spaces at the ends of lines", () => {
    const rows = [
      ["a", "1", ""],
      ["bcd", "250", "x"]
    ]
    assert.deepStrictEqual(table({ columns, rows }, plain), ["id     n  note", "a      1", "bcd  250  x"])
  })

  it("cuts what does not fit a line", () => {
    const lines = table({ columns, rows: [["a".repeat(60), "1", LONG]] }, plain)
    assertFits(lines)
    assert.lengthOf(lines, 2)
    assert.match(lines[1] ?? "", /^a{49}… {2}1 .*…$/)
  })

  it("goes on below with what does not fit the last column, where it is told to", () => {
    const lines = table({ columns, rows: [["a", "1", "word ".repeat(40)]], wrapLast: true, indent: 3 }, plain)
    assertFits(lines)
    assert.strictEqual(lines.join(" ").match(/word/g)?.length, 40)
    assert.match(lines[2] ?? "", /^ {10,}word/)
  })

  it("measures before it paints", () => {
    const [, line = ""] = table({ columns, rows: [[{ text: "a", as: "bad" }, "1", "x"]] }, coloured)
    assert.strictEqual(line, "\u001b[31ma\u001b[39m   1  x")
  })
})
