/** The report for programs: amounts and block numbers as text, what is not known as null. */
export const jsonOf = (report: unknown): string => JSON.stringify(report, plainly, 2)

/** The same in one line. */
export const jsonLineOf = (report: unknown): string => JSON.stringify(report, plainly)

const plainly = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? value.toString() : value === undefined ? null : value
