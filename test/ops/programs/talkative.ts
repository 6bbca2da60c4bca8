import { Effect, Layer } from "effect"
import { Settings } from "../../../src/config/Settings.ts"
import * as Log from "../../../src/ops/Log.ts"
import { layer } from "../../../src/ops/Logger.ts"
import { settings } from "../fixtures.ts"

/** Far more than a pipe holds. */
const LINES = 5_000

const main = Effect.gen(function* () {
  for (let line = 0; line < LINES; line++) yield* Log.info(`line ${line}`)
  yield* Effect.yieldNow
  process.stderr.write("finished\n")
})

Effect.runFork(Effect.provide(main, Layer.provide(layer, Layer.succeed(Settings, settings))))
