import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Log from "../../src/ops/Log.ts"
import { formats, linesOf, outputOf } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const parse = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>

/** What the terminal would do with it, gone. */
const withoutColours = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, "")

describe("a line of the log", () => {
  const forged = "0xabc\n[2025-11-01T05:15:30.000Z] [INFO] \u001b[2K\r✅ Task completed\u2028\u0085\u202e"

  test.each(formats)("cannot be forged by what a stranger wrote into a task, in %s", function* (logFormat) {
    const program = Log.warn(["one", forged], { task: forged, [forged]: [forged], cause: new Error(forged) })
    const output = yield* outputOf(program, { logFormat })
    assert.strictEqual(output.split(/[\n\r\u0085\u2028\u2029]/).length, 3)
    assert.notMatch(output.replaceAll("\n", ""), /[\u0000-\u001f\u007f-\u009f\u202e]/)
  })

  it.effect.prop(
    "is one for each line of a block, whatever the block holds",
    { lines: Schema.NonEmptyArray(Schema.String), field: Schema.Json },
    ({ lines, field }) =>
      Effect.gen(function* () {
        for (const logFormat of formats) {
          assert.strictEqual((yield* linesOf(Log.info(lines, { field }), { logFormat })).length, lines.length)
        }
      })
  )

  test("is printed even for an error that cannot be asked what it is", function* () {
    const broken = Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new TypeError("no")
      }
    })
    const lines = yield* linesOf(Log.error("failed", { cause: broken }))
    assert.deepStrictEqual(lines, ["[1970-01-01T00:00:00.000Z] [ERROR] (a log line that cannot be printed)"])
  })
})

describe("json", () => {
  test("has the fields of v1.1's text and the structured ones on one line", function* () {
    const program = Log.mint("Minted", { task: "abc", batch: 3, amount: 5_000_000n }).pipe(
      Effect.annotateLogs({ wallet: "0x1" })
    )
    const [line = ""] = yield* linesOf(program, { logFormat: "json" })
    assert.deepStrictEqual(parse(line), {
      ts: "1970-01-01T00:00:00.000Z",
      level: "INFO",
      kind: "mint",
      message: "🪙 Minted",
      wallet: "0x1",
      task: "abc",
      batch: 3,
      amount: "5000000"
    })
  })

  test("keeps its own names when a field has the same", function* () {
    const [line = ""] = yield* linesOf(Log.info("real", { message: "fake", level: "fake" }), { logFormat: "json" })
    const { message, message_, level, level_ } = parse(line)
    assert.deepStrictEqual([message, message_, level, level_], ["real", "fake", "INFO", "fake"])
  })

  test("tells the cause, and where a defect came from", function* () {
    const program = Effect.die(new RangeError("too far")).pipe(
      Effect.catchCause((cause) => Log.error("Stopped", { cause }))
    )
    const [line = ""] = yield* linesOf(program, { logFormat: "json" })
    const { cause, stack } = parse(line)
    assert.strictEqual(cause, "RangeError: too far")
    assert.match(String(stack), /^at .*Logger\.test\.ts/m)
  })

  test("makes any value fit, and leaves out what is not there", function* () {
    const circular: Record<string, unknown> = { name: "loop" }
    circular["self"] = circular
    const fields = {
      absent: undefined,
      none: Option.none(),
      some: Option.some(1n),
      wait: Duration.seconds(2),
      when: new Date(0),
      bytes: new Uint8Array(3),
      map: new Map([["k", new Set([1])]]),
      many: Array.from({ length: 60 }, () => 0),
      nan: Number.NaN,
      error: new Error("no", { cause: "why" }),
      call: () => 0,
      circular
    }
    const [line = ""] = yield* linesOf(Log.info("all", fields), { logFormat: "json" })
    const { ts: _1, level: _2, kind: _3, message: _4, many, ...rest } = parse(line)
    assert.strictEqual((many as ReadonlyArray<unknown>).at(-1), "… (10 more)")
    assert.deepStrictEqual(rest, {
      none: null,
      some: "1",
      wait: 2000,
      when: "1970-01-01T00:00:00.000Z",
      bytes: "[3 bytes]",
      map: { k: [1] },
      nan: "NaN",
      error: { name: "Error", message: "no", cause: "why" },
      call: "[function]",
      circular: { name: "loop", self: "[circular]" }
    })
  })

  it.effect.prop(
    "is always JSON, and says what was said",
    [Schema.String, Schema.String, Schema.Json],
    ([key, text, value]) =>
      Effect.gen(function* () {
        const [line = ""] = yield* linesOf(Log.info(`m${text}`, { [`f${key}`]: value }), { logFormat: "json" })
        assert.strictEqual(String(parse(line)["message"]).toWellFormed(), `m${text}`.toWellFormed())
      })
  )
})

describe("logfmt", () => {
  test("quotes what has spaces, quotes or equals signs, and nothing else", function* () {
    const fields = { task: "abc", "odd key": 'a="b"', list: [1, "x y"], empty: "" }
    const [line] = yield* linesOf(Log.info("Batch sent", fields), { logFormat: "logfmt" })
    assert.strictEqual(
      line,
      'ts=1970-01-01T00:00:00.000Z level=INFO kind=info message="Batch sent" task=abc odd_key="a=\\"b\\"" ' +
        'list="[1,\\"x y\\"]" empty=""'
    )
  })

  test("tells how long a span took, in milliseconds", function* () {
    const program = TestClock.adjust("3 seconds").pipe(Effect.andThen(Log.info("read")), Effect.withLogSpan("read"))
    const [line = ""] = yield* linesOf(program, { logFormat: "logfmt" })
    assert.match(line, / read_ms=3000$/)
  })
})

describe("pretty", () => {
  const program = Log.warn(["Task abc", "   is held"], { task: "abc", batch: 3 })

  test("has a short time, and the fields behind the first line", function* () {
    assert.deepStrictEqual(yield* linesOf(program, { logFormat: "pretty" }), [
      "00:00:00.000 WARN  Task abc  task=abc batch=3",
      "00:00:00.000 WARN     is held"
    ])
  })

  test("says the same with colours", function* () {
    const plain = yield* outputOf(program, { logFormat: "pretty" })
    const coloured = yield* outputOf(program, { logFormat: "pretty" }, true)
    assert.notStrictEqual(coloured, plain)
    assert.strictEqual(withoutColours(coloured), plain)
  })

  test("shows where a defect came from, below the line", function* () {
    const broken = Effect.die(new RangeError("too far")).pipe(
      Effect.catchCause((cause) => Log.error("Stopped", { cause }))
    )
    const [line, frame = ""] = yield* linesOf(broken, { logFormat: "pretty" })
    assert.strictEqual(line, "00:00:00.000 ERROR Stopped: RangeError: too far")
    assert.match(frame, /^ {4}at /)
  })
})
