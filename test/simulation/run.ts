import { FAULT_NAMES, type Fault, type KindsOfFault } from "./faults.ts"
import { Operations } from "./Operations.ts"
import { checkEnd, isOver } from "./oracle/end.ts"
import type { Invariant, Violation } from "./oracle/Oracle.ts"
import { People } from "./People.ts"
import { Endless } from "./Timeline.ts"
import { World } from "./World.ts"

const HOUR_MS = 3_600_000

/** How long after the last fault every task must have come to its end: the longest window, pause and patience together. */
const HEALING_MS = 4 * HOUR_MS

/** So long after the last fault a person may still pay, or something come to light. */
const CALM_MS = HOUR_MS / 30

export interface RunOptions extends KindsOfFault {
  readonly seed: number
  /** How long things go wrong, in virtual hours. */
  readonly hours: number
  /** Violations of these are noted and do not end the run. */
  readonly ignored?: ReadonlySet<Invariant>
}

/** What a run came to. */
export interface Outcome {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  readonly trace: ReadonlyArray<string>
  readonly virtualMs: number
  readonly faults: ReadonlyMap<Fault, number>
  readonly steps: ReadonlyMap<string, number>
  /** Tasks by their last state; those that are held apart. */
  readonly tasks: ReadonlyMap<string, number>
}

/** One life of the platform, from its seed. */
export const run = (options: RunOptions): Outcome => {
  // The stacks of what goes wrong on purpose are not needed, and making them takes time.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return live(options)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

const live = ({ seed, hours, ignored, ...kinds }: RunOptions): Outcome => {
  const world = new World(String(seed), kinds, ignored)
  const { faults, oracle, timeline, trace } = world
  const startMs = timeline.nowMs
  const people = new People(world)
  const operations = new Operations(world)
  const isBroken = () => oracle.violations.length > 0
  const pass = () => {
    people.order(startMs + hours * HOUR_MS)
    operations.begin()
    timeline.run(startMs + hours * HOUR_MS, isBroken)
    operations.heal()
    const healedMs = timeline.nowMs
    timeline.run(healedMs + HEALING_MS, () => isBroken() || (timeline.nowMs > healedMs + CALM_MS && isOver(world)))
  }
  try {
    pass()
  } catch (error) {
    if (!(error instanceof Endless)) throw error
    oracle.report("I7", error.message)
  }
  const tasks = checkEnd(world)
  return {
    seed,
    violations: oracle.violations,
    trace: trace.lines,
    virtualMs: timeline.nowMs - startMs,
    faults: new Map(FAULT_NAMES.map((name) => [name, faults.counts.get(name) ?? 0])),
    steps: oracle.steps,
    tasks
  }
}

/**
 * The kinds of fault that a violation needs: each is left out in turn, and stays out where the same invariant breaks
 * without it. Every kind has chance of its own, so that leaving one out changes little else.
 */
export const shrink = (outcome: Outcome, again: (only: ReadonlySet<Fault>) => Outcome): ReadonlySet<Fault> => {
  const invariant = outcome.violations[0]?.invariant
  let needed: ReadonlySet<Fault> = new Set(FAULT_NAMES.filter((name) => (outcome.faults.get(name) ?? 0) > 0))
  for (const name of needed) {
    const fewer = new Set([...needed].filter((other) => other !== name))
    if (again(fewer).violations[0]?.invariant === invariant) needed = fewer
  }
  return needed
}
