import { assert, describe, it } from "@effect/vitest"
import { sseParser } from "../../src/page/sse.ts"

const STREAM =
  ': hello\n\nid: 7\nevent: ledger\ndata: {"a":\ndata: 1}\n\nevent: beat\ndata:\n\ndata: x\n\nretry: 10\n\n'

const MESSAGES = [
  { event: "ledger", data: '{"a":\n1}', id: "7" },
  { event: "beat", data: "", id: "7" },
  { event: "message", data: "x", id: "7" }
]

const inPieces = (text: string, size: number) => {
  const parse = sseParser()
  const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) => text.slice(n * size, (n + 1) * size))
  return pieces.flatMap((piece) => parse(piece))
}

describe("the reader of event streams", () => {
  it("gives the messages, in whatever pieces they come and however lines end", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = STREAM.replaceAll("\n", end)
      for (const size of [1, 2, 3, 7, text.length]) {
        // A `\r` at the end may be half of a line's end: it is known with what follows.
        assert.deepStrictEqual(
          inPieces(`${text}:${end}`, size),
          MESSAGES,
          `${JSON.stringify(end)} in pieces of ${size}`
        )
      }
    }
  })

  it("never gives half a message", () => {
    assert.deepStrictEqual(sseParser()("id: 1\nevent: ledger\ndata: {\n"), [])
  })
})
