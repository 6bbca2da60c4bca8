import { type Diagnosis, type Finding, type FindingLevel, worst } from "./Finding.ts"

const ICONS: Record<FindingLevel, string> = { ok: "✅", warn: "⚠️", fail: "❌" }

/** The width of a line in a terminal. An icon takes two columns. */
const COLUMNS_MAX = 100
const ICON_COLUMNS = 2

/** The longest area, and room for the name of the check. */
const AREA_COLUMNS = 11
const WHAT_COLUMNS = 15

const INDENT = " ".repeat(ICON_COLUMNS + 1)
const ARROW = `${INDENT}→ `

/** `ai-mint doctor` for people: a line for each finding, what to do below it, and the sum. At most 100 columns wide. */
export const doctorWords = ({ findings }: Diagnosis): ReadonlyArray<string> => [
  ...findings.flatMap(linesOf),
  "",
  summary(findings)
]

const linesOf = ({ area, what, level, detail, remedy }: Finding): ReadonlyArray<string> => {
  const head = `${ICONS[level]} ${area.padEnd(AREA_COLUMNS)} ${what.padEnd(WHAT_COLUMNS)} `
  const indent = ICON_COLUMNS + 1 + AREA_COLUMNS + 1 + Math.max(what.length, WHAT_COLUMNS) + 1
  const [first = "", ...more] = wrap(detail, COLUMNS_MAX - indent)
  return [
    `${head}${first}`.trimEnd(),
    ...more.map((line) => " ".repeat(indent) + line),
    ...(remedy === undefined ? [] : remedyLines(remedy))
  ]
}

const remedyLines = (remedy: string): ReadonlyArray<string> =>
  wrap(remedy, COLUMNS_MAX - ARROW.length).map((line, index) => (index === 0 ? ARROW : " ".repeat(ARROW.length)) + line)

/** Breaks a text at its spaces, and inside a word only where the word alone is too long. */
const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const words = text.split(/\s+/).flatMap((word) => pieces(word, columns))
  const lines: Array<string> = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

const pieces = (word: string, columns: number): ReadonlyArray<string> =>
  word.length <= columns ? [word] : [word.slice(0, columns), ...pieces(word.slice(columns), columns)]

const summary = (findings: ReadonlyArray<Finding>): string => {
  const count = (level: FindingLevel) => findings.filter((finding) => finding.level === level).length
  const [failed, warned] = [count("fail"), count("warn")]
  const counts = [
    ...(failed === 0 ? [] : [`${failed} thing${failed === 1 ? "" : "s"} to repair`]),
    ...(warned === 0 ? [] : [`${warned} to think about`]),
    `${count("ok")} well`
  ]
  const level = worst(findings)
  return level === "ok" ? `✅ All is well (${findings.length} checks)` : `${ICONS[level]} ${counts.join(", ")}`
}
