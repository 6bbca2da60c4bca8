import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type LogLevel, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Log from "../../src/ops/Log.ts"
import { linesOf } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** 2025-11-01T05:15:30.000Z, the time in the example of v1.1. */
const NOVEMBER_MS = Date.UTC(2025, 10, 1, 5, 15, 30)

describe("the text format", () => {
  test("is that of v1.1, to the letter", function* () {
    yield* TestClock.setTime(NOVEMBER_MS)
    const lines = yield* linesOf(Log.info("💰 Checking pending_payment task abc12345...", { task: "abc12345" }))
    assert.deepStrictEqual(lines, ["[2025-11-01T05:15:30.000Z] [INFO] 💰 Checking pending_payment task abc12345..."])
  })

  test("keeps every line that operators search for", function* () {
    const cancelled = Effect.gen(function* () {
      yield* Log.info("🔍 Found 3 task(s) to check...")
      yield* Log.info([
        "💰 Checking pending_payment task abc12345...",
        "   Agent wallet balance: 5.00 USDC",
        "   Required: 10.00 USDC",
        "   Task age: 11m / 10m timeout",
        "   ⏰ Task exceeded payment timeout (11 minutes)",
        "   ❌ Cancelling task due to timeout..."
      ])
      yield* Log.success("   Task cancelled successfully")
    })
    assert.deepStrictEqual(
      (yield* linesOf(cancelled)).map((line) => line.replace("[1970-01-01T00:00:00.000Z] ", "")),
      [
        "[INFO] 🔍 Found 3 task(s) to check...",
        "[INFO] 💰 Checking pending_payment task abc12345...",
        "[INFO]    Agent wallet balance: 5.00 USDC",
        "[INFO]    Required: 10.00 USDC",
        "[INFO]    Task age: 11m / 10m timeout",
        "[INFO]    ⏰ Task exceeded payment timeout (11 minutes)",
        "[INFO]    ❌ Cancelling task due to timeout...",
        "[INFO]    ✅ Task cancelled successfully"
      ]
    )
  })
})

describe("each kind of line", () => {
  const written = Effect.gen(function* () {
    yield* Log.startup("startup")
    yield* Log.debug("debug")
    yield* Log.info("info")
    yield* Log.success("success")
    yield* Log.mint("mint")
    yield* Log.warn("warn")
    yield* Log.error("error")
  })
  const shown = (level: LogLevel.LogLevel) =>
    Effect.map(linesOf(written, { logLevel: level }), (lines) => lines.map((line) => line.slice(27)))

  test("has its level, and success and mint have their icons", function* () {
    assert.deepStrictEqual(yield* shown("Debug"), [
      "[INFO] startup",
      "[DEBUG] debug",
      "[INFO] info",
      "[INFO] ✅ success",
      "[INFO] 🪙 mint",
      "[WARN] warn",
      "[ERROR] error"
    ])
  })

  test("is shown from its level up, and startup always", function* () {
    assert.deepStrictEqual((yield* shown("Info")).length, 6)
    assert.deepStrictEqual(yield* shown("Warn"), ["[INFO] startup", "[WARN] warn", "[ERROR] error"])
    assert.deepStrictEqual(yield* shown("Error"), ["[INFO] startup", "[ERROR] error"])
    assert.deepStrictEqual(yield* shown("None"), ["[INFO] startup"])
  })

  test("is told apart in json by its name", function* () {
    const lines = yield* linesOf(written, { logFormat: "json" })
    const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind)
    assert.deepStrictEqual(kinds, ["startup", "debug", "info", "success", "mint", "warn", "error"])
  })

  test("takes its icon once, behind the indent and on the first line of a block", function* () {
    const lines = yield* linesOf(
      Effect.all([Log.success("   ✅ Done"), Log.mint(["   Minted 3", "   of 10"]), Log.success([])], {
        discard: true
      })
    )
    assert.deepStrictEqual(
      lines.map((line) => line.slice(34)),
      ["   ✅ Done", "   🪙 Minted 3", "   of 10"]
    )
  })
})

describe("what went wrong", () => {
  const causes = (cause: unknown) =>
    Effect.map(linesOf(Log.warn("Cannot look", { cause })), (lines) => lines.map((line) => line.slice(34)))

  test("stands behind the message, on the same line", function* () {
    assert.deepStrictEqual(yield* causes(Cause.fail("no answer")), ["Cannot look: no answer"])
    assert.deepStrictEqual(yield* causes(new Error("no answer")), ["Cannot look: no answer"])
  })

  test("says where a defect broke, without the frames of the runtime", function* () {
    const [line = ""] = yield* causes(Cause.die(new TypeError("x is undefined")))
    assert.match(line, /^Cannot look: TypeError: x is undefined \(at .*Log\.test\.ts:\d+:\d+\)?\)$/)
  })

  test("is followed down to what the driver says, each thing once", function* () {
    const driver = new Error('relation "x" does not exist')
    const query = new Error("Query failed", { cause: driver })
    assert.deepStrictEqual(yield* causes(new Error("Query failed", { cause: query })), [
      'Cannot look: Query failed: relation "x" does not exist'
    ])
  })

  test("comes on the last line of a block", function* () {
    const lines = yield* linesOf(Log.error(["Task abc", "   could not be read"], { cause: new Error("torn") }))
    assert.match(lines[0] ?? "", /Task abc$/)
    assert.match(lines[1] ?? "", / {3}could not be read: torn$/)
  })
})

describe("a warning about something that lasts", () => {
  test("comes once a minute for each thing that is warned of", function* () {
    const lasting = Effect.gen(function* () {
      for (let second = 0; second < 120; second += 10) {
        yield* Log.warnOnce("rpc", `rpc ${second}`)
        yield* Log.warnOnce("mint", `mint ${second}`)
        yield* TestClock.adjust("10 seconds")
      }
    })
    assert.deepStrictEqual(
      (yield* linesOf(lasting)).map((line) => line.slice(34)),
      ["rpc 0", "mint 0", "rpc 60", "mint 60"]
    )
  })
})

describe("what libraries log", () => {
  test("goes the same way, on one line for each call", function* () {
    const library = Effect.logWarning("pool", { size: 3n }, ["a"], Cause.fail("gone"))
    assert.deepStrictEqual(
      (yield* linesOf(library)).map((line) => line.slice(27)),
      ['[WARN] pool {"size":"3"} ["a"]: gone']
    )
  })

  it.effect.prop("can be any text and stays one line", [Schema.String], ([text]) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* linesOf(Effect.logInfo(text))).length, 1)
    })
  )
})
