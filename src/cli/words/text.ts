import { DateTime } from "effect"
import { duration } from "../../domain/time.ts"
import { singleLine } from "../../domain/text.ts"
import { format } from "../../domain/Usdc.ts"

/** What fits a terminal of the usual width, and two of them beside each other on a wide screen. */
export const COLUMNS = 100

const EMOJI = /\p{Extended_Pictographic}/u

/** The columns that a text takes on a terminal: an icon takes two. */
export const columnsOf = (text: string): number =>
  [...text.replaceAll("\ufe0f", "")].reduce((sum, sign) => sum + (EMOJI.test(sign) ? 2 : 1), 0)

/** In one line, and without what would move the cursor of a terminal: texts come from other people's servers. */
export const inLine = (text: string): string => singleLine(text).trim()

/** Cut to its columns, with `…` at the end where something is missing. */
export const clip = (text: string, columns: number): string => {
  const line = inLine(text)
  if (columnsOf(line) <= columns) return line
  let kept = ""
  let used = 0
  for (const sign of line) {
    used += columnsOf(sign)
    if (used > columns - 1) break
    kept += sign
  }
  return `${kept}…`
}

/** Broken at its spaces, and inside a word only where the word alone is too long. At least one line. */
export const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of inLine(text)
    .split(/\s+/)
    .flatMap((word) => pieces(word, columns))) {
    const last = lines.at(-1)
    if (last === undefined || columnsOf(last) + 1 + columnsOf(word) > columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

const pieces = (word: string, columns: number): ReadonlyArray<string> =>
  columnsOf(word) <= columns ? [word] : [word.slice(0, columns), ...pieces(word.slice(columns), columns)]

/** A text behind what stands before its first line, wrapped, and all its lines under each other. */
export const hang = (before: string, text: string, columns = COLUMNS): ReadonlyArray<string> => {
  const indent = columnsOf(before)
  const [first = "", ...more] = wrap(text, columns - indent)
  return [`${before}${first}`.trimEnd(), ...more.map((line) => " ".repeat(indent) + line)]
}

/** `12.50 USDC`, from base units. */
export const usdcOf = (amount: bigint): string => `${format(amount)} USDC`

/** `2026-11-28 05:15:30 UTC`. */
export const utc = (ms: number): string => `${iso(ms).slice(0, 10)} ${clock(ms)}`

/** `05:15:30 UTC`. */
export const clock = (ms: number): string => `${iso(ms).slice(11, 19)} UTC`

const iso = (ms: number): string => DateTime.formatIso(DateTime.makeUnsafe(ms))

/** `2m 15s` since then; `-` where it is not known. */
export const ageOf = (ms: number | undefined, nowMs: number): string => (ms === undefined ? "-" : duration(nowMs - ms))

/** `0x1234…abcd`: enough to recognise an address that is at hand. */
export const shortAddress = (address: string): string =>
  address.length > 12 ? `${address.slice(0, 6)}…${address.slice(-4)}` : address
