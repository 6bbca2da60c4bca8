/**
 * All chance of a run. The same seed gives the same numbers on every machine; a fork has a stream of its own, so that
 * what one part of the world draws does not change what the others do.
 */
export interface Random {
  /** At least 0, less than 1. */
  readonly next: () => number
  readonly chance: (probability: number) => boolean
  /** A whole number, both ends included. */
  readonly int: (low: number, high: number) => number
  readonly pick: <A>(choices: ReadonlyArray<A>) => A
  readonly fork: (name: string) => Random
}

/** Source: xmur3 and sfc32, public domain, github.com/bryc/code (jshash/PRNGs.md). */
const hash = (text: string): (() => number) => {
  let state = 1779033703 ^ text.length
  for (let index = 0; index < text.length; index++) {
    state = Math.imul(state ^ text.charCodeAt(index), 3432918353)
    state = (state << 13) | (state >>> 19)
  }
  return () => {
    state = Math.imul(state ^ (state >>> 16), 2246822507)
    state = Math.imul(state ^ (state >>> 13), 3266489909)
    state ^= state >>> 16
    return state >>> 0
  }
}

export const makeRandom = (seed: string): Random => {
  const seeds = hash(seed)
  let [a, b, c, d] = [seeds(), seeds(), seeds(), seeds()]
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 4294967296
  }
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    chance: (probability) => next() < probability,
    int,
    pick: (choices) => choices[int(0, choices.length - 1)]!,
    fork: (name) => makeRandom(`${seed}/${name}`)
  }
}
