/** How bad it is. `warn`: the executor works, or could. `fail`: it does not start, or cannot do a part of its work. */
export type Level = "ok" | "warn" | "fail"

/** What was looked at. */
export type Area = "settings" | "sandbox" | "database" | "keys" | "chain" | "mint server" | "executor"

/** One thing that was looked at, and what was seen. Holds no secret. */
export interface Finding {
  readonly area: Area
  /** A few words, the same at every look: `migrations`. */
  readonly what: string
  readonly level: Level
  readonly detail: string
  /** What an operator does about it; never there where all is well. */
  readonly remedy?: string
}

/** The report of `ai-mint doctor`. */
export interface Diagnosis {
  readonly command: "doctor"
  /** Always in the same order, whichever look was the quickest. */
  readonly findings: ReadonlyArray<Finding>
}

interface Seen {
  readonly what: string
  readonly detail: string
}

interface Trouble extends Seen {
  readonly remedy: string
}

/** Makes the findings of one area. */
export const sayerOf = (area: Area) => ({
  ok: (seen: Seen): Finding => ({ area, level: "ok", ...seen }),
  warn: (trouble: Trouble): Finding => ({ area, level: "warn", ...trouble }),
  fail: (trouble: Trouble): Finding => ({ area, level: "fail", ...trouble })
})
export type Sayer = ReturnType<typeof sayerOf>

/** The worst that was seen: decides the exit code. */
export const worst = (findings: ReadonlyArray<Finding>): Level => {
  const has = (level: Level) => findings.some((finding) => finding.level === level)
  if (has("fail")) return "fail"
  return has("warn") ? "warn" : "ok"
}
