import { Effect, Layer, Logger, type LogLevel, References } from "effect"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { formatCause, framesOf } from "./formatCause.ts"
import { type Entry, formatOf, type Level } from "./formats.ts"
import { CurrentKind, CurrentRepeats, type Kind, makeRepeats } from "./Log.ts"
import { cutText, makeToLoggable } from "./toLoggable.ts"
import { makeRedact } from "./redact.ts"

/** Where the log goes. */
export interface Sink {
  /** Takes whole lines, each with its line end. Must not throw. */
  readonly write: (lines: string) => void
  /** Whether `pretty` may use colours. */
  readonly colour: boolean
}

const LEVELS: Record<LogLevel.LogLevel, Level> = {
  All: "INFO",
  Trace: "DEBUG",
  Debug: "DEBUG",
  Info: "INFO",
  Warn: "WARN",
  Error: "ERROR",
  Fatal: "ERROR",
  None: "INFO"
}

const KINDS: Record<Level, Kind> = { DEBUG: "debug", INFO: "info", WARN: "warn", ERROR: "error" }

/** Makes an entry of what Effect hands to a logger, with every secret redacted. */
const makeRead = (settings: SettingsShape): ((options: Logger.Options<unknown>) => Entry) => {
  const redact = makeRedact(settings)
  const { toLoggable, toFields } = makeToLoggable(redact)
  const clean = (text: string): string => cutText(redact(text))
  const word = (part: unknown): string => (typeof part === "string" ? part : JSON.stringify(toLoggable(part)))

  const fieldsOf = ({ fiber, date }: Logger.Options<unknown>): Entry["fields"] => {
    const given = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
    const spans = fiber
      .getRef(References.CurrentLogSpans)
      .map(([label, since]) => [`${label}_ms`, date.getTime() - since])
    return toFields(Object.fromEntries([...given.filter(([, value]) => value !== undefined), ...spans]))
  }

  return (options) => {
    const { cause, date, fiber, logLevel, message } = options
    const level = LEVELS[logLevel]
    const kind = fiber.getRef(CurrentKind)
    const parts = (Array.isArray(message) ? message : [message]).map(word)
    const summary = formatCause(cause, toLoggable)
    return {
      date,
      level,
      kind: kind ?? KINDS[level],
      lines: (kind === undefined ? [parts.join(" ")] : parts).map(clean),
      fields: fieldsOf(options),
      cause: summary === undefined ? undefined : clean(summary),
      stack: framesOf(cause).map(clean)
    }
  }
}

/** What stands for a record that cannot be read. */
const unprintable = ({ date, logLevel }: Logger.Options<unknown>): Entry => {
  const level = LEVELS[logLevel]
  const lines = ["(a log line that cannot be printed)"]
  return { date, level, kind: KINDS[level], lines, fields: {}, cause: undefined, stack: [] }
}

/** The one logger of the process, for the sink that it is given. All that Effect and libraries log goes through it. */
export const layerTo = (sink: Sink): Layer.Layer<never, never, Settings> =>
  Layer.unwrap(
    Effect.map(Settings, (settings) => {
      const format = formatOf(settings.logFormat, sink)
      const read = makeRead(settings)
      const linesOf = (options: Logger.Options<unknown>): ReadonlyArray<string> => {
        try {
          return format(read(options))
        } catch {
          // An error whose message cannot even be asked for. It must not become a defect of the code that logs it.
          return format(unprintable(options))
        }
      }
      const logger = Logger.make<unknown, void>((options) => {
        sink.write(`${linesOf(options).join("\n")}\n`)
      })
      return Layer.mergeAll(
        Logger.layer([logger]),
        Layer.succeed(References.MinimumLogLevel, settings.logLevel),
        Layer.effect(CurrentRepeats, makeRepeats)
      )
    })
  )

const ignoreError = (): void => {}

/**
 * stdout, which pm2 puts into its log file. A reader that went away (`| head`, a full disk) costs the log and not the
 * executor, which may just be paying for something: without a listener, Node would end the process on the error.
 */
const stdout: Effect.Effect<Sink> = Effect.sync(() => {
  if (!process.stdout.listeners("error").includes(ignoreError)) process.stdout.on("error", ignoreError)
  return {
    write: (lines) => {
      process.stdout.write(lines)
    },
    // Knows NO_COLOR, FORCE_COLOR and dumb terminals. It is missing where stdout is no terminal.
    colour: process.stdout.isTTY === true && process.stdout.hasColors()
  }
})

export const layer: Layer.Layer<never, never, Settings> = Layer.unwrap(Effect.map(stdout, layerTo))
