/** The units in which lengths of time are written, largest first, in milliseconds. */
const UNITS = [
  { ms: 86_400_000, short: "d", long: "day" },
  { ms: 3_600_000, short: "h", long: "hour" },
  { ms: 60_000, short: "m", long: "minute" },
  { ms: 1_000, short: "s", long: "second" },
  { ms: 1, short: "ms", long: "millisecond" }
] as const

const SECOND_MS = 1_000

/**
 * An age, for people: its biggest unit and the next one below, cut and not rounded (`2m 15s`, `45s`, `10m`, `1h 3m`).
 * Milliseconds appear only under a second; less than nothing, from clocks that disagree, is `0s`.
 */
export const duration = (ms: number): string => {
  const whole = Math.floor(ms)
  if (whole <= 0) return "0s"
  const biggest = UNITS.findIndex((unit) => whole >= unit.ms)
  const smallest = whole < SECOND_MS ? biggest : Math.min(biggest + 1, UNITS.length - 2)
  let rest = whole
  const parts: Array<string> = []
  for (const unit of UNITS.slice(biggest, smallest + 1)) {
    const count = Math.floor(rest / unit.ms)
    rest -= count * unit.ms
    if (count > 0) parts.push(`${count}${unit.short}`)
  }
  return parts.join(" ")
}

/**
 * A length that someone chose, in words and exactly: a whole number of the biggest unit that divides it (`10 minutes`,
 * `1 minute`, `90 seconds`, `1500 milliseconds`). Milliseconds, whole and not negative.
 */
export const words = (ms: number): string => {
  if (ms === 0) return "0 seconds"
  const unit = UNITS.find((candidate) => ms % candidate.ms === 0)
  if (unit === undefined) return `${ms} milliseconds`
  const count = ms / unit.ms
  return `${count} ${unit.long}${count === 1 ? "" : "s"}`
}
