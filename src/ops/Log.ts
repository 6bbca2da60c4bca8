import { Cause, Context, Effect, type LogLevel, References } from "effect"
import { makeThrottle, type Throttle } from "./Throttle.ts"

/** The kinds of line that v1.1 has. `success` and `mint` are INFO with an icon of their own. */
export type Kind = "startup" | "info" | "debug" | "success" | "mint" | "warn" | "error"

/** One line, or the lines of a block, which stay together. A line break inside a line is printed as `\n`. */
export type Message = string | ReadonlyArray<string>

/**
 * What a line is about (`task`, `wallet`, `batch`, `tx`, `attempt`, …), for `json` and `logfmt`. A `cause` (an error
 * or a `Cause`) is shown in every format.
 */
export interface Fields {
  readonly [name: string]: unknown
  readonly cause?: unknown
}

/**
 * The kind of the record that is being written; undefined where a library writes through `Effect.log`. Where it is
 * set, every part of the message is a line of its own.
 */
export const CurrentKind = Context.Reference<Kind | undefined>("ai-mint-executor/ops/Log/CurrentKind", {
  defaultValue: () => undefined
})

/** Puts the icon of a kind at the start of a line, behind the indent of a line in a block, and not twice. */
const withIcon = (icon: string, line: string): string =>
  line.trimStart().startsWith(icon) ? line : line.replace(/^\s*/, (indent) => `${indent}${icon} `)

const asLines = (message: Message): ReadonlyArray<string> => (typeof message === "string" ? [message] : message)

const asCause = (cause: unknown): ReadonlyArray<Cause.Cause<unknown>> => {
  if (cause === undefined) return []
  return [Cause.isCause(cause) ? cause : Cause.fail(cause)]
}

const write =
  (kind: Kind, level: LogLevel.Severity, icon?: string) =>
  (message: Message, fields: Fields = {}): Effect.Effect<void> => {
    const { cause, ...annotations } = fields
    const [first, ...rest] = asLines(message)
    if (first === undefined) return Effect.void
    const opening = icon === undefined ? first : withIcon(icon, first)
    return Effect.logWithLevel(level)(opening, ...rest, ...asCause(cause)).pipe(
      Effect.annotateLogs(annotations),
      Effect.provideService(CurrentKind, kind)
    )
  }

const always = write("startup", "Info")

/** Shown at every level, even at SILENT: what was started, with what, and how it ended. */
export const startup = (message: Message, fields?: Fields): Effect.Effect<void> =>
  Effect.provideService(always(message, fields), References.MinimumLogLevel, "All")

export const debug = write("debug", "Debug")
export const info = write("info", "Info")
export const success = write("success", "Info", "✅")
export const mint = write("mint", "Info", "🪙")
export const warn = write("warn", "Warn")
export const error = write("error", "Error")

/** How often the same warning may be logged: a condition that lasts for hours stays visible and does not fill a disk. */
const REPEAT_EVERY = "1 minute"

/** More different warnings than this in a minute have one large cause, which operators see by then. */
const REPEATED_MAX = 256

/** Limits repeated warnings. The logger's layer brings it; without that layer nothing is limited. */
export const CurrentRepeats = Context.Reference<Throttle>("ai-mint-executor/ops/Log/CurrentRepeats", {
  defaultValue: () => () => Effect.succeed(true)
})

export const makeRepeats = makeThrottle({ every: REPEAT_EVERY, capacity: REPEATED_MAX })

/** A warning about a condition that comes again at every tick: at most once a minute for each `key`. */
export const warnOnce = Effect.fnUntraced(function* (key: string, message: Message, fields?: Fields) {
  const mayRepeat = yield* CurrentRepeats
  if (yield* mayRepeat(key)) yield* warn(message, fields)
})

/** The same for a condition that an operator has to act on. */
export const errorOnce = Effect.fnUntraced(function* (key: string, message: Message, fields?: Fields) {
  const mayRepeat = yield* CurrentRepeats
  if (yield* mayRepeat(key)) yield* error(message, fields)
})
