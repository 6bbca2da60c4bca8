import { type Fault, FAULT_NAMES } from "./faults.ts"
import type { Outcome } from "./run.ts"

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
