import { spawnSync } from "node:child_process"
import type { Mutation } from "./mutations.ts"

interface Notice {
  /** The first seed that breaks; `undefined` where none does. */
  readonly seed: number | undefined
  /** What is broken, or what came instead of a verdict. */
  readonly said: string
}

/** The first of so many seeds that breaks, in a process of its own. */
const firstBroken = (seed: number, seeds: number, options: ReadonlyArray<string>): Notice => {
  const args = ["--import", "./src/guard.js", "--import", "./test/simulation/mutant.ts", "test/simulation/main.ts"]
  const range = ["--seed", String(seed), "--seeds", String(seeds), "--quiet"]
  const child = spawnSync(process.execPath, [...args, ...range, ...options], { encoding: "utf8" })
  const said = child.stdout.split("\n").find((line) => line.startsWith("seed ")) ?? child.stderr.trim()
  const broken = /^seed (\d+):/.exec(said)?.[1]
  return { seed: broken === undefined ? undefined : Number(broken), said: said.slice(0, 200) }
}

/** Runs the simulation on production code with this mistake in it. A seed that breaks without it as well is no notice. */
export const noticed = ({ name, withinSeeds, frequent = [] }: Mutation): Notice => {
  const kinds = frequent.flatMap((fault) => ["--frequent", fault])
  for (let seed = 1; seed <= withinSeeds;) {
    const notice = firstBroken(seed, withinSeeds - seed + 1, [...kinds, "--mutation", name])
    if (notice.seed === undefined || firstBroken(notice.seed, 1, kinds).seed === undefined) return notice
    seed = notice.seed + 1
  }
  return { seed: undefined, said: "every seed that breaks, breaks without it as well" }
}
