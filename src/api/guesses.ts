import { Clock, Effect } from "effect"
import { createHash } from "node:crypto"

/** Different wrong tokens of one address in a minute: a person who mistypes needs fewer, and nothing is guessed with so many. */
export const GUESSES_MAX = 20

const WINDOW_MS = 60_000

/** Addresses at once. Past that the oldest one is forgotten: what an address costs is bounded, and so is the memory. */
const ADDRESSES_MAX = 10_000

interface Tried {
  readonly sinceMs: number
  readonly tokens: Set<string>
}

/**
 * The wrong tokens of each address in the last minute. One that comes again is no other guess: a page or a program that
 * still has an old token asks as often as it likes, and shuts nothing out that asks from the same address.
 */
export const makeGuesses = Effect.sync(() => {
  const all = new Map<string, Tried>()

  /** Those of the current minute of an address. A clock that was set back begins another one. */
  const triedBy = (who: string, nowMs: number): Tried | undefined => {
    const tried = all.get(who)
    return tried !== undefined && nowMs >= tried.sinceMs && nowMs - tried.sinceMs < WINDOW_MS ? tried : undefined
  }

  const begin = (who: string, nowMs: number): Tried => {
    const tried: Tried = { sinceMs: nowMs, tokens: new Set() }
    all.delete(who)
    const [oldest] = all.keys()
    if (all.size >= ADDRESSES_MAX && oldest !== undefined) all.delete(oldest)
    all.set(who, tried)
    return tried
  }

  return {
    /** Whether the address may have a token compared now. When it may not, the right one is not taken either. */
    mayTry: (who: string) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) => (triedBy(who, nowMs)?.tokens.size ?? 0) < GUESSES_MAX),
    /** Notes a wrong one. True where it is the last one that the address has for this minute. */
    wrong: (who: string, token: string) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) => {
        const { tokens } = triedBy(who, nowMs) ?? begin(who, nowMs)
        tokens.add(createHash("sha256").update(token).digest("base64"))
        return tokens.size >= GUESSES_MAX
      })
  }
})
