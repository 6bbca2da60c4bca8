import type { Report } from "./words.ts"

/** The report for programs: amounts and block numbers as text, what is not known as null. */
export const jsonOf = (report: Report): string =>
  JSON.stringify(
    report,
    (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value === undefined ? null : value),
    2
  )
