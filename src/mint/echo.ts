import type { PaymentAnswer } from "./Minter.ts"

/** In characters: a word of a language is rarely so long and part of a signature, and so few characters of one are useless. */
const PIECE = 8

/** Consecutive characters of what was sent, with any other text between them. */
const SCATTERED = 12

const isCounted = (char: string): boolean => /[A-Za-z0-9+/=]/.test(char)

const windows = (text: string, length: number): ReadonlyArray<string> =>
  Array.from({ length: Math.max(0, text.length - length + 1) }, (_, at) => text.slice(at, at + length).toLowerCase())

const windowsOf = (texts: ReadonlyArray<string>, length: number): ReadonlySet<string> =>
  new Set(texts.flatMap((text) => windows(text, length)))

/**
 * The text without what was sent: a server that echoes a payment would have it in log and `error_message`, from where
 * others could take it to the chain. Found in one piece or in several, with anything between them.
 */
export const withoutSent = (text: string, sent: ReadonlyArray<string>): string => {
  const [pieces, scattered] = [windowsOf(sent, PIECE), windowsOf(sent, SCATTERED)]
  const whole = text.replaceAll(/[A-Za-z0-9+/=]+/g, (run) =>
    windows(run, PIECE).some((piece) => pieces.has(piece)) ? "…" : run
  )
  const chars = [...whole]
  const places = chars.flatMap((char, at) => (isCounted(char) ? [at] : []))
  const compact = places.map((at) => chars[at]).join("")
  const marked = new Set<number>()
  for (const [n, window] of windows(compact, SCATTERED).entries()) {
    if (scattered.has(window)) for (let k = n; k < n + SCATTERED; k++) marked.add(places[k] ?? -1)
  }
  return chars
    .map((char, at) => (marked.has(at) ? "…" : char))
    .join("")
    .replaceAll(/…(?:[^A-Za-z0-9]*…)+/g, "…")
}

/** An answer whose reason holds nothing of what was sent. */
export const withoutEcho = (answer: PaymentAnswer, sent: ReadonlyArray<string>): PaymentAnswer =>
  answer._tag === "Accepted" ? answer : { ...answer, reason: withoutSent(answer.reason, sent) }
