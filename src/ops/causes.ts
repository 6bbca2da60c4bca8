import { Cause } from "effect"
import { type Plain, cut } from "./plain.ts"

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

/** The frames of the first defect. An expected failure has none to show: its message says all there is to know. */
export const frames = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => {
  const broken = cause.reasons.find(Cause.isDieReason)?.defect
  if (!(broken instanceof Error)) return []
  return (broken.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at ")).map(cut)
}
