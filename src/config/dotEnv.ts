import { Config, ConfigProvider, Effect, FileSystem, type Layer, Option } from "effect"
import { BadSettings } from "./Settings.ts"

/** In the working directory. */
const PATH = ".env"

/**
 * Adds `.env` to the settings of the environment. What the environment sets (to more than nothing) wins, so that an
 * operator can override one key for one run. No such file is fine; one that cannot be read is not, as the settings in
 * it would silently be missing.
 */
const content = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return yield* files
    .readFileString(PATH)
    .pipe(
      Effect.catchTag("PlatformError", (error) =>
        error.reason._tag === "NotFound"
          ? Effect.succeed("")
          : Effect.fail(new BadSettings({ problems: [`${PATH}: the file is there and cannot be read`] }))
      )
    )
})

export const layer: Layer.Layer<never, BadSettings, FileSystem.FileSystem> = ConfigProvider.layerAdd(
  Effect.map(content, (text) => ConfigProvider.fromDotEnvContents(text))
)

const KEY = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/gm

/**
 * The keys of `.env` that the environment sets to something else, which then counts. That is meant, or it is what a
 * supervisor remembers of the shell that it was first started from. Nothing where the file cannot be read.
 */
export const overridden: Effect.Effect<ReadonlyArray<string>, never, FileSystem.FileSystem> = Effect.gen(function* () {
  const text = yield* Effect.orElseSucceed(content, () => "")
  const environment = yield* ConfigProvider.ConfigProvider
  const file = ConfigProvider.fromDotEnvContents(text)
  const keys = [...new Set([...text.matchAll(KEY)].map(([, key = ""]) => key))]
  const differs = (key: string) => {
    const read = (provider: ConfigProvider.ConfigProvider) =>
      Effect.map(
        Effect.option(Config.String(key).parse(provider)),
        Option.getOrElse(() => "")
      )
    return Effect.map(Effect.all([read(environment), read(file)]), ([set, written]) => set !== "" && set !== written)
  }
  return yield* Effect.filter(keys, differs)
})
