import { type Diagnosis, type Finding, type FindingLevel, worst } from "../../checks/Finding.ts"
import type { MigrationReport } from "../../checks/migrations.ts"
import { counted } from "../../domain/text.ts"
import { hang } from "./text.ts"

const ICONS: Record<FindingLevel, string> = { ok: "✅", warn: "⚠️", fail: "❌" }

/** The longest area, and room for the name of the check. */
const AREA_COLUMNS = 11
const WHAT_COLUMNS = 15

/** `ai-mint doctor`: a line for each finding, what to do below it, and the sum. */
export const doctorWords = ({ findings }: Diagnosis): ReadonlyArray<string> => [
  ...findings.flatMap(linesOf),
  "",
  summary(findings)
]

const linesOf = ({ area, what, level, detail, remedy }: Finding): ReadonlyArray<string> => [
  ...hang(`${ICONS[level]} ${area.padEnd(AREA_COLUMNS)} ${what.padEnd(WHAT_COLUMNS)} `, detail),
  ...(remedy === undefined ? [] : hang("   → ", remedy))
]

const summary = (findings: ReadonlyArray<Finding>): string => {
  const level = worst(findings)
  if (level === "ok") return `✅ All is well (${findings.length} checks)`
  const count = (of: FindingLevel) => findings.filter((finding) => finding.level === of).length
  const counts = [
    { count: count("fail"), words: `${counted(count("fail"), "thing")} to repair` },
    { count: count("warn"), words: `${count("warn")} to think about` }
  ].filter((one) => one.count > 0)
  return `${ICONS[level]} ${[...counts.map(({ words }) => words), `${count("ok")} well`].join(", ")}`
}

/** `ai-mint migrate`. */
export const migrationWords = ({ applied, pending, unknown, did }: MigrationReport): ReadonlyArray<string> => {
  if (unknown.length > 0) {
    return [
      ...unknown.map((name) => `❌ ${name} is not known here`),
      "A newer program has been at this database: install that version again. Nothing was done."
    ]
  }
  if (pending.length === 0) return [`✅ The database is up to date: ${applied.at(-1) ?? "no migration"}`]
  if (did) return [...pending.map((name) => `✅ ${name} applied`), "The database is up to date."]
  return [
    ...pending.map((name) => `   ${name} to do`),
    "Nothing was done. ai-mint migrate does all of it, and so does the next start of the executor."
  ]
}
