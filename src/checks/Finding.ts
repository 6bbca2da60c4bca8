import { Effect } from "effect"
import type { Problem } from "../domain/requirements.ts"

/** How bad it is. `warn`: the executor works, or could. `fail`: it does not start, or cannot do a part of its work. */
export type FindingLevel = "ok" | "warn" | "fail"

/** The part that is checked. */
export type Area = "settings" | "sandbox" | "database" | "keys" | "chain" | "mint server" | "executor"

/** One thing that was checked, and what was found. Holds no secret. */
export interface Finding {
  readonly area: Area
  /** A few words, the same at every run: `migrations`. */
  readonly what: string
  readonly level: FindingLevel
  readonly detail: string
  /** What an operator does about it; never there where all is well. */
  readonly remedy?: string
}

/** The report of `ai-mint doctor`. */
export interface Diagnosis {
  readonly command: "doctor"
  /** Always in the same order, not in that in which the checks ended. */
  readonly findings: ReadonlyArray<Finding>
}

interface Fact {
  readonly what: string
  readonly detail: string
}

/** Makes the findings of one area. */
export const reportOn = (area: Area) => ({
  ok: (fact: Fact): Finding => ({ area, level: "ok", ...fact }),
  warn: (problem: Problem): Finding => ({ area, level: "warn", ...problem }),
  fail: (problem: Problem): Finding => ({ area, level: "fail", ...problem })
})
type MakeFindings = ReturnType<typeof reportOn>

/** The worst level: decides the exit code. */
export const worst = (findings: ReadonlyArray<Finding>): FindingLevel => {
  const has = (level: FindingLevel) => findings.some((finding) => finding.level === level)
  if (has("fail")) return "fail"
  return has("warn") ? "warn" : "ok"
}

/** What a check is called, and the remedy where it cannot be made. */
export interface CheckOptions {
  readonly report: MakeFindings
  readonly what: string
  /** What an operator does where it fails. */
  readonly remedy: string
}

export type Findings = ReadonlyArray<Finding>

/** What a check found, or why it could not be made: a check that breaks is a finding, and never the end of the others. */
export const attempt = <E extends { readonly message: string; readonly remedy?: string }, R>(
  { report, what, remedy }: CheckOptions,
  check: Effect.Effect<Findings, E, R>
): Effect.Effect<Findings, never, R> => {
  // The error may know better what to do.
  const failed = (error: E): Findings => [report.fail({ what, detail: error.message, remedy: error.remedy ?? remedy })]
  return check.pipe(
    Effect.catch((error) => Effect.succeed(failed(error))),
    Effect.catchDefect((defect) => Effect.succeed([broken({ report, what }, defect)]))
  )
}

/** A defect of this program is a finding too. */
export const broken = ({ report, what }: Pick<CheckOptions, "report" | "what">, defect: unknown): Finding =>
  report.fail({
    what,
    detail: `the check itself broke: ${String(defect).split("\n", 1)[0] ?? ""}`,
    remedy: "This is a fault of ai-mint: report it with this line."
  })
