import { Cause, Duration, Option, Redacted, Redactable } from "effect"
import { type Redact, REDACTED } from "./redact.ts"

/** What is left of a value when it is made fit for a log line: nothing that `JSON.stringify` stumbles over. */
export type Loggable = string | number | boolean | null | ReadonlyArray<Loggable> | { readonly [key: string]: Loggable }

/** Bounds on what one field may print: a log line is for reading, and a row or an answer may be of any size. */
const DEPTH_MAX = 6
const ITEMS_MAX = 50
const CHARS_MAX = 2_000

/** Values under such names are secrets in any object. (`token` is not among them: it is an address here.) */
const SECRET_NAME = /passw|secret|private_?key|encryption_?key|api_?key|mnemonic/i

/** Cut to what a line bears, and only after redaction: half a secret would no longer be recognised. */
export const cutText = (text: string): string =>
  text.length <= CHARS_MAX ? text : `${text.slice(0, CHARS_MAX).toWellFormed()}… (${text.length - CHARS_MAX} more)`

/** Fields of a log line, by name. */
export type LoggableFields = Readonly<Record<string, Loggable>>

/** Makes any value fit for the log, and never throws: a log line about a broken thing must not break something else. */
export type ToLoggable = (value: unknown) => Loggable

export const makeToLoggable = (
  redact: Redact
): {
  readonly toLoggable: ToLoggable
  readonly toFields: (values: Readonly<Record<string, unknown>>) => LoggableFields
} => {
  const text = (value: string): string => cutText(redact(value))

  const list = (values: Iterable<unknown>, within: Path): Loggable => {
    const all = [...values]
    const shown = all.slice(0, ITEMS_MAX).map((item) => visit(item, within))
    return all.length > ITEMS_MAX ? [...shown, `… (${all.length - ITEMS_MAX} more)`] : shown
  }

  const record = (entries: ReadonlyArray<readonly [unknown, unknown]>, within: Path): LoggableFields => {
    const shown = entries.slice(0, ITEMS_MAX).map(([key, value]): [string, Loggable] => {
      const name = text(String(key))
      return [name, SECRET_NAME.test(name) ? REDACTED : visit(value, within)]
    })
    const more = entries.length - shown.length
    return Object.fromEntries(more > 0 ? [...shown, ["…", `${more} more`]] : shown)
  }

  const structure = (value: object, within: Path): Loggable => {
    if (value instanceof Error) return record(errorEntries(value), within)
    if (value instanceof Map) return record([...value], within)
    if (value instanceof Set || Array.isArray(value)) return list(value, within)
    if ("toJSON" in value && typeof value.toJSON === "function") return visit(value.toJSON(), within)
    return record(Object.entries(value), within)
  }

  const object = (value: object, within: Path): Loggable => {
    if (Redacted.isRedacted(value)) return REDACTED
    if (within.includes(value)) return "[circular]"
    if (within.length >= DEPTH_MAX) return "[deep]"
    const inside = [...within, value]
    if (Redactable.isRedactable(value)) return visit(Redactable.redact(value), inside)
    if (Option.isOption(value)) return Option.isSome(value) ? visit(value.value, inside) : null
    if (Duration.isDuration(value)) return Duration.toMillis(value)
    if (Cause.isCause(value)) return text(Cause.pretty(value))
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[no date]" : value.toISOString()
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
    return structure(value, inside)
  }

  const visit = (value: unknown, within: Path): Loggable => {
    if (value === null || value === undefined) return null
    if (typeof value === "boolean") return value
    if (typeof value === "function") return "[function]"
    if (typeof value !== "object") return primitive(value, text)
    try {
      return object(value, within)
    } catch {
      return "[unreadable]"
    }
  }

  return { toLoggable: (value) => visit(value, []), toFields: (values) => record(Object.entries(values), []) }
}

/** The objects around a value, outermost first. */
type Path = ReadonlyArray<object>

/** A number stays one, unless it is a secret in digits or nothing that JSON has. */
const primitive = (value: unknown, text: (value: string) => string): Loggable => {
  const shown = text(String(value))
  return typeof value === "number" && Number.isFinite(value) && shown === String(value) ? value : shown
}

const errorEntries = (error: Error): ReadonlyArray<readonly [string, unknown]> => {
  const own = Object.entries(error).filter(([name]) => !["name", "message", "stack", "cause"].includes(name))
  const cause = error.cause === undefined ? [] : [["cause", error.cause] as const]
  return [["name", error.name], ["message", error.message], ...own, ...cause]
}
