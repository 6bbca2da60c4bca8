import { assert, describe, it } from "@effect/vitest"
import { fitForTerminal } from "../../src/cli/io.ts"
import { jsonOf } from "../../src/cli/print.ts"
import { inLine } from "../../src/cli/words/text.ts"

const HOSTILE = "a\u202egnp.exe\u2066b\u009b31mc\u001b[2Jd\u061ce\u2028f\rg"

const written = (colour: boolean, text: string) => {
  const lines: Array<string> = []
  const io = fitForTerminal({
    out: (line) => void lines.push(line),
    err: (line) => void lines.push(line),
    colour,
    document: () => {},
    expectInterruption: () => {}
  })
  io.out(text)
  io.err(text)
  return lines
}

// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

describe("what strangers wrote", () => {
  it("does nothing to a terminal, in a report or a refusal", () => {
    for (const line of [...written(false, HOSTILE), ...written(true, HOSTILE), inLine(HOSTILE)]) {
      assert.notMatch(line, UNSEEN)
    }
  })

  it("leaves line ends, tabs and our own colours as they are", () => {
    const painted = "\u001b[31mheld\u001b[39m\n\tnext"
    assert.deepStrictEqual(written(true, painted), [painted, " held \n\tnext"])
  })

  it("is in JSON what it was, and nothing that a terminal acts on", () => {
    const json = jsonOf({ text: HOSTILE, list: [1n] })
    assert.notMatch(json, UNSEEN)
    assert.deepStrictEqual(JSON.parse(json), { text: HOSTILE, list: ["1"] })
  })
})
