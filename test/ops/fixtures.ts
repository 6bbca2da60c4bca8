import { Effect, Layer, Redacted } from "effect"
import { baseSepolia } from "../../src/config/Network.ts"
import { type LogFormat, Settings, type SettingsShape } from "../../src/config/Settings.ts"
import { layerTo } from "../../src/ops/Logger.ts"
import { defaults } from "../support/settings.ts"

export const settings: SettingsShape = {
  ...defaults,
  network: baseSepolia,
  production: true,
  rpcUrls: [Redacted.make("https://sepolia.base.org")],
  serverUrl: "http://localhost:4021",
  agentEncryptionKey: undefined
}

export const formats: ReadonlyArray<LogFormat> = ["text", "pretty", "json", "logfmt"]

/** What a program writes to its log, as it arrives at stdout. */
export const outputOf = <E>(
  program: Effect.Effect<unknown, E>,
  changes: Partial<SettingsShape> = {},
  colour = false
): Effect.Effect<string, E> =>
  Effect.suspend(() => {
    let output = ""
    const write = (lines: string): void => {
      output += lines
    }
    const log = layerTo({ write, colour }).pipe(Layer.provide(Layer.succeed(Settings, { ...settings, ...changes })))
    return program.pipe(
      Effect.provide(log, { local: true }),
      Effect.map(() => output)
    )
  })

/** The same as lines, without the end of the last one. */
export const linesOf = <E>(
  program: Effect.Effect<unknown, E>,
  changes: Partial<SettingsShape> = {}
): Effect.Effect<ReadonlyArray<string>, E> =>
  Effect.map(outputOf(program, changes), (output) => (output === "" ? [] : output.replace(/\n$/, "").split("\n")))
