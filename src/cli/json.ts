import { UNSEEN } from "../domain/unseen.ts"

/** The report for programs: amounts and block numbers as text, what is not known as null. */
export const jsonOf = (report: unknown): string => escaped(JSON.stringify(report, plainly, 2))

/** The same in one line. */
export const jsonLineOf = (report: unknown): string => escaped(JSON.stringify(report, plainly))

/** JSON leaves most of them as they are, and a terminal may show it. What is between values has none but line ends. */
const escaped = (json: string): string =>
  json.replaceAll(UNSEEN, (char) => (char === "\n" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`))

const plainly = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? value.toString() : value === undefined ? null : value
