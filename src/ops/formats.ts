import { styleText } from "node:util"
import type { LogFormat } from "../config/Settings.ts"
import { UNPRINTABLE } from "../domain/text.ts"
import type { Kind } from "./Log.ts"
import type { Loggable, LoggableFields } from "./toLoggable.ts"

export type Level = "DEBUG" | "INFO" | "WARN" | "ERROR"

/** A record without secrets; its texts may still hold control characters of other programs. */
export interface Entry {
  readonly date: Date
  readonly level: Level
  readonly kind: Kind
  /** Never empty. */
  readonly lines: ReadonlyArray<string>
  readonly fields: LoggableFields
  /** What went wrong, on one line. */
  readonly cause: string | undefined
  /** Where a defect came from; empty where there is none. */
  readonly stack: ReadonlyArray<string>
}

/** The lines that an entry becomes, without line ends. */
export type Format = (entry: Entry) => ReadonlyArray<string>

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

/** Shows control characters as the escapes that they have in JSON. */
export const visible = (text: string): string =>
  text.replace(UNPRINTABLE, (char) => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** The lines of an entry with its cause behind the last one, as it explains how the block ended. */
const withCause = (entry: Entry, cause: string | undefined): ReadonlyArray<string> =>
  entry.lines.map((line, index) => {
    const isLast = index === entry.lines.length - 1
    return visible(isLast && cause !== undefined ? `${line}${line === "" ? "" : ": "}${cause}` : line)
  })

/** The format of v1.1, to the letter. A defect also names its place, as this format has no stack. */
const text: Format = (entry) => {
  const [place] = entry.stack
  const cause = place === undefined ? entry.cause : `${entry.cause} (${place})`
  return withCause(entry, cause).map((line) => `[${entry.date.toISOString()}] [${entry.level}] ${line}`)
}

const COLOURS = { DEBUG: "gray", INFO: "green", WARN: "yellow", ERROR: "red" } as const

/** For a terminal: UTC time of day, the fields dimmed behind the first line, a defect's stack below the last. */
const pretty =
  (colour: boolean): Format =>
  (entry) => {
    const paint = (style: Parameters<typeof styleText>[0], part: string): string =>
      colour && part !== "" ? styleText(style, part, { validateStream: false }) : part
    const time = paint("dim", entry.date.toISOString().slice(11, 23))
    const level = paint(COLOURS[entry.level], entry.level.padEnd(5))
    const pairs = Object.entries(entry.fields).map((pair) => pairOf(...pair))
    const fields = pairs.length === 0 ? "" : `  ${paint("dim", pairs.join(" "))}`
    const lines = withCause(entry, entry.cause).map(
      (line, index) => `${time} ${level} ${line}${index === 0 ? fields : ""}`
    )
    return [...lines, ...entry.stack.map((frame) => paint("dim", `    ${visible(frame)}`))]
  }

/** Names that the line itself needs; a field of such a name gets an underscore. */
const RESERVED = new Set(["ts", "level", "kind", "message", "cause", "stack"])

const structured = (entry: Entry, message: string): LoggableFields => {
  const line: Record<string, Loggable> = { ts: entry.date.toISOString(), level: entry.level, kind: entry.kind, message }
  for (const [name, value] of Object.entries(entry.fields)) line[RESERVED.has(name) ? `${name}_` : name] = value
  if (entry.cause !== undefined) line["cause"] = entry.cause
  if (entry.stack.length > 0) line["stack"] = entry.stack.join("\n")
  return line
}

const json: Format = (entry) => entry.lines.map((message) => visible(JSON.stringify(structured(entry, message))))

const pairOf = (name: string, value: Loggable): string => {
  const shown = typeof value === "string" ? value : JSON.stringify(value)
  const quoted = shown === "" || /[\s="\\]/.test(shown) ? JSON.stringify(shown) : shown
  return visible(`${name.replace(/[\s="\\]/g, "_")}=${quoted}`)
}

const logfmt: Format = (entry) =>
  entry.lines.map((message) =>
    Object.entries(structured(entry, message))
      .map((pair) => pairOf(...pair))
      .join(" ")
  )

export const formatOf = (name: LogFormat, options: { readonly colour: boolean }): Format =>
  ({ text, pretty: pretty(options.colour), json, logfmt })[name]
