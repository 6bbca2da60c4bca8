import { Cause, Console, Effect, Exit, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { type Column, COLUMNS, type Figure, median, profileOf, progressOf, type Share, tableOf } from "./report.ts"

/** What one round measured of a figure. */
export type RoundValues = { readonly [column in Column]?: number | undefined }

/** What is measured so far. All of it is printed, and written to the file, as soon as it is there. */
export interface Results {
  /** Adds what one round measured to a figure. */
  readonly add: (what: string, unit: string, values: RoundValues) => Effect.Effect<void>
  /** Statements, calls or processes by kind, under a title. Those of a later round take the place of the earlier ones. */
  readonly profile: (title: string, shares: ReadonlyArray<Share>) => Effect.Effect<void>
  /** Runs one round. Where it fails or takes too long it says why, and all others are measured nevertheless. */
  readonly round: (
    name: string,
    work: Effect.Effect<void, { readonly message: string }, Scope.Scope>
  ) => Effect.Effect<void>
}

export interface Book extends Results {
  /** Runs a measurement: its figures carry its name. */
  readonly measure: (
    name: string,
    work: (results: Results) => Effect.Effect<void, { readonly message: string }, Scope.Scope>
  ) => Effect.Effect<void>
  /** All figures as one table, and what failed. */
  readonly table: () => string
  readonly failures: ReadonlyArray<string>
}

/** Far more than a round takes, and less than one would wait for it. */
const ROUND_LIMIT = "15 minutes"

/** `about` goes into the file as it is. */
export const openBook = (file: string | undefined, about: Readonly<Record<string, unknown>>): Book => {
  const figures = new Map<string, Record<Column, Array<number>> & Omit<Figure, Column>>()
  const profiles: Record<string, ReadonlyArray<Share>> = {}
  const failures: Array<string> = []
  let measure = ""

  const write = Effect.sync(() => {
    if (file === undefined) return
    const medians = [...figures.values()].map((figure) => ({ median: median(figure.ours), ...figure }))
    writeFileSync(file, `${JSON.stringify({ ...about, figures: medians, profiles, failures }, null, 2)}\n`)
  })

  const add: Results["add"] = (what, unit, values) =>
    Effect.suspend(() => {
      const figure = figures.get(what) ?? { measure, what, unit, ours: [], bare: [], oneByOne: [] }
      figures.set(what, figure)
      for (const column of COLUMNS) figure[column].push(...[values[column] ?? []].flat())
      return Effect.andThen(Console.error(progressOf(figure)), write)
    })

  const profile: Results["profile"] = (title, shares) =>
    Effect.suspend(() => {
      profiles[title] = shares
      return Effect.andThen(Console.error(`\n${profileOf(title, shares)}\n`), write)
    })

  const attempt: Results["round"] = Effect.fnUntraced(function* (name, work) {
    const startMs = performance.now()
    const exit = yield* Effect.exit(Effect.scoped(work))
    const tookSeconds = Math.round((performance.now() - startMs) / 1000)
    if (Exit.isSuccess(exit)) return yield* Console.error(`  (${name}: ${tookSeconds} s)`)
    failures.push(`${name}, after ${tookSeconds} s: ${Cause.pretty(exit.cause)}`)
    yield* Console.error(`NOT MEASURED: ${failures.at(-1)}`)
    yield* write
  })

  const round: Results["round"] = (name, work) => attempt(name, Effect.timeout(work, ROUND_LIMIT))

  const results = { add, profile, round }
  return {
    ...results,
    failures,
    measure: (name, work) =>
      Effect.suspend(() => {
        measure = name
        return attempt(name, work(results))
      }),
    table: () => {
      const parts = [tableOf([...figures.values()])]
      for (const [title, shares] of Object.entries(profiles)) parts.push(profileOf(title, shares))
      return [...parts, ...failures.map((why) => `Not measured: ${why}`)].join("\n\n")
    }
  }
}
