import { parseArgs } from "node:util"

/** How much is measured. */
export interface Options {
  /** Also what takes long: 100,000 orders, a million that are over. */
  readonly isLarge: boolean
  /** How often each figure is measured; the table has the medians. */
  readonly rounds: number
  /** For how long memory is looked at. */
  readonly minutes: number
  /** A file for all that was measured. */
  readonly json: string | undefined
  /** Which measurements; none: all of them. */
  readonly names: ReadonlyArray<string>
}

/** What a measurement works with. */
export interface Bench extends Options {
  /** A PostgreSQL server. */
  readonly server: { readonly url: string }
}

const flags = {
  large: { type: "boolean", default: false },
  rounds: { type: "string", default: "2" },
  minutes: { type: "string", default: "0.5" },
  json: { type: "string" }
} as const

/** Throws where an argument is unknown, and where a number is none. */
export const optionsOf = (args: ReadonlyArray<string>): Options => {
  const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true })
  const [rounds, minutes] = [Number(values.rounds), Number(values.minutes)]
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error("--rounds is a whole number, 1 or more")
  if (!(minutes > 0)) throw new Error("--minutes is a number above 0")
  return { isLarge: values.large, rounds, minutes, json: values.json, names: positionals }
}
