import { ConfigProvider, Effect, FileSystem, type Layer } from "effect"
import { BadSettings } from "./Settings.ts"

/** In the working directory. */
const PATH = ".env"

/**
 * Adds `.env` to the settings of the environment. What the environment sets (to more than nothing) wins, so that an
 * operator can override one key for one run. No such file is fine; one that cannot be read is not, as the settings in
 * it would silently be missing.
 */
export const layer: Layer.Layer<never, BadSettings, FileSystem.FileSystem> = ConfigProvider.layerAdd(
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const content = yield* files
      .readFileString(PATH)
      .pipe(
        Effect.catchTag("PlatformError", (error) =>
          error.reason._tag === "NotFound"
            ? Effect.succeed("")
            : Effect.fail(new BadSettings({ problems: [`${PATH}: the file is there and cannot be read`] }))
        )
      )
    return ConfigProvider.fromDotEnvContents(content)
  })
)
