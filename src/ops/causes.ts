import { Cause } from "effect"
import type { Plain } from "./plain.ts"

/** How far down the causes of an error are followed. Drivers say what happened two or three levels down. */
const DEPTH_MAX = 5

const messageOf = (error: unknown, plain: (value: unknown) => Plain): string => {
  if (typeof error === "string") return error
  if (error instanceof Error) return error.message === "" ? error.name : error.message
  return JSON.stringify(plain(error))
}

/** What an error is about in turn: its `cause`, or the `reason` in which Effect's own errors keep theirs. */
const below = (error: unknown): unknown => {
  if (typeof error !== "object" || error === null) return undefined
  if ("cause" in error && error.cause !== undefined) return error.cause
  return "reason" in error && error.reason instanceof Object ? error.reason : undefined
}

/** The messages of an error and of what caused it, each thing said once: `Query failed: relation "x" is not there`. */
const chain = (error: unknown, plain: (value: unknown) => Plain): string => {
  let said = ""
  let current = error
  for (let depth = 0; depth < DEPTH_MAX && current !== undefined; depth++) {
    const message = messageOf(current, plain)
    if (!said.includes(message)) said = said === "" ? message : `${said}: ${message}`
    current = below(current)
  }
  return said
}

const reasonOf = (reason: Cause.Reason<unknown>, plain: (value: unknown) => Plain): string => {
  if (Cause.isFailReason(reason)) return chain(reason.error, plain)
  if (Cause.isInterruptReason(reason)) return "interrupted"
  const name = reason.defect instanceof Error ? reason.defect.name : "defect"
  return `${name}: ${chain(reason.defect, plain)}`
}

/** Everything that went wrong, on one line and without stacks; undefined where nothing did. */
export const brief = (cause: Cause.Cause<unknown>, plain: (value: unknown) => Plain): string | undefined => {
  const reasons = new Set(cause.reasons.map((reason) => reasonOf(reason, plain)))
  return reasons.size === 0 ? undefined : [...reasons].join("; ")
}

const FRAMES_MAX = 10

/** Frames of the runtime: the same ones below whatever broke. */
const isOfRuntime = (frame: string): boolean => /[\\/]node_modules[\\/]@?effect[\\/]|node:|\(<anonymous>\)/.test(frame)

/** Where the first defect came from, innermost first. An expected failure has no frames: its message says it all. */
export const frames = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => {
  const defect = cause.reasons.find(Cause.isDieReason)?.defect
  if (!(defect instanceof Error) || typeof defect.stack !== "string") return []
  const all = defect.stack.split("\n").map((line) => line.trim())
  return all.filter((line) => line.startsWith("at ") && !isOfRuntime(line)).slice(0, FRAMES_MAX)
}
