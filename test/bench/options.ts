import { parseArgs } from "node:util"
import type { Results } from "./results.ts"

/** How much is measured. */
export interface Options {
  /** Also what takes long: 100,000 orders, a million that are over. */
  readonly isLarge: boolean
  /** How often each figure is measured; the table has the medians. */
  readonly rounds: number
  /** For how long memory is looked at. */
  readonly minutes: number
  /** Loads of `throughput`, by their number of wallets. */
  readonly wallets: ReadonlyArray<number>
  /** Numbers of executors of `runners` and `division`. */
  readonly executors: ReadonlyArray<number>
  /** Whether `throughput` is against a mint server that costs almost nothing (`lightServer.ts`). */
  readonly isLight: boolean
  /** A file for all that was measured. */
  readonly json: string | undefined
  /** Which measurements; none: all of them. */
  readonly names: ReadonlyArray<string>
}

/** What a measurement works with. */
export interface Bench extends Options {
  /** A PostgreSQL server. */
  readonly server: { readonly url: string }
  /** Where it puts what it has measured. */
  readonly results: Results
}

const flags = {
  large: { type: "boolean", default: false },
  rounds: { type: "string", default: "2" },
  minutes: { type: "string", default: "0.5" },
  wallets: { type: "string", default: "1,8,64,300" },
  executors: { type: "string", default: "1,2,4" },
  light: { type: "boolean", default: false },
  json: { type: "string" }
} as const

const isCount = (value: number): boolean => Number.isInteger(value) && value > 0

/** Throws where an argument is unknown, and where a number is none. */
export const optionsOf = (args: ReadonlyArray<string>): Options => {
  const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true })
  const [rounds, minutes] = [Number(values.rounds), Number(values.minutes)]
  const wallets = values.wallets.split(",").map(Number)
  const executors = values.executors.split(",").map(Number)
  if (!isCount(rounds)) throw new Error("--rounds is a whole number, 1 or more")
  if (!(minutes > 0)) throw new Error("--minutes is a number above 0")
  if (!wallets.every(isCount)) throw new Error("--wallets is a list of whole numbers: 64,300")
  if (!executors.every(isCount)) throw new Error("--executors is a list of whole numbers: 1,2")
  const { large: isLarge, light: isLight, json } = values
  return { isLarge, isLight, rounds, minutes, wallets, executors, json, names: positionals }
}
