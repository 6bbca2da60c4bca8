/** What people read of amounts, times and ids. Pure: the zone and the clock are the caller's. */

const BASE_UNITS = 1_000_000n

const grouped = (digits: string): string => digits.replaceAll(/\B(?=(?:\d{3})+$)/g, ",")

/** Base units as text to USDC: at least two decimals, and never fewer than the amount has. Never a float. */
export const usdc = (baseUnits: string): string => {
  const amount = BigInt(baseUnits)
  const units = amount < 0n ? -amount : amount
  const fraction = String(units % BASE_UNITS)
    .padStart(6, "0")
    .replace(/0{1,4}$/, "")
  return `${amount < 0n ? "−" : ""}${grouped(String(units / BASE_UNITS))}.${fraction}`
}

export const count = (n: number): string => grouped(String(n))

/** `1 order`, `2 orders`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`

/** The two largest units: `42 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export const duration = (ms: number): string => {
  const left = Math.max(0, ms)
  if (left < MINUTE) return `${Math.floor(left / SECOND)} s`
  if (left < HOUR) return two(Math.floor(left / MINUTE), "min", Math.floor((left % MINUTE) / SECOND), "s")
  if (left < DAY) return two(Math.floor(left / HOUR), "h", Math.floor((left % HOUR) / MINUTE), "min")
  return two(Math.floor(left / DAY), "d", Math.floor((left % DAY) / HOUR), "h")
}

/** How long something took: `8 ms`, `1.4 s`. */
export const took = (ms: number): string =>
  ms < SECOND ? `${Math.round(ms)} ms` : ms < MINUTE ? `${(ms / SECOND).toFixed(1)} s` : duration(ms)

/** `12 s ago`, `in 12 s`, `now`. */
export const relative = (atMs: number, nowMs: number): string => {
  const ago = nowMs - atMs
  if (Math.abs(ago) < SECOND) return "now"
  return ago > 0 ? `${duration(ago)} ago` : `in ${duration(-ago)}`
}

/** `hh:mm:ss` in the reader's zone. */
export const clock = (atMs: number): string => new Date(atMs).toLocaleTimeString("en-GB")

/** `28 Nov 2026`, in the reader's zone. */
export const day = (atMs: number): string =>
  new Date(atMs).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })

/** `28 Nov`. */
export const dayOfYear = (atMs: number): string =>
  new Date(atMs).toLocaleDateString("en-GB", { day: "numeric", month: "short" })

/** The first eight digits: what the log shows, and what commands take. */
export const shortId = (id: string): string => id.slice(0, 8)

/** `0x1234…cdef`: enough to compare by eye. */
export const shortHash = (hash: string): string => (hash.length > 14 ? `${hash.slice(0, 6)}…${hash.slice(-4)}` : hash)

const STATES: Readonly<Record<string, string>> = {
  pending_payment: "waits for payment",
  processing: "minting",
  held: "held"
}

/** How operators call the status of an order or of a payment. */
export const stateName = (status: string): string => STATES[status] ?? status
