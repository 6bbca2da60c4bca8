import { median } from "../bench/report.ts"

/** What the executor's process holds at one moment, by name: `memory, MB`. */
export type Held = Readonly<Record<string, number>>

/** How much more something may be at the end: a share of what it was and, where that is little, an amount. */
interface Tolerance {
  readonly share: number
  readonly atLeast: number
}

/** Of whole things, such as connections: the load of a moment needs some more or fewer of them. */
const COUNTED: Tolerance = { share: 0.1, atLeast: 8 }

/** Of megabytes: how much the collector of garbage leaves lying varies by so much from one third to the next. */
const MEGABYTES: Tolerance = { share: 0.1, atLeast: 16 }

/** Of an answer's time: what else runs on the machine is in it too. */
const MILLISECONDS: Tolerance = { share: 1, atLeast: 50 }

const toleranceOf = (name: string): Tolerance => {
  if (name.endsWith(", MB")) return MEGABYTES
  return name.endsWith(", ms") ? MILLISECONDS : COUNTED
}

/** What one thing was in the middle third and in the last third of the time, as medians. */
export interface Compared {
  readonly name: string
  readonly middle: number
  readonly last: number
  readonly limit: number
}

/** Every name that a moment has, over the last two thirds of the moments: the first third is that of warming up. */
export const compare = (moments: ReadonlyArray<Held>): ReadonlyArray<Compared> => {
  const third = Math.floor(moments.length / 3)
  const [middle, last] = [moments.slice(-2 * third, -third), moments.slice(-third)]
  if (third === 0) return []
  return Object.keys(moments[0] ?? {}).map((name) => {
    const of = (some: ReadonlyArray<Held>) => median(some.map((moment) => moment[name] ?? 0))
    const { share, atLeast } = toleranceOf(name)
    const before = of(middle)
    return { name, middle: before, last: of(last), limit: before + Math.max(before * share, atLeast) }
  })
}

/** One sentence for everything that grew. */
export const grown = (compared: ReadonlyArray<Compared>): ReadonlyArray<string> =>
  compared
    .filter(({ last, limit }) => last > limit)
    .map(
      ({ name, middle, last, limit }) =>
        `${name} grew from ${shown(middle)} in the middle third to ${shown(last)} in the last third; at most ${shown(limit)} is flat`
    )

export const shown = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1))
