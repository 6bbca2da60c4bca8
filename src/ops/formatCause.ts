import { Cause } from "effect"
import type { ToLoggable } from "./toLoggable.ts"

/** How far down the causes of an error are followed. Drivers give the real cause two or three levels down. */
const DEPTH_MAX = 5

const messageOf = (error: unknown, toLoggable: ToLoggable): string => {
  if (typeof error === "string") return error
  if (error instanceof Error) return error.message === "" ? error.name : error.message
  return JSON.stringify(toLoggable(error))
}

/** What caused an error: its `cause`, or the `reason` in which Effect's own errors keep theirs. */
const causeBelow = (error: unknown): unknown => {
  if (typeof error !== "object" || error === null) return undefined
  if ("cause" in error && error.cause !== undefined) return error.cause
  return "reason" in error && error.reason instanceof Object ? error.reason : undefined
}

/** The messages of an error and of what caused it, each message once: `Query failed: relation "x" is not there`. */
const chain = (error: unknown, toLoggable: ToLoggable): string => {
  let text = ""
  let current = error
  for (let depth = 0; depth < DEPTH_MAX && current !== undefined; depth++) {
    const message = messageOf(current, toLoggable)
    if (!text.includes(message)) text = text === "" ? message : `${text}: ${message}`
    current = causeBelow(current)
  }
  return text
}

const reasonOf = (reason: Cause.Reason<unknown>, toLoggable: ToLoggable): string => {
  if (Cause.isFailReason(reason)) return chain(reason.error, toLoggable)
  if (Cause.isInterruptReason(reason)) return "interrupted"
  const name = reason.defect instanceof Error ? reason.defect.name : "defect"
  return `${name}: ${chain(reason.defect, toLoggable)}`
}

/** Everything that went wrong, on one line and without stacks; undefined where nothing did. */
export const formatCause = (cause: Cause.Cause<unknown>, toLoggable: ToLoggable): string | undefined => {
  const reasons = new Set(cause.reasons.map((reason) => reasonOf(reason, toLoggable)))
  return reasons.size === 0 ? undefined : [...reasons].join("; ")
}

const FRAMES_MAX = 10

/** Frames of the runtime, which are the same below every defect. */
const isOfRuntime = (frame: string): boolean => /[\\/]node_modules[\\/]@?effect[\\/]|node:|\(<anonymous>\)/.test(frame)

/** Where the first defect came from, innermost first. An expected failure has no frames: its message says it all. */
export const framesOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => {
  const defect = cause.reasons.find(Cause.isDieReason)?.defect
  if (!(defect instanceof Error) || typeof defect.stack !== "string") return []
  const all = defect.stack.split("\n").map((line) => line.trim())
  return all.filter((line) => line.startsWith("at ") && !isOfRuntime(line)).slice(0, FRAMES_MAX)
}
