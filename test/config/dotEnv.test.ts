import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { TestConsole } from "effect/testing"
import { overridden } from "../../src/config/dotEnv.ts"
import { layer } from "../../src/config/load.ts"
import { Settings } from "../../src/config/Settings.ts"
import { disk, type Env, onBase } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** The settings of a process with this environment in a directory with this `.env`. */
const start = (env: Env, dotEnv: Record<string, string | undefined>) =>
  Effect.provide(
    Settings,
    layer({ terminal: false }).pipe(
      Layer.provide([ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)), disk(dotEnv)])
    )
  )

describe("a .env file in the working directory", () => {
  test("adds to what the environment sets", function* () {
    const lines = Object.entries(onBase).map(([key, value]) => `${key}="${value}"`)
    const settings = yield* start({ MAX_BATCH_SIZE: "7" }, { ".env": ["# Base", ...lines, ""].join("\n") })
    assert.strictEqual(settings.network.name, "base")
    assert.strictEqual(settings.maxBatchSize, 7)
    assert.strictEqual(Redacted.value(settings.databaseUrl ?? assert.fail()), onBase.DATABASE_URL)
  })

  test("gives way to the environment", function* () {
    const settings = yield* start({ MAX_RETRY_COUNT: "5" }, { ".env": "MAX_RETRY_COUNT=8\nMAX_BATCH_SIZE=4" })
    assert.deepStrictEqual([settings.maxRetryCount, settings.maxBatchSize], [5, 4])
  })

  test("is heard where the environment has the key and nothing in it", function* () {
    assert.strictEqual((yield* start({ MAX_RETRY_COUNT: "" }, { ".env": "MAX_RETRY_COUNT=8" })).maxRetryCount, 8)
  })

  test("that the environment contradicts is named by its keys, and by no value", function* () {
    const env = { OPS_TOKEN: "old", MAX_BATCH_SIZE: "7", MAX_RETRY_COUNT: "", LOG_LEVEL: "INFO", HOME: "/root" }
    const text =
      '# OPS_PORT=1\nOPS_TOKEN=new\nexport MAX_BATCH_SIZE="7"\nMAX_RETRY_COUNT=4\nLOG_LEVEL=debug\nSERVER_URL=x\n'
    const keys = (files: Record<string, string | undefined>) =>
      Effect.provide(overridden, [ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)), disk(files)])
    assert.deepStrictEqual(yield* keys({ ".env": text }), ["OPS_TOKEN", "LOG_LEVEL"])
    assert.deepStrictEqual(yield* keys({}), [])
    assert.deepStrictEqual(yield* keys({ ".env": undefined }), [])
  })

  test("need not be there", function* () {
    assert.strictEqual((yield* start({}, {})).network.name, "local")
  })

  test("stops the start when it is there and cannot be read, as what it sets would be missing", function* () {
    const error = yield* Effect.flip(start({}, { ".env": undefined }))
    assert.deepStrictEqual(error.problems, [".env: the file is there and cannot be read"])
  })
})

describe("settings that do not let the executor start", () => {
  test("are reported once, on stderr, and nothing else is printed", function* () {
    const error = yield* Effect.flip(start({ MAX_BATCH_SIZE: "0" }, {}))
    assert.deepStrictEqual(yield* TestConsole.errorLines, [error.message])
    assert.deepStrictEqual(yield* TestConsole.logLines, [])
  })
})
