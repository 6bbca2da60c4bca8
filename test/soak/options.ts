import { parseArgs } from "node:util"

/** How long and how hard. */
export interface Options {
  /** For how long people place orders and things go wrong. What is open then comes to its end after it. */
  readonly minutes: number
  readonly ordersPerMinute: number
  /** What is drawn follows from it; when it happens follows from the machine too. */
  readonly seed: number
}

const flags = {
  minutes: { type: "string", default: "60" },
  "orders-per-minute": { type: "string", default: "30" },
  seed: { type: "string", default: "1" }
} as const

/** Throws where an argument is unknown, and where a number is none. */
export const optionsOf = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({ args: [...args], options: flags })
  const [minutes, ordersPerMinute, seed] = [values.minutes, values["orders-per-minute"], values.seed].map(Number)
  if (!(minutes !== undefined && minutes >= 1)) throw new Error("--minutes is a number, 1 or more")
  if (!(ordersPerMinute !== undefined && ordersPerMinute > 0))
    throw new Error("--orders-per-minute is a number above 0")
  if (!Number.isInteger(seed)) throw new Error("--seed is a whole number")
  return { minutes, ordersPerMinute, seed: seed ?? 1 }
}
