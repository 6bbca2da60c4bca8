/**
 * - `holds`: what the proof says is so.
 * - `false`: it is not so.
 * - `unknown`: no node gave what is needed to decide it.
 */
export type Result = "holds" | "false" | "unknown"

/** One thing that was looked at. */
export interface Check {
  readonly what: string
  readonly result: Result
  /** Why it does not hold, or is not known. */
  readonly why?: string
}

export const holds = (what: string): Check => ({ what, result: "holds" })

/** False for each of these reasons; holds where there is none. */
export const falseIf = (what: string, reasons: ReadonlyArray<string>): Check =>
  reasons.length === 0 ? holds(what) : { what, result: "false", why: shortened(reasons) }

export const unknown = (what: string, why: string): Check => ({ what, result: "unknown", why })

/** A forged proof may be wrong a thousand times. */
const REASONS_MAX = 3

const shortened = (reasons: ReadonlyArray<string>): string => {
  const rest = reasons.length - REASONS_MAX
  return [...reasons.slice(0, REASONS_MAX), ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ")
}

/** The worst of them: what is false outweighs what is not known. */
export const overall = (checks: ReadonlyArray<Check>): Result => {
  const results = new Set(checks.map(({ result }) => result))
  return results.has("false") ? "false" : results.has("unknown") ? "unknown" : "holds"
}
